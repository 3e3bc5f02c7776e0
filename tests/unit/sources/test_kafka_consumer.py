from typing import Any

import pytest

from clickscore.config.source import KafkaSource
from clickscore.errors import ConfigError
from clickscore.sources.kafka_consumer import consumer_properties


def source(**keys: Any) -> KafkaSource:
    return KafkaSource(kind="kafka", bootstrap_servers="127.0.0.1:9092", topics=("clicks",), **keys)


def test_secrets_are_put_into_the_login_as_kafka_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "alice")
    monkeypatch.setenv("SHOP_PASSWORD", 'say "hi" \\o/')
    login = {"mechanism": "SCRAM-SHA-512", "username": "env:SHOP_USER", "password": "env:SHOP_PASSWORD"}
    properties = consumer_properties(source(security={"protocol": "SASL_SSL", **login}))
    assert properties["sasl.mechanism"] == "SCRAM-SHA-512"
    assert properties["sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="alice" password="say \\"hi\\" \\\\o/";'
    )


def test_token_login_asks_the_token_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT", "c")
    monkeypatch.setenv("CLIENT_SECRET", "s")
    security = {
        "protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_url": "https://login.example.org/token",
        "client_id": "env:CLIENT", "client_secret": "env:CLIENT_SECRET", "scope": "clicks",
    }  # fmt: skip
    properties = consumer_properties(source(security=security))
    assert properties["sasl.oauthbearer.token.endpoint.url"] == "https://login.example.org/token"
    assert properties["sasl.jaas.config"].endswith('required clientId="c" clientSecret="s" scope="clicks";')
    assert properties["sasl.login.callback.handler.class"].endswith(".OAuthBearerLoginCallbackHandler")


def test_missing_secret_is_named_without_any_secret() -> None:
    login = {"mechanism": "PLAIN", "username": "env:NOBODY_SET_THIS", "password": "env:NOR_THIS"}
    with pytest.raises(ConfigError, match=r"source.security.username.*\n.*NOBODY_SET_THIS is not set"):
        consumer_properties(source(security={"protocol": "SASL_SSL", **login}))


def test_aborted_transactions_stay_hidden_whatever_the_options() -> None:
    assert consumer_properties(source())["isolation.level"] == "read_committed"
