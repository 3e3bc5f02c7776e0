"""The properties that Spark's Kafka consumers and the admin client share."""

from collections.abc import Callable

from clickscore.config.secrets import resolve
from clickscore.config.source import KafkaSource, Security

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "OAUTHBEARER": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
}
_OAUTH_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
_STORE_TYPES = {".jks": "JKS", ".pem": "PEM", ".crt": "PEM"}


def consumer_properties(source: KafkaSource) -> dict[str, str]:
    """Return the properties for Kafka's clients, by Kafka's names, with the secrets in them.

    Raises:
        ConfigError: if a secret cannot be read.
    """
    return {
        **_security_properties(source.security, lambda reference, key: resolve(reference, f"source.security.{key}")),
        # After the security, so that a login handler of one's own is not lost; all else of it is refused as an option.
        **source.options,
        "bootstrap.servers": source.bootstrap_servers,
        # What an aborted transaction wrote never happened; by default Spark would read it.
        "isolation.level": "read_committed",
    }


def _security_properties(security: Security, secret: Callable[[str, str], str]) -> dict[str, str]:
    properties: dict[str, str] = {"security.protocol": security.protocol}
    if security.mechanism:
        properties["sasl.mechanism"] = security.mechanism
        properties["sasl.jaas.config"] = _login(security, secret)
    if security.mechanism == "OAUTHBEARER":
        properties["sasl.login.callback.handler.class"] = _OAUTH_HANDLER
        properties["sasl.oauthbearer.token.endpoint.url"] = security.token_url or ""
    for kind, store in (("truststore", security.truststore), ("keystore", security.keystore)):
        if store:
            properties[f"ssl.{kind}.location"] = str(store)
            properties[f"ssl.{kind}.type"] = _STORE_TYPES.get(store.suffix.lower(), "PKCS12")
    for key in ("truststore_password", "keystore_password", "key_password"):
        if reference := getattr(security, key):
            properties[f"ssl.{key.replace('_', '.')}"] = secret(reference, key)
    return properties


def _login(security: Security, secret: Callable[[str, str], str]) -> str:
    keys = (
        {"clientId": "client_id", "clientSecret": "client_secret"}
        if security.mechanism == "OAUTHBEARER"
        else {"username": "username", "password": "password"}
    )
    values = {name: secret(getattr(security, key), key) for name, key in keys.items()}
    if security.scope:
        values["scope"] = security.scope
    # Kafka reads quoted values, with a backslash before quotes and backslashes in them.
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    options = "".join(f' {name}="{value}"' for name, value in escaped.items())
    return f"{_LOGIN_MODULES[security.mechanism or 'PLAIN']} required{options};"
