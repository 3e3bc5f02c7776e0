"""The definition of a run: contract, features, and the columns that follow from them."""

from dataclasses import dataclass

from clickscore.config.model import SCORE
from clickscore.config.run import Config
from clickscore.errors import ConfigError
from clickscore.scoring.contract import NOT_IN_NAMES, RESERVED, Contract, as_stored, contract_of
from clickscore.scoring.features import Features, read_features
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import KEPT, Layout, Scores


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
    try:
        contract = contract_of(click, outputs, config.source.value)
    except ConfigError as error:
        raise ConfigError(error.where, [*error.problems, *problems]) from None
    if problems:
        raise ConfigError("the configuration", problems)
    return contract


def define_layout(config: Config, contract: Contract) -> Layout:
    """Return the columns of the tables."""
    kept = tuple(KEPT[name] for name in config.source.keep)
    scores = Scores(tuple(config.model.picks), config.model.challenger is not None)
    return Layout(as_spark(as_stored(contract.click)), contract.id, contract.time, contract.visitor, kept, scores)
