import textwrap
from pathlib import Path

import pytest

from clickscore.config.run import load
from clickscore.config.source import DeltaSource, FolderSource
from clickscore.errors import ConfigError

DDL = "conf/click.ddl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        textwrap.dedent("""\
            source:     {kind: folder, path: landing}
            click:      {schema: conf/click.ddl, id: event_id, time: event_time, visitor: visitor_id}
            features:   conf/features.sql
            model:      {uri: "models:/m@champion", registry: "sqlite:///mlflow.db"}
            output:     {scored: out/scored_clicks, rejected: out/rejected_clicks}
            checkpoint: out/checkpoint
            trigger:    available_now
            """)
    )
    return path


def problems(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, overrides)
    return str(caught.value)


def test_the_shipped_configurations_load() -> None:
    for path in Path("conf").glob("*.yaml"):
        assert load(path).click.ddl == Path(DDL)


def test_source_kind_picks_its_own_keys(file: Path) -> None:
    assert load(file).source == FolderSource(kind="folder", path="landing")
    delta = load(file, ["source={kind: delta, table: clicks, changes: skip}"]).source
    assert delta == DeltaSource(kind="delta", table="clicks", changes="skip")


def test_override_reaches_a_nested_key(file: Path) -> None:
    assert load(file, ["source.max_bytes=1 MiB", "trigger=5 seconds"]).source.max_bytes == 1024 * 1024


def test_unknown_key_suggests_the_nearest_one(file: Path) -> None:
    assert "source.pth: unknown key; did you mean path?" in problems(file, "source.pth=x")
    assert "chekpoint: unknown key; did you mean checkpoint?" in problems(file, "chekpoint=x")
    assert "click.schma: unknown key; did you mean schema?" in problems(file, "click.schma=x")


def test_unknown_key_of_a_field_suggests_the_nearest_one(file: Path) -> None:
    assert "click.from.event_time.formt: unknown key; did you mean format?" in problems(
        file, "click.from={event_time: {formt: x}}"
    )
    assert "click.from.event_time.zone: expected a time zone such as Europe/Zurich, found 'Zurich'" in problems(
        file, "click.from={event_time: {zone: Zurich}}"
    )
    found = problems(file, "click.from={page_url: a..b, visitor_id: [a, 'b['], device: 5, shop: {constant: [1]}}")
    for key in ("click.from.page_url", "click.from.visitor_id", "click.from.device", "click.from.shop"):
        assert key in found


def test_all_problems_are_reported_at_once(file: Path) -> None:
    text = problems(file, "trigger=sometimes", "model.url=x", "features=conf/featurs.sql", "output.scored=5")
    assert str(file) in text
    assert "trigger: expected available_now or an interval such as \"5 seconds\", found 'sometimes'" in text
    assert "model.url: unknown key; did you mean uri?" in text
    assert "features: no such file: conf/featurs.sql; did you mean conf/features.sql?" in text
    assert "output.scored: input should be a valid string, found int" in text


def test_missing_key_is_named(file: Path) -> None:
    file.write_text(file.read_text().replace("checkpoint: out/checkpoint", ""))
    assert "checkpoint: missing" in problems(file)


def test_wrong_kind_of_source_lists_the_kinds(file: Path) -> None:
    assert "source.kind: expected folder or delta or kafka; did you mean folder?" in problems(file, "source.kind=foldr")


def test_model_uri_without_alias_or_version_is_refused(file: Path) -> None:
    text = problems(file, "model.uri=click_propensity")
    expected = "models:/<name>@<alias> or models:/<name>/<version> or endpoint:https://<host>/<path>"
    assert f"model.uri: expected {expected}, found 'click_propensity'" in text


def test_size_without_a_unit_that_is_known_is_refused(file: Path) -> None:
    assert "source.max_bytes: expected a number of bytes or a size such as" in problems(file, "source.max_bytes=5 MB")


def test_missing_file_suggests_its_neighbour() -> None:
    assert "did you mean conf/local.yaml?" in problems(Path("conf/locl.yaml"))


def test_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- a\n- b\n")
    assert "expected keys such as source and model, found list" in problems(path)


def test_key_that_has_the_name_of_a_source_is_told_like_any_other(file: Path) -> None:
    assert "delta: unknown key" in problems(file, "delta=x")
    assert "source.folder: unknown key" in problems(file, "source.folder=x")


def test_interval_with_a_fraction_is_refused(file: Path) -> None:
    assert "trigger: expected available_now or an interval" in problems(file, "trigger=1.5 minutes")


def test_trigger_that_no_clock_can_wait_for_is_refused(file: Path) -> None:
    assert "trigger: expected an interval of 36,500 days at most, found '40000 days'" in problems(
        file, "trigger=40000 days"
    )


@pytest.mark.parametrize(
    ("override", "characters"),
    [
        ("source.path='in/x[eu]'", "[ ]"),
        ("source.path='{a,b}'", "{ }"),
        ("checkpoint='out/2026-*'", "*"),
        ("output.scored='out/?/scored'", "?"),
        ("output.rejected='out\\rejected/x'", "\\"),
        ("source={kind: delta, table: 'in/[a]'}", "[ ]"),
    ],
)
def test_path_that_spark_would_take_for_a_pattern_is_refused(file: Path, override: str, characters: str) -> None:
    key = override.partition("=")[0] if "{kind" not in override else "source.table"
    assert f"has {characters}, which Spark takes for a pattern" in problems(file, override)
    assert f"- {key}: " in problems(file, override)


@pytest.mark.parametrize("path", ["out/50% of a b+c,d#e&f=g~h^i'j", "out/é/%20", "s3a://bucket/a:b"])
def test_other_characters_of_a_path_are_no_pattern(file: Path, path: str) -> None:
    assert load(file, [f'checkpoint="{path}"']).checkpoint == path


def test_override_that_is_no_yaml_is_refused(file: Path) -> None:
    said = problems(file, 'source.security.password="hunter2')
    assert "--set source.security.password cannot be used:\n  - its value is not readable as YAML" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!int x", "!!timestamp x", "[" * 3000, "{a: " * 500, "!!python/name:x y"]
)
def test_value_that_ends_the_reader_of_yaml_is_refused(file: Path, value: str) -> None:
    assert "its value is not readable as YAML" in problems(file, f"trigger={value}")
    file.write_text(f"trigger: {value}")
    assert "it is not readable as YAML: " in problems(file)


@pytest.mark.parametrize("key", ["features", "click.schema"])
def test_name_that_is_too_long_for_a_file_is_refused(file: Path, key: str) -> None:
    assert "cannot be read: File name too long" in problems(file, f"{key}={'x' * 5000}")


def test_override_without_a_value_is_refused(file: Path) -> None:
    assert "expected key.path=value" in problems(file, "trigger")


def test_health_is_off_unless_it_has_a_port(file: Path) -> None:
    assert load(file).health is None
    health = load(file, ["health.port=8090"]).health
    assert health
    assert (health.host, health.port, health.stuck_after_ms) == ("127.0.0.1", 8090, 300_000)
    text = problems(file, "health={prt: 1, stuck_after: 5}")
    assert "health.port: missing" in text
    assert "health.prt: unknown key; did you mean port?" in text
    assert 'health.stuck_after: expected an interval such as "10 minutes", found 5' in text
    assert "health.port: input should be less than or equal to 65535" in problems(file, "health.port=65536")


def test_interval_of_the_trigger_is_known_in_seconds(file: Path) -> None:
    assert load(file).interval_s is None
    assert load(file, ["trigger=10 minutes"]).interval_s == 600
    assert load(file, ["trigger=250 milliseconds"]).interval_s == 0.25
