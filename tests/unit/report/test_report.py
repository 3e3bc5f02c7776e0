import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from jobs import report as job
from tests.support.run_tables import Run

from clickscore.report.report import make_page
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract, Features

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def arguments(run: Run, tmp_path: Path) -> list[str]:
    config = yaml.safe_load(Path("conf/local.yaml").read_text())
    config["click"] = {"schema": str(DATA / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"}
    config |= {"features": str(DATA / "features.sql"), "output": run.output.model_dump()}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(config))
    return ["--config", str(file), "--out", str(tmp_path / "out" / "report.html")]


def test_questions_come_in_the_order_in_which_people_ask(run: Run, contract: Contract, features: Features) -> None:
    page = make_page(open_tables(run.output, contract, {}), features, datetime.now(timezone.utc))
    assert [section.name for section in page.sections] == [
        "progress", "losses", "rejections", "versions", "movement", "outcomes", "cost",
    ]  # fmt: skip
    assert [Path(name).name for name, _ in page.tables] == ["scored_clicks", "rejected_clicks", "model_timeline"]


def test_job_writes_the_page_and_replaces_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = Path(arguments[-1])
    assert job.main(arguments) == job.main(arguments) == 0
    assert out.read_text().startswith("<!doctype html>")
    assert [file.name for file in out.parent.iterdir()] == ["report.html"]
    assert "report.html: 0.9 MB, opens in any browser" in capsys.readouterr().out


@pytest.mark.parametrize(("changes", "message"), [
    (["--set", "output.scored=build/none/scored"], "build/none/scored does not exist"),
    (["--set", "output.scored=shop.scored"], "shop.scored is the name of a table in a catalog"),
    (["--storage-option", "x"], "expected NAME=VALUE"),
    (["--by", "visitor"], "it tells single clicks or visitors apart"),
    (["--out", "conf/local.yaml/report.html"], "--out conf/local.yaml/report.html cannot be used"),
    (["--out", "build/" + "x" * 300], "the page cannot be written there: File name too long"),
])  # fmt: skip
def test_what_cannot_be_used_is_one_message_and_status_2(
    arguments: list[str], changes: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.main([*arguments, *changes]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_missing_package_is_told_with_its_extra(arguments: list[str]) -> None:
    program = (
        f"import sys; sys.modules['deltalake'] = None\nfrom jobs import report; sys.exit(report.main({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("install what the report needs with pip install 'clickscore[report]'\n")


def test_report_needs_no_spark(arguments: list[str]) -> None:
    program = (
        f"import sys; sys.modules['pyspark'] = None\nfrom jobs import report; sys.exit(report.main({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
