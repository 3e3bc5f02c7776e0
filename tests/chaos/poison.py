"""Poison in every source: the worst records that there are, thrown at the job while it is killed again and again."""

import random
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic
from deltalake import DeltaTable, write_deltalake
from tests.chaos.brokers import PARTITIONS, BrokerSite
from tests.chaos.job import UnsurvivedError
from tests.chaos.site import CLICKS, RUBBISH, Fault, Site
from tests.chaos.witness import REJECTED, Account, rows
from tests.support import corpus

from shopsim.topics import PATIENCE_S, PRODUCER

DOSES = 2
"""How often poison is thrown, and the driver killed, in a trial."""
DOSE_S = 5.0
"""Longest time between the two; about as long as a micro-batch of poison takes."""
BIG = 100_000
"""Bytes of a record from which on there is only one in a dose, as the tables are read again and again."""
TOPIC = "poison"
MOST_BYTES = 8_000_000
NANOSECONDS, MOST_MS = 1_795_864_028_742_000_000, 2**63 - 1
FAR_TOO_LONG, BEGINNING = 9_000_000, 2 * 1024**2
"""Bytes of a line of which only so many characters are kept."""

Rejection = tuple[str | None, str]
"""What a row of the rejected clicks says: the raw record, and the reason."""


class Poison:
    """The worst records, and what must have become of those that were thrown."""

    def __init__(self) -> None:
        """Read the corpus."""
        worst = [(line.record, line.outcome) for line in corpus.read() if line.outcome != "scored"]
        self._small = [(record, reason) for record, reason in worst if len(record) < BIG]
        self._big = [(record, reason) for record, reason in worst if len(record) >= BIG]
        self._thrown: Counter[Rejection] = Counter()

    def dose(self, site: Site) -> list[bytes]:
        """Return records that are thrown now, in any order."""
        taken = [*self._small, site.rng.choice(self._big)]
        site.rng.shuffle(taken)
        for record, reason in taken:
            self.add(site, record.decode(corpus.encoding(reason)), reason)
        return [record for record, _ in taken]

    def add(self, site: Site, raw: str | None, reason: str) -> None:
        """Expect one more rejected record."""
        self._thrown[raw, reason] += 1
        site.sent[REJECTED, str(raw)] += 1

    def check(self, tables: Path) -> None:
        """Make sure that each record was rejected for its own reason."""
        found = Counter(
            (None if raw is None else str(raw), str(reason))
            for raw, reason in rows(tables, "rejected_clicks", ["raw", "reason"])
        )
        if wrong := self._thrown - found:
            raise UnsurvivedError(f"rejected for another reason: {[(str(raw)[:80], why) for raw, why in wrong]}")


class PoisonedFolder(Site):
    """A site with poison in its landing folder, and with files that cannot be read."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        super().__init__(home, rng)
        self.poison = Poison()

    def throw(self) -> None:
        """Land poison, a line that is far too long, and two files that are rejected as a whole."""
        name = f"{self.rng.getrandbits(64):016x}"
        self._put(f"{name}.jsonl", b"\n".join(self.poison.dose(self)) + b"\n")
        self._put(f"{name}-long.jsonl", b"x" * FAR_TOO_LONG + b"\n")
        self.poison.add(self, f"{'x' * BEGINNING} [cut off: the line has {FAR_TOO_LONG} bytes]", "too_large")
        for file in (f"{name}.jsonl.gz", f"{name}-12:00:00.jsonl"):
            self._put(file, b"this is no gzip at all, but long enough to be one")
            self.poison.add(self, None, "unreadable_file")

    def _put(self, name: str, content: bytes) -> None:
        aside = self.landing / f".{name}"
        aside.write_bytes(content)
        aside.rename(self.landing / name)

    def settle(self) -> Account:
        """Make sure of the reasons too."""
        seen = super().settle()
        self.poison.check(self.tables)
        return seen


class PoisonedTopic(BrokerSite):
    """A site with poison in its topic, under keys, headers and times that are poison as well."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site, and a topic that takes everything."""
        super().__init__(home, rng)
        self.poison = Poison()
        limits = {"max.message.bytes": str(MOST_BYTES), "retention.ms": "-1",
                  "message.timestamp.after.max.ms": str(MOST_MS)}  # fmt: skip
        self.broker.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=limits)])[TOPIC].result()
        self._sender = Producer({**PRODUCER, "bootstrap.servers": self.broker.servers, "message.max.bytes": MOST_BYTES})
        self.tree["source"] |= {"topics": [TOPIC], "keep": ["key", "headers"]}
        self.write_config()

    def send(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> None:
        """Send records, some of them with a time that Spark cannot hold."""
        self._produce([line.encode() for line in self.records(clicks, rubbish)])

    def throw(self) -> None:
        """Send poison, and a record without a value."""
        self._produce([*self.poison.dose(self), None])
        self.poison.add(self, None, "tombstone")

    def _produce(self, records: list[bytes] | list[bytes | None]) -> None:
        for record in records:
            when = self.rng.choice([NANOSECONDS, MOST_MS, int(time.time() * 1_000)])
            headers: list[tuple[str, str | bytes | None]] = [("", None), ("h", b"\xff\x00")]
            self._sender.produce(
                TOPIC, record, key=b"\xff\xfe", partition=self.rng.randrange(PARTITIONS), timestamp=when,
                headers=headers,
            )  # fmt: skip
        if left := self._sender.flush(PATIENCE_S):
            raise UnsurvivedError(f"the broker has not confirmed {left} records within {PATIENCE_S} s")

    def settle(self) -> Account:
        """Make sure of the reasons too."""
        seen = Site.settle(self)
        self.poison.check(self.tables)
        return seen

    def finish(self) -> None:
        """Compare with a run over the same topic."""
        self.compare_undisturbed()


class PoisonedTable(Site):
    """A site with poison in a column of its Delta table."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        self.source = str(home / "clicks")
        DeltaTable.create(self.source, pa.schema({"body": pa.binary()}))
        super().__init__(home, rng, source={"kind": "delta", "table": self.source, "column": "body"})
        self.poison = Poison()

    def send(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> None:
        """Append records."""
        self._append([line.encode() for line in self.records(clicks, rubbish)])

    def throw(self) -> None:
        """Append poison, and a row without a record."""
        self._append([*self.poison.dose(self), None])
        self.poison.add(self, None, "tombstone")

    def _append(self, records: list[bytes] | list[bytes | None]) -> None:
        write_deltalake(self.source, pa.table({"body": pa.array(records, pa.binary())}), mode="append")

    def settle(self) -> Account:
        """Make sure of the reasons too."""
        seen = super().settle()
        self.poison.check(self.tables)
        return seen


def thrown(site: Site) -> float:
    """Poison arrives among clicks, again and again, and the driver is killed while it reads it."""
    assert isinstance(site, PoisonedFolder | PoisonedTopic | PoisonedTable)
    moment = time.monotonic()
    for _ in range(DOSES):
        job = site.running()
        site.throw()
        site.send()
        moment = site.kill(job, site.rng.uniform(0, DOSE_S))
    return moment


FAULTS: dict[str, Fault] = {"poison, driver killed": thrown}
