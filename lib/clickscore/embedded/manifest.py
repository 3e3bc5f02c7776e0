"""The manifest of an exported folder: what is in it, what the model asks for, and where its scores are."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa

from clickscore.config.record_path import parse_path
from clickscore.config.time_format import check_format, check_zone
from clickscore.errors import ConfigError, UntrustedModelError
from clickscore.scoring.reading import Reading

FORMAT = 1
"""Version of the folder's format; it changes when an older reader would misread a folder."""
MANIFEST, CLICK, FEATURES, VECTORS = "manifest.json", "click.ddl", "features.sql", "test_vectors.jsonl"
BOOSTER_FILE, ONNX_FILE = "model.lgb", "model.onnx"

TYPES: Mapping[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(), "VARCHAR": pa.string(),
}  # fmt: skip
"""Types of a model's inputs, by DuckDB's names: what LightGBM and ONNX models are made for."""


@dataclass(frozen=True)
class Field:
    """A field of a click, or an input of the model.

    Attributes:
        name: as the files of the folder write it.
        type: DuckDB's name of its type.
        required: whether it must not be null.
    """

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Click:
    """What a click is, beside ``click.ddl``.

    Attributes:
        id: name of the field that tells clicks apart.
        time: name of the field with the time.
        visitor: name of the field that tells visitors apart.
        fields: all fields, in the order of ``click.ddl``.
        readings: where fields stand in a record and how they are read, by name; of those that are read as usual, none.
    """

    id: str
    time: str
    visitor: str
    fields: tuple[Field, ...]
    readings: dict[str, Reading] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The version that was exported.

    Attributes:
        name: registered model.
        version: its version.
        digest: SHA-256 of its files in the registry.
        kind: ``lightgbm`` or ``onnx``: the library that its native file is made for.
    """

    name: str
    version: str
    digest: str
    kind: str


@dataclass(frozen=True)
class Manifest:
    """``manifest.json``.

    Attributes:
        format: version of the folder's format.
        model: what was exported.
        click: what a click is.
        inputs: what the model asks for, in its order.
        outputs: score columns, ``score`` first, each with the position of the output that fills it, from 0, over all
            outputs of the model in their order.
        without_onnx: why there is no ``model.onnx``; null where there is one.
        files: SHA-256 of every other file of the folder.
        duckdb: version of DuckDB that the test vectors were made with.
        clickscore: version of clickscore that has exported it.
    """

    format: int
    model: Model
    click: Click
    inputs: tuple[Field, ...]
    outputs: dict[str, int]
    without_onnx: str | None
    files: dict[str, str]
    duckdb: str
    clickscore: str

    @property
    def input_schema(self) -> pa.Schema:
        """The inputs with Arrow types; NOT NULL where they are required."""
        return pa.schema([pa.field(each.name, TYPES[each.type], not each.required) for each in self.inputs])


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest, and make sure that the files are those that were exported.

    Raises:
        ConfigError: if there is no manifest, or it is of another format.
        UntrustedModelError: if a file is missing or has changed; names all of them.
    """
    file = folder / MANIFEST
    try:
        content = file.read_bytes()
    except OSError as error:
        expected = "expected a folder that jobs/export_model.py has written"
        raise ConfigError(str(file), [f"it cannot be read: {error.strerror}; {expected}"]) from None
    try:
        found: Manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), [f"expected the manifest of an exported model: {error}"]) from None
    if found.format != FORMAT:
        remedy = "export the model again with this version of clickscore"
        raise ConfigError(str(file), [f"expected format {FORMAT}, found {found.format}; {remedy}"])
    if "score" not in found.outputs:
        raise ConfigError(
            str(file), [f"outputs: expected score among them, found {', '.join(found.outputs) or 'none'}"]
        )
    if unknown := [each.type for each in found.inputs if each.type not in TYPES]:
        raise ConfigError(str(file), [f"inputs: expected one of {', '.join(TYPES)}, found {', '.join(unknown)}"])
    if problems := list(_reading_problems(found.click.readings)):
        raise ConfigError(str(file), problems)
    _check_files(folder, found)
    return found


def _reading_problems(readings: Mapping[str, Reading]) -> Iterator[str]:
    for name, reading in readings.items():
        checks: list[tuple[Callable[[str], object], str]] = [(parse_path, path) for path in reading.paths]
        checks += [(check_format, reading.format)] if reading.format is not None else []
        checks += [(check_zone, reading.zone)] if reading.zone is not None else []
        for check, text in checks:
            try:
                check(text)
            except ValueError as error:
                yield f"click.readings.{name}: {error}"


def _check_files(folder: Path, manifest: Manifest) -> None:
    problems = [f"{name} is not in the manifest" for name in (CLICK, FEATURES) if name not in manifest.files]
    for name, expected in manifest.files.items():
        if not _is_file_name(name):
            problems.append(f"{name!r} is not the name of a file in the folder")
            continue
        try:
            actual = sha256((folder / name).read_bytes())
        except OSError as error:
            problems.append(f"{name} cannot be read: {error.strerror}")
            continue
        if actual != expected:
            problems.append(f"{name}: expected SHA-256 {expected[:16]}..., found {actual[:16]}...")
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise UntrustedModelError(
            f"{folder}: the files are not those that were exported, and nothing of it was loaded; copy the folder "
            f"again, or export the model again:\n{lines}"
        )


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & {"/", "\\", "\0"}
