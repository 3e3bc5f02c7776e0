"""Refusals: a click of an erased visitor that comes later is not scored, where ``erasure.later`` says so.

The ledger of erasures knows who was erased. It is read at the start and, while a stream runs, every few seconds beside
its micro-batches, so that clicks are refused soon after an erasure has planned what it removes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from pyspark.sql import SparkSession

from clickscore.config.run import Config
from clickscore.console import counted
from clickscore.errors import gist
from clickscore.reasons import ERASED_VISITOR
from clickscore.scoring.contract import Contract, contract_of
from clickscore.scoring.erased_visitors import ErasedVisitors, check_visitor
from clickscore.scoring.privacy import id_of_key, read_ledger_key
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.erasures import ERASURES, NAME, known_visitors, newest_version
from clickscore.storage.protocol import check_readable
from clickscore.storage.table import Table

REFUSE = "refuse"
LOOK_S = 10.0
"""How often a stream looks whether the ledger has changed."""


@dataclass
class Refusals:
    """The visitors whose clicks are refused.

    Attributes:
        spark: the session.
        ledger: the table ``erasures``.
        key: under which the ledger knows visitors; None where clicks are accepted, and nobody looks.
        tell: prints a line on the console.
    """

    spark: SparkSession
    ledger: Table
    key: bytes | None = field(repr=False)
    tell: Callable[[str], None]
    _hashes: frozenset[str] = frozenset()
    _version: int = -1
    _looked: float = -inf
    _is_told: bool = False
    _is_blind: bool = False

    @classmethod
    def of(cls, spark: SparkSession, config: Config, tell: Callable[[str], None]) -> "Refusals":
        """Return the refusals of a run, as the ledger has them now.

        Raises:
            ConfigError: if the key of the ledger cannot be read.
            PySparkException: if the ledger cannot be read, or a ``Py4JJavaError``.
        """
        refusals = cls(spark, _ledger(config), _key(config), tell)
        if refusals.key is not None:
            refusals._read(refusals.key)
        return refusals

    def look(self) -> None:
        """Read the ledger if it has changed, unless the last look was a few seconds ago."""
        if self.key is None or time.monotonic() - self._looked < LOOK_S:
            return
        try:
            self._read(self.key)
            self._is_blind = False
        except SPARK_ERRORS as error:
            if not self._is_blind:
                self.tell(f"{self.ledger.name} cannot be read, so clicks of visitors that are erased from now on are "
                          f"accepted until it can: {gist(error)}")  # fmt: skip
            self._is_blind = True

    def applied(self, contract: Contract) -> Contract:
        """Return a contract of which clicks of erased visitors are refused."""
        if self.key is None or not self._hashes:
            return contract
        erased = ErasedVisitors.of(contract.click, contract.visitor, self.key, self._hashes)
        return replace(contract, erased=erased)

    def _read(self, key: bytes) -> None:
        self._looked = time.monotonic()
        if not self.ledger.exists(self.spark) or (version := newest_version(self.spark, self.ledger)) == self._version:
            return
        key_id = id_of_key(key)
        self._hashes, others = known_visitors(self.spark, self.ledger, key_id)
        self._version = version
        if others and not self._is_told:
            self._is_told = True
            self.tell(f"{self.ledger.name} knows {counted(others, 'visitor')} under other keys than {key_id}, which "
                      f"erasure.key names: their later clicks are accepted")  # fmt: skip


def check_ledger(spark: SparkSession, config: Config) -> None:
    """Make sure that a run which refuses clicks has the key of the ledger, can read it, and can tell its visitors.

    Raises:
        WiringError: if it does not.
    """
    if _key(config) is not None:
        check_visitor(contract_of(config.click).click, config.click.visitor)
        check_readable(spark, _ledger(config))
        _ledger(config).check(spark, ERASURES)


def refused_now(spark: SparkSession, config: Config) -> str | None:
    """Say how many visitors a run refuses; None where clicks of erased visitors are accepted."""
    if (key := _key(config)) is None:
        return None
    hashes, others = known_visitors(spark, _ledger(config), id_of_key(key))
    accepted = f"; those of {others:,}, known under other keys, are accepted" if others else ""
    return f"{ERASED_VISITOR}: later clicks of {len(hashes):,} erased visitors{accepted}"


def _key(config: Config) -> bytes | None:
    is_asked = config.erasure is not None and config.erasure.later == REFUSE
    return read_ledger_key(config.erasure, config.privacy) if is_asked else None


def _ledger(config: Config) -> Table:
    return Table(config.output.scored).beside(NAME)
