"""The scenarios: where each kind of fault is tried."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import (
    brokers,
    checkpoints,
    clocks,
    drivers,
    erasures,
    executors,
    landing,
    poison,
    registries,
    silence,
    source_table,
    storage,
    tables,
    workers,
)
from tests.chaos.site import Fault, Open, Site, opened


@dataclass(frozen=True)
class Scenario:
    """A site and the faults that are tried there.

    Attributes:
        name: short, a folder is named after it.
        open: makes the site in a folder that does not exist yet.
        faults: by their names in the report.
        obstacle: says why the scenario cannot be tried here, if so.
    """

    name: str
    open: Open
    faults: dict[str, Fault]
    obstacle: Callable[[], str | None] = lambda: None


SCENARIOS = [
    Scenario("driver", opened(Site), drivers.FAULTS),
    Scenario("checkpoint", opened(Site), checkpoints.FAULTS),
    Scenario("workers", opened(workers.workers_site), workers.FAULTS),
    Scenario("silence", opened(silence.silent_site), silence.FAULTS),
    Scenario("executors", executors.executors_site, executors.FAULTS),
    Scenario("storage", storage.storage_site, storage.FAULTS, storage.missing_permission),
    Scenario("tables", opened(Site), tables.FAULTS),
    Scenario("erasure", opened(erasures.ErasureSite), erasures.FAULTS),
    Scenario("source-table", opened(source_table.TableSite), source_table.FAULTS),
    Scenario("registry", opened(registries.ServerSite), registries.FAULTS),
    Scenario("kafka", opened(brokers.BrokerSite), brokers.FAULTS),
    Scenario("clocks", opened(clocks.ClockSite), clocks.FAULTS, clocks.missing),
    Scenario("landing", opened(landing.LandingSite), landing.FAULTS),
    Scenario("poison-folder", opened(poison.PoisonedFolder), poison.FAULTS),
    Scenario("poison-kafka", opened(poison.PoisonedTopic), poison.FAULTS),
    Scenario("poison-delta", opened(poison.PoisonedTable), poison.FAULTS),
]

QUICK = [
    Scenario(
        "driver",
        opened(Site),
        {name: drivers.FAULTS[name] for name in drivers.QUICK},
    ),
]
"""The part of the suite that belongs to the tests, which end runs at the other points in their own process."""
