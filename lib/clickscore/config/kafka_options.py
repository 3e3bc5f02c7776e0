"""Kafka's consumer options: which may be passed on by name, and why the others may not."""

_OFFSETS = "the checkpoint keeps the offsets, so that every click is scored exactly once"
_SECURITY = "source.security sets it, with references to secrets"
_SPARK = "Spark sets it and accepts no other value"

FORBIDDEN = {
    "auto.commit.interval.ms": _OFFSETS,
    "enable.auto.commit": _OFFSETS,
    "group.id": _OFFSETS,
    "group.instance.id": _OFFSETS,
    "group.protocol": _OFFSETS,
    "group.remote.assignor": _OFFSETS,
    "partition.assignment.strategy": _OFFSETS,
    "auto.offset.reset": "source.start says where a new stream begins",
    "bootstrap.servers": "source.bootstrap_servers sets it",
    "isolation.level": "the job reads committed records only",
    "interceptor.classes": _SPARK,
    "key.deserializer": _SPARK,
    "value.deserializer": _SPARK,
    "sasl.jaas.config": _SECURITY,
    "sasl.mechanism": _SECURITY,
    "security.protocol": _SECURITY,
    "sasl.oauthbearer.token.endpoint.url": _SECURITY,
    "ssl.key.password": _SECURITY,
    "ssl.keystore.certificate.chain": _SECURITY,
    "ssl.keystore.key": _SECURITY,
    "ssl.keystore.location": _SECURITY,
    "ssl.keystore.password": _SECURITY,
    "ssl.keystore.type": _SECURITY,
    "ssl.truststore.certificates": _SECURITY,
    "ssl.truststore.location": _SECURITY,
    "ssl.truststore.password": _SECURITY,
    "ssl.truststore.type": _SECURITY,
}
"""Options that would break exactly-once processing, or that have a configuration key; with the reason."""

ALLOWED = frozenset(
    [
        "allow.auto.create.topics", "auto.include.jmx.reporter", "check.crcs", "client.dns.lookup", "client.id",
        "client.rack", "connections.max.idle.ms", "default.api.timeout.ms", "enable.metrics.push",
        "exclude.internal.topics", "fetch.max.bytes", "fetch.max.wait.ms", "fetch.min.bytes", "heartbeat.interval.ms",
        "max.partition.fetch.bytes", "max.poll.interval.ms", "max.poll.records", "metadata.max.age.ms",
        "metadata.recovery.strategy", "metric.reporters", "metrics.num.samples", "metrics.recording.level",
        "metrics.sample.window.ms", "receive.buffer.bytes", "reconnect.backoff.max.ms", "reconnect.backoff.ms",
        "request.timeout.ms", "retry.backoff.max.ms", "retry.backoff.ms", "sasl.client.callback.handler.class",
        "sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin", "sasl.kerberos.service.name",
        "sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor",
        "sasl.login.callback.handler.class", "sasl.login.class", "sasl.login.connect.timeout.ms",
        "sasl.login.read.timeout.ms", "sasl.login.refresh.buffer.seconds", "sasl.login.refresh.min.period.seconds",
        "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter", "sasl.login.retry.backoff.max.ms",
        "sasl.login.retry.backoff.ms", "sasl.oauthbearer.clock.skew.seconds", "sasl.oauthbearer.expected.audience",
        "sasl.oauthbearer.expected.issuer", "sasl.oauthbearer.header.urlencode",
        "sasl.oauthbearer.jwks.endpoint.refresh.ms", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url",
        "sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name", "security.providers",
        "send.buffer.bytes", "session.timeout.ms", "socket.connection.setup.timeout.max.ms",
        "socket.connection.setup.timeout.ms", "ssl.cipher.suites", "ssl.enabled.protocols",
        "ssl.endpoint.identification.algorithm", "ssl.engine.factory.class", "ssl.keymanager.algorithm", "ssl.protocol",
        "ssl.provider", "ssl.secure.random.implementation", "ssl.trustmanager.algorithm",
    ]
)  # fmt: skip
"""The other options of the consumer in kafka-clients 3.9, without its internal ones."""
