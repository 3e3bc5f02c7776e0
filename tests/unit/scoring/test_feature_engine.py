import pyarrow as pa
import pytest

from clickscore.scoring.feature_engine import Engine, FeatureError, engine_of, quoted, sql_type, tried

READ = pa.schema({"n": pa.int32()})


def numbers(*values: int | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": list(values)}, schema=READ)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(READ)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('https://example.org')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
    ],
)
def test_files_network_and_extensions_are_out_of_reach(engine: Engine, query: str) -> None:
    with pytest.raises(Exception, match="Permission Error"):
        engine.ask(query)


@pytest.mark.parametrize(
    "setting", ["threads = 4", "TimeZone = 'Asia/Tokyo'", "enable_external_access = true", "memory_limit = '1TB'"]
)
def test_settings_are_locked(engine: Engine, setting: str) -> None:
    with pytest.raises(Exception, match="locked"):
        engine.ask(f"SET {setting}")


def test_engine_has_one_thread_bounded_memory_and_utc(engine: Engine) -> None:
    [(threads, memory, zone)] = engine.ask(
        "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('TimeZone')"
    )
    assert (threads, memory, zone) == (1, "488.2 MiB", "UTC")


def test_a_query_reads_the_clicks_of_the_moment_each_time(engine: Engine) -> None:
    query = "SELECT n + 1 AS m FROM click"
    assert engine.run(query, numbers(1, None)).to_pydict() == {"m": [2, None]}
    assert engine.run(query, numbers(5)).to_pydict() == {"m": [6]}
    assert engine.run(query, numbers()).num_rows == 0


def test_engine_goes_on_after_a_query_that_raised(engine: Engine) -> None:
    with pytest.raises(FeatureError, match=r"^Invalid Input Error: no$"):
        engine.run("SELECT error('no') AS m FROM click", numbers(1))
    assert engine.run("SELECT n AS m FROM click", numbers(1)).to_pydict() == {"m": [1]}


@pytest.mark.parametrize("query", ["SELECT sum(n) AS m FROM click", "SELECT unnest([n, n]) AS m FROM click"])
def test_query_that_gives_more_or_fewer_rows_than_clicks_is_an_error(engine: Engine, query: str) -> None:
    with pytest.raises(FeatureError, match="rows for 3 clicks"):
        engine.run(query, numbers(1, 2, 3))


def test_engine_whose_database_is_gone_opens_another() -> None:
    engine = Engine(READ)
    query = "SELECT n AS m FROM click"
    engine.run(query, numbers(1))
    engine._connection.close()
    assert engine.run(query, numbers(2)).to_pydict() == {"m": [2]}


def test_process_has_one_engine_for_clicks_of_the_same_fields() -> None:
    assert engine_of(READ) is engine_of(pa.schema({"n": pa.int32()}))
    assert engine_of(READ) is not engine_of(pa.schema({"n": pa.int64()}))


def test_chunk_that_raises_is_cut_until_the_rows_to_blame_stand_alone(engine: Engine) -> None:
    query = "SELECT CASE WHEN n < 0 THEN error('bad') ELSE n END AS m FROM click"
    parts, failures = tried(engine, query, numbers(1, 2, -3, 4, -5))
    assert failures == {2: "Invalid Input Error: bad", 4: "Invalid Input Error: bad"}
    assert [part and part.to_pydict()["m"] for part in parts] == [[1, 2], None, [4], None]


def test_good_chunk_is_computed_in_one_piece(engine: Engine) -> None:
    [part], failures = tried(engine, "SELECT n AS m FROM click", numbers(1, 2, 3))
    assert part is not None
    assert part.num_rows == 3
    assert failures == {}


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (pa.timestamp("us", tz="UTC"), "TIMESTAMP"), (pa.decimal128(9, 2), "DECIMAL(9,2)"), (pa.int64(), "BIGINT"),
        (pa.list_(pa.float32()), "FLOAT[]"), (pa.struct({"a": pa.string()}), 'STRUCT("a" VARCHAR)'),
        (pa.bool_(), "BOOLEAN"), (pa.date32(), "DATE"), (pa.map_(pa.string(), pa.int32()), "MAP(VARCHAR, INTEGER)"),
    ],
)  # fmt: skip
def test_types_have_the_names_of_sql(type_: pa.DataType, name: str) -> None:
    assert sql_type(type_) == name


def test_name_with_quotes_stays_one_name() -> None:
    assert quoted('a"b') == '"a""b"'
