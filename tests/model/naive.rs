//! A naive model of the engine: every operation ever and every restriction in plain lists, rescanned for
//! each operation. It shares no code with the engine and is meant to be read beside the rules' table.
//!
//! Readings chosen where the rules leave room (each protects the user, or is the literal one):
//! - a run of failures is measured from the greatest `occurred_at` among its attempts, so a late attempt
//!   neither breaks nor shortens it; only a success or the 24 h end it, for late attempts too;
//! - an attempt that occurred before the last counted one continues the run;
//! - `structuring-below-100k` counts the transfers in its range and fires on any transfer to a client of
//!   that recipient, itself in the range or not;
//! - an address without a record is not `degraded`: the database answered;
//! - `newest` never goes back, not even when the newest operation is cancelled;
//! - cancelled and refused operations are no links of a chain of use (`age`), a chain is forgotten when its
//!   last link is older than 30 d and the lateness;
//! - a transfer to oneself is a transfer into one's own wallet;
//! - before the first row of the MRP table every debit and every top-up needs the table, whoever it is of;
//! - an id makes a duplicate for the duplicate horizon alone; `ref.age` knows it for the lateness more;
//! - a confirmed day is known until an operation of the wallet is the lateness past its end;
//! - a restriction is extended or replaced as it stands for the time of the operation that fires its rule;
//! - a firing counts for "fired last" on a refused operation too;
//! - whether a block stands in the way of a release is asked for the time of the operation that lets go;
//! - an operation that goes on waiting waits for all blocks without an end that are in force just then; each
//!   is a cause like any other: with `order: cancel` its lifting cancels the operation;
//! - the order to cancel one operation bears the lowest rule of what the proof has cleared for it; if the
//!   proof clears nothing, the lowest rule of all that it waits for;
//! - what a rule cancels (`cancel_waiting`, `cancel_referenced`) bears that rule;
//! - an operation more than a day ahead of the stream's time (the greatest instant that two decided operations in
//!   a row were not before, with the present one) is decided by its own time; until the stream comes there, it is
//!   not the newest of its wallet nor of a shared window, and no `last` and no run sees it;
//! - an hour of a budget is the minute in progress and the 59 before it, by the stream's time: the greatest of the
//!   operations so far that are not far ahead. If the very first one was, what was counted by its clock is forgotten;
//! - a restriction that has ended is forgotten by its wallet's own time, with an operation that comes after the one
//!   that placed it: by that of a late one only what has ended by then; others' transfers, whose wallets may
//!   be behind that, meet it until their own time is past its end.

mod budgets;
mod consequences;
mod fault;
mod liftings;
mod lists;
mod money_rules;
mod names;
mod pins;
mod restrictions;
mod session_rules;
mod support_rules;
mod tally;
mod waiting;
mod windows;

use super::calendar;
use super::op::{DAY, HOUR, Kind, MINUTE, Op, Time};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use budgets::{BUDGET, REARMED};
pub(crate) use fault::{FAULTS, Fault};
pub(crate) use names::{
    ANONYMIZER, DAILY, EQUAL, FRAUD, LOGIN_COUNTRY, OPERATION_COUNTRY, OWNERSHIP, RULES, STATUTORY, STRUCTURING,
    TRANSFER_OVER, VOLUNTARY,
};
pub(crate) use tally::{SEEN, Tally};

use names::{REFUSING, REPEATED, SUSPICIOUS};

use budgets::Spent;
use restrictions::Restriction;
use waiting::Waiting;

pub(crate) const LATENESS: Time = 10 * MINUTE;
const HORIZON: Time = DAY;
const KZT: i64 = 100;

/// What an address is known for; the same table is given to the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeoRecord {
    pub(crate) address: &'static str,
    pub(crate) country: Option<&'static str>,
    pub(crate) flags: &'static [&'static str],
}

pub(crate) type GeoMap = Vec<GeoRecord>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Duplicate,
    Conflict,
    Decided(Decided),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) verdict: String,
    pub(crate) late: bool,
    /// Rule and mode.
    pub(crate) matches: BTreeSet<(String, String)>,
    pub(crate) degraded: BTreeSet<String>,
    pub(crate) commands: Vec<Command>,
}

/// The order of the kinds of commands in a decision.
pub(crate) const COMMANDS: [&str; 9] =
    ["refuse", "hold", "challenge", "monitor", "block", "lift", "release", "cancel", "report"];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Command {
    pub(crate) kind: String,
    pub(crate) rule: String,
    /// `operation:…`, `wallet:…` or `ip:…`.
    pub(crate) subject: String,
    /// Direction of a block, kind of a challenge, addressee of a report, reason of a lifting.
    pub(crate) detail: String,
    pub(crate) from: Option<Time>,
    pub(crate) until: Option<Time>,
    /// `wallet/op/rule/kind[/direction]` of the restriction that is placed, extended, named or lifted.
    pub(crate) restriction: Option<String>,
    pub(crate) lifted_by: BTreeSet<String>,
}

impl Command {
    fn new(kind: &str, rule: &str, subject: String) -> Self {
        Self {
            kind: kind.to_owned(),
            rule: rule.to_owned(),
            subject,
            detail: String::new(),
            from: None,
            until: None,
            restriction: None,
            lifted_by: BTreeSet::new(),
        }
    }

    fn detail(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.detail);
        self
    }

    fn named(mut self, restriction: &Restriction) -> Self {
        self.restriction = Some(restriction.key.clone());
        self
    }

    fn placing(mut self, restriction: &Restriction) -> Self {
        self.from = Some(restriction.from);
        self.until = restriction.until;
        self.lifted_by = restriction.lifters.iter().map(|&l| l.to_owned()).collect();
        self.named(restriction)
    }
}

fn of_operation(id: &str) -> String {
    format!("operation:{id}")
}

fn of_wallet(wallet: &str) -> String {
    format!("wallet:{wallet}")
}

#[derive(Debug)]
struct Entry {
    op: Op,
    refused: bool,
    cancelled: bool,
    /// Matched by an enforced rule of clause 7.15.
    suspicious: bool,
    /// How far the stream reached when it was decided.
    reach: Time,
    /// The stream's time then, or its own if that is not far ahead.
    counted: Time,
    /// The wallet's newest operation after it.
    newest: Option<Time>,
    /// What the ends of the wallet's restrictions and confirmed days were held against after it.
    passed: Option<Time>,
    /// The minute of the stream, since the epoch.
    minute: i64,
    /// Rules against whose budgets it counts.
    counted_for: Vec<&'static str>,
}

pub(crate) struct Naive<'g> {
    geo: &'g GeoMap,
    fault: Option<Fault>,
    entries: Vec<Entry>,
    restrictions: Vec<Restriction>,
    waiting: Vec<Waiting>,
    /// Wallets and the Almaty days that a PIN has confirmed, with the entry that did so last.
    confirmed: BTreeMap<(String, i64), usize>,
    /// What lies later than this counts for no age yet.
    reach: Time,
    /// The operation that is decided.
    deciding: usize,
    /// The wallet's newest operation, where the stream has only now come to it.
    caught_up: Option<Time>,
    has_budgets: bool,
    /// Rules that have exceeded their budgets.
    breached: BTreeSet<&'static str>,
    /// Rules that were armed again, and the operation from which they count.
    rearmed: BTreeMap<&'static str, usize>,
    pub(crate) tally: Tally,
}

/// The operation being decided and what was known of its wallet before it.
#[derive(Clone, Copy)]
struct Now<'a> {
    op: &'a Op,
    newest: Option<Time>,
    late: bool,
}

impl<'g> Naive<'g> {
    pub(crate) fn new(geo: &'g GeoMap, fault: Option<Fault>) -> Self {
        Self {
            geo,
            fault,
            entries: Vec::new(),
            restrictions: Vec::new(),
            waiting: Vec::new(),
            confirmed: BTreeMap::new(),
            reach: Time::MIN,
            deciding: 0,
            caught_up: None,
            has_budgets: false,
            breached: BTreeSet::new(),
            rearmed: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Every rule that stops anything has a budget, or none has.
    pub(crate) fn with_budgets(self, has_budgets: bool) -> Self {
        Self { has_budgets, ..self }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        let answer = self.answer(op);
        self.tally.see_answer(&answer);
        answer
    }

    /// The stream's time when this operation is decided: nothing before the second.
    fn reach(&self, op: &Op) -> Time {
        let times: Vec<Time> = self.entries.iter().map(|e| e.op.at).chain([op.at]).collect();
        times.windows(2).map(|pair| pair[0].min(pair[1])).max().unwrap_or(Time::MIN)
    }

    fn answer(&mut self, op: &Op) -> Answer {
        let stream = self.reach(op);
        self.reach = if stream == Time::MIN { stream } else { stream + DAY };
        let newest = self.newest(&op.wallet);
        self.deciding = self.entries.len();
        let known = self.entries.iter().rev().find(|e| e.op.wallet == op.wallet).and_then(|e| e.newest);
        self.caught_up = newest.filter(|_| newest > known);
        if let Some(first) = self.remembered(&op.wallet, &op.id, newest, HORIZON) {
            return if first.op == *op { Answer::Duplicate } else { Answer::Conflict };
        }
        let late = newest.is_some_and(|newest| op.at < newest - LATENESS);
        let now = Now { op, newest, late };
        let stops = self.blocks_against(op);
        let monitors = self.monitors_of(op);
        let mut fired = self.money_rules(now);
        fired.extend(self.debit_from_abroad(now));
        fired.extend(self.login_rules(now));
        fired.extend(self.support_rules(now));
        let is_stopped = !stops.is_empty() || !monitors.is_empty();
        let (minute, mut spent) = (self.minute(op, stream), Spent::default());
        self.spend(op, minute, is_stopped, &fired, &mut spent);
        let refused = !stops.is_empty() || spent.acting.iter().any(|rule| REFUSING.contains(rule));
        if !refused {
            let runs = self.run_rules(now);
            self.spend(op, minute, is_stopped, runs.as_slice(), &mut spent);
            fired.extend(runs);
        }
        let suspicious = spent.acting.iter().any(|rule| SUSPICIOUS.contains(rule));
        if self.repeated_suspicion(now, suspicious) {
            fired.push(REPEATED);
        }
        fired.sort_unstable();
        let Spent { mut acting, counted: counted_for, breached } = spent;
        acting.sort_unstable();
        fired.iter().for_each(|rule| *self.tally.fired.entry(rule).or_default() += 1);
        let counted = if op.at <= self.reach { op.at } else { stream };
        if op.at > self.reach {
            self.tally.see("far ahead of the stream");
        }
        let own = Some(op.at).filter(|&at| !refused && at <= self.reach);
        let passed = own.max(self.caught_up).or(newest);
        let (reach, newest) = (self.reach, own.max(newest));
        self.entries.push(Entry {
            op: op.clone(),
            refused,
            cancelled: false,
            suspicious,
            reach,
            counted,
            newest,
            passed,
            minute,
            counted_for,
        });
        let mut commands = self.act(now, refused, &stops, &monitors, &acting);
        self.settle_budgets(op, &breached, &mut commands);
        let commands = self.in_order(&op.wallet, commands);
        let verdict = verdict(refused, &commands);
        let needs_mrp = (op.kind.is_debit() || op.kind == Kind::TopUp) && calendar::mrp(self.day(op.at)).is_none();
        Answer::Decided(Decided {
            verdict: verdict.to_owned(),
            late,
            matches: with_modes(&fired, &acting),
            degraded: needs_mrp.then(|| "mrp".to_owned()).into_iter().collect(),
            commands,
        })
    }

    /// By kind, then by rule, then by arrival of the subject operation.
    fn in_order(&self, wallet: &str, mut commands: Vec<Command>) -> Vec<Command> {
        commands.sort_by_cached_key(|command| {
            let kind = COMMANDS.iter().position(|known| *known == command.kind);
            let arrival = command.subject.strip_prefix("operation:").and_then(|id| {
                let same = |e: &Entry| e.op.id == id && e.op.wallet == wallet;
                self.entries.iter().rposition(same)
            });
            (kind, command.rule.clone(), arrival)
        });
        commands
    }
}

/// The strictest that anything asks for.
/// The rules that fired, with whether they act or only watch.
fn with_modes(fired: &[&'static str], acting: &[&'static str]) -> BTreeSet<(String, String)> {
    let mode = |rule: &&str| if acting.contains(rule) { "enforce" } else { "shadow" };
    fired.iter().map(|rule| ((*rule).to_owned(), mode(rule).to_owned())).collect()
}

fn verdict(refused: bool, commands: &[Command]) -> &'static str {
    let asks_for = |kind: &str| commands.iter().any(|command| command.kind == kind);
    match (refused, asks_for("hold"), asks_for("challenge")) {
        (true, ..) => "refuse",
        (false, true, _) => "hold",
        (false, false, true) => "challenge",
        (false, false, false) => "allow",
    }
}
