"""What the README says about tables, reasons and commands is what there is."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from pyspark.sql import types as T

from clickscore import reasons
from clickscore.config.source import KafkaSource, Security
from clickscore.storage import schemas

README = Path("README.md").read_text()


def between(begin: str, end: str) -> str:
    """Return the part of the README from one pattern to the next place where another one matches."""
    found = re.search(rf"{begin}.*?(?={end})", README, re.DOTALL | re.MULTILINE)
    assert found, begin
    return found[0]


@pytest.mark.parametrize(("table", "columns"), [
    ("scored_clicks", (*schemas.SCORED, *schemas.KEPT.values())),
    ("rejected_clicks", schemas.REJECTED_CLICKS),
    ("model_timeline", schemas.MODEL_TIMELINE),
    ("source_gaps", schemas.SOURCE_GAPS),
])  # fmt: skip
def test_every_column_of_a_table_is_explained_where_the_table_is(table: str, columns: Iterable[T.StructField]) -> None:
    text = between(f"^`{table}` (?:has|appears)", r"^`\w+` (?:has|appears)|^## ")
    if "| column |" in text:
        text = "".join(re.findall(r"^\|[^|]*", text, re.MULTILINE))
    assert not {field.name for field in columns if f"`{field.name}`" not in text}


def test_every_reason_is_explained() -> None:
    codes = {value for name, value in vars(reasons).items() if name.isupper()}
    assert len(codes) == 14
    assert not {code for code in codes if f"| `{code}` |" not in README}


def test_configuration_of_the_readme_is_the_shipped_one() -> None:
    found = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert found
    shipped = yaml.safe_load(Path("conf/local.yaml").read_text())
    shipped.pop("training")
    assert yaml.safe_load(found[1]) == shipped


def test_every_key_of_the_kafka_source_is_explained() -> None:
    source = between(r"^`conf/kafka.yaml` is", r"^The keys of `security`")
    assert not {key for key in KafkaSource.model_fields if key != "kind" and f"`{key}`" not in source}
    security = between(r"^The keys of `security`", r"^```yaml")
    assert not {key for key in Security.model_fields if f"`{key}`" not in security}


def test_every_make_target_that_is_named_exists() -> None:
    makefile = Path("Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`make ([a-z-]+)", Path(page).read_text()):
            assert f"\n{target}:" in makefile, target
