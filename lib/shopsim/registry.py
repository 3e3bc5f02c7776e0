"""A schema registry in this process: the part of Confluent's protocol that producers and consumers of records use.

It is written from the documentation of Confluent's Schema Registry (API reference, "Schemas" and "Subjects"). A schema
of Protobuf is registered and served as a descriptor in base64, the format ``serialized``; ``.proto`` text needs a
compiler.
"""

import base64
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

UNKNOWN_SUBJECT, UNKNOWN_VERSION, UNKNOWN_SCHEMA = 40401, 40402, 40403
AVRO = "AVRO"

Answer = tuple[int, Any]


@dataclass
class Registry:
    """A registry of schemas; ``start`` it, and it answers until ``stop``, and again after another ``start``.

    Attributes:
        login: user name and password that it asks for; None lets everybody in.
        status: what it answers to every request; None for the right answer.
        broken: ids of schemas that it answers 503 about.
        asked: paths of the requests so far.
    """

    login: tuple[str, str] | None = None
    status: int | None = None
    broken: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    _schemas: list[dict[str, Any]] = field(default_factory=list)
    _versions: dict[str, list[int]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        """Where it listens, the same after another start."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> "Registry":
        """Begin to answer."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        """Answer no more; what is registered stays."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(
        self, subject: str, schema: str, kind: str = AVRO, references: tuple[tuple[str, str, int], ...] = ()
    ) -> int:
        """Add a version to a subject, and return the id of its schema: the same for the same schema.

        Args:
            subject: such as ``clicks-value``.
            schema: of Avro, JSON; of Protobuf, a ``FileDescriptorProto`` in base64.
            kind: ``AVRO`` or ``PROTOBUF``.
            references: name, subject and version of the schemas that it refers to.
        """
        entry = {
            "schema": schema,
            "schemaType": kind,
            "references": [{"name": name, "subject": of, "version": version} for name, of, version in references],
        }
        if entry not in self._schemas:
            self._schemas.append(entry)
        number = self._schemas.index(entry) + 1
        versions = self._versions.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Return the status and the body that answer a request."""
        match (method, *[unquote(part) for part in urlsplit(path).path.strip("/").split("/")]):
            case "GET", "schemas", "ids", id if id.isdigit():
                return self._schema(int(id))
            case "GET", "subjects":
                return HTTPStatus.OK, sorted(self._versions)
            case "GET", "subjects", subject, "versions":
                return self._of_subject(subject, list(range(1, len(self._versions.get(subject, ())) + 1)))
            case "GET", "subjects", subject, "versions", version:
                return self._version(subject, version)
            case "POST", "subjects", subject, "versions":
                references = tuple((each["name"], each["subject"], each["version"]) for each in
                                   body.get("references") or ())  # fmt: skip
                number = self.register(subject, body["schema"], body.get("schemaType", AVRO), references)
                return HTTPStatus.OK, {"id": number}
        return _error(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND, "HTTP 404 Not Found")

    def _schema(self, id: int) -> Answer:
        if id in self.broken:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        if not 0 < id <= len(self._schemas):
            return _error(HTTPStatus.NOT_FOUND, UNKNOWN_SCHEMA, f"Schema {id} not found")
        return HTTPStatus.OK, _told(self._schemas[id - 1])

    def _version(self, subject: str, version: str) -> Answer:
        ids = self._versions.get(subject, [])
        number = len(ids) if version == "latest" else int(version)
        if ids and not 0 < number <= len(ids):
            return _error(HTTPStatus.NOT_FOUND, UNKNOWN_VERSION, f"Version {version} not found.")
        told = {"subject": subject, "version": number, "id": ids[number - 1]} if ids else {}
        return self._of_subject(subject, {**told, **_told(self._schemas[ids[number - 1] - 1])} if ids else {})

    def _of_subject(self, subject: str, told: Any) -> Answer:
        if subject not in self._versions:
            return _error(HTTPStatus.NOT_FOUND, UNKNOWN_SUBJECT, f"Subject '{subject}' not found.")
        return HTTPStatus.OK, told


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as the registry tells it: the type of Avro, and references that there are not, go unsaid."""
    return {key: value for key, value in schema.items() if value and value != AVRO}


def _error(status: int, code: int, message: str) -> Answer:
    return status, {"error_code": int(code), "message": message}


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def _reply(self, method: str) -> None:
            registry.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if registry.status:
                status, told = _error(registry.status, registry.status, HTTPStatus(registry.status).phrase)
            elif registry.login and self.headers.get("Authorization") != _basic(*registry.login):
                status, told = _error(HTTPStatus.UNAUTHORIZED, HTTPStatus.UNAUTHORIZED, "Unauthorized")
            else:
                status, told = registry.answer(method, self.path, json.loads(body or b"{}"))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
