"""What librdkafka is told, for a look at topics without Spark."""

from pathlib import Path
from typing import Any

import pytest

from clickscore.config.source import KafkaSource
from clickscore.errors import SourceError
from clickscore.sources.newest_records import client_settings


def source(**keys: Any) -> KafkaSource:
    return KafkaSource(kind="kafka", bootstrap_servers="127.0.0.1:9092", topics=("clicks",), **keys)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER_NAME", "PASSWORD", "STORE", "KEY", "CLIENT", "TOKEN"):
        monkeypatch.setenv(name, name.lower())


def test_nothing_is_committed_and_only_options_that_both_clients_know_are_passed_on() -> None:
    settings = client_settings(source(options={"client.id": "me", "fetch.max.wait.ms": "10"}))
    assert settings["enable.auto.commit"] is False
    assert settings["isolation.level"] == "read_committed"
    assert settings["security.protocol"] == "PLAINTEXT"
    assert settings["client.id"] == "me"
    assert "fetch.max.wait.ms" not in settings


@pytest.mark.usefixtures("secrets")
def test_login_and_certificates_are_those_of_the_stream(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ca.pem", "me.p12", "me.pem", "ca.jks")}
    for file in files.values():
        file.touch()
    login = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": "env:USER_NAME",
             "password": "env:PASSWORD"}  # fmt: skip
    stores = {"truststore": files["ca.pem"], "keystore": files["me.p12"], "keystore_password": "env:STORE"}
    settings = client_settings(source(security={**login, **stores}))
    assert {name: value for name, value in settings.items() if name.startswith(("s", "ssl"))} == {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "user_name",
        "sasl.password": "password", "ssl.ca.location": str(files["ca.pem"]),
        "ssl.keystore.location": str(files["me.p12"]), "ssl.keystore.password": "store",
    }  # fmt: skip
    settings = client_settings(source(security={**login, "keystore": files["me.pem"], "key_password": "env:KEY"}))
    assert (settings["ssl.certificate.location"], settings["ssl.key.location"]) == (str(files["me.pem"]),) * 2
    assert settings["ssl.key.password"] == "key"
    with pytest.raises(SourceError, match=r"source.security.truststore: without Spark, .* not .jks"):
        client_settings(source(security={**login, "truststore": files["ca.jks"]}))


@pytest.mark.usefixtures("secrets")
def test_token_comes_from_the_token_server() -> None:
    security = {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_url": "https://login.example.org/token",
                "client_id": "env:CLIENT", "client_secret": "env:TOKEN", "scope": "clicks"}  # fmt: skip
    settings = client_settings(source(security=security))
    assert {name: value for name, value in settings.items() if name.startswith("sasl.oauthbearer")} == {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example.org/token",
        "sasl.oauthbearer.client.id": "client",
        "sasl.oauthbearer.client.secret": "token",
        "sasl.oauthbearer.scope": "clicks",
    }
