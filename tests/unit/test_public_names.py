"""What programs of others may import: a change of these names is a change that they notice."""

from importlib import import_module

import pytest

PUBLIC = {
    "clickscore.embedded": {"EmbeddedScorer", "Outcome", "load"},
    "clickscore.errors": {
        "BatchError", "CheckpointError", "ClickscoreError", "ConfigError", "DataLossError", "ErasureError",
        "ModelError", "ModelNotFoundError", "ModelUnavailableError", "OutcomeError", "PreflightError", "ReplayError",
        "RunError", "SignatureError", "SourceError", "SourceUnavailableError", "StreamError", "TableError",
        "UntrustedModelError", "WiringError", "WorkerLostError",
    },
    "clickscore.scoring": {
        "ClickScorer", "Contract", "Features", "LoadedModel", "load_booster", "read_contract", "read_features",
    },
    "clickscore.stream.udf": {"register"},
    "clickscore.testing": {"features", "score"},
}  # fmt: skip


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_those_that_users_know(module: str) -> None:
    found = import_module(module)
    assert set(found.__all__) == PUBLIC[module]
    assert all(hasattr(found, name) for name in found.__all__)


def test_one_base_catches_every_error() -> None:
    errors = import_module("clickscore.errors")
    assert all(issubclass(getattr(errors, name), errors.ClickscoreError) for name in errors.__all__)
