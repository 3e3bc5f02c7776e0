"""The wiring of an erasure: keys, checkpoint and tables are checked before a row is looked at."""

from dataclasses import dataclass

from pyspark.sql import SparkSession

from clickscore.config.run import Config
from clickscore.erasure.visitors import Visitors, visitors_of
from clickscore.errors import CheckpointError, ConfigError
from clickscore.outcomes.joined import NAME as OUTCOMES
from clickscore.scoring.contract import Contract
from clickscore.scoring.erased_visitors import check_visitor
from clickscore.scoring.privacy import id_of_key, read_ledger_key
from clickscore.scoring.wire import check_registry
from clickscore.storage.checkpoint import check_bound, read_checkpoint
from clickscore.storage.erasures import ERASURES, NAME, Erasures
from clickscore.storage.privacy import check_privacy
from clickscore.storage.protocol import check_changeable, check_readable, check_writable
from clickscore.storage.table import Table
from clickscore.stream.definition import define_contract, privacy_properties


@dataclass(frozen=True)
class Wiring:
    """The parts of an erasure that fit together.

    Attributes:
        config: the run.
        contract: what a click is, and what the tables keep of it.
        visitors: who is asked about.
        stream: id of the stream that writes the tables.
    """

    config: Config
    contract: Contract
    visitors: Visitors
    stream: str

    def ledger(self, spark: SparkSession, key: bytes) -> Erasures:
        """Return the ledger beside the tables."""
        return Erasures.of(spark, Table(self.config.output.scored), self.stream, id_of_key(key))


def need_ledger_key(config: Config) -> bytes:
    """Return the key under which the ledger knows visitors.

    Raises:
        ConfigError: if there is none.
    """
    key = read_ledger_key(config.erasure, config.privacy)
    if key is None:
        wanted = (
            "expected a reference to the key under which the ledger knows visitors, found none; make a key with "
            "openssl rand -hex 32 and name it, such as erasure: {key: env:CLICKSCORE_ERASURE_KEY}"
        )
        raise ConfigError("erasure.key", [wanted])
    return key


def check(spark: SparkSession, config: Config, given: dict[str, str], changes: bool) -> Wiring:
    """Make sure that the tables are those of this run, and that their rows may be changed.

    Args:
        spark: the session.
        config: the run.
        given: id of a visitor to where it was given.
        changes: whether rows are to be changed.

    Raises:
        WiringError: for the first part that does not fit.
    """
    contract = define_contract(config)
    check_visitor(contract.click, contract.visitor)
    check_registry(contract.click)
    checkpoint = read_checkpoint(spark, config.checkpoint)
    if checkpoint.stream is None:
        raise CheckpointError(
            f"{config.checkpoint}: no stream has begun here, so there is nothing to erase. Name the checkpoint and the "
            f"tables of the stream that has scored the clicks."
        )
    scored = Table(config.output.scored)
    for table in (scored, Table(config.output.rejected)):
        check_bound(spark, table, checkpoint)
        check_privacy(spark, table, privacy_properties(contract))
        if changes:
            check_writable(spark, table, table.properties(spark))
            check_changeable(spark, table, "an erasure removes rows", "erasure")
    if (outcomes := scored.beside(OUTCOMES)).exists(spark):
        check_bound(spark, outcomes, checkpoint)
        if changes:
            check_writable(spark, outcomes, outcomes.properties(spark))
            check_changeable(spark, outcomes, "an erasure removes rows", "erasure")
    ledger = scored.beside(NAME)
    check_readable(spark, ledger)
    ledger.check(spark, ERASURES)
    return Wiring(config, contract, visitors_of(given, contract), checkpoint.stream)
