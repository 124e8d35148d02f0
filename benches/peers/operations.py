"""Streams of operations that the comparison of decisions needs besides the simulated one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

ALMATY = timezone(timedelta(hours=5))
START = datetime(2026, 3, 2, 9, 0, tzinfo=ALMATY)
# What the databases in geoip/ say: Kazakhstan, Russia, a VPN and Tor among the ranges for documentation, unknown.
ADDRESSES = ["95.56.234.10", "77.88.8.8", "192.0.2.10", "198.51.100.10", "10.0.0.1"]
ADDRESS_WEIGHTS = [50, 12, 2, 2, 8]
PROOFS = ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed", "explanations", "facts_established"]
STATUSES = ["identified", "identified", "unidentified", "unregistered"]
AMOUNTS = ["5000", "5000.0", "5000.00", "100000", "100000.01", "120000", "200000", "432500", "432500.01", "1.5"]
PAUSES_MS = [0, 1, 20, 1_000, 7_000, 60_000, 300_000]
# How far behind an operation may lie: whole minutes, so that limits are met exactly; the last is late.
DELAYS_MINUTES = [0] * 20 + [1, 5, 10, 11, 75, 150]

Operation = dict[str, object]


def dense(count: int, wallets: int, seed: int) -> Iterator[Operation]:
    """Few wallets that do all that the five rules and their restrictions react to, again and again."""
    chance = random.Random(seed)
    at = START
    past: dict[str, list[str]] = {f"W{number}": [] for number in range(wallets)}
    names = list(past)
    wallet, equal = "", 0
    for number in range(count):
        if equal == 0 and chance.random() < 0.004:
            wallet, equal = chance.choice(names), 14
        if equal == 0:
            at += timedelta(milliseconds=chance.choice(PAUSES_MS) / (wallets / 4))
            wallet = chance.choice(names)
        else:
            # Eleven of these are an hour apart to the millisecond, or nearly.
            equal -= 1
            at += timedelta(minutes=6, milliseconds=chance.choice([0, 0, 0, 0, 0, 0, 0, -1, 1]))
        if chance.random() < 0.0005:
            at += timedelta(hours=chance.choice([1, 2, 9, 26]))
        occurred = at - timedelta(minutes=chance.choice(DELAYS_MINUTES))
        operation: Operation = {
            "op_id": f"op-{number}",
            "type": "",
            "occurred_at": occurred.isoformat(timespec="milliseconds"),
            "wallet_id": wallet,
        }
        operation |= transfer(chance, wallet, past, AMOUNTS[:3]) if equal else by_type(chance, wallet, past)
        past[wallet] = [*past[wallet][-40:], f"op-{number}"]
        yield operation
        if chance.random() < 0.02:
            yield operation


def by_type(chance: random.Random, wallet: str, past: dict[str, list[str]]) -> Operation:
    """Draws a type, and the fields that go with it."""
    kinds = {"transfer": 40, "payment": 18, "cash_out": 4, "login": 14, "pin": 10, "identity_confirmed": 8}
    kinds |= {"cancelled": 5, "redemption": 1, "top_up": 3}
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    fields: Operation = {"type": kind}
    named = chance.choice(past[wallet] or ["op-unknown"])
    if chance.random() < 0.05:
        named = chance.choice(past[chance.choice(list(past))] or ["op-unknown"])
    if kind == "transfer":
        return transfer(chance, wallet, past, AMOUNTS)
    if kind in ("payment", "cash_out", "redemption"):
        fields["client_status"] = chance.choice(STATUSES)
        fields["counterparty"] = {"kind": "merchant"}
        fields["amount"] = chance.choice(AMOUNTS)
    if kind == "top_up":
        fields["amount"] = "1000"
    if kind == "login":
        fields["outcome"] = "success" if chance.random() < 0.85 else "failure"
        if chance.random() < 0.95:
            fields["ip"] = chance.choices(ADDRESSES, ADDRESS_WEIGHTS)[0]
    if kind == "pin":
        fields["outcome"] = "success" if chance.random() < 0.4 else "failure"
        if chance.random() < 0.9:
            fields["ref_op_id"] = named
    if kind == "identity_confirmed":
        fields["proof"] = chance.choice(PROOFS)
        if chance.random() < 0.3:
            fields["order"] = "cancel"
        if chance.random() < 0.5:
            fields["ref_op_id"] = named
    if kind == "cancelled":
        fields["ref_op_id"] = named
    return fields


def transfer(chance: random.Random, wallet: str, past: dict[str, list[str]], amounts: list[str]) -> Operation:
    """A transfer to a client, now and then to the wallet itself."""
    recipient = wallet if chance.random() < 0.15 else chance.choice(list(past))
    return {
        "type": "transfer",
        "client_status": chance.choice(STATUSES),
        "amount": chance.choice(amounts),
        "counterparty": {"kind": "client", "wallet_id": recipient},
    }


def write(operations: Iterator[Operation], path: Path) -> None:
    """Writes operations as JSON lines."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(operation, separators=(",", ":")) + "\n" for operation in operations)


def disorder(source: Path, target: Path, late: timedelta, seed: int) -> None:
    """Lets each operation arrive up to `late` after its time, and one of fifty a second time within an hour."""
    chance = random.Random(seed)
    arrivals: list[tuple[float, int, str]] = []
    with source.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            occurred = datetime.fromisoformat(json.loads(line)["occurred_at"].replace("Z", "+00:00"))
            at = occurred.timestamp() + chance.random() * late.total_seconds()
            arrivals.append((at, number, line))
            if chance.random() < 0.02:
                arrivals.append((at + chance.random() * 3_600, number, line))
    arrivals.sort()
    with target.open("w", encoding="utf-8") as lines:
        lines.writelines(line for _, _, line in arrivals)
