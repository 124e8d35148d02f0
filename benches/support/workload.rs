//! What the benchmarks decide: plain seeded traffic, and the pipelines that decide it.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use kuzet::adapters::folders::{Embedded, Folder};
use kuzet::adapters::memory::MemoryStore;
use kuzet::app;
use kuzet::geo::Geo;
use kuzet::operation::Time;
use kuzet::operation::time::MINUTE;
use kuzet::pipeline::{Answer, Decided, Pipeline, Record, Unlogged, commit};
use kuzet::rules::program::RuleSet;
use kuzet::rules::{self, SourceFile};
use serde::Deserialize;

/// How many records are decided at a time, as `kuzet replay` does.
pub(crate) const BATCH: usize = 256;
/// A fifth of the operations is theirs.
const BUSY_WALLETS: u64 = 1_000;
/// 2026-04-01T00:00:00Z: every shipped rule applies.
const START_MS: i64 = 1_775_001_600_000;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Four fifths over all wallets, a fifth over a thousand of them.
    Usual,
    /// Half of all operations are one wallet's.
    HalfOnOne,
    /// Each wallet once, in turn.
    Once,
}

/// An endless stream of operations in the order of their time.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    wallets: u64,
    spread: Spread,
    gap_ms: i64,
    number: u64,
    is_confirmed: bool,
    is_harmless: bool,
    random: u64,
}

/// Records one after another.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Traffic {
    /// Makes traffic of these wallets with an operation every `gap_ms`.
    pub(crate) const fn new(wallets: u64, spread: Spread, gap_ms: i64) -> Self {
        Self {
            wallets,
            spread,
            gap_ms,
            number: 0,
            is_confirmed: false,
            is_harmless: false,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Lets the same wallets go on otherwise.
    pub(crate) const fn spread(mut self, spread: Spread) -> Self {
        self.spread = spread;
        self
    }

    /// Leaves out what rules fire on: large amounts, failures, strange addresses.
    pub(crate) const fn harmless(mut self) -> Self {
        self.is_harmless = true;
        self
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 24) % limit
    }

    fn wallet(&mut self) -> u64 {
        let draw = self.below(10);
        match self.spread {
            Spread::Once => self.number % self.wallets,
            Spread::HalfOnOne if draw < 5 => 0,
            Spread::Usual if draw < 2 => self.below(BUSY_WALLETS.min(self.wallets)),
            Spread::HalfOnOne | Spread::Usual => self.below(self.wallets),
        }
    }

    /// Writes the next operations.
    pub(crate) fn next(&mut self, count: usize) -> Lines {
        let mut lines = Lines { bytes: Vec::with_capacity(count * 350), ends: Vec::with_capacity(count) };
        for _ in 0..count {
            let wallet = self.wallet();
            self.write_line(&mut lines.bytes, wallet).expect("a vector takes every write");
            lines.ends.push(lines.bytes.len());
        }
        lines
    }

    fn write_line(&mut self, out: &mut Vec<u8>, wallet: u64) -> std::io::Result<()> {
        self.number += 1;
        let one = self.spread == Spread::HalfOnOne && wallet == 0;
        let (kind, amount, counterparty) = match self.below(100) {
            // Confirms the day and pays no client: what is measured is a long log, not long decisions.
            _ if one && !std::mem::replace(&mut self.is_confirmed, true) => ("pin", 0, None),
            0..40 if one => ("payment", self.amount(), Some("merchant")),
            0..40 => ("transfer", self.amount(), Some("client")),
            40..70 => ("payment", self.amount(), Some("merchant")),
            70..85 => ("top_up", self.amount(), Some("bank_account")),
            _ => ("login", 0, None),
        };
        let at_ms = START_MS + i64::try_from(self.number).unwrap_or(i64::MAX) * self.gap_ms;
        let time = Time::from_nanos(at_ms * 1_000_000);
        write!(
            out,
            r#"{{"op_id":"01JD8Q6T9V{:016}","type":"{kind}","occurred_at":"{time}","wallet_id":"77{wallet:09}","#,
            self.number
        )?;
        write!(out, r#""client_status":"identified","#)?;
        if let Some(party) = counterparty {
            let other = self.below(self.wallets);
            write!(out, r#""amount":"{amount}.00","currency":"KZT","counterparty":{{"kind":"{party}""#)?;
            if party == "client" {
                write!(out, r#","wallet_id":"77{other:09}"}},"#)?;
            } else {
                write!(out, r#","account":"KZ86125KZT{other:010}"}},"#)?;
            }
        } else {
            let outcome = if !one && !self.is_harmless && self.below(50) == 0 { "failure" } else { "success" };
            write!(out, r#""outcome":"{outcome}","#)?;
        }
        // Mostly the wallet's own address, of a Kazakh network.
        let (a, b, c, d) = match self.below(200) {
            0 if !one && !self.is_harmless => (1 + self.below(220), self.below(256), self.below(256), self.below(256)),
            _ => (95, 56 + wallet % 4, wallet / 4 % 256, wallet / 1024 % 256),
        };
        write!(out, r#""ip":"{a}.{b}.{c}.{d}","device_id":"d-{wallet:016x}","#)?;
        write!(out, r#""attributes":{{"channel":"mobile"}}}}"#)
    }

    /// Draws an amount in KZT: mostly small, a hundredth of them large.
    fn amount(&mut self) -> u64 {
        match self.below(100) {
            _ if self.is_harmless => 1 + self.below(100),
            0 => 20_000 + self.below(130_000),
            1..20 => 2_000 + self.below(18_000),
            _ => 100 + self.below(1_900),
        }
    }
}

impl Lines {
    /// Lists the records.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    pub(crate) fn records(&self) -> Vec<Record<'_>> {
        self.iter().map(|bytes| Record { bytes, arrived_at: None }).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The same line as plain borrowed texts: what any decoder has to do at least.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
pub(crate) struct Plain<'a> {
    op_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    occurred_at: &'a str,
    wallet_id: &'a str,
    client_status: &'a str,
    amount: Option<&'a str>,
    currency: Option<&'a str>,
    #[serde(borrow)]
    counterparty: Option<PlainParty<'a>>,
    outcome: Option<&'a str>,
    ip: &'a str,
    device_id: &'a str,
    #[serde(borrow)]
    attributes: PlainAttributes<'a>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
struct PlainParty<'a> {
    kind: &'a str,
    wallet_id: Option<&'a str>,
    account: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
struct PlainAttributes<'a> {
    channel: &'a str,
}

/// The repository's own folder, wherever the benchmark is started.
fn folder(name: &str, embedded: Embedded) -> Folder {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if path.is_dir() { Folder::Path(path) } else { Folder::Embedded(embedded) }
}

/// Reads the shipped rules' files, those of their tests left out.
pub(crate) fn shipped_sources() -> Vec<SourceFile> {
    let mut sources = app::rule_sources(&folder("rules", Embedded::Rules)).expect("the rules can be read");
    sources.retain(|source| !source.path.contains(".test."));
    sources
}

/// Compiles rule files.
pub(crate) fn compile(sources: &[SourceFile]) -> RuleSet {
    match rules::compile(sources) {
        Ok(compiled) => compiled.rule_set,
        Err(errors) => panic!("{}", rules::render_text(&errors, sources)),
    }
}

/// Opens the shipped databases of addresses.
pub(crate) fn geo() -> Geo {
    app::load_geo(&folder("geoip", Embedded::Geoip)).expect("the databases can be read")
}

/// The whole path: bytes in, lines of JSON out.
pub(crate) struct Whole {
    pub(crate) pipeline: Pipeline<MemoryStore>,
    pub(crate) out: Vec<u8>,
    /// What became of the operations.
    pub(crate) decided: u64,
    pub(crate) matched: u64,
    pub(crate) not_decided: u64,
    /// How long each stage took since the last [`Whole::take_stages`].
    pub(crate) stages: [Duration; STAGES.len()],
}

/// The stages of the whole path.
pub(crate) const STAGES: [&str; 6] = ["decode", "enrich", "fetch", "decide", "encode", "commit"];

impl Whole {
    pub(crate) fn new(rules: RuleSet) -> Self {
        let mut pipeline = app::pipeline(rules, geo());
        pipeline.limits.future_skew_max = 5 * MINUTE;
        Self { pipeline, out: Vec::new(), decided: 0, matched: 0, not_decided: 0, stages: Default::default() }
    }

    /// Returns how long each stage took, and begins anew.
    pub(crate) fn take_stages(&mut self) -> [Duration; STAGES.len()] {
        std::mem::take(&mut self.stages)
    }

    /// Decides, encodes and commits records, batch by batch.
    pub(crate) fn run(&mut self, records: &[Record<'_>]) {
        for batch in records.chunks(BATCH) {
            self.out.clear();
            let decided = self.pipeline.decide(batch);
            let began = Instant::now();
            self.encode(&decided);
            let encoded = Instant::now();
            let log = &mut Unlogged(&self.pipeline.store);
            let committed = commit(log, decided).expect("a store in memory takes every change");
            let took = committed.stages;
            let rest = [encoded.duration_since(began), encoded.elapsed()];
            let all = [took.decode, took.enrich, took.fetch, took.decide, rest[0], rest[1]];
            self.stages.iter_mut().zip(all).for_each(|(sum, took)| *sum += took);
        }
    }

    fn encode(&mut self, decided: &Decided) {
        for answer in decided.answers() {
            match answer {
                Answer::Decided(decision) => {
                    decision.encode(&mut self.out);
                    self.out.push(b'\n');
                    self.decided += 1;
                    self.matched += u64::from(!decision.matches.is_empty());
                }
                Answer::Duplicate { .. } | Answer::Rejected(_) => self.not_decided += 1,
            }
        }
    }
}
