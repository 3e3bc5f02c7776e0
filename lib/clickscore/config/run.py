"""The configuration of a run: one complete YAML file, checked whole before anything else happens."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from clickscore.config.click import Click, FieldSource
from clickscore.config.deduplicate import Deduplicate
from clickscore.config.drift import Drift
from clickscore.config.endpoint import Endpoint
from clickscore.config.erasure import Erasure
from clickscore.config.fields import (
    ExistingFile,
    FolderPath,
    Milliseconds,
    Section,
    Text,
    interval_ms,
    is_interval,
    nearest,
)
from clickscore.config.lineage import Lineage
from clickscore.config.model import ENDPOINT, Allow, Gate, Model, Promotion
from clickscore.config.outcome import Labels, Outcome
from clickscore.config.output import Output
from clickscore.config.privacy import Privacy
from clickscore.config.retention import Retention
from clickscore.config.service import Service, WriteBehind
from clickscore.config.source import SOURCES, Security, Source
from clickscore.config.training import Retrain, Training
from clickscore.config.value import Value
from clickscore.config.yaml_file import MISREAD, read_tree
from clickscore.errors import ConfigError

AVAILABLE_NOW = "available_now"


def _trigger(text: str) -> str:
    if text == AVAILABLE_NOW:
        return text
    if not is_interval(text):
        raise ValueError(f'expected {AVAILABLE_NOW} or an interval such as "5 seconds", found {text!r}')
    interval_ms(text)
    return text


class HealthEndpoint(Section):
    """Where the running job serves ``/healthz`` and ``/metrics``, and when it counts as stuck.

    Example::

        health: {port: 8090, host: 0.0.0.0, stuck_after: 5 minutes}

    Attributes:
        port: port to listen on; 0 takes any free port.
        host: address to listen on; ``0.0.0.0`` accepts requests from other machines.
        stuck_after_ms: longest time without progress, in addition to the interval of the trigger.
    """

    port: Annotated[int, Field(ge=0, le=65_535)]
    host: Text = "127.0.0.1"
    stuck_after_ms: Annotated[Milliseconds, Field(alias="stuck_after")] = 5 * 60_000


Share = Annotated[float, Field(ge=0, lt=1)]


class Config(Section):
    """A whole run.

    Attributes:
        source: where the clicks come from.
        click: what a click looks like.
        features: file with the features, DuckDB SQL.
        model: the model that scores.
        output: the tables.
        checkpoint: folder in which Spark keeps how far the stream has come; one per stream.
        trigger: ``available_now`` processes what is there and stops; an interval keeps the stream running.
        reject_warning: share of rejected records from which on a run warns; it looks at 100 records or more.
        reject_limit: share of rejected records of a micro-batch of 100 records or more from which on the run ends
            before it writes the micro-batch; left out, it only warns.
        privacy: left out, the tables keep clicks and rejected records as they are.
        erasure: left out, erasures are known by ``privacy.key``.
        retention: left out, the tables keep their rows for good.
        deduplicate: left out, every click is scored.
        drift: from when on scores and features count as drifted.
        health: left out, the job listens on no port.
        lineage: left out, nobody is told what each micro-batch has read and written.
        service: only for ``jobs/serve.py``.
        outcome: what a success is: for ``jobs/join_outcomes.py``, training, promotion and the report.
        training: for ``jobs/train_model.py`` and ``jobs/retrain.py``.
        retrain: only for ``jobs/retrain.py``.
        promotion: only for ``jobs/promote_model.py``.
    """

    source: Source
    click: Click
    features: ExistingFile
    model: Model
    output: Output
    checkpoint: FolderPath
    trigger: Annotated[str, AfterValidator(_trigger)]
    reject_warning: Share = 0.5
    reject_limit: Share | None = None
    privacy: Privacy | None = None
    erasure: Erasure | None = None
    retention: Retention | None = None
    deduplicate: Deduplicate | None = None
    drift: Drift = Field(default_factory=Drift)
    health: HealthEndpoint | None = None
    lineage: Lineage | None = None
    service: Service | None = None
    outcome: Outcome | None = None
    training: Training | None = None
    retrain: Retrain = Field(default_factory=Retrain)
    promotion: Promotion = Field(default_factory=Promotion)

    @property
    def interval_s(self) -> float | None:
        """Seconds between two triggers; None for a run that ends by itself."""
        return None if self.trigger == AVAILABLE_NOW else interval_ms(self.trigger) / 1000


def load(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read and check a configuration.

    Args:
        path: the YAML file.
        overrides: ``key.path=value`` texts; the value is read as YAML.

    Raises:
        ConfigError: with every unknown key, wrong type and missing file in one message.
    """
    tree = read_tree(path)
    for override in overrides:
        _override(tree, override)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(str(path), [_sentence(detail) for detail in error.errors()]) from None


def _override(tree: dict[str, Any], override: str) -> None:
    key_path, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}", ["expected key.path=value, for instance trigger=available_now"])
    *parents, last = key_path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {override}", [f"{parent} is a single value, it has no keys of its own"])
    try:
        tree[last] = yaml.safe_load(value)
    except (yaml.YAMLError, *MISREAD):
        # Without the value: it may be a secret that somebody has mistyped.
        raise ConfigError(f"--set {key_path}", ["its value is not readable as YAML"]) from None


def _sentence(detail: ErrorDetails) -> str:
    # The tag of a union (folder, delta) is in pydantic's location, but not in the file.
    location = [str(part) for part in detail["loc"]]
    keys = (
        location[:1] + [part for part in location[1:2] if location[0] != "source" or part not in SOURCES] + location[2:]
    )
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden" and key in _RENAMED:
        return f"{key}: unknown key; write {_RENAMED[key]}"
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(keys[-1], _names(location[:-1]))}"
    if detail["type"] == "missing":
        return f"{key}: missing"
    if detail["type"] == "string_pattern_mismatch" and key in _URIS:
        return f"{key}: expected {_URIS[key]}, found {_shown(detail['input'])}"
    if detail["type"] == "union_tag_invalid":
        return f"{key}.kind: expected {' or '.join(SOURCES)}{nearest(str(_tag(detail)), SOURCES)}"
    if detail["type"] == "union_tag_not_found":
        return f"{key}.kind: missing; expected {' or '.join(SOURCES)}"
    if detail["type"] == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]}, found {type(detail['input']).__name__}"


_REGISTERED = "models:/<name>@<alias> or models:/<name>/<version>"
_URIS = {"model.uri": f"{_REGISTERED} or endpoint:https://<host>/<path>", "model.challenger": _REGISTERED}
_RENAMED = {
    "training.converted": "outcome.success, with outcome.unit: session and outcome.window beside it",
    "training.session": "outcome.session, with outcome.unit: session beside it",
}
_SECTIONS: dict[str, type[Section]] = {
    "click": Click, "model": Model, "output": Output, "training": Training, "deduplicate": Deduplicate, "drift": Drift,
    "health": HealthEndpoint, "lineage": Lineage, "service": Service, "write_behind": WriteBehind, "privacy": Privacy,
    "erasure": Erasure, "retention": Retention, "value": Value,
    "security": Security, "allow": Allow, "promotion": Promotion, "gate": Gate, "endpoint": Endpoint,
    "outcome": Outcome, "retrain": Retrain, "labels": Labels,
}  # fmt: skip


def _shown(uri: str) -> str:
    # Not the address: where it has a user, a password or a query, one of these may be a secret.
    return "an endpoint with something else in its address" if uri.startswith(ENDPOINT) else repr(uri)


def _tag(detail: ErrorDetails) -> object:
    return detail["input"].get("kind") if isinstance(detail["input"], Mapping) else detail["input"]


def _names(parents: list[str]) -> Iterator[str]:
    section = ({**_SECTIONS, **SOURCES}).get(parents[-1], Config) if parents else Config
    if parents[:2] == ["click", "from"]:
        section = FieldSource
    for name, field in section.model_fields.items():
        yield field.alias or name
