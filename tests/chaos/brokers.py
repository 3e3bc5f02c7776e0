"""Faults of a Kafka broker: stopped, killed, and its log cut off before the job has read it."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from tests.chaos.checkpoints import stopped
from tests.chaos.job import Job, UnsurvivedError
from tests.chaos.site import CLICKS, RUBBISH, Fault, Site
from tests.chaos.witness import REJECTED, SCORED, Account, Key, rows
from tests.support.ports import free_ports

from shopsim.broker import Broker
from shopsim.topics import PATIENCE_S, PRODUCER, make_topic

TOPIC, PARTITIONS = "clicks", 3
AWAY_S = 30
"""How long a broker is stopped."""
CRASHED_S = 15
"""Longest time that one which was killed is away: something starts it again."""
ACCEPT_LOSS = "--accept-loss"

Place = tuple[str, int]
"""A partition, as in the column ``source``, and an offset."""


class BrokerSite(Site):
    """A site whose clicks come from a topic of a broker of its own.

    Attributes:
        broker: the broker.
        delivered: what the broker has confirmed, by its place.
        lost: places whose records were deleted before the job has read them.
    """

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        self.broker = Broker(home / "kafka", free_ports(2))
        self.broker.start()
        self.delivered: dict[Place, str] = {}
        self.lost: set[Place] = set()
        self._accepts_loss = False
        try:
            make_topic(self.broker.servers, TOPIC, PARTITIONS)
            self._producer = Producer({**PRODUCER, "bootstrap.servers": self.broker.servers})
            source = {"kind": "kafka", "bootstrap_servers": self.broker.servers, "topics": [TOPIC]}
            super().__init__(home, rng, source=source)
        except BaseException:
            self.broker.kill()
            raise

    def send(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> None:
        """Send records to random partitions, and wait until the broker has confirmed them."""
        for line in self.records(clicks, rubbish):
            self._producer.produce(TOPIC, line, partition=self.rng.randrange(PARTITIONS), on_delivery=self._confirm)
        if left := self._producer.flush(PATIENCE_S):
            raise UnsurvivedError(f"the broker has not confirmed {left} records within {PATIENCE_S} s")

    def _confirm(self, error: KafkaError | None, message: Message) -> None:
        offset, value = message.offset(), message.value()
        if error is None and offset is not None and value is not None:
            self.delivered[f"{message.topic()}-{message.partition()}", offset] = value.decode()

    def start(self, *arguments: str, **more: object) -> Job:
        self._accepts_loss = ACCEPT_LOSS in arguments
        return super().start(*arguments)

    def ends(self) -> list[int]:
        """Return the next offset of each partition, by what was confirmed."""
        last = Counter({f"{TOPIC}-{number}": 0 for number in range(PARTITIONS)})
        for name, offset in self.delivered:
            last[name] = max(last[name], offset + 1)
        return [last[f"{TOPIC}-{number}"] for number in range(PARTITIONS)]

    def truncate(self) -> str:
        """Send records, and delete some of them before anybody has read them; return what the job must say of that."""
        begins = self.ends()
        self.send()
        cuts = {}
        for number in self.rng.sample(range(PARTITIONS), k=self.rng.randint(1, PARTITIONS)):
            if begins[number] < (end := self.ends()[number]):
                cuts[number] = self.rng.randint(begins[number] + 1, end)
        deleted = self.broker.admin.delete_records([TopicPartition(TOPIC, *cut) for cut in cuts.items()])
        for future in deleted.values():
            future.result()
        lines = []
        for number, cut in sorted(cuts.items()):
            gone = {(f"{TOPIC}-{number}", offset) for offset in range(begins[number], cut)}
            self.lost |= gone
            self.sent -= Counter(_key(self.delivered[place]) for place in gone)
            lines.append(
                f"{TOPIC}-{number}: offsets {begins[number]} to {cut - 1} are lost (aged_out): the next offset should "
                f"be {begins[number]}, the oldest available offset is {cut}"
            )
        self.send()
        return "\n  - ".join(lines)

    def strictly(self) -> Job:
        """Return the job, in a life that does not accept losses."""
        if self._accepts_loss:
            stopped(self)
            self.start()
        return self.running()

    def settle(self) -> Account:
        """Make sure of the places too: each one that is left is in exactly one row, each other one in one gap."""
        seen = super().settle()
        places = [
            (str(source), int(str(offset)), (table, str(what)))
            for table, name, column in ((SCORED, "scored_clicks", "id"), (REJECTED, "rejected_clicks", "raw"))
            for source, offset, what in rows(self.tables, name, ["source", "source_offset", column])
        ]
        expected = [(*place, _key(line)) for place, line in self.delivered.items() if place not in self.lost]
        if sorted(places) != sorted(expected):
            raise UnsurvivedError(f"rows at wrong places: {Counter(places) - Counter(expected)}")
        explained = Counter(
            (str(source), offset)
            for source, first, last in rows(self.tables, "source_gaps", ["source", "first_offset", "last_offset"])
            for offset in range(int(str(first)), int(str(last)) + 1)
        )
        if explained != Counter(self.lost):
            raise UnsurvivedError(f"source_gaps has {explained - Counter(self.lost)} too much, "
                                  f"{Counter(self.lost) - explained} too little")  # fmt: skip
        return seen

    def finish(self) -> None:
        """Compare with a run over a file of what is left; offsets were compared at every step."""
        self.land([line for place, line in self.delivered.items() if place not in self.lost])
        self.compare_undisturbed({"source": {"kind": "folder", "path": str(self.landing)}}, lineage=())

    def close(self) -> None:
        super().close()
        self.broker.kill()


def _key(line: str) -> Key:
    return (SCORED, json.loads(line)["id"]) if line.startswith("{") else (REJECTED, line)


def away(end: Callable[[Broker], object], seconds: Callable[[Site], float]) -> Fault:
    """Return the fault: the broker goes away while records are read, and comes back."""

    def go_away(site: Site) -> float:
        assert isinstance(site, BrokerSite)
        site.running()
        site.send()
        time.sleep(site.rng.uniform(0, 1))
        end(site.broker)
        time.sleep(seconds(site))
        site.broker.start()
        moment = time.monotonic()
        site.send()
        return moment

    return go_away


def truncated_while_stopped(site: Site) -> float:
    """Records are deleted while the job is down: the start is refused, until the loss is accepted."""
    assert isinstance(site, BrokerSite)
    stopped(site)
    said = site.truncate()
    moment = time.monotonic()
    site.refused(said)
    site.start(ACCEPT_LOSS)
    return moment


def truncated_under_the_stream(site: Site) -> float:
    """Records are deleted while the job hangs: it ends when it finds out, until the loss is accepted."""
    assert isinstance(site, BrokerSite)
    job = site.strictly()
    job.pause()
    try:
        said = site.truncate()
    finally:
        job.resume()
    moment = time.monotonic()
    status = job.end()
    if status != 1 or said not in job.said:
        raise UnsurvivedError(f"expected to be told {said!r}; exit status {status}: {job.last_words()}")
    site.start(ACCEPT_LOSS)
    return moment


FAULTS: dict[str, Fault] = {
    "broker stopped for 30 s": away(Broker.stop, lambda _: AWAY_S),
    "broker killed, restarted": away(Broker.kill, lambda site: site.rng.uniform(1, CRASHED_S)),
    "log truncated, job stopped": truncated_while_stopped,
    "log truncated, job running": truncated_under_the_stream,
}
