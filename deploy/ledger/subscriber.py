#!/usr/bin/env python3
"""A small ledger that follows kuzet's decisions: what a real one must do, in one file.

It reads the topic of decisions with kcat, one process for each partition, and keeps its books in SQLite.
Needs Python 3.9 and kcat; nothing else.

What makes it right, whenever it is killed:

1. It reads `read_committed`: records of aborted transactions are never seen.
2. The offsets stand in the same database as the books and change in the same transaction. After a crash it
   goes on exactly behind the last record it has booked.
3. Every command is carried out once: its `command_id` is remembered in that transaction too, so that a
   record read again (offsets lost, topic copied) changes nothing.
4. The numbers in `kuzet-seq` have no gap within a `kuzet-shard`. Behind a gap it books nothing and stops
   with exit code 3: something was lost, and people have to look.
   The numbers belong to one history, which `kuzet-epoch` names: a topic or state that was made anew begins
   another one, with the same numbers for other decisions. Of another history it books nothing either, and stops
   with exit code 5: people decide from where on the new one is to be followed, with books of its own.
5. Only the order within one partition counts. The block of an address may be extended or lifted by another
   wallet's decision, in another partition: whichever comes first, the books end the same.
6. A restriction that is commanded again with its old `restriction_id` is the same one with a later end: it is
   one row, not two. Operations that wait may go on waiting when what they waited for is lifted: only
   `release` and `cancel` end that.

Exit codes: 0 done, 2 usage, 3 gap in the stream, 4 Kafka or kcat failed, 5 another history.

Example:
  subscriber.py --brokers kafka:9092 --topic wallet.decisions --books ledger.sqlite
"""

import argparse
import json
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

# A transaction of the books ends after so many records, or when none is waiting.
BATCH = 500
DEBITS = ("transfer", "payment", "cash_out", "redemption")
CREDITS = ("top_up", "refund")

SCHEMA = """
CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS shards (shard TEXT PRIMARY KEY, seq INTEGER NOT NULL);
-- The history that the numbers of a shard belong to.
CREATE TABLE IF NOT EXISTS histories (shard TEXT PRIMARY KEY, epoch TEXT NOT NULL);
-- What has been carried out.
CREATE TABLE IF NOT EXISTS commands (command_id TEXT PRIMARY KEY) WITHOUT ROWID;
-- state: done, waiting, refused, cancelled
CREATE TABLE IF NOT EXISTS operations (
    wallet TEXT NOT NULL, operation TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (wallet, operation)) WITHOUT ROWID;
-- kind: hold, monitor, block. state: active, lifted, ended. `until` NULL: until lifted.
CREATE TABLE IF NOT EXISTS restrictions (
    id TEXT PRIMARY KEY, kind TEXT, subject TEXT, direction TEXT, rule TEXT, until TEXT, state TEXT NOT NULL)
    WITHOUT ROWID;
-- Reports to send, PINs and captchas to ask for.
CREATE TABLE IF NOT EXISTS tasks (command_id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, what TEXT)
    WITHOUT ROWID;
"""


class Gap(Exception):
    """A record is missing: the message says which."""


class OtherHistory(Exception):
    """A record belongs to another history than those before it: the message names both."""


class Failed(Exception):
    """Kafka cannot be read: the message says why."""


def later(one, other):
    """The later of two ends of a restriction; None, no end, is later than any instant.

    Times are in UTC and end with Z, with as many digits of the second's fraction as they need."""
    return None if one is None or other is None else max(one, other, key=lambda time: time.rstrip("Z"))


class Books:
    """The ledger's books."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        # A commit is on the disk when it returns.
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.create_function("later", 2, later, deterministic=True)
        self.db.executescript(SCHEMA)

    def next_offset(self, partition):
        """The offset behind the last booked record of a partition, or None."""
        row = self.db.execute("SELECT next FROM offsets WHERE partition = ?", (partition,)).fetchone()
        return row[0] if row else None

    def book(self, records, may_begin_anywhere):
        """Books records and how far they reach, all or nothing. Behind a gap, or of another history, nothing is
        booked; what stands before it is, and then Gap or OtherHistory is raised."""
        end = None
        self.db.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                try:
                    self._book_one(record, may_begin_anywhere)
                except (Gap, OtherHistory) as found:
                    end = found
                    break
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        if end:
            raise end

    def _book_one(self, record, may_begin_anywhere):
        headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
        shard, seq = headers["kuzet-shard"], int(headers["kuzet-seq"])
        place = f"partition {record['partition']} offset {record['offset']}"
        self._same_history(shard, headers.get("kuzet-epoch"), place)
        row = self.db.execute("SELECT seq FROM shards WHERE shard = ?", (shard,)).fetchone()
        last = row[0] if row else (seq - 1 if may_begin_anywhere else 0)
        if seq > last + 1:
            raise Gap(f"shard {shard}: seq {seq} at {place} follows seq {last}")
        # A number that was booked before is read again after offsets were lost. The commands are known; the
        # number stays.
        if seq == last + 1:
            self.db.execute("INSERT OR REPLACE INTO shards VALUES (?, ?)", (shard, seq))
        self.decision(json.loads(record["payload"]))
        at = (record["partition"], record["offset"] + 1)
        self.db.execute(
            "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (partition) DO UPDATE SET next = max(next, excluded.next)",
            at,
        )

    def _same_history(self, shard, epoch, place):
        """Keeps the history of a shard; raises OtherHistory where a record names another one."""
        if epoch is None:
            # Written by a kuzet that did not name its history yet.
            return
        self.db.execute("INSERT OR IGNORE INTO histories VALUES (?, ?)", (shard, epoch))
        row = self.db.execute("SELECT epoch FROM histories WHERE shard = ?", (shard,)).fetchone()
        if epoch != row[0]:
            raise OtherHistory(f"shard {shard}: {place} is of the history {epoch}, the books are of {row[0]}")

    def decision(self, decision):
        """Carries out a decision."""
        wallet, operation = decision["wallet_id"], decision["op_id"]
        if decision["type"] in DEBITS + CREDITS:
            waits = any(
                command["command"] == "hold" or command.get("challenge") == "pin" for command in decision["commands"]
            )
            state = "refused" if decision["verdict"] == "refuse" else "waiting" if waits else "done"
            # Of an operation that is known the state stays: it may have been released meanwhile.
            self.db.execute("INSERT OR IGNORE INTO operations VALUES (?, ?, ?)", (wallet, operation, state))
        for command in decision["commands"]:
            if self.is_new(command["command_id"]):
                self.command(wallet, command)

    def is_new(self, command_id):
        """Remembers a command; False when it has been carried out."""
        return self.db.execute("INSERT OR IGNORE INTO commands VALUES (?)", (command_id,)).rowcount == 1

    def command(self, wallet, command):
        """Carries out a command."""
        kind = command["command"]
        ((about, subject),) = command["subject"].items()
        if kind in ("release", "cancel"):
            state = "done" if kind == "release" else "cancelled"
            self.db.execute(
                "UPDATE operations SET state = ? WHERE wallet = ? AND operation = ? AND state = 'waiting'",
                (state, wallet, subject),
            )
            if kind == "cancel":
                # What is cancelled loses its own holds without a word.
                self.db.execute(
                    "UPDATE restrictions SET state = 'ended' WHERE kind = 'hold' AND subject = ? AND state = 'active'",
                    (f"{about} {subject}",),
                )
        elif kind in ("hold", "monitor", "block"):
            # In a decision, holds come before the monitoring that asks for them and bears the same id: what is
            # booked is the monitoring. A row without a kind was lifted before it was known. One that is known is
            # extended: of two ends the later one counts, whichever is read first.
            row = (command["restriction_id"], kind, f"{about} {subject}", command.get("direction"))
            self.db.execute(
                "INSERT INTO restrictions VALUES (?, ?, ?, ?, ?, ?, 'active') ON CONFLICT (id) DO UPDATE SET "
                "until = CASE WHEN kind IS NULL THEN excluded.until ELSE later(until, excluded.until) END, "
                "kind = excluded.kind, subject = excluded.subject, direction = excluded.direction, "
                "rule = excluded.rule WHERE kind IS NULL OR excluded.kind != 'hold'",
                (*row, command["rule"], command["until"]),
            )
        elif kind == "lift":
            # It may come before what it lifts: then the row waits for the rest.
            self.db.execute(
                "INSERT INTO restrictions (id, state) VALUES (?, 'lifted') "
                "ON CONFLICT (id) DO UPDATE SET state = 'lifted'",
                (command["restriction_id"],),
            )
        elif kind in ("challenge", "report"):
            what = command.get("challenge") or command.get("to")
            row = (command["command_id"], kind, f"{about} {subject}", what)
            self.db.execute("INSERT OR IGNORE INTO tasks VALUES (?, ?, ?, ?)", row)
        elif kind != "refuse":
            # The operation's row says refused already. Anything else is newer than this program.
            raise Failed(f"unknown command {kind}")


def kcat():
    """kcat, which dies with this program where the system can see to it."""
    if not shutil.which("kcat"):
        raise Failed("kcat is not installed")
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*guard, "kcat"]


def options(arguments):
    """kcat's options for brokers and settings."""
    settings = ["isolation.level=read_committed", "auto.offset.reset=error", *arguments.command_config]
    return ["-b", arguments.brokers, *(part for setting in settings for part in ("-X", setting))]


def partitions(arguments):
    """The numbers of the topic's partitions."""
    command = [*kcat(), "-L", "-J", *options(arguments), "-t", arguments.topic]
    asked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if asked.returncode != 0:
        raise Failed(asked.stderr.decode(errors="replace").strip())
    (topic,) = json.loads(asked.stdout)["topics"]
    if not topic["partitions"]:
        raise Failed(f"topic {arguments.topic}: {topic.get('error', 'it has no partitions')}")
    return sorted(partition["partition"] for partition in topic["partitions"])


def follow(arguments, partition, offset, records):
    """Starts a kcat on a partition; its lines go to the queue, and None with the partition at its end."""
    command = [*kcat(), "-C", "-J", "-u", "-q", *options(arguments), "-t", arguments.topic]
    command += ["-p", str(partition), "-o", "beginning" if offset is None else str(offset)]
    command += ["-e"] if arguments.until_end else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def pump():
        for line in process.stdout:
            records.put((partition, line))
        records.put((partition, None))

    threading.Thread(target=pump, daemon=True).start()
    return process


def run(arguments):
    """Books what comes, until the end of the topic or until it is stopped."""
    books = Books(arguments.books)
    # Bounded: what is not booked yet waits in Kafka, not in memory.
    records = queue.Queue(maxsize=4 * BATCH)
    processes = {}
    for partition in partitions(arguments):
        offset = None if arguments.from_beginning else books.next_offset(partition)
        processes[partition] = follow(arguments, partition, offset, records)
    booked = 0
    try:
        while processes:
            batch = []
            item = records.get()
            while item is not None:
                partition, line = item
                if line is None:
                    code = processes.pop(partition).wait()
                    if code != 0 or not arguments.until_end:
                        raise Failed(f"kcat on partition {partition} ended with {code}")
                else:
                    batch.append(json.loads(line))
                item = None
                if len(batch) < BATCH:
                    try:
                        item = records.get_nowait()
                    except queue.Empty:
                        pass
            if batch:
                books.book(batch, arguments.begin_anywhere)
                booked += len(batch)
                print(f"booked {booked}", flush=True)
    finally:
        for process in processes.values():
            process.kill()


def dump(books):
    """Writes the books as JSON lines, in the order of their keys."""
    for table in ("operations", "restrictions", "tasks", "shards"):
        rows = books.db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        names = [column[0] for column in rows.description]
        for row in rows:
            print(json.dumps({"table": table, **dict(zip(names, row))}, ensure_ascii=False))


def main():
    parser = argparse.ArgumentParser(description="Follows kuzet's decisions and keeps a ledger's books.")
    parser.add_argument("--brokers", help="Kafka brokers to begin with, as host:port, separated by commas")
    parser.add_argument("--topic", default="wallet.decisions")
    parser.add_argument("--books", required=True, help="file of the SQLite database")
    parser.add_argument("--command-config", action="append", default=[], metavar="KEY=VALUE", help="a setting of librdkafka")
    parser.add_argument("--until-end", action="store_true", help="end where the topic ends now")
    parser.add_argument("--from-beginning", action="store_true", help="read everything again; nothing is done twice")
    parser.add_argument("--begin-anywhere", action="store_true", help="accept a topic whose beginning retention has removed")
    parser.add_argument("--dump", action="store_true", help="write the books as JSON lines and end")
    arguments = parser.parse_args()
    # A stop by the system ends like Ctrl-C: what is not booked stays in Kafka.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.dump:
            dump(Books(arguments.books))
        elif arguments.brokers:
            run(arguments)
        else:
            parser.error("--brokers is missing")
    except KeyboardInterrupt:
        return 0
    except Gap as gap:
        print(f"subscriber: a record is missing: {gap}; nothing behind it was booked", file=sys.stderr)
        return 3
    except OtherHistory as other:
        print(f"subscriber: another history: {other}; nothing of it was booked", file=sys.stderr)
        return 5
    except Failed as failure:
        print(f"subscriber: failed to read Kafka: {failure}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
