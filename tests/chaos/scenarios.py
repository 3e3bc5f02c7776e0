"""The scenarios: where each kind of fault is tried."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import (
    brokers,
    checkpoints,
    clocks,
    drivers,
    executors,
    landing,
    registries,
    source_table,
    storage,
    tables,
    workers,
)
from tests.chaos.site import Fault, Site, folder_site


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
    open: Callable[[Path, random.Random], AbstractContextManager[Site]]
    faults: dict[str, Fault]
    obstacle: Callable[[], str | None] = lambda: None


SCENARIOS = [
    Scenario("driver", folder_site, drivers.FAULTS),
    Scenario("checkpoint", folder_site, checkpoints.FAULTS),
    Scenario("workers", workers.workers_site, workers.FAULTS),
    Scenario("executors", executors.executors_site, executors.FAULTS),
    Scenario("storage", storage.storage_site, storage.FAULTS, storage.missing_permission),
    Scenario("tables", folder_site, tables.FAULTS),
    Scenario("source-table", source_table.table_site, source_table.FAULTS),
    Scenario("registry", registries.server_site, registries.FAULTS),
    Scenario("kafka", brokers.broker_site, brokers.FAULTS),
    Scenario("clocks", clocks.clock_site, clocks.FAULTS, clocks.missing),
    Scenario("landing", landing.landing_site, landing.FAULTS),
]

QUICK = [
    Scenario(
        "driver",
        folder_site,
        {name: fault for name, fault in drivers.FAULTS.items() if "killed" in name and "start" not in name},
    ),
]
"""The part of the suite that belongs to the tests."""
