"""Scores every website click as it happens: micro-batches of clicks in, scored clicks in Delta tables out.

The path of a click, pure functions of DataFrames and Columns without any input or output:

- ``pipeline``: the whole path in one screen; start reading here.
- ``clicks``: raw records become clicks; ``decoding`` decides about a single record.
- ``features``: clicks get features, from the features file.
- ``scoring``: features get a score; rows get the shape of their table.
- ``failures``: clicks on which the model fails, found again for the rejected.
- ``schemas``: the shapes of records, clicks and tables. ``config`` and ``errors``: what a run is told, and what it
  says when that cannot be.

Around it, what touches the world:

- ``app``: the composition root; checks the wiring and puts the parts together.
- ``stream``: queries over the source until the end; ``retries`` and ``clock`` tell what may pass by itself.
- ``microbatch``: one micro-batch, exactly once into both tables; ``firstpass`` scores it and deals with failing models.
- ``sources``, ``tables``, ``files``, ``checkpoint``, ``timeline``: what is read, written and remembered.
- ``registry``, ``version``, ``trust``: models as they are registered, and what may be loaded.
- ``deployment``, ``model``, ``predictor``, ``isolation``, ``outputs``: models on the executors, and a click that they
  choke on.
- ``lineup``, ``follower``, ``modelwatch``: champion and challenger, while their aliases move.
- ``session``, ``progress``, ``summary``, ``plan``: the Spark session, and what a person sees.
- ``health``, ``streamwatch``, ``probe``, ``metrics``: how the run is, found out and told over HTTP.
- ``training``, ``learners``, ``evaluation``: past clicks become a registered model.
- ``promotion``, ``comparison``: a challenger takes the champion's place, if the gate holds.
- ``replay``, ``resolution``, ``resubmission``: rejected clicks are scored after all.
- ``audit``, ``evidence``, ``conservation``, ``auditreport``: every record is in exactly one row, or named;
  ``offsetlog``, ``heldoffsets``, ``heldfiles``, ``heldcommits``, ``recordkeys``: what the source says of that.
"""

__version__ = "0.1.0"
