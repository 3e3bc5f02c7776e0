"""The console command: each job is a subcommand, and none needs Spark to say what it takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from clickscore import __version__, command

JOBS = sorted(job.stem.replace("_", "-") for job in Path("jobs").glob("[!_]*.py"))
COMMAND = str(Path(sys.executable).with_name("clickscore"))


def test_help_lists_every_job_with_its_first_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == JOBS
    assert "  score-stream      Score clicks as they arrive and append them to the scored_clicks table." in lines


def test_job_runs_with_its_arguments_and_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["audit", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml cannot be used" in capsys.readouterr().err


def test_unknown_job_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["score-strem"]) == 2
    assert "there is no job score-strem" in capsys.readouterr().err


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"clickscore {__version__}\n"


@pytest.mark.parametrize("job", JOBS)
def test_help_of_a_job_needs_no_spark(job: str) -> None:
    # A finder that comes first stands for an environment in which none of these is installed.
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('pyspark', 'delta', 'mlflow', 'pandas', 'confluent_kafka'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from clickscore import command\n"
        f"sys.exit(command.main([{job!r}, '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: clickscore {job} ")
