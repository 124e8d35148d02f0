"""The processes of a run: the broker, the tool that sends and watches, and a system under test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from settings import GEO, OPENS, OUT, SYSTEMS, java, ruleset, run

BROKER_START_S = 180
END_S = 30
SERIAL_GC = ["-XX:+UseSerialGC"]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def end(child: subprocess.Popen[bytes], *, at_once: bool = False) -> None:
    """Ends a process and waits for it."""
    (child.kill if at_once else child.terminate)()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Broker:
    """One Kafka broker with an empty log."""

    def __init__(self) -> None:
        self.folder = OUT / "broker"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        properties = self.folder / "server.properties"
        properties.write_text(self._properties(port, free_port()), encoding="utf-8")
        line = java("broker", self.folder / "server.log", "1g", options=SERIAL_GC)
        cluster = "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA"
        run(*line, "kafka.tools.StorageTool", "format", cluster, "-c", properties, stdout=subprocess.DEVNULL)
        with (self.folder / "out.log").open("ab") as out:
            self.child = subprocess.Popen([*line, "kafka.Kafka", str(properties)], stdout=out, stderr=out)
        for _ in range(BROKER_START_S * 10):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        end(self.child, at_once=True)
        raise SystemExit(f"the broker does not start: see {self.folder}")

    def _properties(self, port: int, controller: int) -> str:
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={self.folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""

    def close(self) -> None:
        """Ends the broker; its log stays until the next run."""
        end(self.child)


def load_line(heap: str, *arguments: object) -> list[str]:
    """The command line of the tool that sends and watches."""
    return java("load", OUT / "load.log", heap, "peers.Load", *arguments, options=SERIAL_GC)


def load(*arguments: object) -> str:
    """Runs the tool that sends and watches; returns what it prints."""
    return run(*load_line("3g", *arguments), stdout=subprocess.PIPE)


class SystemUnderTest:
    """A process that decides; a second start is a restart."""

    def __init__(self, name: str, bootstrap: str, prefix: str, partitions: int) -> None:
        self.name, self.bootstrap, self.prefix, self.partitions = name, bootstrap, prefix, partitions
        self.system = SYSTEMS[name]
        self.folder = OUT / "runs" / prefix
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "state").mkdir(parents=True)
        self.child: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Starts the process; its output goes to `out.log` of its folder."""
        with (self.folder / "out.log").open("ab") as out:
            self.child = subprocess.Popen(self._command(), stdout=out, stderr=out)
        self.starts += 1

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self.child is None or self.child.poll() is not None:
            raise RuntimeError(f"{self.name} has ended: see {self.folder}")
        return self.child.pid

    def kill(self) -> None:
        """kill -9."""
        if self.child is not None:
            end(self.child, at_once=True)

    def close(self) -> None:
        """Ends the process, if it runs, and removes its state; logs stay."""
        if self.child is not None and self.child.poll() is None:
            end(self.child)
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def _command(self) -> list[str]:
        if self.system.kind == "kuzet":
            return [str(OUT / "kuzet"), "serve", "--config", str(self._kuzet_config())]
        topics = [f"{self.prefix}.operations", f"{self.prefix}.decisions"]
        # More threads than partitions have no work, more than processors no time.
        threads = min(self.partitions, os.cpu_count() or 1)
        common = [self.bootstrap, self.prefix, *topics, GEO, self.folder / "state", threads]
        common += [self.system.commit_ms, self.system.store]
        options = ["-Dpeers.full=true", f"-Dpeers.ruleset={ruleset()}"] if self.system.is_full else []
        if self.system.kind == "streams":
            return java("streams", self.folder / "app.log", "1g", "peers.StreamsApp", *common, options=options)
        last = self._last_checkpoint() if self.starts else "-"
        options += OPENS
        return java("flink", self.folder / "app.log", "2g", "peers.FlinkJob", *common, last, options=options)

    def _last_checkpoint(self) -> Path | str:
        found = sorted((self.folder / "state").glob("*/chk-*/_metadata"), key=lambda path: path.stat().st_mtime)
        return found[-1].parent if found else "-"

    def _kuzet_config(self) -> Path:
        linger = f'batch_linger = "{self.system.commit_ms}ms"' if self.system.commit_ms else ""
        config = self.folder / "kuzet.toml"
        config.write_text(
            f"""source = "kafka"
[rules]
folder = "{OUT}/rules"
[geoip]
folder = "{GEO}"
[http]
listen = "127.0.0.1:0"
[kafka]
brokers = "{self.bootstrap}"
group = "{self.prefix}"
instance = "{self.prefix}-a"
{linger}
[kafka.topics]
operations = "{self.prefix}.operations"
decisions = "{self.prefix}.decisions"
rejected = "{self.prefix}.rejected"
state = "{self.prefix}.state"
""",
            encoding="utf-8",
        )
        return config


def busiest_threads(pid: int) -> dict[str, float]:
    """CPU seconds of the busiest threads since the process began; threads of one name are added up."""
    seconds: dict[str, float] = {}
    ticks = os.sysconf("SC_CLK_TCK")
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        text = stat.read_text(encoding="utf-8")
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        seconds[name] = seconds.get(name, 0.0) + (int(rest[11]) + int(rest[12])) / ticks
    busiest = sorted(seconds.items(), key=lambda item: -item[1])[:10]
    return {name: round(value, 2) for name, value in busiest if value >= 0.2}
