#!/usr/bin/env python3
"""kuzet beside Kafka Streams and Flink: five rules, one real Kafka broker, the same operations.

`make bench-peers` builds kuzet and calls this; see README.md. First it is shown that all decide the same: a difference
ends it with 1. Each measured run then starts a process, lets it warm up, gives it a backlog, then operations at fixed
rates, kills and restarts it, and reads back what it decided. Rounds alternate the systems.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import equality
import report
from processes import Broker, SystemUnderTest, busiest_threads, load, load_line
from settings import HERE, OUT, ROOT, RULES, SYSTEMS, build, run, version_of

START_S = 6
RECOVERY_RATE = 500
# Wallets of the operations that are measured with, and how many operations there are.
WALLETS = 200_000
MORE_FOR_RECOVERY = 100_000
# What may go wrong with a process.
FAILURES = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)
EQUALITY_WALLETS, EQUALITY_OPERATIONS = 2_000, 20_000


@dataclass(frozen=True)
class Sizes:
    """How much one run measures."""

    warm: int
    backlog: int
    rates: str
    with_recovery: bool
    is_compared: bool

    @property
    def operations(self) -> int:
        """So many operations it needs at most."""
        paced = [rate.split(":") for rate in self.rates.split(",") if rate]
        of_rates = sum(int(rate) * (int(seconds) + 2) for rate, seconds in paced)
        return self.warm + self.backlog + of_rates + MORE_FOR_RECOVERY


def measure(bootstrap: str, name: str, partitions: int, round_: int, sizes: Sizes) -> dict[str, Any]:
    """One run of one system. What goes wrong is its result, and the other runs go on."""
    prefix = f"{name}-p{partitions}-r{round_}-{random.randrange(1 << 24):06x}"
    result: dict[str, Any] = {"system": name, "partitions": partitions, "round": round_}
    result["load_before"] = os.getloadavg()[0]
    system = SystemUnderTest(name, bootstrap, prefix, partitions)
    try:
        load("topics", bootstrap, prefix, partitions)
        system.start()
        time.sleep(START_S)
        arguments = [system.pid, sizes.warm, sizes.backlog, sizes.rates]
        result |= json.loads(load("run", bootstrap, prefix, operations_file(), *arguments))
        result["threads"] = busiest_threads(system.pid)
        if sizes.with_recovery:
            result["recovery_s"], more = recover(system, result["sent"])
            result["sent"] += more
            time.sleep(3)
        if sizes.is_compared:
            result["differences"] = compare(bootstrap, prefix, name, result["sent"])
    except FAILURES as error:
        result["error"] = repr(error)
    finally:
        system.close()
    result["load_after"] = os.getloadavg()[0]
    try:
        load("drop", bootstrap, prefix)
    except FAILURES as error:
        # Its topics stay: later runs have a busier broker, so this one is told as failed.
        result.setdefault("error", f"its topics stay: {error!r}")
    return result


def recover(system: SystemUnderTest, sent: int) -> tuple[float, int]:
    """kill -9 under load and a restart one second later: seconds from it to a decision on what was sent after it."""
    line = load_line("1g", "recover", system.bootstrap, system.prefix, operations_file(), sent, RECOVERY_RATE)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None and sender.stdout is not None
        if sender.stdout.readline().strip() != "READY":
            raise RuntimeError("the sender ended")
        system.kill()
        time.sleep(1)
        begun = time.time()
        system.start()
        sender.stdin.write("again\n")
        sender.stdin.flush()
        words = sender.stdout.readline().split()
        if len(words) != 4:
            raise RuntimeError("no decision after the restart")
    return round(int(words[1]) / 1_000 - begun, 3), int(words[3])


def compare(bootstrap: str, prefix: str, name: str, sent: int) -> int:
    """Reads back what was decided, and holds it against kuzet's replay of the same operations."""
    dump = OUT / "dump.jsonl"
    for _ in range(20):
        load("dump", bootstrap, f"{prefix}.decisions", dump)
        with dump.open("rb") as lines:
            if sum(1 for _ in lines) >= sent:
                break
        time.sleep(1)
    with operations_file().open(encoding="utf-8") as lines:
        among = {equality.text_after(line, '"op_id":"') for _, line in zip(range(sent), lines, strict=False)}
    return equality.compare(name, reference_file(), dump, among)


def operations_file() -> Path:
    """The operations that all runs send."""
    return OUT / "operations.jsonl"


def reference_file() -> Path:
    """What kuzet's replay decides on them."""
    return OUT / "operations.kuzet.jsonl"


def machine() -> dict[str, str]:
    """What a reader of the figures has to know of the machine and of what was built."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    pom = HERE / "pom.xml"
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()[0]
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory) / 1024 / 1024:.1f} GiB",
        "processor": cpu[1] if cpu else platform.processor(),
        "program": run(OUT / "kuzet", "--version", stdout=subprocess.PIPE).strip(),
        "commit": git.stdout.strip() or "unknown",
        "Kafka": version_of("kafka", pom),
        "Flink": version_of("flink", pom),
        "Java": java.replace('"', ""),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def prepare(kuzet: Path, sizes: Sizes) -> None:
    """Builds the peers, shows that they decide as kuzet does, and writes the operations."""
    OUT.mkdir(parents=True, exist_ok=True)
    build()
    shutil.copy2(kuzet, OUT / "kuzet")
    shutil.rmtree(OUT / "rules", ignore_errors=True)
    shutil.copytree(ROOT / "rules/data", OUT / "rules/data")
    for rule in RULES:
        shutil.copy2(ROOT / f"rules/section7/{rule}.yaml", OUT / "rules")
    equality.check_rules(EQUALITY_WALLETS, EQUALITY_OPERATIONS)
    equality.simulate(WALLETS, sizes.operations, operations_file())
    equality.replay(operations_file(), reference_file())


def arguments() -> argparse.Namespace:
    """What is to be measured."""
    parser = argparse.ArgumentParser(description="kuzet beside Kafka Streams and Flink; systems: " + ", ".join(SYSTEMS))
    parser.add_argument("--kuzet", type=Path, default=ROOT / "target/release/kuzet", help="the program to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default="kuzet,ks100full,ks100,ks10,ks10full,flink1000,flink1000full,flink200")
    parser.add_argument("--partitions", default="1,4,12")
    parser.add_argument("--warm", type=int, default=300_000, help="operations before anything is measured")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="operations that wait")
    parser.add_argument("--rates", default="1000:6,5000:6", help="operations a second : seconds, by comma")
    parser.add_argument("--no-recovery", action="store_true")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs; no figures")
    parser.add_argument("--only-equality", action="store_true", help="compare the decisions and measure nothing")
    return parser.parse_args()


def main() -> int:
    """Prepares, measures round by round, and prints the table."""
    asked = arguments()
    systems = asked.systems.split(",")
    unknown = [name for name in systems if name not in SYSTEMS]
    if unknown:
        raise SystemExit(f"found {', '.join(unknown)}, but these systems are accepted: {', '.join(SYSTEMS)}")
    sizes = Sizes(asked.warm, asked.backlog, asked.rates, not asked.no_recovery, True)
    if asked.quick:
        sizes = replace(sizes, warm=5_000, backlog=10_000, rates="200:2")
    prepare(asked.kuzet, sizes)
    if asked.only_equality:
        return 0
    # Ended from outside, the processes of the run end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = OUT / time.strftime("results-%Y%m%d-%H%M%S.jsonl")
    note(results, {"machine": machine()})
    broker = Broker()
    try:
        # A run that is not counted warms the broker.
        first = replace(sizes, warm=sizes.warm // 3, backlog=sizes.backlog // 3, with_recovery=False, is_compared=False)
        measure(broker.bootstrap, "kuzet", 1, 0, first)
        for round_ in range(1, asked.rounds + 1):
            for partitions in map(int, asked.partitions.split(",")):
                # Each round begins with another system.
                begin = round_ % len(systems)
                for name in systems[begin:] + systems[:begin]:
                    of_round = replace(sizes, is_compared=round_ == 1)
                    result = measure(broker.bootstrap, name, partitions, round_, of_round)
                    print(json.dumps(result), flush=True)
                    note(results, result)
    finally:
        broker.close()
    shutil.copy2(results, OUT / "results.jsonl")
    report.print_report(results)
    if asked.quick:
        print("\nquick: the sizes are so small that no figure means anything")
    print(f"\nload average at the end {os.getloadavg()[0]:.2f}; every measurement: {results}")
    runs = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return int(any("error" in run or run.get("differences") for run in runs))


def note(results: Path, line: dict[str, Any]) -> None:
    """Keeps a result."""
    with results.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
