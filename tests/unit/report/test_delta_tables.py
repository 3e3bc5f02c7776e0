import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tests.support.run_tables import Run

from clickscore.errors import TableError
from clickscore.report.delta_tables import beside, open_table, read_frugally


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_deltalake(str(tmp_path / "table"), pa.table({"a": [1, 2]}))
    return tmp_path / "table"


def rewrite(table: Path, action: str, **changes: object) -> None:
    """Change an action in the first commit of a table."""
    log = table / "_delta_log/00000000000000000000.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for found in actions:
        if action in found:
            found[action] |= changes
    log.write_text("\n".join(map(json.dumps, actions)))


def test_table_has_its_rows_and_its_version(table: Path) -> None:
    opened = open_table(str(table), ["a"], {})
    assert opened is not None
    assert (opened.version, opened.rows.to_table().to_pydict(), opened.commits) == (0, {"a": [1, 2]}, ())


def test_commits_tell_their_micro_batch_newest_first(run: Run) -> None:
    opened = open_table(run.output.scored, [], {})
    assert opened is not None
    assert [(commit.batch_id, commit.rows) for commit in opened.commits] == [(1, 1), (0, 3)]
    assert f"{opened.commits[0].at:%H:%M:%S}" == "12:01:02"


@pytest.mark.parametrize("words", ["", "not JSON", "[1]", '{"batch": "1"}', None])
def test_commit_of_another_writer_is_none_of_a_micro_batch(table: Path, words: str | None) -> None:
    rewrite(table, "commitInfo", userMetadata=words)
    opened = open_table(str(table), [], {})
    assert opened is not None
    assert opened.commits == ()


def test_missing_table_is_none(tmp_path: Path) -> None:
    assert open_table(str(tmp_path / "none"), [], {}) is None
    (tmp_path / "empty").mkdir()
    assert open_table(str(tmp_path / "empty"), [], {}) is None


def test_name_in_a_catalog_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        TableError, match=r"shop\.scored is the name of a table in a catalog.*--set output\.scored=PATH"
    ):
        open_table("shop.scored", [], {})


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping", "v2Checkpoint"])
def test_feature_that_cannot_be_read_is_named(table: Path, feature: str) -> None:
    rewrite(
        table, "protocol", minReaderVersion=3, minWriterVersion=7, readerFeatures=[feature], writerFeatures=[feature]
    )
    with pytest.raises(TableError, match=f"{table} cannot be read without Spark: .*{feature}.*DROP FEATURE"):
        open_table(str(table), [], {})


def test_broken_log_is_one_message(table: Path) -> None:
    (table / "_delta_log/00000000000000000000.json").write_text("{")
    with pytest.raises(TableError, match=r"cannot be read: .* Expected a Delta table"):
        open_table(str(table), [], {})


def test_storage_that_nobody_knows_is_one_message() -> None:
    with pytest.raises(TableError, match="nowhere://x/y cannot be read: Unknown scheme"):
        open_table("nowhere://x/y", [], {})


def test_table_of_something_else_lacks_columns(table: Path) -> None:
    with pytest.raises(TableError, match=r"table of something else: expected the columns a, b, found no b\."):
        open_table(str(table), ["a", "b"], {})


def test_table_beside_another_one() -> None:
    assert [beside("s3://b/run/scored/", "x"), beside("run/scored", "x"), beside("/scored", "x")] == [
        "s3://b/run/x", "run/x", "/x",
    ]  # fmt: skip


def test_reading_frugally_keeps_few_rows_in_advance() -> None:
    before = pa.default_memory_pool(), pa.io_thread_count(), pa.cpu_count()
    try:
        read_frugally()
        assert (pa.default_memory_pool().backend_name, pa.io_thread_count(), pa.cpu_count()) == ("system", 2, 1)
    finally:
        pa.set_memory_pool(before[0])
        pa.set_io_thread_count(before[1])
        pa.set_cpu_count(before[2])
