"""The service section: where the microservice listens, who may ask it, and how much at a time."""

from typing import Annotated

from pydantic import Field

from clickscore.config.fields import Milliseconds, Reference, Section, Size, Text


class WriteBehind(Section):
    """Where the raw records go that the service has scored.

    Attributes:
        path: a landing folder, which the source of a stream may be.

    Example::

        write_behind: {path: landing/served}
    """

    path: Text


class Service(Section):
    """How ``serve.py`` answers.

    Attributes:
        port: port to listen on; 0 takes any that is free.
        host: address to listen on; with ``0.0.0.0`` the network can ask.
        token: reference to the token that a request must carry as ``Authorization: Bearer``; left out, anybody who
            reaches the port may ask.
        max_body: most bytes of a request.
        max_records: most records of a request.
        max_waiting: most records that may wait for the scorer; above it, a request is answered with 503.
        time_limit_ms: how long the body of a request may take to come, and its records to be scored.
        write_behind: where the records go that were scored; left out, they are not kept.

    Example::

        service:
          port: 8000
          host: 0.0.0.0
          token: env:SCORE_TOKEN
          max_body: 8 MiB
          max_records: 10000
          max_waiting: 50000
          time_limit: 5 seconds
          write_behind: {path: landing/served}
    """

    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    host: Text = "127.0.0.1"
    token: Reference | None = None
    max_body: Size = 8 * 1024**2
    max_records: Annotated[int, Field(gt=0)] = 10_000
    max_waiting: Annotated[int, Field(gt=0)] = 50_000
    time_limit_ms: Annotated[Milliseconds, Field(alias="time_limit")] = 5_000
    write_behind: WriteBehind | None = None
