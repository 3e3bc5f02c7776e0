"""The configuration of a run: one complete YAML file, checked whole before anything else happens."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from clickscore.errors import ConfigError

AVAILABLE_NOW = "available_now"
_INTERVAL = re.compile(r"\d+ (millisecond|second|minute|hour)s?")
_SIZE = re.compile(r"(\d+) ?(KiB|MiB|GiB)")
_BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _existing_file(path: Path) -> Path:
    if path.is_file():
        return path
    siblings = [str(other) for other in path.parent.glob("*")] if path.parent.is_dir() else []
    raise ValueError(f"no such file: {path}{_nearest(str(path), siblings)}")


def _interval(text: str) -> str:
    if text != AVAILABLE_NOW and not _INTERVAL.fullmatch(text):
        raise ValueError(f'expected {AVAILABLE_NOW} or an interval such as "5 seconds", found {text!r}')
    return text


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if not match:
        raise ValueError(f'expected a number of bytes or a size such as "64 MiB", found {value!r}')
    return int(match[1]) * _BYTES[match[2]]


ExistingFile = Annotated[Path, AfterValidator(_existing_file)]
Interval = Annotated[str, AfterValidator(_interval)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FolderSource(_Section):
    """Files of JSON lines that appear in a folder: ``*.json``, ``*.jsonl``, ``*.ndjson``, each also with ``.gz``.

    Attributes:
        path: the landing folder; folders inside it are read too.
        max_bytes: most bytes of files in one micro-batch. A single larger file makes a micro-batch of its own.
    """

    kind: Literal["folder"]
    path: Text
    max_bytes: Size = 128 * 1024**2


class DeltaSource(_Section):
    """A Delta table that clicks are appended to.

    Attributes:
        table: path or catalog name of the table.
        column: string or binary column that holds each click as a JSON object; without it, the table's own columns
            are the click's fields.
        changes: what to do at a commit that changes or deletes rows: stop with an error, or skip the commit.
        max_bytes: most bytes of data files in one micro-batch, about.
    """

    kind: Literal["delta"]
    table: Text
    column: Text | None = None
    changes: Literal["stop", "skip"] = "stop"
    max_bytes: Size = 128 * 1024**2


Source = Annotated[FolderSource | DeltaSource, Field(discriminator="kind")]


class Click(_Section):
    """What a click looks like.

    Attributes:
        ddl: file with the fields in Spark DDL, ``schema`` in the YAML.
        id: the field that tells clicks apart.
        time: the field with the event time, a ``TIMESTAMP``.
        visitor: the field that tells visitors apart.
    """

    ddl: Annotated[Path, AfterValidator(_existing_file), Field(alias="schema", strict=False)]
    id: Text
    time: Text
    visitor: Text


class Model(_Section):
    """The registered model: ``models:/<name>@<alias>`` or ``models:/<name>/<version>``, and the registry it is in."""

    uri: Annotated[str, Field(pattern=r"^models:/[^/@]+(@[^/@]+|/[0-9]+)$")]
    registry: Text


class Output(_Section):
    """The two main tables, each a path or a catalog name; the model timeline stands beside the scored clicks."""

    scored: Text
    rejected: Text

    @model_validator(mode="after")
    def _are_two(self) -> "Output":
        if self.scored.rstrip("/") == self.rejected.rstrip("/"):
            raise ValueError(f"scored and rejected are the same table, {self.scored}; name two")
        return self


class Training(_Section):
    """What ``train_model`` needs beyond the contract.

    Attributes:
        clicks: folder of past clicks, in the form of a folder source.
        session: the field that tells visits apart.
        converted: Spark SQL condition on a click that makes its whole visit a success.
        holdout: share of the time range, at its end, that the model is judged on.
    """

    clicks: Text
    session: Text
    converted: Text
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25


class Config(_Section):
    """A whole run. ``training`` is only needed by ``train_model``."""

    source: Source
    click: Click
    features: Annotated[Path, AfterValidator(_existing_file), Field(strict=False)]
    model: Model
    output: Output
    checkpoint: Text
    trigger: Interval
    training: Training | None = None


def load(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read and check a configuration.

    Args:
        path: the YAML file.
        overrides: ``key.path=value`` texts; the value is read as YAML.

    Raises:
        ConfigError: with every unknown key, wrong type and missing file in one message.
    """
    try:
        tree = yaml.safe_load(_existing_file(path).read_text(encoding="utf-8"))
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
        raise ConfigError(f"--set {override}", [f"{value} is not readable as YAML"]) from None


def _sentence(detail: ErrorDetails) -> str:
    # The tag of a union (folder, delta) is in pydantic's location, but not in the file.
    location = [str(part) for part in detail["loc"]]
    keys = (
        location[:1]
        + [part for part in location[1:2] if location[0] != "source" or part not in _SOURCES]
        + location[2:]
    )
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(keys[-1], _names(location[:-1]))}"
    if detail["type"] == "missing":
        return f"{key}: missing"
    if detail["type"] == "string_pattern_mismatch" and key == "model.uri":
        return f"{key}: expected models:/<name>@<alias> or models:/<name>/<version>, found {detail['input']!r}"
    if detail["type"] == "union_tag_invalid":
        return f"{key}.kind: expected {' or '.join(_SOURCES)}{_nearest(str(_tag(detail)), _SOURCES)}"
    if detail["type"] == "union_tag_not_found":
        return f"{key}.kind: missing; expected {' or '.join(_SOURCES)}"
    if detail["type"] == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]}, found {type(detail['input']).__name__}"


_SOURCES: dict[str, type[BaseModel]] = {"folder": FolderSource, "delta": DeltaSource}
_SECTIONS: dict[str, type[BaseModel]] = {"click": Click, "model": Model, "output": Output, "training": Training}


def _tag(detail: ErrorDetails) -> object:
    return detail["input"].get("kind") if isinstance(detail["input"], Mapping) else detail["input"]


def _names(parents: list[str]) -> Iterator[str]:
    section = ({**_SECTIONS, **_SOURCES}).get(parents[-1], Config) if parents else Config
    for name, field in section.model_fields.items():
        yield field.alias or name


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""
