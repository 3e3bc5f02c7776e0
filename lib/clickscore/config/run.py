"""The configuration of a run: one complete YAML file, checked whole before anything else happens."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from clickscore.config.fields import (
    ExistingFile,
    Milliseconds,
    Section,
    Text,
    existing_file,
    interval_ms,
    is_interval,
    nearest,
)
from clickscore.config.model import Allow, Gate, Model, Promotion
from clickscore.config.source import SOURCES, Security, Source
from clickscore.errors import ConfigError

AVAILABLE_NOW = "available_now"


def _trigger(text: str) -> str:
    if text != AVAILABLE_NOW and not is_interval(text):
        raise ValueError(f'expected {AVAILABLE_NOW} or an interval such as "5 seconds", found {text!r}')
    return text


class Click(Section):
    """What a click looks like.

    Attributes:
        ddl: file with the fields in Spark DDL, ``schema`` in the YAML.
        id: the field that tells clicks apart.
        time: the field with the event time, a ``TIMESTAMP``.
        visitor: the field that tells visitors apart.
    """

    ddl: Annotated[ExistingFile, Field(alias="schema")]
    id: Text
    time: Text
    visitor: Text


class Output(Section):
    """The two main tables, each a path or a catalog name; the model timeline stands beside the scored clicks."""

    scored: Text
    rejected: Text

    @model_validator(mode="after")
    def _are_two(self) -> "Output":
        if self.scored.rstrip("/") == self.rejected.rstrip("/"):
            raise ValueError(f"scored and rejected are the same table, {self.scored}; name two")
        return self


class Training(Section):
    """What ``train_model`` needs beyond the contract.

    Attributes:
        clicks: folder of past clicks, in the form of a folder source.
        session: the field that tells visits apart.
        converted: Spark SQL condition on a click that makes its whole visit a success.
        holdout: share of the time range, at its end, that the model is judged on.
        algorithm: ``lightgbm`` or ``xgboost``.
    """

    clicks: Text
    session: Text
    converted: Text
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    algorithm: Literal["lightgbm", "xgboost"] = "lightgbm"


class Deduplicate(Section):
    """Clicks whose id was seen within the window, in time of processing, are counted, and not scored again."""

    window_ms: Annotated[Milliseconds, Field(alias="window")]


class HealthEndpoint(Section):
    """Where a running job can be asked how it is, and when it counts as stuck.

    Attributes:
        port: port to listen on; 0 takes any that is free.
        host: address to listen on; others than this machine can ask when it is that of a network, such as ``0.0.0.0``.
        stuck_after_ms: how long nothing may be finished, beyond the interval of the trigger.
    """

    port: Annotated[int, Field(ge=0, le=65_535)]
    host: Text = "127.0.0.1"
    stuck_after_ms: Annotated[Milliseconds, Field(alias="stuck_after")] = 5 * 60_000


class Config(Section):
    """A whole run.

    ``training`` is only needed by ``train_model``, ``promotion`` by ``promote_model``; without ``deduplicate`` every
    click is scored; without ``health`` nothing listens.
    """

    source: Source
    click: Click
    features: ExistingFile
    model: Model
    output: Output
    checkpoint: Text
    trigger: Annotated[str, AfterValidator(_trigger)]
    deduplicate: Deduplicate | None = None
    health: HealthEndpoint | None = None
    training: Training | None = None
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
    try:
        tree = yaml.safe_load(existing_file(path).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(str(path), [f"it is not readable as YAML: {error.problem}{where}"]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(str(path), [f"it is not readable as YAML: {error}"]) from None
    except ValueError as error:
        raise ConfigError(str(path), [str(error)]) from None
    if not isinstance(tree, dict):
        raise ConfigError(str(path), [f"expected keys such as source and model, found {type(tree).__name__}"])
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
    except yaml.YAMLError:
        # Without the value: it may be a secret that somebody has mistyped.
        raise ConfigError(f"--set {key_path}", ["its value is not readable as YAML"]) from None


def _sentence(detail: ErrorDetails) -> str:
    # The tag of a union (folder, delta) is in pydantic's location, but not in the file.
    location = [str(part) for part in detail["loc"]]
    keys = (
        location[:1] + [part for part in location[1:2] if location[0] != "source" or part not in SOURCES] + location[2:]
    )
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(keys[-1], _names(location[:-1]))}"
    if detail["type"] == "missing":
        return f"{key}: missing"
    if detail["type"] == "string_pattern_mismatch" and key in ("model.uri", "model.challenger"):
        return f"{key}: expected models:/<name>@<alias> or models:/<name>/<version>, found {detail['input']!r}"
    if detail["type"] == "union_tag_invalid":
        return f"{key}.kind: expected {' or '.join(SOURCES)}{nearest(str(_tag(detail)), SOURCES)}"
    if detail["type"] == "union_tag_not_found":
        return f"{key}.kind: missing; expected {' or '.join(SOURCES)}"
    if detail["type"] == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]}, found {type(detail['input']).__name__}"


_SECTIONS: dict[str, type[Section]] = {
    "click": Click, "model": Model, "output": Output, "training": Training, "deduplicate": Deduplicate,
    "health": HealthEndpoint,
    "security": Security, "allow": Allow, "promotion": Promotion, "gate": Gate,
}  # fmt: skip


def _tag(detail: ErrorDetails) -> object:
    return detail["input"].get("kind") if isinstance(detail["input"], Mapping) else detail["input"]


def _names(parents: list[str]) -> Iterator[str]:
    section = ({**_SECTIONS, **SOURCES}).get(parents[-1], Config) if parents else Config
    for name, field in section.model_fields.items():
        yield field.alias or name
