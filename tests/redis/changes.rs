//! Rules with a shared window of every kind, and random changes of what they share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use kuzet::engine::keyed::calendar_span;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::restriction::{Restriction, RestrictionKind};
use kuzet::engine::shared::{Party, SharedChange, SharedKey, SharedView};
use kuzet::engine::window::Entry;
use kuzet::operation::Time;
use kuzet::operation::time::{MINUTE, Nanos};
use kuzet::rules::program::{Block, Function, Lifters, Window};
use kuzet::rules::{self, SourceFile};
use uuid::Uuid;

use crate::random::Random;

const MRP: &str = "mrp:\n  - {from: 2020-01-01, value: 2651 KZT}\n";
const CONDITIONS: &[&str] = &[
    "count(login by device_id within 30m) > 100",
    "any(login by device_id within 20m)",
    "sum(debit.amount by counterparty.wallet_id within 30m) > 100 KZT",
    "distinct(login.wallet_id by device_id within 1h) > 100",
    "min(debit.amount by device_id within 30m) > 100 KZT or max(debit.amount by device_id within 30m) > 1 KZT",
    "avg(debit.amount by counterparty.wallet_id within 40m) > 100 KZT",
    "last(login.wallet_id by device_id within 2h) = \"w\"",
    "count(login by device_id today) > 100",
    "sum(debit.amount by device_id this month) > 100 KZT",
    "distinct(login.wallet_id by device_id today) > 100",
    "age(login by device_id quiet 25m) > 24h",
    "age(debit by device_id quiet 6h) > 24h",
    "streak(login where outcome = failure by device_id quiet 1h) > 100",
];

/// Noon in Almaty on 30 March 2026: the stream walks over the ends of days and of a month.
pub(crate) const START: Time = Time::from_nanos(1_774_854_000_000_000_000);

/// Rules with a shared window of every kind.
pub(crate) fn plan() -> Plan {
    plan_of(CONDITIONS)
}

/// A rule set of one rule for each condition, as a plan.
pub(crate) fn plan_of(conditions: &[&str]) -> Plan {
    let mut files = vec![SourceFile::new("rules/data/mrp.yaml", MRP)];
    for (number, condition) in conditions.iter().enumerate() {
        let on = if condition.contains("login") { "login" } else { "debit" };
        let head = format!("rule: r-{number}\nclauses: [\"7.15\"]\ntitle: {{kk: с, ru: п, en: t}}\nowner: risk");
        let text = format!("{head}\nmode: enforce\non: {on}\nwhen: {condition}\nthen:\n  - report: afm\n");
        files.push(SourceFile::new(format!("rules/r-{number}.yaml"), text));
    }
    match rules::compile(&files) {
        Ok(compiled) => Plan::new(Arc::new(compiled.rule_set), Settings::default()),
        Err(found) => panic!("{}", rules::render_text(&found, &files)),
    }
}

/// Makes changes as the engine does: each operation enters once, leaves at most once after it entered.
pub(crate) struct Changes<'p> {
    plan: &'p Plan,
    pub(crate) random: Random,
    pub(crate) now: Time,
    operations: u64,
    entered: Vec<(SharedKey, Entry)>,
    runs: BTreeMap<SharedKey, (u64, Time)>,
    blocks: Vec<(Party, Restriction)>,
}

pub(crate) fn keys(plan: &Plan) -> Vec<SharedKey> {
    let shared = (0..plan.aggregates.len()).filter(|id| !plan.aggregates[*id].owned);
    shared.flat_map(|aggregate| (1..=3).map(move |key| SharedKey { aggregate, key })).collect()
}

pub(crate) fn parties() -> Vec<Party> {
    let address = |text: &str| Party::Address(text.parse::<IpAddr>().expect("an address"));
    vec![address("192.0.2.1"), address("2001:db8::1"), Party::Wallet(5), Party::Wallet(u64::MAX)]
}

impl<'p> Changes<'p> {
    pub(crate) fn new(plan: &'p Plan, seed: u64) -> Self {
        Self {
            plan,
            random: Random(seed),
            now: START,
            operations: 0,
            entered: Vec::new(),
            runs: BTreeMap::new(),
            blocks: Vec::new(),
        }
    }

    pub(crate) fn batch(&mut self) -> Vec<SharedChange> {
        let mut batch = Vec::new();
        for _ in 0..=self.random.below(12) {
            // Mostly a little; now and then so long that everything leaves.
            let passed = match self.random.below(40) {
                0 => self.span_below(20 * 60 * MINUTE),
                1..4 => self.span_below(70 * MINUTE),
                _ => self.span_below(4 * MINUTE),
            };
            self.now = self.now.plus(passed);
            match self.random.below(20) {
                0 => self.remove(&mut batch),
                1 => self.place(&mut batch),
                2 => self.lift(&mut batch),
                4 => self.extend(&mut batch),
                3 => {
                    let party = parties()[self.random.below(2)];
                    batch.push(SharedChange::Seen { party, at: self.now });
                }
                _ => self.enter(&mut batch),
            }
        }
        batch
    }

    fn span_below(&mut self, end: Nanos) -> Nanos {
        Nanos::new(self.random.below(end.get()))
    }

    fn enter(&mut self, batch: &mut Vec<SharedChange>) {
        let keys = keys(self.plan);
        let key = keys[self.random.below(keys.len())];
        let aggregate = &self.plan.aggregates[key.aggregate];
        self.operations += 1;
        // Late within what is allowed; sometimes several in the same microsecond, or at the same instant.
        let late = if self.random.below(3) == 0 { 10 * MINUTE } else { Nanos::new(3) };
        let at = self.now.minus(self.span_below(late));
        if aggregate.is_run() {
            let (length, last) = self.runs.get(&key).copied().unwrap_or((0, Time::MIN));
            let run = if self.random.below(3) == 0 {
                (0, at)
            } else {
                (length + 1, if length > 0 { last.max(at) } else { at })
            };
            self.runs.insert(key, run);
            batch.push(SharedChange::Run { key, length: run.0, last: run.1 });
            return;
        }
        let value = self.random.below(6_i64) * 1_000 + 1;
        let entry = Entry { at, op: self.random.next(), value };
        self.entered.push((key, entry));
        batch.push(SharedChange::Insert { key, entry });
        if aggregate.definition.function == Function::Last {
            let text = format!("text of {value}").into();
            batch.push(SharedChange::Text { key, symbol: value.cast_unsigned(), text });
        }
    }

    fn remove(&mut self, batch: &mut Vec<SharedChange>) {
        if !self.entered.is_empty() {
            // Mostly one of the newest: the others have left already.
            let back = self.random.below(self.entered.len().min(30)) + 1;
            let (key, entry) = self.entered.remove(self.entered.len() - back);
            batch.push(SharedChange::Remove { key, entry });
        }
    }

    fn place(&mut self, batch: &mut Vec<SharedChange>) {
        let party = parties()[self.random.below(4)];
        let block = match party {
            Party::Address(_) => Block::AddressLogin,
            Party::Wallet(_) => Block::WalletBoth,
        };
        let id = Uuid::from_u64_pair(self.random.next(), self.random.next());
        let length = 30 * MINUTE + self.span_below(300 * MINUTE);
        let restriction = Restriction {
            id,
            // A subject has one block of a rule.
            rule: format!("r-{id}").into(),
            clauses: Arc::new(["7.18".into()]),
            kind: RestrictionKind::Block(block),
            from: self.now,
            until: (self.random.below(3) > 0).then(|| self.now.plus(length)),
            lifted_by: Lifters(3),
            fired_last: self.now,
        };
        self.blocks.push((party, restriction.clone()));
        batch.push(SharedChange::Place { party, restriction: Box::new(restriction) });
    }

    /// The rule of a block fires again: it may end later, and counts as fired now.
    fn extend(&mut self, batch: &mut Vec<SharedChange>) {
        if self.blocks.is_empty() {
            return;
        }
        let chosen = self.random.below(self.blocks.len());
        let length = self.span_below(400 * MINUTE);
        let until = (self.random.below(4) > 0).then(|| self.now.plus(length));
        let (party, restriction) = &mut self.blocks[chosen];
        if !restriction.covers(self.now) {
            return;
        }
        restriction.extend(until, self.now);
        batch.push(SharedChange::Place { party: *party, restriction: Box::new(restriction.clone()) });
    }

    fn lift(&mut self, batch: &mut Vec<SharedChange>) {
        if !self.blocks.is_empty() {
            let chosen = self.random.below(self.blocks.len());
            let (party, restriction) = self.blocks.swap_remove(chosen);
            batch.push(SharedChange::Lift { party, restriction: restriction.id });
        }
    }
}

/// Everything the engine can ask a window at times around `now`, as one text.
pub(crate) fn answers(plan: &Plan, view: &SharedView, key: SharedKey, now: Time) -> String {
    let aggregate = &plan.aggregates[key.aggregate];
    let empty = kuzet::engine::shared::SharedWindow::new(plan, key);
    let window = view.window(plan, key);
    let window = window.as_deref().unwrap_or(&empty);
    if aggregate.is_run() {
        return format!("{:?}", window.run());
    }
    let mut text = format!("{:?}", window.newest());
    let mut symbols = Vec::new();
    for back in [-20, 0, 3, 9, 10, 25, 40, 70, 700, 1500] {
        let at = now.minus(back * MINUTE);
        let calendar = matches!(aggregate.definition.window, Window::Today | Window::ThisMonth);
        let unit = calendar.then(|| calendar_span(aggregate, at).start);
        for this in [None, Some(1), Some(77)] {
            let value = window.state.evaluate(aggregate, at, this);
            text += &format!(" {back}m {unit:?}: {value:?}");
            if let kuzet::engine::value::AggregateValue::Word(word) = value {
                symbols.push(word);
            }
        }
    }
    if aggregate.definition.function == Function::Last {
        symbols.iter().for_each(|symbol| text += &format!(" {:?}", window.text(*symbol)));
    }
    text
}

/// The blocks of a party, in an order of their own.
pub(crate) fn blocks(view: &SharedView, party: Party) -> Vec<Restriction> {
    let mut blocks = view.blocks(party).to_vec();
    blocks.sort_by_key(|block| block.id);
    blocks
}
