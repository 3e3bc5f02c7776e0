"""How the value of a record is written: as JSON, Avro or Protobuf, and where its schema is."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from clickscore.config.fields import ExistingFile, Reference, Section, Text


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an address such as https://registry.example.com:8081, found {url!r}")
    if "@" in url:
        # Without what was found: it may hold a password.
        raise ValueError("the address holds a login; name it in username and password, as references to secrets")
    return url


class Value(Section):
    """How the value of each record is written; left out, as a JSON object.

    Example::

        value: {format: avro, registry: "https://registry.example.com:8081"}

    Example::

        value:
          format:   protobuf
          registry: https://registry.example.com:8081
          username: env:REGISTRY_USER
          password: file:/run/secrets/registry
          ca:       /etc/ssl/company.pem

    Example::

        value: {format: protobuf, schema: conf/click.desc, message: shop.Click}

    Attributes:
        format: ``avro`` and ``protobuf`` need the extra ``clickscore[avro]`` or ``clickscore[protobuf]``.
        registry: address of a schema registry that speaks Confluent's protocol; each record then begins with the id of
            its schema. Left out, all records have the schema of ``schema`` and nothing stands before them.
        username: user name at the registry.
        password: password at the registry.
        ca: certificates that the registry's own is checked with, ``.pem``; left out, those that Python trusts.
        file: for ``avro``, a schema as ``.avsc``; beside a registry it is what records are read as, with its defaults
            and aliases. For ``protobuf`` without a registry, a ``FileDescriptorSet`` as ``protoc --include_imports
            --descriptor_set_out`` writes it.
        message: full name of the message in ``schema``, for ``protobuf`` without a registry.
    """

    format: Literal["json", "avro", "protobuf"] = "json"
    registry: Annotated[Text, AfterValidator(_address)] | None = None
    username: Reference | None = None
    password: Reference | None = None
    ca: ExistingFile | None = None
    file: Annotated[ExistingFile | None, Field(alias="schema")] = None
    message: Text | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "Value":
        used = {"format"}
        if self.format != "json" and self.registry:
            used |= {"registry", "username", "password", "ca"}
        if self.format == "avro" or (self.format == "protobuf" and not self.registry):
            used |= {"file"}
            if not self.registry and not self.file:
                raise ValueError(f"{self.format} needs a registry or a schema")
        if self.format == "protobuf" and not self.registry:
            used |= {"message"}
            if not self.message:
                raise ValueError("protobuf with a schema needs the message, its full name such as shop.Click")
        if idle := sorted(name for name in self.model_fields_set - used if getattr(self, name) is not None):
            named = ", ".join("schema" if name == "file" else name for name in idle)
            raise ValueError(f"{named}: not used by {self.format} with {'a' if self.registry else 'no'} registry")
        if (self.username is None) != (self.password is None):
            raise ValueError("expected username and password, or neither")
        return self
