from pathlib import Path

import pytest

from clickscore.config.yaml_file import read_tree
from clickscore.errors import ConfigError


@pytest.mark.parametrize("value", ["!!bool x", "!!int x", "!!timestamp x", "[" * 3000, "!!python/name:x y", "{a: ]}"])
def test_text_that_ends_the_reader_of_yaml_is_refused_in_words(tmp_path: Path, value: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"trigger: {value}")
    with pytest.raises(ConfigError, match="it is not readable as YAML: "):
        read_tree(file)


def test_file_without_keys_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("- source")
    with pytest.raises(ConfigError, match="expected keys such as source and model, found list"):
        read_tree(file)
