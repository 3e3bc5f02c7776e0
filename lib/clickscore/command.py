"""The console command ``clickscore``: its subcommands are the jobs, ``clickscore score-stream`` for score_stream.py."""

import ast
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from clickscore import __version__

_JOBS = "clickscore.jobs"
"""The folder jobs/ of the repository, as the wheel has it."""
_USAGE_ERROR = 2


def main(argv: list[str] | None = None) -> int:
    """Run the job that the first argument names, with the others; return its exit status."""
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    jobs = _jobs()
    if name in jobs:
        sys.argv[0] = f"clickscore {name}"  # what argparse calls the program in its usage
        status: int = import_module(jobs[name]).main(arguments)
        return status
    if name == "--version":
        print(f"clickscore {__version__}")
        return 0
    lines = "\n".join(f"  {job:<17} {_summary(module)}" for job, module in jobs.items())
    usage = f"usage: clickscore JOB [ARGUMENT ...]\n\n{lines}\n\nclickscore JOB --help lists the arguments of a job."
    if name in ("--help", "-h"):
        print(usage)
        return 0
    print(f"clickscore: there is no job {name}\n\n{usage}", file=sys.stderr)
    return _USAGE_ERROR


def _jobs() -> dict[str, str]:
    """Return the modules of the jobs, by the names of their subcommands."""
    folders = import_module(_JOBS).__path__
    return {job.name.replace("_", "-"): f"{_JOBS}.{job.name}" for job in iter_modules(folders)}


def _summary(module: str) -> str:
    """Return the first sentence of a job's docstring, without running the job's imports."""
    spec = find_spec(module)
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) if spec and spec.origin else ""
    return (text or "").partition("\n")[0]
