//! What a ledger can prove about the stream of decisions, from the records alone: that nothing is missing
//! or there twice, and that what it is told about each wallet and operation fits together.
//!
//! Knows the contract only; how a decision is made, where records are read and how findings are shown is
//! not its business. Ids are kept as 128 bits each, wallets by their hash: some 100 bytes for each wallet and
//! 40 for each decision and command.

mod lifecycle;
mod read;
mod sequence;
mod verdict;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasherDefault;

use crate::operation::Time;
use crate::operation::content::id_hash;
use crate::operation::decision::CommandKind;

use lifecycle::{Lifecycles, UNKNOWN_SHARD};
use read::Decision;
use sequence::Sequence;

/// Ids are hashes already, or UUIDs made of one: their low bits are as good as any other hash.
type Ids = HashSet<u128, BuildHasherDefault<Low>>;
type ById<V> = HashMap<u128, V, BuildHasherDefault<Low>>;

/// Hashes a `u128` by its low half.
#[derive(Debug, Default, Clone, Copy)]
struct Low(u64);

impl std::hash::Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut low = [0; 8];
        for (to, from) in low.iter_mut().zip(bytes) {
            *to = *from;
        }
        // The variant bits of a UUID stand in its low half: mixed, so that no two bits are fixed.
        self.0 = u64::from_ne_bytes(low).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Where a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Topic {
        partition: i32,
        offset: i64,
    },
    /// A line of a file, from 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic { partition, offset } => write!(f, "partition {partition} offset {offset}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// What is known of the records before the first that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// There were none.
    Whole,
    /// Retention has removed some, or may have.
    Removed,
}

/// A record of the topic.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub place: Place,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Of the records of this partition.
    pub beginning: Beginning,
    /// Records of all other partitions that were there before this one are given to the checker too. Where
    /// this is not so, what refers to another wallet's records is not judged.
    pub is_settled: bool,
}

/// Something that is not as the contract says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub shard: Option<Box<str>>,
    pub seq: Option<u64>,
    /// The operation that was decided.
    pub op_id: Option<Box<str>>,
    pub place: Option<Place>,
    /// A fixed word for the kind of the finding.
    pub code: &'static str,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shard) = &self.shard {
            write!(f, "shard {shard} ")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "seq {seq} ")?;
        }
        if let Some(op_id) = &self.op_id {
            write!(f, "op {op_id} ")?;
        }
        if let Some(place) = self.place {
            write!(f, "({place}) ")?;
        }
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// The place of a decision, as findings name it.
#[derive(Debug, Clone, Copy)]
struct Here<'a> {
    shard: &'a str,
    seq: Option<u64>,
    op_id: Option<&'a str>,
    place: Place,
}

impl Here<'_> {
    fn finding(&self, code: &'static str, message: String) -> Finding {
        Finding {
            shard: Some(self.shard.into()),
            seq: self.seq,
            op_id: self.op_id.map(Into::into),
            place: Some(self.place),
            code,
            message,
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub records: u64,
    /// Number of commands in the order of [`CommandKind::ALL`].
    pub commands: [u64; CommandKind::ALL.len()],
    pub wallets: usize,
    /// Operations that wait at the end.
    pub waiting: usize,
    /// Restrictions of wallets that nobody has lifted, ended ones aside.
    pub restrictions: usize,
    /// Commands that speak of what retention has removed and so cannot be judged.
    pub from_before: u64,
    /// Shards in the order in which they were met.
    pub shards: Vec<ShardTotals>,
}

/// What was read of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardTotals {
    pub name: Box<str>,
    pub first: u64,
    pub last: u64,
    pub count: u64,
    /// The beginning is missing because retention has removed it.
    pub is_cut: bool,
}

#[derive(Debug)]
struct Shard {
    name: Box<str>,
    sequence: Sequence,
    /// The history that its numbers belong to, once one was named.
    epoch: Option<Box<str>>,
    /// Last number by partition.
    last: HashMap<i32, u64>,
    beginning: Beginning,
    /// Lifecycles of its wallets may have begun before the first record.
    is_cut: bool,
}

/// Takes records in the order of each partition and tells what is wrong with them.
#[derive(Debug, Default)]
pub struct Checker {
    shards: Vec<Shard>,
    by_name: HashMap<Box<str>, usize>,
    decisions: Ids,
    commands: Ids,
    lifecycles: Lifecycles,
    totals: Totals,
}

impl Checker {
    /// Checks one record of the topic and appends what is wrong with it.
    pub fn check(&mut self, record: &Record<'_>, found: &mut Vec<Finding>) {
        self.totals.records += 1;
        let nowhere = Here { shard: "?", seq: None, op_id: None, place: record.place };
        let shard = header(record.headers, "kuzet-shard").and_then(|value| std::str::from_utf8(value).ok());
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u64>().ok().filter(|seq| *seq > 0);
        let seq = header(record.headers, "kuzet-seq").and_then(number);
        let here = Here { shard: shard.unwrap_or("?"), seq, ..nowhere };
        if shard.is_none_or(str::is_empty) {
            found.push(here.finding("header", "no kuzet-shard; it names the shard that decided".to_owned()));
        }
        if seq.is_none() {
            found.push(here.finding("header", "no kuzet-seq; it is a whole number from 1".to_owned()));
        }
        let shard = shard.map(|name| self.shard(name, seq, record.beginning));
        if let (Some(shard), Some(epoch)) = (shard, header(record.headers, "kuzet-epoch")) {
            self.history(shard, &String::from_utf8_lossy(epoch), &here, found);
        }
        if let (Some(shard), Some(seq)) = (shard, seq) {
            self.number(shard, seq, &here, found);
        }
        let Some(value) = record.value else {
            found.push(here.finding("not-a-decision", "the record has no value".to_owned()));
            return;
        };
        match read::decision(value) {
            Err(message) => found.push(here.finding("not-a-decision", message)),
            Ok(decision) => {
                let here = Here { op_id: Some(&decision.op_id), ..here };
                envelope(record, &decision, &here, found);
                self.decision(&decision, shard, record.is_settled, &here, found);
            }
        }
    }

    /// Checks a decision without key and headers: a line of a replay, or of the stream over HTTP, where
    /// `seq` stands among its fields. Without one, its place in the file is its number. `epoch` is what the page
    /// around it says.
    pub fn check_bare(&mut self, line: u64, value: &[u8], epoch: Option<&str>, found: &mut Vec<Finding>) {
        self.totals.records += 1;
        let here = Here { shard: "0", seq: None, op_id: None, place: Place::Line(line) };
        let decision = match read::decision(value) {
            Ok(decision) => decision,
            Err(message) => {
                found.push(here.finding("not-a-decision", message));
                return;
            }
        };
        let (seq, beginning) = decision.seq.map_or((line, Beginning::Whole), |seq| (seq, Beginning::Removed));
        let shard = self.shard("0", Some(seq), beginning);
        let here = Here { seq: Some(seq), op_id: Some(&decision.op_id), ..here };
        if let Some(epoch) = epoch.or(decision.epoch.as_deref()) {
            self.history(shard, epoch, &here, found);
        }
        self.number(shard, seq, &here, found);
        self.decision(&decision, Some(shard), true, &here, found);
    }

    /// Ends: what can be told when everything was read.
    #[must_use]
    pub fn finish(mut self, found: &mut Vec<Finding>) -> Totals {
        for shard in &self.shards {
            let Some((first, last)) = shard.sequence.ends() else { continue };
            let missing =
                |first: u64, last: u64| if first == last { format!("{first}") } else { format!("{first}–{last}") };
            let mut tell = |code, message| {
                let shard = Some(shard.name.clone());
                found.push(Finding { shard, seq: None, op_id: None, place: None, code, message });
            };
            if first > 1 && shard.beginning == Beginning::Whole {
                tell("gap", format!("seq {} is missing, and retention has removed nothing", missing(1, first - 1)));
            }
            for (from, to) in shard.sequence.gaps() {
                tell("gap", format!("seq {} is missing", missing(from, to)));
            }
            let is_cut = first > 1 && shard.beginning == Beginning::Removed;
            let count = shard.sequence.count();
            self.totals.shards.push(ShardTotals { name: shard.name.clone(), first, last, count, is_cut });
        }
        let any_is_cut = self.totals.shards.iter().any(|shard| shard.is_cut);
        self.lifecycles.finish(any_is_cut, &mut self.totals, found);
        self.totals
    }

    fn shard(&mut self, name: &str, seq: Option<u64>, beginning: Beginning) -> usize {
        let at = match self.by_name.get(name) {
            Some(at) => *at,
            None => {
                let is_cut = beginning == Beginning::Removed && seq.is_none_or(|seq| seq > 1);
                let (last, sequence) = (HashMap::new(), Sequence::default());
                self.shards.push(Shard { name: name.into(), sequence, epoch: None, last, beginning, is_cut });
                self.by_name.insert(name.into(), self.shards.len() - 1);
                self.shards.len() - 1
            }
        };
        // A shard whose records lie in several partitions lacks its beginning when one of them does.
        if beginning == Beginning::Removed {
            self.shards[at].beginning = beginning;
        }
        at
    }

    /// A history that begins anew has the numbers of another one again: told where the name changes.
    fn history(&mut self, shard: usize, epoch: &str, here: &Here<'_>, found: &mut Vec<Finding>) {
        let known = self.shards[shard].epoch.replace(epoch.into());
        if let Some(known) = known.filter(|known| **known != *epoch) {
            let epoch: String = epoch.chars().take(64).collect();
            found.push(
                here.finding("other-history", format!("it is of the history {epoch}, those before it of {known}")),
            );
        }
    }

    fn number(&mut self, shard: usize, seq: u64, here: &Here<'_>, found: &mut Vec<Finding>) {
        let shard = &mut self.shards[shard];
        if !shard.sequence.add(seq) {
            found.push(here.finding("repeated-seq", "this number was there before".to_owned()));
            return;
        }
        let partition = match here.place {
            Place::Topic { partition, .. } => partition,
            Place::Line(_) => 0,
        };
        let last = shard.last.insert(partition, seq);
        if let Some(last) = last.filter(|last| *last > seq) {
            found.push(here.finding("order", format!("it stands behind seq {last} of the same partition")));
        }
    }

    fn decision(
        &mut self,
        decision: &Decision<'_>,
        shard: Option<usize>,
        is_settled: bool,
        here: &Here<'_>,
        found: &mut Vec<Finding>,
    ) {
        if !self.decisions.insert(decision.id) {
            found.push(here.finding("repeated-decision", format!("decision_id {} was there before", id(decision.id))));
            // What it says has been said: judged twice, it would be wrong throughout.
            return;
        }
        for command in &decision.commands {
            self.totals.commands[usize::from(command.kind.code())] += 1;
            if !self.commands.insert(command.id) {
                let message = format!("command_id {} of a {} was there before", id(command.id), command.kind.name());
                found.push(here.finding("repeated-command", message));
            }
        }
        verdict::check(decision, here, found);
        let is_cut = shard.is_none_or(|shard| self.shards[shard].is_cut);
        let number = shard.map_or(UNKNOWN_SHARD, |shard| u32::try_from(shard).unwrap_or(UNKNOWN_SHARD));
        let context = lifecycle::Context { here, shard: number, is_cut, is_settled };
        self.lifecycles.decision(decision, &context, found);
    }
}

fn header<'a>(headers: &[(&str, &'a [u8])], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
}

/// Checks key and headers against the decision they come with.
fn envelope(record: &Record<'_>, decision: &Decision<'_>, here: &Here<'_>, found: &mut Vec<Finding>) {
    if record.key != Some(decision.wallet_id.as_bytes()) {
        let is = if record.key.is_some() { "another text" } else { "missing" };
        found.push(here.finding("key", format!("the key must be the decision's wallet_id, and is {is}")));
    }
    let decision_id = id(decision.id);
    let expected: [(&str, Option<&str>); 8] = [
        ("content-type", Some("application/json")),
        ("kuzet-ruleset", Some(&decision.ruleset)),
        ("ce_specversion", Some("1.0")),
        ("ce_id", Some(&decision_id)),
        ("ce_source", None),
        ("ce_type", Some("kz.kuzet.decision.v1")),
        ("ce_time", None),
        ("ce_subject", Some(&decision.wallet_id)),
    ];
    for (name, expected) in expected {
        let value = header(record.headers, name).map(String::from_utf8_lossy);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            found.push(here.finding("header", format!("no {name}")));
            continue;
        };
        let is_right = match (name, expected) {
            // A charset may follow.
            ("content-type", Some(expected)) => value.split(';').next() == Some(expected),
            ("ce_time", _) => Time::parse_rfc3339(&value).is_ok(),
            (_, expected) => expected.is_none_or(|expected| expected == value),
        };
        if !is_right {
            // The wallet's id is not shown.
            let accepted = match name {
                "ce_subject" => "the decision's wallet_id",
                "ce_time" => "a time of RFC 3339",
                _ => expected.unwrap_or_default(),
            };
            found.push(here.finding("header", format!("{name} must be {accepted}")));
        }
    }
    let mut names: Vec<&str> = record.headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        found.push(here.finding("header", format!("{} is there twice", pair[0])));
    }
}

fn id(id: u128) -> String {
    uuid::Uuid::from_u128(id).as_hyphenated().to_string()
}

/// Names an operation of a wallet.
fn operation_key(wallet: u128, op_id: &str) -> u128 {
    wallet.rotate_left(64) ^ id_hash(op_id)
}
