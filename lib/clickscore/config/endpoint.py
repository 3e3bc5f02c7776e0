"""The endpoint section: how a model behind somebody else's HTTP endpoint is asked, and which version answers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from clickscore.config.fields import ExistingFile, Milliseconds, Reference, Section, Text

CLICKS: Literal["clicks"] = "clicks"
"""The payload of ``jobs/serve.py``; all others are forms of the MLflow scoring protocol."""
Payload = Literal["dataframe_split", "dataframe_records", "inputs", "clicks"]


class Endpoint(Section):
    """The model behind ``uri: endpoint:...``: its name and version, its inputs, and how it is asked.

    Example::

        endpoint:
          name:           click_propensity
          version_header: X-Model-Version
          inputs:         price DOUBLE, quantity DOUBLE, country STRING NOT NULL
          example:        conf/example.json
          payload:        dataframe_split
          token:          env:ENDPOINT_TOKEN
          rows:           1000
          concurrency:    2
          deadline:       30 seconds

    Example::

        endpoint: {name: click_propensity, version: "7", example: conf/example.json}

    Attributes:
        name: the model's name in the tables.
        version: the version in the tables, whatever the endpoint answers.
        version_header: response header in which the endpoint names its version.
        inputs: what the model asks for, in Spark DDL; left out, ``example`` tells: numbers are ``DOUBLE``.
        example: JSON file with rows that the model can score, in one of the MLflow forms; it is sent before the first
            click, and to find out the version.
        payload: form of a request; ``clicks`` is that of ``jobs/serve.py``, which names its version itself.
        token: reference to the token that is sent as ``Authorization: Bearer``.
        rows: most clicks of a request.
        concurrency: most requests at a time of a Python worker; an executor has a worker for each core.
        deadline_ms: how long a request may take with all its retries; ``model.time_limit`` is for each attempt.
    """

    name: Text
    version: Text | None = None
    version_header: Text | None = None
    inputs: Text | None = None
    example: ExistingFile | None = None
    payload: Payload = "dataframe_split"
    token: Reference | None = None
    rows: Annotated[int, Field(gt=0)] = 1_000
    concurrency: Annotated[int, Field(gt=0)] = 2
    deadline_ms: Annotated[Milliseconds, Field(alias="deadline")] = 30_000

    @model_validator(mode="after")
    def _fits_together(self) -> "Endpoint":
        if self.payload == CLICKS and (self.version or self.version_header):
            raise ValueError("with payload: clicks the answers name the version; remove version and version_header")
        if self.payload != CLICKS and bool(self.version) == bool(self.version_header):
            raise ValueError(
                "name the version: version_header, a response header of the endpoint, or version, a text of your own"
            )
        if not (self.inputs or self.example):
            raise ValueError("expected inputs, what the model asks for, or an example to read that from; found neither")
        return self
