"""The place of an experiment: a source, a registry, tables and a job of their own."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import yaml
from tests.chaos.job import START_PATIENCE_S, Job, UnsurvivedError, wait_until
from tests.chaos.witness import LINEAGE, REJECTED, SCORED, Account, Key, account, check_models, compare, rows
from tests.support.models import small_booster

from clickscore.registry.registry import Registry
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register

MODEL = "shop"
CLICKS, RUBBISH = 50, 3
"""Good and bad records of a file: enough for both tables to get rows of each micro-batch."""
SETTLE_PATIENCE_S = 150
UNDISTURBED_PATIENCE_S = 400
"""An undisturbed run has everything to score that all the trials have sent."""
ACCOUNT_POLL_S = 0.2


ONE_REGISTRY = threading.Lock()
"""MLflow's own functions talk to one registry at a time."""


def train(registry_uri: str, versions: int = 2) -> None:
    """Register versions of a small model; the alias champion points to the first."""
    with ONE_REGISTRY:
        _train(Registry(registry_uri, create=True), versions)


def _train(registry: Registry, versions: int) -> None:
    for seed in range(versions):
        booster, features = small_booster(seed)
        register(registry, booster, LEARNERS["lightgbm"], MODEL, "", features.head(2), {}, {}, {})
    registry.set_alias(MODEL, "champion", "1")


class Site:
    """A shop whose clicks land in a folder, and the job that scores them.

    Attributes:
        home: where everything of it is.
        rng: decides what is not fixed.
        sent: what was sent so far, without what was erased.
        erased: what was sent, and deleted from the tables on request.
        job: the process that should be alive.
        env: what the job finds in its environment.
    """

    def __init__(self, home: Path, rng: random.Random, **sections: Any) -> None:
        """Make the site; sections replace those of the configuration."""
        self.home, self.rng = home, rng
        self.sent: Counter[Key] = Counter()
        self.erased: Counter[Key] = Counter()
        self.env: dict[str, str] = {}
        self.job: Job | None = None
        self._files = self._clicks = 0
        self._starts = -1
        self.landing.mkdir(parents=True)
        self.registry = self._open_registry()
        self.register_models()
        data = Path("tests/data").resolve()
        self.tree: dict[str, Any] = {
            "source": {"kind": "folder", "path": str(self.landing), "max_bytes": "1 MiB"},
            "click": {"schema": str(data / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
            "features": str(data / "features.sql"),
            "model": {"uri": f"models:/{MODEL}@champion", "registry": self.registry, "poll": "1 second"},
            "output": self._output(self.tables),
            "checkpoint": str(self.checkpoint),
            "trigger": "500 milliseconds",
            **sections,
        }  # fmt: skip
        self.write_config()

    def _open_registry(self) -> str:
        """Return the URI of a registry of its own."""
        return f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def landing(self) -> Path:
        """The landing folder."""
        return self.home / "landing"

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.home / "tables"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint."""
        return self.home / "checkpoint"

    @property
    def config(self) -> Path:
        """The configuration of the job."""
        return self.home / "run.yaml"

    @staticmethod
    def _output(tables: Path) -> dict[str, str]:
        return {"scored": str(tables / "scored_clicks"), "rejected": str(tables / "rejected_clicks")}

    def register_models(self) -> None:
        """Register the versions of the model."""
        train(self.registry)

    def write_config(self) -> None:
        """Write the configuration down as it is in ``tree``."""
        self.config.write_text(yaml.safe_dump(self.tree))

    def records(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> list[str]:
        """Make new records, and count them as sent."""
        lines = []
        for _ in range(clicks):
            self._clicks += 1
            name = f"{self.home.name}-{self._clicks}"
            click = {"id": name, "at": "2026-03-01T12:00:00Z", "visitor": f"v{self.rng.randrange(9)}",
                     "price": round(self.rng.uniform(0, 200), 2), "quantity": self.rng.randrange(5)}  # fmt: skip
            lines.append(json.dumps(click))
            self.sent[SCORED, name] += 1
        for _ in range(rubbish):
            self._clicks += 1
            lines.append(f"rubbish {self._clicks}")
            self.sent[REJECTED, lines[-1]] += 1
        return lines

    def send(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> None:
        """Let new records arrive at the source."""
        self.land(self.records(clicks, rubbish))

    def land(self, lines: list[str], name: str | None = None) -> Path:
        """Put a file into the landing folder, the way a good producer does."""
        self._files += 1
        file = self.landing / (name or f"{self._files:06}.jsonl")
        aside = file.with_name(f".{file.name}")
        aside.write_text("\n".join(lines) + "\n")
        return aside.rename(file)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> Job:
        """Start the job; it is the one that should be alive from now on."""
        self._starts = self.last_version("model_timeline")
        self.job = self.launch(*arguments, env=env)
        return self.job

    @property
    def is_up(self) -> bool:
        """Whether the job has come through its checks: it puts its fence into the timeline then."""
        return self.last_version("model_timeline") > self._starts

    def launch(self, *arguments: str, env: Mapping[str, str] | None = None) -> Job:
        """Start a job beside the one that should be alive."""
        return Job(self.config, self.home / "job.log", *arguments, env={**self.env, **(env or {})})

    def kill(self, job: Job, after_s: float = 0.0) -> float:
        """End the job with SIGKILL after some time, and start it again; return when it was killed."""
        time.sleep(after_s)
        job.kill()
        moment = time.monotonic()
        self.start()
        return moment

    def running(self) -> Job:
        """Return the job, alive and with all that was sent so far in the tables; start it if it is not."""
        if self.job is None:
            self.send()
        if self.job is None or not self.job.is_alive:
            self.start()
        self.settle()
        assert self.job
        return self.job

    def settle(self) -> Account:
        """Wait until each record is in exactly one row, and the job at rest; it must not end meanwhile."""
        give_up = time.monotonic() + SETTLE_PATIENCE_S
        while not (seen := self.account()).is_settled or not self.is_at_rest:
            if seen.duplicates:
                raise UnsurvivedError(f"there are rows that should not be: {seen}")
            if self.job and not self.job.is_alive:
                raise UnsurvivedError(f"the job has ended with {self.job.process.returncode}: {self.job.last_words()}")
            if time.monotonic() > give_up:
                raise UnsurvivedError(f"after {SETTLE_PATIENCE_S} s there is still {seen}: {self._last_words()}")
            time.sleep(ACCOUNT_POLL_S)
        check_models(self.tables)
        return seen

    @property
    def is_at_rest(self) -> bool:
        """Whether the job is up and has finished every micro-batch that was planned."""
        return self.is_up and self.last_entry("offsets") == self.last_entry("commits")

    def account(self) -> Account:
        """Compare the tables with what was sent."""
        return account(self.tables, self.sent)

    def _last_words(self) -> str:
        return self.job.last_words() if self.job else ""

    def refused(self, text: str, *arguments: str) -> None:
        """Make sure that the job refuses to start, with exit status 2 and a text, and has written nothing."""
        before = self.account()
        job = self.launch(*arguments)
        status = job.end()
        if status != 2 or text not in job.said:
            raise UnsurvivedError(f"expected to be refused with {text!r}; exit status {status}: {job.last_words()}")
        if self.account() != before:
            raise UnsurvivedError(f"a run that was refused has changed the tables: {before}, then {self.account()}")

    def last_entry(self, log: str) -> int:
        """Return the last micro-batch in a log of the checkpoint, or -1."""
        folder = self.checkpoint / log
        names = [entry.name for entry in folder.glob("*")]
        return max((int(name) for name in names if name.isdecimal()), default=-1)

    def last_version(self, table: str) -> int:
        """Return the last version of a table, or -1."""
        folder = self.tables / table / "_delta_log"
        return max((int(entry.stem) for entry in folder.glob("*.json") if entry.stem.isdecimal()), default=-1)

    def move_alias(self) -> None:
        """Let the alias point to another version than the last that has scored, and wait until the job has seen it."""
        self.running()
        self.send()  # the alias may have moved since the last micro-batch, and would only move back
        job = self.running()
        other = self._other_version()
        ready = f"{MODEL} version {other} is ready"
        before = job.said.count(ready)
        self.point_alias_elsewhere()
        wait_until(lambda: job.said.count(ready) > before, f"version {other} to be ready", START_PATIENCE_S)

    def point_alias_elsewhere(self) -> None:
        """Let the alias point to the other version, without waiting for anybody."""
        Registry(self.registry).set_alias(MODEL, "champion", self._other_version())

    def _other_version(self) -> str:
        _, current = Registry(self.registry).resolve(f"models:/{MODEL}@champion")
        return "2" if current == "1" else "1"

    def finish(self) -> None:
        """Make sure, after all faults, that the rows are those that they should be."""
        self.compare_undisturbed()

    def compare_undisturbed(self, sections: Mapping[str, Any] | None = None, lineage: Sequence[str] = LINEAGE) -> None:
        """Score everything that was sent once more, undisturbed, and compare the rows.

        Args:
            sections: of the configuration, where the undisturbed run has others; such as another source.
            lineage: columns of both tables that tell where a record came from, as far as they must be equal.
        """
        versions = {str(version) for (version,) in rows(self.tables, "scored_clicks", ["model_version"])}
        places = {version: self.home / f"undisturbed-{version}" for version in sorted(versions)}
        for version, place in places.items():
            tree = {**self.tree, "output": self._output(place), "checkpoint": str(place / "checkpoint"),
                    "trigger": "available_now",
                    "model": {**self.tree["model"], "uri": f"models:/{MODEL}/{version}"},
                    **(sections or {})}  # fmt: skip
            config = self.home / f"undisturbed-{version}.yaml"
            config.write_text(yaml.safe_dump(tree))
            job = Job(config, self.home / "undisturbed.log", env=self.env)
            if job.end(UNDISTURBED_PATIENCE_S):
                raise UnsurvivedError(f"the undisturbed run failed: {job.last_words()}")
        compare(self.tables, places, self.erased, lineage)

    def close(self) -> None:
        """End what is alive."""
        if self.job and self.job.is_alive:
            self.job.resume()
            self.job.kill()


Open = Callable[[Path, random.Random], AbstractContextManager[Site]]
"""Makes a site in a folder that does not exist yet, and closes it at the end."""


def opened(make: Callable[[Path, random.Random], Site]) -> Open:
    """Return what opens a site that is made like this."""
    return lambda home, rng: closing(make(home, rng))


Fault = Callable[[Site], float]
"""Makes something go wrong, and has a job running afterwards that should get over it; returns when it went wrong."""
