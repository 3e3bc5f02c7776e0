"""A configuration file as YAML, whatever is in it."""

from pathlib import Path
from typing import Any

import yaml

from clickscore.config.fields import existing_file
from clickscore.config.text_file import read_text
from clickscore.errors import ConfigError

MISREAD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What PyYAML raises beside its own errors: for a value that does not fit its tag, and for deep nesting."""


def read_tree(path: Path) -> dict[str, Any]:
    """Read a file of keys and values.

    Raises:
        ConfigError: if it is not there, is no YAML, or has no keys.
    """
    try:
        text = read_text(existing_file(path))
    except ValueError as error:
        raise ConfigError(str(path), [str(error)]) from None
    try:
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(str(path), [f"it is not readable as YAML: {error.problem}{where}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"it is not readable as YAML: {error}"]) from None
    except MISREAD as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else "a value does not fit its tag"
        raise ConfigError(str(path), [f"it is not readable as YAML: {problem}"]) from None
    if not isinstance(tree, dict):
        raise ConfigError(str(path), [f"expected keys such as source and model, found {type(tree).__name__}"])
    return tree
