"""Options of the storage that tables are on, from the command line; secrets are references there."""

from collections.abc import Iterable

from clickscore.config.fields import is_reference
from clickscore.config.secrets import resolve
from clickscore.errors import ConfigError

_ARGUMENT = "--storage-option"


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Return the options by their names; references are resolved.

    Args:
        texts: ``NAME=VALUE``, where the value may be ``env:NAME``, ``file:PATH`` or ``secret:scope/key``.

    Raises:
        ConfigError: if a text is not like that, or a reference leads nowhere. The message holds no value.
    """
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ConfigError(
                _ARGUMENT, [f"expected NAME=VALUE, found a text of {len(text)} characters without a name or a ="]
            )
        options[name] = resolve(value, f"{_ARGUMENT} {name}") if is_reference(value) else value
    return options
