"""Jobs that run in the process of a test."""

import importlib.util
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Done:
    """What a job has left behind."""

    status: int
    out: str
    err: str


def job_module(name: str) -> ModuleType:
    """Return a job as a module, new each time."""
    spec = importlib.util.spec_from_file_location(f"jobs.{name}", f"jobs/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
