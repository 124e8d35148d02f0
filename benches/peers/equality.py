"""Whether two systems decide the same: verdict and enforced matches by operation, most decisions to the byte."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import operations
from settings import GEO, OUT, java, ruleset, run

PLAIN = '"matches":[],"commands":[]'
SHOWN = 8
SEED = 4711


@dataclass(frozen=True)
class Stream:
    """A file of operations, and what kuzet decides on them."""

    name: str
    path: Path

    @property
    def reference(self) -> Path:
        """What kuzet decides."""
        return self.path.with_suffix(".kuzet.jsonl")


def simulate(wallets: int, count: int, path: Path) -> None:
    """Writes simulated operations."""
    sizes = ["--wallets", wallets, "--ops", count, "--seed", SEED]
    run(OUT / "kuzet", "simulate", *sizes, "--out", path, stderr=subprocess.DEVNULL)


def replay(source: Path, target: Path) -> None:
    """Decides a file with kuzet and the five rules."""
    rejected = target.with_suffix(".rejected")
    files = ["--rules", OUT / "rules", "--geoip", GEO, "--out", target, "--rejected", rejected]
    run(OUT / "kuzet", "replay", source, *files, stderr=subprocess.DEVNULL)
    if rejected.stat().st_size:
        raise SystemExit(f"kuzet refuses operations of {source}: see {rejected}")


def streams(wallets: int, count: int) -> Iterator[Stream]:
    """The simulated stream, the same out of order and with duplicates, and one that meets every limit."""
    folder = OUT / "streams"
    folder.mkdir(exist_ok=True)
    simulated, disordered = folder / "simulated.jsonl", folder / "disordered.jsonl"
    simulate(wallets, count, simulated)
    yield Stream("simulated", simulated)
    operations.disorder(simulated, disordered, timedelta(minutes=10), SEED)
    yield Stream("out of order", disordered)
    for wallets_of_it, seed in [(12, SEED), (300, SEED + 1)]:
        dense = folder / f"dense-{wallets_of_it}.jsonl"
        operations.write(operations.dense(40_000, wallets_of_it, seed), dense)
        yield Stream(f"dense, {wallets_of_it} wallets", dense)


def check_rules(wallets: int, count: int) -> None:
    """Decides each stream with kuzet and with the peers' rules, without Kafka. Ends the program if they differ."""
    different = 0
    for stream in streams(wallets, count):
        replay(stream.path, stream.reference)
        (OUT / "ruleset").write_text(ruleset_of(stream.reference), encoding="utf-8")
        short, full = (stream.path.with_suffix(f".{name}.jsonl") for name in ("short", "full"))
        for target, options in [(short, []), (full, ["-Dpeers.full=true", f"-Dpeers.ruleset={ruleset()}"])]:
            run(*java("core", OUT / "core.log", "1g", "peers.Offline", stream.path, GEO, target, options=options))
        different += compare(stream.name, stream.reference, short)
        different += compare(f"{stream.name}, whole decisions", stream.reference, full)
        different += compare_bytes(stream.reference, full)
    if different:
        raise SystemExit("the peers do not decide as kuzet does: nothing is measured")


def ruleset_of(decisions: Path) -> str:
    """The rule set that a file's decisions name."""
    with decisions.open(encoding="utf-8") as lines:
        return str(json.loads(next(lines))["ruleset"])


Judgement = tuple[str, tuple[str, ...]]


def judgement(line: str) -> tuple[str, Judgement]:
    """The operation of a decision, and its verdict and enforced matches."""
    if '"matches":[]' in line:
        return text_after(line, '"op_id":"'), (text_after(line, '"verdict":"'), ())
    decision = json.loads(line)
    matches = decision["matches"]
    enforced = [match if isinstance(match, str) else match["rule"] for match in matches if is_enforced(match)]
    return decision["op_id"], (decision["verdict"], tuple(sorted(enforced)))


def is_enforced(match: str | dict[str, str]) -> bool:
    """Whether a match counts; the peers name only such."""
    return isinstance(match, str) or match["mode"] == "enforce"


def text_after(line: str, name: str) -> str:
    """The text after a field's name; most lines need not be parsed."""
    begin = line.index(name) + len(name)
    return line[begin : line.index('"', begin)]


def read(path: Path) -> tuple[dict[str, Judgement], int]:
    """What a file decides by operation, and how many decisions are there twice."""
    found: dict[str, Judgement] = {}
    doubled = 0
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            op_id, judged = judgement(line)
            doubled += op_id in found
            found[op_id] = judged
    return found, doubled


def compare(name: str, reference: Path, other: Path, among: set[str] | None = None) -> int:
    """Prints how two files of decisions differ, and returns in how many operations; `among` are those that count."""
    expected, doubled_there = read(reference)
    if among is not None:
        expected = {op_id: judged for op_id, judged in expected.items() if op_id in among}
    found, doubled = read(other)
    differ = [op_id for op_id, judged in expected.items() if op_id in found and found[op_id] != judged]
    missing, extra = len(expected.keys() - found.keys()), len(found.keys() - expected.keys())
    verdicts = Counter(verdict for verdict, _ in expected.values())
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    differences = f"{len(differ)} differ, {missing} missing, {extra} extra, {doubled} doubled"
    print(f"{name}: {len(expected)} decisions ({said}); {differences}", flush=True)
    for op_id in differ[:SHOWN]:
        print(f"  {op_id}: kuzet {expected[op_id]}, here {found[op_id]}")
    return len(differ) + missing + extra + doubled + doubled_there


def compare_bytes(reference: Path, other: Path) -> int:
    """Holds whole decisions against each other where nothing matched and nothing is commanded: by far the most."""
    with reference.open("rb") as lines:
        expected = {line for line in lines if PLAIN.encode() in line}
    count = len(expected)
    with other.open("rb") as lines:
        expected.difference_update(lines)
    print(f"  {count} decisions without matches and commands, {len(expected)} with other bytes", flush=True)
    for line in sorted(expected)[:1]:
        print(f"  kuzet {line.decode().strip()}")
    return len(expected)
