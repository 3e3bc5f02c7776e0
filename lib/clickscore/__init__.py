"""Scores every website click as it happens: micro-batches of clicks in, scored clicks in Delta tables out.

The path of a click, pure functions of DataFrames and Columns without any input or output:

- ``pipeline``: the whole path in one screen; start reading here.
- ``clicks``: raw records become clicks; ``decoding`` decides about a single record.
- ``features``: clicks get features, from the features file.
- ``scoring``: features get a score; rows get the shape of their table.
- ``schemas``: the shapes of records, clicks and tables. ``config`` and ``errors``: what a run is told, and what it
  says when that cannot be.

Around it, what touches the world:

- ``app``: the composition root; checks the wiring, starts the stream, waits for its end.
- ``microbatch``: one micro-batch, exactly once into both tables.
- ``sources``, ``tables``, ``files``, ``checkpoint``, ``timeline``, ``model``: what is read, written and remembered.
- ``session``, ``progress``, ``summary``: the Spark session, and what a person sees.
- ``training``: past clicks become a registered model.
"""

__version__ = "0.1.0"
