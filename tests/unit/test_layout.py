"""Rules of the house that a reviewer should not have to check."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULES = sorted(Path("lib/clickscore").rglob("*.py"))
PURE = ("config/run", "config/model", "errors", "storage/schemas", "stream/pipeline", "stream/rejections",
        "reconciliation/rescoring", "registry/comparison", "reconciliation/discrepancies",
        "reconciliation/record_keys", "batch/ranges", "batch/rescoring", "erasure/mentions", "erasure/visitors",
        "outcomes/units", "training/decision",
        *(f"scoring/{file.stem}" for file in Path("lib/clickscore/scoring").glob("*.py")
          if file.stem != "models"))  # fmt: skip
WORLDLY_IMPORTS = ("mlflow", "delta", "clickscore.storage.table", "clickscore.registry.registry", "clickscore.sources")
WORLDLY_ATTRIBUTES = ("read", "readStream", "write", "writeStream", "collect", "getOrCreate", "sparkSession")
MAX_LINES = 260
SHARED = {"errors", "reasons", "console", "cli", "retries", "session", "spark_errors", "__version__"}
"""Modules that every package may import, and the number of the version."""
IMPORTS = {
    "config": set(),
    "scoring": {"config"},
    "drift": {"config", "scoring"},
    "endpoint": {"config", "scoring"},
    "samples": {"config", "scoring"},
    "shops": {"config", "scoring", "samples"},
    "embedded": {"config", "scoring"},
    "export": {"config", "scoring", "registry", "embedded"},
    "storage": {"config"},
    "outcomes": {"config", "storage"},
    "registry": {"config", "scoring", "drift", "endpoint", "outcomes", "storage"},
    "sources": {"config", "storage"},
    "training": {"config", "scoring", "drift", "outcomes", "registry", "sources", "storage"},
    "service": {"config", "scoring", "registry"},
    "report": {"config", "drift", "outcomes", "scoring"},
    "watch": {"config", "report"},
    "monitoring": {"config", "drift", "storage", "sources"},
    "stream": {"config", "scoring", "drift", "samples", "endpoint", "registry", "storage", "sources", "monitoring"},
    "batch": {"config", "scoring", "registry", "storage", "sources", "monitoring", "stream"},
    "reconciliation": {"config", "scoring", "registry", "storage", "sources", "monitoring", "stream"},
    "erasure": {"config", "scoring", "storage", "outcomes", "sources", "stream", "reconciliation"},
}
"""What each package may import beside the shared modules; nothing imports batch, and only erasure reconciliation."""
CLASSIC = {"sparkContext", "_jvm", "_jsc", "rdd"}
"""What a session of Spark Connect does not have."""
CLASSIC_ONLY = {
    "deployment": "models travel as broadcast variables, which can be taken away again",
    "files": "Hadoop's FileSystem looks at a file without a Spark job, and sees those that Spark's listings hide",
    "protocol": "only Delta's own classes say which table features they know",
    "table_files": "only Delta's own classes know the sizes of files without opening them, and old transactions",
    "table_log": "only Delta's own classes remove commits to the minute",
    "kafka_records": "records that Spark cannot read are read by Kafka's own client",
    "kafka_admin": "the broker is asked by the client, and with the login, that Spark reads with",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_has_tests_of_its_own(module: Path) -> None:
    if module.stem == "__init__":
        return
    package = module.relative_to("lib/clickscore").parent
    files = [file for tier in Path("tests").iterdir() for file in (tier / package).glob(f"test_{module.stem}.py")]
    assert files, f"no {package}/test_{module.stem}.py in any tier"
    names = [node.name for file in files for node in ast.parse(file.read_text()).body if hasattr(node, "name")]
    assert [name for name in names if name.startswith("test_")], f"no test in {files}"


@pytest.mark.parametrize("module", [*MODULES, *Path("lib/shopsim").glob("*.py")], ids=lambda path: path.stem)
def test_module_is_short(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", PURE)
def test_pure_module_touches_nothing(name: str) -> None:
    tree = ast.parse(Path(f"lib/clickscore/{name}.py").read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        imports = [f"{node.module}.{name}" for name in names] if isinstance(node, ast.ImportFrom) else names
        assert not [found for found in imports if found.startswith(WORLDLY_IMPORTS)]
        assert not (isinstance(node, ast.Attribute) and node.attr in WORLDLY_ATTRIBUTES)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_needs_no_classic_session_without_a_reason(module: Path) -> None:
    found = {node.attr for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)} & CLASSIC
    assert bool(found) == (module.stem in CLASSIC_ONLY)


def test_packages_import_in_one_direction() -> None:
    root, turned = Path("lib/clickscore"), set()
    for module in MODULES:
        package, *inner = module.relative_to(root).parts
        for name in imported(module) if inner else ():
            target = name.split(".")[1]
            if target != package and target not in SHARED | IMPORTS[package]:
                turned.add((package, target))
    assert not turned


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "clickscore":
            yield from (f"clickscore.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clickscore."):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("clickscore."))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_names_and_texts_of_others_are_printed_as_they_are_and_not_as_markup(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "print":
            continue
        if any(isinstance(argument, ast.JoinedStr) for argument in node.args):
            assert "markup" in [keyword.arg for keyword in node.keywords], f"line {node.lineno}"


def test_every_package_is_in_the_wheel() -> None:
    wheel = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {file.parent.relative_to("lib") for file in Path("lib").rglob("__init__.py")}
    assert sorted(wheel) == sorted(
        {".".join(folder.parts) for folder in folders} | {"clickscore.jobs", "clickscore.conf"}
    )


def test_jobs_are_thin() -> None:
    for job in Path("jobs").glob("*.py"):
        assert len(job.read_text().splitlines()) <= 70


def test_lib_is_not_ignored_by_git() -> None:
    new = ["lib/new.py", "lib/clickscore/new.py", "lib/clickscore/scoring/new.py"]
    asked = subprocess.run(["git", "check-ignore", "--no-index", *new], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (1, ""), asked.stderr
