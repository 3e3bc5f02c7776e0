"""The definition of a run: contract, features, and the columns that follow from them."""

from dataclasses import dataclass

import pyarrow as pa

from clickscore.config.model import SCORE
from clickscore.config.run import Config
from clickscore.errors import ConfigError
from clickscore.scoring.contract import NOT_IN_NAMES, RESERVED, Contract, as_stored, contract_of, protected
from clickscore.scoring.features import Features, read_features
from clickscore.scoring.reading import reading_of, steps_of
from clickscore.sources.records import FieldOrigin
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.privacy import as_properties
from clickscore.storage.schemas import KEEP, KEPT, Layout, Scores


@dataclass(frozen=True)
class Definition:
    """What a run computes.

    Attributes:
        contract: what a click is.
        features: what is computed from it.
        layout: the columns of the tables.
    """

    contract: Contract
    features: Features
    layout: Layout


def read_definition(config: Config) -> Definition:
    """Read the click schema and the features file.

    Raises:
        ConfigError: with everything that is wrong in one of them.
    """
    contract = define_contract(config)
    return Definition(contract, read_features(config.features, contract.click), define_layout(config, contract))


def define_contract(config: Config) -> Contract:
    """Read the click schema.

    Raises:
        ConfigError: with everything that is wrong in it.
    """
    click, outputs = config.click, [name for name in config.model.outputs if name != SCORE]
    problems = [f"model.outputs: the tables use {name} themselves" for name in outputs if name.lower() in RESERVED]
    problems += [f"model.outputs: {name} begins with an underscore, or has one of {NOT_IN_NAMES!r}" for name in outputs
                 if name.startswith("_") or set(name) & set(NOT_IN_NAMES)]  # fmt: skip
    if config.privacy and config.privacy.raw != KEEP and config.source.keep:
        problems.append("source.keep: anything of a visitor may stand in the key and the headers of a record; leave it "
                        "out, or set privacy.raw to keep")  # fmt: skip
    try:
        contract = contract_of(click, outputs, config.source.value)
    except ConfigError as error:
        raise ConfigError(error.where, [*error.problems, *problems]) from None
    if problems:
        raise ConfigError("the configuration", problems)
    return protected(contract, config.privacy)


def define_layout(config: Config, contract: Contract) -> Layout:
    """Return the columns of the tables."""
    kept = tuple(KEPT[name] for name in config.source.keep)
    scores = Scores(tuple(config.model.picks), config.model.challenger is not None)
    click, raw_rule = as_spark(as_stored(contract.kept)), contract.protection.raw if contract.protection else KEEP
    roles = contract.id, contract.time, contract.visitor
    return Layout(click, *roles, kept, scores, raw_rule)


def privacy_properties(contract: Contract) -> dict[str, str]:
    """Return the properties of a table that say under which rules of privacy it is written; none without rules."""
    protection = contract.protection
    return as_properties(protection.described, protection.key_id) if protection else {}


def field_origins(click: pa.Schema) -> list[FieldOrigin]:
    """Return where each field of a click is in a record."""
    return [
        FieldOrigin(
            field.name,
            not field.nullable,
            tuple(str(steps[0]) for steps in steps_of(field)),
            needs_all=reading_of(field).is_joined,
        )
        for field in click
    ]
