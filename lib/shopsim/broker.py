"""A Kafka broker for the demo and the tests: one node in KRaft mode, on loopback, in a process of its own.

``python -m shopsim.broker up`` starts it, ``down`` stops it; what it keeps, its log included, is below one folder.
"""

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

HOST = "127.0.0.1"
PORT = 9092
CLUSTER_ID = "Y2xpY2tzY29yZS1kZW1vLQ"
"""Any 16 bytes in base64; there is only ever one node in this cluster."""
START_PATIENCE_S = 60
STOP_PATIENCE_S = 30
JARS = Path("build/jars/broker")
HOME = Path("build/kafka")

# C1 only: a broker that lives for a demo or a test gains nothing from a second compiler, but starts faster without.
JAVA = ("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

LOG4J2 = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""


class BrokerError(Exception):
    """Raised when the broker does not start."""


@dataclass(frozen=True)
class Broker:
    """One broker and its folder.

    Attributes:
        home: where its data, log and process id are.
        port: of the listener without security; the controller listens on the one after it.
        jars: the folder with Kafka's jars.
        settings: more of ``server.properties``, such as a second listener with security.
        scram: passwords of users that may log in with SCRAM-SHA-512.
    """

    home: Path = HOME
    port: int = PORT
    jars: Path = JARS
    settings: Mapping[str, str] = field(default_factory=dict)
    scram: Mapping[str, str] = field(default_factory=dict)

    @property
    def servers(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"

    @cached_property
    def admin(self) -> AdminClient:
        """A client that makes and changes topics."""
        # What it would log while the broker is down is what the caller asked to find out.
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def start(self) -> bool:
        """Start the broker and return when it answers; False if it runs already.

        Raises:
            BrokerError: with the end of its log.
        """
        if self.process:
            if f"listeners=PLAINTEXT://{self.servers}," not in self._properties.read_text():
                raise BrokerError(f"the broker of {self.home} listens on another port; make kafka-down stops it")
            self._await_answer()
            return False
        for port in (self.port, self.port + 1):
            if _is_taken(port):
                raise BrokerError(f"port {port} is taken by another process; choose other ports with KAFKA_PORT=<port>")
        self.home.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._server().items()))
        (self.home / "log4j2.properties").write_text(LOG4J2)
        if not (self.home / "data" / "meta.properties").exists():
            self._format()
        with self._log.open("ab") as log:
            command = [*self._java(), "kafka.Kafka", str(self._properties)]
            # In a session of its own: a Ctrl-C that stops the demo must not stop the broker under it.
            process = psutil.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self._pid_file.write_text(str(process.pid))
        self._await_answer()
        return True

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not self.answers():
            if not self.process or time.monotonic() > deadline:
                self.kill()
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
                raise BrokerError(f"the broker on {self.servers} did not start; the end of {self._log}:\n{tail}")

    def answers(self) -> bool:
        """Tell whether the broker can be reached and knows itself."""
        try:
            return bool(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    @property
    def process(self) -> psutil.Process | None:
        """The process, if the broker runs."""
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            # Process ids are used again: only one that runs with our properties is our broker.
            return process if str(self._properties) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def stop(self) -> bool:
        """Stop the broker and return when it is gone; False if it does not run."""
        process = self.process
        if process is None:
            return False
        process.terminate()
        try:
            process.wait(STOP_PATIENCE_S)
        except psutil.TimeoutExpired:
            self.kill()
        return True

    def kill(self) -> None:
        """End the broker at once, as a crash would."""
        if process := self.process:
            process.kill()
            process.wait()

    def _server(self) -> dict[str, str]:
        controller = f"{HOST}:{self.port + 1}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str((self.home / "data").absolute()),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            **self.settings,
        }

    def _format(self) -> None:
        command = [*self._java(), "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID,
                   "--config", str(self._properties)]  # fmt: skip
        for name, password in self.scram.items():
            command += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, _ = process.communicate()
        if process.returncode:
            raise BrokerError(f"the folder {self.home} cannot be made ready: {said}")

    def _java(self) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self.home / 'log4j2.properties'}"
        return [*JAVA, log4j, "-cp", f"{self.jars}/*"]

    @property
    def _properties(self) -> Path:
        return (self.home / "server.properties").absolute()

    @property
    def _log(self) -> Path:
        return self.home / "broker.log"

    @property
    def _pid_file(self) -> Path:
        return self.home / "broker.pid"


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def main() -> int:
    """Start or stop the broker; 2 if it does not start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("--home", type=Path, default=HOME, help="folder of the broker")
    parser.add_argument("--port", type=int, default=PORT, help="where it listens; the next one is taken as well")
    a = parser.parse_args()
    broker = Broker(a.home, a.port)
    if a.action == "down":
        print(f"the broker has stopped; its data is in {a.home}" if broker.stop() else "there is no broker running")
        return 0
    try:
        print(f"the broker {'listens' if broker.start() else 'listens already'} on {broker.servers}, log in {a.home}")
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
