"""What README and docs say about tables, keys, commands and links is what there is."""

import argparse
import ast
import re
import shlex
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import yaml
from docs import generate
from pyspark.sql import types as T

from clickscore import errors, reasons
from clickscore.config.run import Config, load
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.storage import backfills, erasures, model_decisions, schemas, stream_metrics

ROOT = Path.cwd()
DOCS = sorted(Path("docs").glob("*.md"))
GUIDES = [Path("README.md"), *DOCS]
PAGES = [*GUIDES, Path("CONTRIBUTING.md"), Path("CHANGELOG.md"), *sorted(Path("benchmarks").glob("*.md"))]
README_BYTES = 7_000
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
WITHIN = {"security": "source", "allow": "model", "gate": "promotion", "write_behind": "service", "from": "click",
          "value": "source", "labels": "outcome"}  # fmt: skip
"""Sections of sections: the section that an example of theirs belongs into."""
MIN_THREATS = 25
"""So many are on the page; a table that is written in another way would not be found."""
ELSEWHERE = {"airflow"}
"""Packages of the page's reader: a block with them is parsed only."""
KAFKA = {"kind": "kafka", "bootstrap_servers": "127.0.0.1:9092", "topics": ["clicks"]}


class ParsedError(Exception):
    """Ends a job when its arguments are parsed."""


def blocks(page: Path, language: str) -> list[str]:
    return [text for _, kind, text in BLOCK.findall(page.read_text()) if kind == language]


def below(page: str, heading: str) -> str:
    """Return the text from a heading to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", Path(page).read_text(), re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and the site make them."""
    text = BLOCK.sub("", page.read_text())
    titles = [
        re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def code(page: Path) -> list[str]:
    """Return the lines of code of a page: those of its blocks, and what stands in its text."""
    text = page.read_text().replace("\\\n", " ")
    lines = [line.strip() for _, _, block in BLOCK.findall(text) for line in block.splitlines()]
    return [*lines, *re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))]


def commands() -> set[tuple[str, str, str]]:
    """Return page, job and arguments of each command line."""
    return {
        (page.name, job, arguments)
        for page in GUIDES
        for line in code(page)
        for job, arguments in re.findall(r"(jobs/\w+\.py) +(--.*)", line)
    }


def test_generated_parts_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_readme_is_short() -> None:
    assert len(Path("README.md").read_bytes()) <= README_BYTES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = page.parent / name if name else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors(goal), target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    makefile = Path("Makefile").read_text()
    for line in code(page):
        targets = re.match(r"make((?: [a-z][a-z-]*)+)", line)
        assert not targets or all(f"\n{target}:" in makefile for target in targets[1].split()), line


@pytest.mark.parametrize(("page", "job", "arguments"), sorted(commands()), ids=str)
def test_every_command_line_is_understood(
    page: str, job: str, arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = argparse.ArgumentParser.parse_args
    module = import_module(job.replace("/", ".").removesuffix(".py"))

    def parse_only(self: argparse.ArgumentParser, args: list[str]) -> None:
        parse(self, args)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(ParsedError):
        module.main(shlex.split(arguments))
    config = re.search(r"--config (conf/(?!shops/)\S+)", arguments)  # a shop is the reader's own
    assert not config or Path(config[1]).is_file()


def test_command_lines_are_found() -> None:
    assert len({job for _, job, _ in commands()}) == len(list(Path("jobs").glob("[a-z]*.py")))


@pytest.mark.parametrize(
    "block", [text for page in GUIDES for text in blocks(page, "yaml")], ids=lambda text: text.split("\n")[0][:40]
)
def test_every_configuration_loads(block: str, tmp_path: Path) -> None:
    run = yaml.safe_load(Path("conf/local.yaml").read_text())
    for key, value in yaml.safe_load(block).items():
        if key in ("security", "value"):
            run["source"] = {**KAFKA, key: with_files(value, tmp_path)}
        elif key == "endpoint":
            run["model"] = {"uri": "endpoint:http://127.0.0.1/", key: with_files(value, tmp_path)}
        elif key == "model" and "endpoint" in value:
            run["model"] = {**value, "endpoint": with_files(value["endpoint"], tmp_path)}
        elif key in WITHIN:
            run.setdefault(WITHIN[key], {})[key] = value
        else:
            run[key] = value
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(run))
    load(file)


def with_files(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a section whose files are there."""
    for key in ("truststore", "keystore", "ca", "schema", "example"):
        if key in section:
            section[key] = str(folder / Path(section[key]).name)
            Path(section[key]).touch()
    return section


@pytest.mark.parametrize("section", [name for name in generate.SECTIONS if name != "Config"])
def test_every_key_of_a_section_is_in_an_example_of_it(section: str) -> None:
    shown: set[str] = set()
    for block in BLOCK.findall(generate.examples_of(section)):
        for keys in yaml.safe_load(block[2]).values():
            of_fields = [each for each in keys.values() if isinstance(each, dict)]
            shown |= {key for each in of_fields for key in each} if section == "FieldSource" else keys.keys()
    assert shown == {field.alias or name for name, field in generate.SECTIONS[section].model_fields.items()}


def test_every_section_is_in_the_page_of_the_configuration() -> None:
    text = Path("docs/configuration.md").read_text()
    assert not {name for name in generate.SECTIONS if f"<!-- generated: keys {name} -->" not in text}
    shown = {key for block in blocks(Path("docs/configuration.md"), "yaml") for key in yaml.safe_load(block)}
    assert set(Config.model_fields) <= shown


@pytest.mark.parametrize(("table", "columns"), [
    ("scored_clicks", (*schemas.SCORED, *schemas.KEPT.values())),
    ("rejected_clicks", (*schemas.REJECTED_CLICKS, *schemas.KEPT.values(), *schemas.REPLAYED)),
    ("model_timeline", schemas.MODEL_TIMELINE),
    ("source_gaps", schemas.SOURCE_GAPS), ("stream_metrics", stream_metrics.STREAM_METRICS),
    ("backfills", backfills.BACKFILLS),
    ("erasures", erasures.ERASURES),
    ("outcomes", schemas.OUTCOMES),
    ("model_decisions", model_decisions.MODEL_DECISIONS),
])  # fmt: skip
def test_every_column_is_explained_below_its_table(table: str, columns: Iterable[T.StructField]) -> None:
    assert {field.name for field in columns} <= first_cells(below("docs/tables.md", table))


def test_every_threat_has_the_test_that_is_named_beside_it() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", Path("docs/security.md").read_text())
    assert len(named) >= MIN_THREATS
    assert not [each for each in named if f"def {each[1]}(" not in Path(each[0]).read_text()]


def test_workflow_runs_what_there_is() -> None:
    jobs = yaml.safe_load(Path(".github/workflows/ci.yaml").read_text())["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = Path("Makefile").read_text()
    assert lines == [".ci/run", "make components vulnerabilities"]
    assert all(f"\n{target}:" in makefile for target in lines[1].split()[1:])


def test_every_reason_is_explained() -> None:
    codes = {value for name, value in vars(reasons).items() if name.isupper()}
    assert first_cells(below("docs/tables.md", "Reason codes")) == codes


def test_every_error_says_what_it_wants() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    explained = first_cells(below("docs/operations.md", "What each error message wants from you"))
    bases = {"ClickscoreError", "WiringError", "RunError"}
    assert kinds - bases == explained


def test_features_of_the_docs_are_accepted(tmp_path: Path) -> None:
    [text] = blocks(Path("docs/features.md"), "sql")
    file = tmp_path / "features.sql"
    file.write_text(text)
    contract = read_contract(Path("conf/click.ddl"), "event_id", "event_time", "visitor_id")
    assert "log_price" in read_features(file, contract.click).schema.names


def test_program_of_the_docs_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = read_contract(Path("conf/click.ddl"), "event_id", "event_time", "visitor_id")
    names = read_features(Path("conf/features.sql"), contract.click).schema.names
    rows = np.random.default_rng(1).normal(size=(200, len(names)))
    data = lightgbm.Dataset(rows, rows[:, 0] > 0, feature_name=names)
    (tmp_path / "model").mkdir()
    settings = {"objective": "binary", "num_threads": 1, "verbose": -1}
    lightgbm.train(settings, data, num_boost_round=2).save_model(tmp_path / "model" / "model.lgb")
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    exec(blocks(ROOT / "docs/embed.md", "python")[0], {})
    scored, rejected = capsys.readouterr().out.splitlines()
    assert scored.endswith(" None None")
    assert rejected.startswith("None malformed_json ")


@pytest.mark.parametrize("block", [text for page in GUIDES for text in blocks(page, "python")], ids=lambda t: t[:30])
def test_every_import_of_the_docs_works(block: str) -> None:
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)
               and ast.unparse(node).split()[1].split(".")[0] not in ELSEWHERE]  # fmt: skip
    exec(compile(ast.Module(imports, []), "docs", "exec"), {})
