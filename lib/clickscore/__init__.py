"""Scores every website click as it happens: micro-batches of clicks in, scored clicks in Delta tables out.

The packages, in the order in which they may import each other; docs/architecture.md has the picture:

- ``config``: what a run is told.
- ``scoring``: the path of a click, pure and without Spark; start reading at ``scoring.scorer``.
- ``embedded``: the scorer inside another program, from an exported folder.
- ``storage``: Delta tables, their schemas, the fence, the model timeline, the checkpoint.
- ``sources``: a landing folder, Kafka topics, a Delta table.
- ``registry``: the life of a model version; ``training``: past clicks become one; ``export``: one becomes a folder.
- ``monitoring``: progress, health, metrics, lag.
- ``stream``: the running job; ``stream.app`` is its composition root, ``stream.micro_batch`` one micro-batch.
- ``batch``: backfill, re-score and comparison.
- ``reconciliation``: audit and replay.

Every package may import ``errors``, ``reasons``, ``console``, ``cli``, ``retries``, ``session`` and ``spark_errors``.
"""

__version__ = "0.2.0"
