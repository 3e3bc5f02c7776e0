"""Schemas by their ids, from a registry that speaks Confluent's protocol."""

from collections.abc import Callable
from typing import Any

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from clickscore.config.secrets import resolve
from clickscore.errors import ConfigError, SourceError, SourceUnavailableError
from clickscore.reasons import UNKNOWN_SCHEMA
from clickscore.scoring.wire import KEY, UndecodableError, Wire

REQUEST_LIMIT_S = 10.0
"""How long a request may take: a registry answers within milliseconds, or has a problem."""
RETRIES = 2
"""Of one request, within a second or so; the stream itself tries longer, with its own patience."""
RETRY_WAIT_MS = 200
_UNKNOWN_ID, _UNKNOWN_SUBJECT, _UNKNOWN_VERSION = 40403, 40401, 40402
_REFUSED = (401, 403)
_RETRIABLE = (408, 429, 500, 502, 503, 504)
_OTHER_ANSWERS = (ValueError, LookupError, TypeError, AttributeError)
"""What the client raises for an answer with status 200 that is not JSON, or not that of a registry."""


class SchemaRegistry:
    """A registry; it is asked when a schema is needed, in the process that needs it."""

    def __init__(self, wire: Wire) -> None:
        """Note where the registry is; connect to nothing yet."""
        self._wire = wire
        self._client: Any = None

    def schema(self, id: int, type: str, format: str | None = None) -> Schema:
        """Return a schema.

        Args:
            id: its id.
            type: what it must be: ``AVRO`` or ``PROTOBUF``.
            format: how the registry is to write it; None for its own text.

        Raises:
            UndecodableError: if the registry does not know it, or it is of another type.
            SourceUnavailableError: if the registry does not answer now.
            SourceError: if it refuses the login, or answers in another protocol.
        """
        found: Schema | None = self._ask(lambda client: client.get_schema(id, fmt=format))
        if found is None:
            raise UndecodableError(UNKNOWN_SCHEMA, f"the schema registry knows no schema {id}")
        if found.schema_type != type:
            detail = f"expected a schema of the type {type}, found schema {id} of the type {found.schema_type}"
            raise UndecodableError(UNKNOWN_SCHEMA, detail)
        return found

    def referenced(self, schema: Schema, format: str | None = None) -> list[tuple[str, Schema]]:
        """Return the schemas that a schema refers to, each after those that it refers to itself, with their names."""
        found: dict[str, Schema] = {}
        self._gather(schema, format, found)
        return list(found.items())

    def check(self) -> None:
        """Make sure that the registry answers and takes the login.

        Raises:
            SourceUnavailableError: if the registry does not answer now.
            SourceError: if it refuses the login, or answers in another protocol.
        """
        self._ask(lambda client: client.get_subjects())

    def _gather(self, schema: Schema, format: str | None, found: dict[str, Schema]) -> None:
        for reference in schema.references or []:
            name, subject, version = str(reference.name), reference.subject, reference.version
            if name in found:
                continue
            answer = self._ask(lambda client, *of: client.get_version(*of, fmt=format), subject, version)
            if answer is None:
                detail = f"the schema registry knows no version {version} of {subject}, which the schema refers to"
                raise UndecodableError(UNKNOWN_SCHEMA, detail)
            self._gather(answer.schema, format, found)
            found[name] = answer.schema

    def _ask(self, request: Callable[..., Any], *of: Any) -> Any:
        """Return what the registry says, None if it does not know it."""
        url = self._wire.registry
        if self._client is None:
            self._client = _client(self._wire)
        try:
            return request(self._client, *of)
        except SchemaRegistryError as error:
            if error.error_code in (_UNKNOWN_ID, _UNKNOWN_SUBJECT, _UNKNOWN_VERSION):
                return None
            status, said = error.http_status_code, f"HTTP {error.http_status_code}: {error.error_message}"
            if status in _RETRIABLE:
                raise SourceUnavailableError(f"the schema registry {url} does not answer: {said}") from None
            if status in _REFUSED:
                raise SourceError(
                    f"{KEY}: the schema registry {url} refuses the login, {said}. Correct username and password, or "
                    f"the permissions of this user."
                ) from None
            raise SourceError(
                f"{KEY}.registry: expected a schema registry at {url}, found {said}. Correct the address."
            ) from None
        except (httpx2.HTTPError, OSError) as error:
            raise SourceUnavailableError(
                f"the schema registry {url} does not answer: {type(error).__name__}: {error}"
            ) from None
        except (httpx2.InvalidURL, *_OTHER_ANSWERS) as error:
            raise SourceError(
                f"{KEY}.registry: expected a schema registry at {url}, found an answer of another kind "
                f"({type(error).__name__}: {error}). Correct the address."
            ) from None


def _client(wire: Wire) -> SchemaRegistryClient:
    settings: dict[str, Any] = {
        "url": wire.registry, "timeout": REQUEST_LIMIT_S, "max.retries": RETRIES, "retries.wait.ms": RETRY_WAIT_MS
    }  # fmt: skip
    if wire.ca:
        settings["ssl.ca.location"] = wire.ca
    if wire.username and wire.password:
        user, password = resolve(wire.username, f"{KEY}.username"), resolve(wire.password, f"{KEY}.password")
        settings["basic.auth.user.info"] = f"{user}:{password}"
    try:
        return SchemaRegistryClient(settings)
    except (OSError, ValueError) as error:  # certificates that are none, for instance
        raise ConfigError(KEY, [f"expected what a client of the registry can use, found {error}"]) from None
