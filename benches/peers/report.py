"""Medians of the runs, and what kuzet's are of each peer's: report.py [target/peers/results.jsonl]"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import OUT, SYSTEMS

Run = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    label: str
    of: Callable[[Run], float]
    more_is_better: bool


def of_backlog(seconds: str) -> Callable[[Run], float]:
    """Operations of the backlog for each second of this kind."""
    return lambda run: float(run["backlog"]["operations"] / run["backlog"][seconds])


def of_rate(rate: int, name: str) -> Callable[[Run], float]:
    """A figure of the run at a fixed rate."""
    return lambda run: float(run[f"rate_{rate}"][name])


def figures() -> Iterator[Figure]:
    """All rows, in order."""
    yield Figure("backlog, operations a second", of_backlog("wall_s"), True)
    yield Figure("operations a CPU second", of_backlog("cpu_s"), True)
    yield Figure("peak memory, MB", lambda run: float(run["backlog"]["rss_peak_mb"]), False)
    for rate in (1_000, 5_000):
        for name, label in [("p50_ms", "p50"), ("p99_ms", "p99"), ("p999_ms", "p99.9")]:
            yield Figure(f"{rate:,}/s, {label}, ms", of_rate(rate, name), False)
        yield Figure(f"{rate:,}/s, cores in use", of_rate(rate, "cpu_cores"), False)
    yield Figure("kill -9 to the next decision, s", lambda run: float(run["recovery_s"]), False)


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of a figure over the rounds."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        if self.least == self.greatest:
            return short(self.median)
        return f"{short(self.median)} ({short(self.least)}–{short(self.greatest)})"


def counted(partitions: int) -> str:
    """`1 partition`, `4 partitions`."""
    return f"{partitions} partition{'s' if partitions > 1 else ''}"


def short(value: float) -> str:
    """Three digits, or whole thousands."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def spread(runs: list[Run], figure: Figure) -> Spread | None:
    """A figure of some runs; none where no run has it."""
    values = []
    for run in runs:
        try:
            values.append(figure.of(run))
        except (KeyError, ZeroDivisionError):
            continue
    return Spread(statistics.median(values), min(values), max(values)) if values else None


Spreads = dict[tuple[int, str, str], Spread]


def spreads_of(runs: list[Run]) -> Spreads:
    """All figures by partitions, system and label."""
    found: Spreads = {}
    for partitions, system in dict.fromkeys((run["partitions"], run["system"]) for run in runs):
        those = [run for run in runs if (run["partitions"], run["system"]) == (partitions, system)]
        for figure in figures():
            value = spread(those, figure)
            if value is not None:
                found[partitions, system, figure.label] = value
    return found


def table(partitions: int, spreads: Spreads) -> Iterator[str]:
    """One table: a column for each system."""
    names = list(dict.fromkeys(system for of, system, _ in spreads if of == partitions))
    yield f"\n{counted(partitions)}, median (least–greatest):\n"
    yield f"| | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for figure in figures():
        cells = [str(spreads.get((partitions, name, figure.label), "")) for name in names]
        yield f"| {figure.label} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class Gate:
    """A promise: kuzet's figure divided by the best of some peers'."""

    what: str
    figure: str
    partitions: int
    peers: Callable[[str], bool]
    gate: float
    goal: float


def is_peer(name: str) -> bool:
    """Whether a system is not kuzet."""
    return SYSTEMS[name].kind != "kuzet"


def has(kind: str, *, full: bool) -> Callable[[str], bool]:
    """Peers of one kind, with the same or with short decisions."""
    return lambda name: SYSTEMS[name].kind == kind and SYSTEMS[name].is_full == full


def gates() -> Iterator[Gate]:
    """All promises, in order."""
    cpu, waiting = "operations a CPU second", "backlog, operations a second"
    yield Gate("operations a CPU second, Kafka Streams, the same decisions", cpu, 1, has("streams", full=True), 2.5, 4)
    yield Gate("the same, Kafka Streams, 70-byte decisions", cpu, 1, has("streams", full=False), 1.8, 3)
    yield Gate("the same, Flink, 70-byte decisions", cpu, 1, has("flink", full=False), 2.2, 4)
    for partitions in (1, 4):
        yield Gate(f"backlog, best peer, {counted(partitions)}", waiting, partitions, is_peer, 1.3, 2)
    for partitions in (1, 4):
        for figure in figures():
            if "/s, p" in figure.label:
                what = f"{figure.label}, best peer, {counted(partitions)}"
                yield Gate(what, figure.label, partitions, is_peer, 0.8, 0.5)
    yield Gate("peak memory, best peer", "peak memory, MB", 1, is_peer, 0.25, 0.15)
    recovery = "kill -9 to the next decision, s"
    yield Gate("kill -9 to the next decision, best peer", recovery, 1, is_peer, 0.4, 0.2)


def judged(spreads: Spreads) -> Iterator[str]:
    """What kuzet's figures are of the best peer's, beside gate and goal."""
    more_is_better = {figure.label: figure.more_is_better for figure in figures()}
    yield "\n| kuzet / best peer | ratio | gate | goal | |"
    yield "|---|---|---|---|---|"
    for gate in gates():
        of = {name: value.median for (p, name, f), value in spreads.items() if (p, f) == (gate.partitions, gate.figure)}
        peers = {name: value for name, value in of.items() if gate.peers(name)}
        if "kuzet" not in of or not peers:
            continue
        is_more = more_is_better[gate.figure]
        best = (max if is_more else min)(peers, key=lambda name: peers[name])
        if not peers[best]:
            continue
        yield line_of(f"{gate.what} ({best})", of["kuzet"] / peers[best], (gate.gate, gate.goal), is_more)
    for rate in ("1,000/s", "5,000/s"):
        of_12, of_1 = (spreads.get((partitions, "kuzet", f"{rate}, p99, ms")) for partitions in (12, 1))
        if of_12 and of_1:
            what = f"{rate}, p99 of kuzet with 12 partitions, of that with 1"
            yield line_of(what, of_12.median / of_1.median, (1.3, 1.1), False)


def line_of(what: str, ratio: float, promised: tuple[float, float], is_more: bool) -> str:
    """One promise, kept or missed."""
    sign = "≥" if is_more else "≤"
    reached = [ratio >= bound if is_more else ratio <= bound for bound in promised]
    said = "goal" if reached[1] else "gate held" if reached[0] else "missed"
    return f"| {what} | {ratio:.3g} | {sign} {promised[0]:g} | {sign} {promised[1]:g} | {said} |"


def print_report(results: Path) -> None:
    """Prints everything that the file of results holds, as Markdown."""
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "machine" in line:
            print("\n" + "; ".join(f"{name} {value}" for name, value in line["machine"].items()))
    runs = [line for line in lines if "system" in line]
    for run in runs:
        if "error" in run:
            where = f"{run['system']}, {counted(run['partitions'])}, round {run['round']}"
            print(f"failed: {where}: {run['error']}")
    runs = [run for run in runs if "error" not in run]
    if not runs:
        return
    loads = [run[name] for run in runs for name in ("load_before", "load_after")]
    print(f"load average {min(loads):.2f} to {max(loads):.2f} (1.0 or more of it are the run's own processes)\n")
    for name in dict.fromkeys(run["system"] for run in runs):
        print(f"- `{name}`: {SYSTEMS[name].text}")
    spreads = spreads_of(runs)
    for partitions in sorted({run["partitions"] for run in runs}):
        print("\n".join(table(partitions, spreads)))
    print("\n".join(judged(spreads)))


if __name__ == "__main__":
    print_report(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT / "results.jsonl")
