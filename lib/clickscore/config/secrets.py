"""References to secrets: the configuration holds only references, which are resolved where a secret is used."""

import os
from pathlib import Path

from clickscore.errors import ConfigError


def resolve(reference: str, key: str) -> str:
    """Return the secret that a reference stands for.

    Args:
        reference: ``env:NAME``, ``file:PATH`` (without its last line break), or ``secret:scope/key`` of Databricks.
        key: key of the configuration, for the message.

    Raises:
        ConfigError: if there is no such secret. The message never holds one.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        if place not in os.environ:
            raise ConfigError(key, [f"the environment variable {place} is not set; export it before the start"])
        secret = os.environ[place]
        try:
            secret.encode()
        except UnicodeEncodeError:
            raise ConfigError(key, [f"the environment variable {place} is not UTF-8; write bytes in hex"]) from None
        return secret
    if kind == "file":
        try:
            return Path(place).read_text(encoding="utf-8-sig").rstrip("\r\n")
        except (OSError, ValueError) as error:  # not UTF-8, or a name that no file can have
            raise ConfigError(key, [f"the file {place} is not readable: {type(error).__name__}"]) from None
    scope, _, name = place.partition("/")
    return _from_databricks(scope, name, key)


def _from_databricks(scope: str, name: str, where: str) -> str:
    # Imported here: it is slow, and only there on Databricks and where MLflow is whole.
    try:
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.errors.base import DatabricksError
    except ImportError:
        raise ConfigError(
            where, ["secret: references need the package databricks-sdk; install it, or use env:"]
        ) from None
    try:
        return str(WorkspaceClient().dbutils.secrets.get(scope, name))
    except (DatabricksError, ValueError) as error:
        raise ConfigError(where, [f"secret {scope}/{name} is not readable: {type(error).__name__}"]) from None
