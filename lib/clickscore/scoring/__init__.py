"""The path of a click: raw records become clicks, clicks get features, features get a score.

Nothing here knows Spark or the model registry. Example::

    contract = read_contract(Path("conf/click.ddl"), "event_id", "event_time", "visitor_id")
    features = read_features(Path("conf/features.sql"), contract.click)
    scorer = ClickScorer(contract, features, load_booster(Path("model")))
    outcomes = scorer.score(pa.array([b'{"event_id": "c1", ...}'], pa.binary()))
    outcomes.field("score"), outcomes.field("reason"), outcomes.field("detail")
"""

from clickscore.scoring.contract import Contract, read_contract
from clickscore.scoring.features import Features, read_features
from clickscore.scoring.models import LoadedModel, load_booster
from clickscore.scoring.scorer import ClickScorer

__all__ = ["ClickScorer", "Contract", "Features", "LoadedModel", "load_booster", "read_contract", "read_features"]
