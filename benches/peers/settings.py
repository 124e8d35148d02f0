"""Where things lie, and which systems there are."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "target" / "peers"
GEO = ROOT / "geoip"
RULES = [
    "transfer-over-100k",
    "equal-transfers-in-hour",
    "login-through-anonymizer",
    "login-country-change",
    "daily-total-over-100-mrp",
]
MAVEN = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f"]
JDK_PACKAGES = ["lang", "util", "nio", "net", "io", "util.concurrent", "time", "lang.reflect", "text"]
OPENS = [word for name in JDK_PACKAGES for word in ("--add-opens", f"java.base/java.{name}=ALL-UNNAMED")]


@dataclass(frozen=True)
class System:
    """A system with its settings: how often it commits, where its state lies, how much its decisions say."""

    kind: str
    commit_ms: int
    store: str
    is_full: bool

    @property
    def text(self) -> str:
        """What the table says of it."""
        if self.kind == "kuzet":
            return f"kuzet, linger {self.commit_ms} ms" if self.commit_ms else "kuzet, defaults"
        name = "Kafka Streams" if self.kind == "streams" else "Flink"
        decisions = "the same decisions" if self.is_full else "70-byte decisions"
        return f"{name}, {self.store}, {self.commit_ms} ms, {decisions}"


SYSTEMS = {
    "kuzet": System("kuzet", 0, "", True),
    "kuzet20": System("kuzet", 20, "", True),
    "ks100": System("streams", 100, "memory", False),
    "ks100full": System("streams", 100, "memory", True),
    "ks10": System("streams", 10, "memory", False),
    "ks10full": System("streams", 10, "memory", True),
    "ks100rocks": System("streams", 100, "rocksdb", False),
    "flink1000": System("flink", 1000, "hashmap", False),
    "flink1000full": System("flink", 1000, "hashmap", True),
    "flink200": System("flink", 200, "hashmap", False),
    "flink100rocks": System("flink", 100, "rocksdb", False),
    "flink1000rocks": System("flink", 1000, "rocksdb", False),
}


def run(*command: object, stdout: int | None = None, stderr: int | None = None) -> str:
    """Runs a program that must succeed; returns what it prints, where `stdout` is a pipe."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, text=True, stdout=stdout, stderr=stderr).stdout or ""


def java(
    module: str, log: Path, heap: str, *arguments: object, options: list[str] | None = None, level: str = "warn"
) -> list[str]:
    """The command line of a Java program: a module of this folder, or `broker`."""
    classes = f"{OUT}/build/{module}/{module}-1.jar:{OUT}/lib/{module}/*"
    if module == "broker":
        classes = f"{broker_jars()}/*"
    logging = [f"-Dpeers.log={log}", f"-Dpeers.level={level}", f"-Dlog4j2.configurationFile={HERE}/log4j2.properties"]
    memory = [f"-Xmx{heap}", f"-Xms{heap}"]
    return ["java", *memory, *(options or []), *logging, "-cp", classes, *map(str, arguments)]


def ruleset() -> str:
    """What kuzet calls the five rules; its decisions say so, and those of the peers that are to be the same."""
    return (OUT / "ruleset").read_text(encoding="utf-8")


def version_of(name: str, pom: Path) -> str:
    """A version among the properties of a pom.xml."""
    return pom.read_text(encoding="utf-8").split(f"<{name}.version>")[1].split("<")[0]


def broker_jars() -> Path:
    """Kafka's jars, shared with the tests."""
    return ROOT / "target" / "tools" / f"kafka-{version_of('kafka', ROOT / 'tests/kafka/pom.xml')}"


def build() -> None:
    """Compiles the peers, and brings the broker unless the tests did."""
    run(*MAVEN, HERE / "pom.xml", f"-Dpeers.out={OUT}", "package")
    jars = broker_jars()
    if not jars.is_dir():
        partial = jars.with_name(jars.name + ".bench")
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
        run(*MAVEN, ROOT / "tests/kafka/pom.xml", *goal)
        partial.rename(jars)
