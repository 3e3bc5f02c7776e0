"""A new shop: the files of its folder, from a ready-made contract or from a guess, and what a person should know."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from clickscore.config.fields import pattern_characters
from clickscore.config.run import load
from clickscore.config.text_file import read_text
from clickscore.console import counted
from clickscore.errors import ConfigError
from clickscore.samples.trial import Trial, attempt
from clickscore.scoring import read_features
from clickscore.scoring.contract import contract_of
from clickscore.shops.contract_files import CONFIG, files_of
from clickscore.shops.fields import fields_of
from clickscore.shops.names import snake
from clickscore.shops.roles import guess_roles
from clickscore.shops.shapes import settled
from clickscore.shops.survey import Survey, survey
from clickscore.shops.trackers import adapted, recognise

CONTRACT = ("click.ddl", "features.sql", CONFIG)
"""The files of a ready-made contract that a shop begins with."""
_LEAST_ACCEPTED = 0.5
"""Share of a sample that a ready-made contract must accept to be the one to begin with."""


class Proposal(NamedTuple):
    """A shop that is not written yet.

    Attributes:
        files: texts of the files, by their names.
        sentences: what was guessed, and why.
    """

    files: dict[str, str]
    sentences: tuple[str, ...]


def propose(records: pa.BinaryArray, where: str, folder: Path, contracts: Path, now: datetime) -> Proposal:
    """Propose a shop for a sample of its records.

    Args:
        records: the lines of the sample.
        where: the sample, for messages.
        folder: where the files will be.
        contracts: the folder of the ready-made contracts.
        now: the present, with a zone.

    Raises:
        SourceError: if the sample cannot be used, or nothing in it looks like a time or a visitor.
    """
    sample = survey(records.to_pylist(), where)
    tracker = recognise(sample)
    if tracker is None:
        return _guessed(sample, where, folder)
    ready_made = contracts / tracker
    # The paths in a ready-made configuration begin at the root of the repository, wherever the job runs.
    files = (f"click.schema={ready_made / 'click.ddl'}", f"features={ready_made / 'features.sql'}")
    ready = try_sample(ready_made / CONFIG, records, now, files)
    if ready.accepted < _LEAST_ACCEPTED * len(sample.rows):
        guessed = _guessed(sample, where, folder)
        doubt = f"the records look like those of {tracker}, but its ready-made files reject most of them: guessed anew"
        return guessed._replace(sentences=(doubt, *guessed.sentences))
    texts = {file: read_text(ready_made / file) for file in CONTRACT}
    said = f"the records are those of {tracker}, by their fields: the folder begins with its ready-made files"
    return Proposal(adapted(texts, tracker, folder.as_posix(), _name_of(folder)), (said,))


def _guessed(sample: Survey, where: str, folder: Path) -> Proposal:
    sample = settled(sample)
    roles = guess_roles(sample, where)
    fields = fields_of(sample, roles)
    others = f"; not a JSON object: {sample.unreadable:,}" if sample.unreadable else ""
    said = [
        f"{counted(len(fields.all), 'field')} from {counted(len(sample.rows), 'record')}{others}",
        *(f"click.{name:<7} {role.why}" for name, role in roles._asdict().items()),
    ]
    if lenient := [field.name for field in fields.all if field.kind.is_lenient and not field.is_joined]:
        said.append(f"lenient, as numbers come as text or in the place of a text: {', '.join(lenient)}")
    formats = {field.name: field.kind.format for field in fields.all if field.kind.format}
    said += [f"times of {name} are read as {form}, without a zone as UTC" for name, form in formats.items()]
    if required := [field.name for field in fields.all if field.is_required]:
        said.append(f"NOT NULL, so that a click without it is rejected: {', '.join(required)}")
    files = files_of(fields, len(sample.rows), folder.as_posix(), _name_of(folder))
    return Proposal(files, (*said, *fields.left_out))


def _name_of(folder: Path) -> str:
    """Return a name that a model and a folder can have."""
    return snake(folder.resolve().name) or "shop"


def try_sample(config: Path, records: pa.BinaryArray, now: datetime, overrides: Iterable[str] = ()) -> Trial:
    """Return what a configuration makes of the records of a sample.

    Args:
        config: the configuration.
        records: the sample.
        now: the present, with a zone.
        overrides: ``key.path=value`` texts, as of ``--set``.

    Raises:
        ConfigError: if the configuration, its click schema or its features file cannot be used.
    """
    run = load(config, overrides)
    contract = contract_of(run.click)
    return attempt(records, contract, read_features(run.features, contract.click), None, now)


def check_folder(folder: Path) -> None:
    """Make sure that a folder can take the files of a shop.

    Raises:
        ConfigError: if something is there already, the name cannot be one of a folder, or Spark would take the path for
            a pattern.
    """
    where = f"--out {folder}"
    if characters := pattern_characters(str(folder)):
        raise ConfigError(where, [f"the path has {characters}, which Spark takes for a pattern; choose another name"])
    try:
        names = sorted(each.name for each in folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ConfigError(
            where, ["expected a folder that is empty or new, found a file; choose another name"]
        ) from None
    except OSError as error:
        raise ConfigError(where, [f"it cannot be read: {error.strerror}; choose another name"]) from None
    if names:
        raise ConfigError(
            where, [f"expected a folder that is empty or new, found {names[0]} in it; choose another name"]
        )


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a shop into its folder.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {folder}", [f"it cannot be written: {error.strerror}"]) from None


def next_steps(folder: Path, sample: str) -> Iterator[str]:
    """Yield what to do next."""
    config = folder / CONFIG
    yield f"written: {', '.join(str(folder / name) for name in CONTRACT)}"
    yield "next: read them, say in click.ddl what each field means, write the features that your model asks for, and"
    yield f"  jobs/try_clicks.py --config {config} {sample}"
