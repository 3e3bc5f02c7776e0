"""The scorer inside another program: one exported folder, and neither Spark, MLflow, pandas nor a network.

Example::

    from clickscore import embedded

    scorer = embedded.load("build/demo/embedded")
    outcome = scorer.score(b'{"event_id": "c1", ...}')
    outcome.verdict, outcome.score, outcome.reason
"""

from clickscore.embedded.scorer import EmbeddedScorer, Outcome, load

__all__ = ["EmbeddedScorer", "Outcome", "load"]
