"""What the README says about tables, reasons and commands is what there is."""

import re
from pathlib import Path

import yaml

from clickscore import reasons
from clickscore.config.source import KafkaSource, Security
from clickscore.storage import schemas

README = Path("README.md").read_text()


def test_every_column_of_every_table_is_explained() -> None:
    columns = {field.name for field in (*schemas.SCORED, *schemas.REJECTED_CLICKS, *schemas.MODEL_TIMELINE)}
    columns |= {field.name for field in (*schemas.KEPT.values(), *schemas.SOURCE_GAPS)}
    assert not {name for name in columns if f"`{name}`" not in README}


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
    keys = {*KafkaSource.model_fields, *Security.model_fields} - {"kind"}
    assert not {key for key in keys if f"`{key}`" not in README}


def test_every_make_target_that_is_named_exists() -> None:
    makefile = Path("Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`make ([a-z-]+)", Path(page).read_text()):
            assert f"\n{target}:" in makefile, target
