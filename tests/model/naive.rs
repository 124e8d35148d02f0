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
//! - on a debit before the first row of the MRP table every status needs the table.

use super::calendar;
use super::op::{DAY, HOUR, Kind, MINUTE, Op, Time};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const LATENESS: Time = 10 * MINUTE;
const HORIZON: Time = DAY;
const KZT: i64 = 100;

pub(crate) const TRANSFER_OVER: &str = "transfer-over-100k";
pub(crate) const EQUAL: &str = "equal-transfers-in-hour";
pub(crate) const ANONYMIZER: &str = "login-through-anonymizer";
pub(crate) const COUNTRY: &str = "login-country-change";
pub(crate) const DAILY: &str = "daily-total-over-100-mrp";
pub(crate) const PASSWORD_CAPTCHA: &str = "wrong-password-captcha";
pub(crate) const PASSWORD_BLOCK: &str = "wrong-password-ip-block";
pub(crate) const SECRET_CAPTCHA: &str = "wrong-secret-answer-captcha";
pub(crate) const VOLUNTARY: &str = "client-voluntary-block";
pub(crate) const OWNERSHIP: &str = "ownership-dispute-hold";
pub(crate) const CASH_OUT: &str = "cash-out-wrong-details";
pub(crate) const REPEATED: &str = "repeated-suspicion-block";
pub(crate) const FRAUD: &str = "fraud-reported-block";
pub(crate) const DOCUMENTS: &str = "documents-refused-keep-block";
pub(crate) const TAMPERING: &str = "tampering-block";
pub(crate) const LIMIT_UNIDENTIFIED: &str = "operation-limit-unidentified";
pub(crate) const LIMIT_IDENTIFIED: &str = "operation-limit-identified";
pub(crate) const STATUTORY: &str = "unidentified-statutory-limit";
pub(crate) const FLAGGED_PARTY: &str = "flagged-counterparty";
pub(crate) const FLAGGED_WALLET: &str = "flagged-wallet";
pub(crate) const GAMBLING: &str = "gambling-payout-report";
pub(crate) const STRUCTURING: &str = "structuring-below-100k";
pub(crate) const MULE: &str = "mule-in-and-out";
pub(crate) const DEVICE_WALLETS: &str = "one-device-many-wallets";
pub(crate) const NEW_DEVICE: &str = "new-device-large-transfer";

pub(crate) const RULES: [&str; 25] = [
    TRANSFER_OVER,
    EQUAL,
    ANONYMIZER,
    COUNTRY,
    DAILY,
    PASSWORD_CAPTCHA,
    PASSWORD_BLOCK,
    SECRET_CAPTCHA,
    VOLUNTARY,
    OWNERSHIP,
    CASH_OUT,
    REPEATED,
    FRAUD,
    DOCUMENTS,
    TAMPERING,
    LIMIT_UNIDENTIFIED,
    LIMIT_IDENTIFIED,
    STATUTORY,
    FLAGGED_PARTY,
    FLAGGED_WALLET,
    GAMBLING,
    STRUCTURING,
    MULE,
    DEVICE_WALLETS,
    NEW_DEVICE,
];

pub(crate) const SHADOW: [&str; 6] = [REPEATED, STATUTORY, STRUCTURING, MULE, DEVICE_WALLETS, NEW_DEVICE];

/// Enforced rules of clause 7.15.
const SUSPICIOUS: [&str; 7] = [TRANSFER_OVER, EQUAL, ANONYMIZER, COUNTRY, FLAGGED_PARTY, FLAGGED_WALLET, GAMBLING];

const ALL_PROOFS: &[&str] = &["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];

/// What an address is known for; the same table is given to the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeoRecord {
    pub(crate) address: &'static str,
    pub(crate) country: Option<&'static str>,
    pub(crate) flags: &'static [&'static str],
}

pub(crate) type GeoMap = Vec<GeoRecord>;

/// The lists of the payment authorities; the same are given to the engine.
pub(crate) const FLAGGED_WALLETS: [&str; 2] = ["77090000001", "77010000006"];
pub(crate) const FLAGGED_ACCOUNTS: [&str; 1] = ["KZ869125KZT1001300335"];
pub(crate) const FLAGGED_PHONES: [&str; 1] = ["+77770000001"];

/// Deliberate mistakes; the comparison must catch each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    OpenWindow,
    DayByUtc,
    RefusedCounted,
    LateJudgedAlone,
    LiftTooMuch,
    CancelIgnored,
    EndInstantBlocked,
    StrictBecomesInclusive,
    StreakSurvivesSuccess,
    ReleaseDespiteBlock,
}

pub(crate) const FAULTS: [(&str, Fault); 10] = [
    ("open-window", Fault::OpenWindow),
    ("day-by-utc", Fault::DayByUtc),
    ("refused-counted", Fault::RefusedCounted),
    ("late-judged-alone", Fault::LateJudgedAlone),
    ("lift-too-much", Fault::LiftTooMuch),
    ("cancel-ignored", Fault::CancelIgnored),
    ("end-instant-blocked", Fault::EndInstantBlocked),
    ("strict-becomes-inclusive", Fault::StrictBecomesInclusive),
    ("streak-survives-success", Fault::StreakSurvivesSuccess),
    ("release-despite-block", Fault::ReleaseDespiteBlock),
];

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
    /// Direction of a block, kind of a challenge, addressee of a report.
    pub(crate) detail: String,
    pub(crate) until: Option<Time>,
    /// `wallet/op/rule/kind[/direction]` of the restriction that is placed, named or lifted.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The operation's own hold: its entry.
    Hold(usize),
    Monitor,
    Block(&'static str),
}

#[derive(Debug)]
struct Restriction {
    key: String,
    wallet: String,
    rule: &'static str,
    shape: Shape,
    /// Only on an address block.
    ip: Option<String>,
    /// The entry of the operation that placed it.
    placed_by: usize,
    from: Time,
    until: Option<Time>,
    lifters: &'static [&'static str],
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Restriction(usize),
    Pin(&'static str),
}

#[derive(Debug)]
struct Waiting {
    entry: usize,
    causes: Vec<Cause>,
}

/// What one window sees of an operation.
#[derive(Clone, Copy)]
struct Sample<'a> {
    at: Time,
    tiyn: i64,
    who: &'a str,
}

fn sample(op: &Op) -> Sample<'_> {
    Sample { at: op.at, tiyn: op.amount.unwrap_or(0), who: &op.wallet }
}

fn size(samples: &[Sample<'_>]) -> i128 {
    i128::try_from(samples.len()).expect("a small number")
}

fn total(samples: &[Sample<'_>]) -> i128 {
    samples.iter().map(|s| i128::from(s.tiyn)).sum()
}

fn wallets(samples: &[Sample<'_>]) -> i128 {
    let different: BTreeSet<&str> = samples.iter().map(|s| s.who).collect();
    i128::try_from(different.len()).expect("a small number")
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) fired: BTreeMap<&'static str, u64>,
    pub(crate) boundary: BTreeMap<&'static str, u64>,
    /// Verdicts, commands and the other things a decision can say.
    pub(crate) seen: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        for (rule, n) in &other.fired {
            *self.fired.entry(rule).or_default() += n;
        }
        for (rule, n) in &other.boundary {
            *self.boundary.entry(rule).or_default() += n;
        }
        for (what, n) in &other.seen {
            *self.seen.entry(what.clone()).or_default() += n;
        }
    }

    fn see(&mut self, what: String) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn see_answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Duplicate => self.see("duplicate".to_owned()),
            Answer::Conflict => self.see("conflicting duplicate".to_owned()),
            Answer::Decided(decided) => {
                self.see(format!("verdict {}", decided.verdict));
                for command in &decided.commands {
                    self.see(format!("command {}", command.kind));
                }
                if decided.late {
                    self.see("late".to_owned());
                }
                if !decided.degraded.is_empty() {
                    self.see("degraded".to_owned());
                }
            }
        }
    }
}

/// What the streams must bring about, each at least once.
pub(crate) const SEEN: [&str; 22] = [
    "duplicate",
    "conflicting duplicate",
    "late",
    "degraded",
    "verdict allow",
    "verdict challenge",
    "verdict hold",
    "verdict refuse",
    "command refuse",
    "command hold",
    "command challenge",
    "command monitor",
    "command block",
    "command lift",
    "command release",
    "command cancel",
    "command report",
    "pin asked again",
    "released by pin",
    "cancelled by order",
    "cancelled because blocked",
    "still waiting after a cause went",
];

pub(crate) struct Naive<'g> {
    geo: &'g GeoMap,
    fault: Option<Fault>,
    entries: Vec<Entry>,
    restrictions: Vec<Restriction>,
    waiting: Vec<Waiting>,
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
        Self { geo, fault, entries: Vec::new(), restrictions: Vec::new(), waiting: Vec::new(), tally: Tally::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn hit(&mut self, rule: &'static str, exact: bool) {
        if exact {
            *self.tally.boundary.entry(rule).or_default() += 1;
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        let answer = self.answer(op);
        self.tally.see_answer(&answer);
        answer
    }

    fn answer(&mut self, op: &Op) -> Answer {
        let newest = self.newest(&op.wallet);
        if let Some(first) = self.remembered(op, newest) {
            return if first == op { Answer::Duplicate } else { Answer::Conflict };
        }
        let late = newest.is_some_and(|newest| op.at < newest - LATENESS);
        let now = Now { op, newest, late };
        let stops = self.blocks_against(op);
        let monitors = self.monitors_of(op);
        let mut fired = self.money_rules(now);
        fired.extend(self.login_rules(now));
        fired.extend(self.support_rules(now));
        let refused = !stops.is_empty() || fired.contains(&LIMIT_IDENTIFIED) || fired.contains(&LIMIT_UNIDENTIFIED);
        if !refused {
            fired.extend(self.run_rules(now));
        }
        let suspicious = fired.iter().any(|rule| SUSPICIOUS.contains(rule));
        if self.repeated_suspicion(now, suspicious) {
            fired.push(REPEATED);
        }
        fired.sort_unstable();
        for &rule in &fired {
            *self.tally.fired.entry(rule).or_default() += 1;
        }
        self.entries.push(Entry { op: op.clone(), refused, cancelled: false, suspicious });
        let commands = self.act(op, refused, &stops, &monitors, &fired);
        let verdict = if refused {
            "refuse"
        } else if commands.iter().any(|c| c.kind == "hold") {
            "hold"
        } else if commands.iter().any(|c| c.kind == "challenge") {
            "challenge"
        } else {
            "allow"
        };
        let needs_mrp = op.kind.is_debit() && calendar::mrp(self.day(op.at)).is_none();
        Answer::Decided(Decided {
            verdict: verdict.to_owned(),
            late,
            matches: fired
                .iter()
                .map(|rule| {
                    let shadow = SHADOW.contains(rule);
                    let mode = if shadow { "shadow" } else { "enforce" };
                    ((*rule).to_owned(), mode.to_owned())
                })
                .collect(),
            degraded: needs_mrp.then(|| "mrp".to_owned()).into_iter().collect(),
            commands,
        })
    }

    // ---- the past ----

    /// The wallet's newest operation that was not refused.
    fn newest(&self, wallet: &str) -> Option<Time> {
        self.entries.iter().filter(|e| !e.refused && e.op.wallet == wallet).map(|e| e.op.at).max()
    }

    /// The operation of this id that arrived before, within the duplicate horizon.
    fn remembered(&self, op: &Op, newest: Option<Time>) -> Option<&Op> {
        self.entries
            .iter()
            .rev()
            .map(|e| &e.op)
            .find(|seen| seen.id == op.id && seen.wallet == op.wallet)
            .filter(|seen| newest.is_none_or(|newest| seen.at >= newest - HORIZON))
    }

    /// Is the operation in any window? Refused and cancelled ones are not.
    fn counts(&self, entry: &Entry) -> bool {
        !entry.cancelled && (!entry.refused || self.has(Fault::RefusedCounted))
    }

    fn day(&self, at: Time) -> i64 {
        if self.has(Fault::DayByUtc) { at.div_euclid(DAY) } else { calendar::day(at) }
    }

    /// Operations of this wallet near enough to share a window of this length with the current one,
    /// which is among them when it is `wanted` itself.
    fn own<'a>(&'a self, now: Now<'a>, span: Time, wanted: impl Fn(&Entry) -> bool, this_too: bool) -> Vec<Sample<'a>> {
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - span - LATENESS);
        let alone = now.late && self.has(Fault::LateJudgedAlone);
        let mut samples: Vec<Sample<'_>> = self
            .entries
            .iter()
            .filter(|e| (e.op.at - now.op.at).abs() <= span && e.op.at >= oldest && !alone)
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e) && wanted(e))
            .map(|e| sample(&e.op))
            .collect();
        if this_too {
            samples.push(sample(now.op));
        }
        samples
    }

    /// The same for a window that wallets share: `key` says which operations lie in it.
    fn shared<'a>(&'a self, now: Now<'a>, span: Time, key: impl Fn(&Op) -> bool) -> Vec<Sample<'a>> {
        let members = || self.entries.iter().filter(|e| key(&e.op));
        let newest = members().filter(|e| !e.refused).map(|e| e.op.at).max();
        let oldest = newest.map_or(Time::MIN, |newest| newest - span - LATENESS);
        let mut samples: Vec<Sample<'_>> = members()
            .filter(|e| (e.op.at - now.op.at).abs() <= span && e.op.at >= oldest)
            .filter(|e| self.counts(e))
            .map(|e| sample(&e.op))
            .collect();
        if key(now.op) {
            samples.push(sample(now.op));
        }
        samples
    }

    /// The largest value over all closed windows of this length that contain the current operation.
    fn fullest(&self, at: Time, span: Time, mut samples: Vec<Sample<'_>>, measure: fn(&[Sample<'_>]) -> i128) -> i128 {
        let open = Time::from(self.has(Fault::OpenWindow));
        let span = span - open;
        samples.sort_by_key(|s| s.at);
        let starts = samples.iter().map(|s| s.at).chain([at]);
        let mut best = 0;
        let mut previous = None;
        for start in starts.filter(|&start| start <= at && start >= at - span) {
            if previous == Some(start) {
                continue;
            }
            previous = Some(start);
            let first = samples.partition_point(|s| s.at < start);
            let last = samples.partition_point(|s| s.at <= start + span);
            best = best.max(measure(&samples[first..last]));
            if samples.last().is_none_or(|s| s.at <= start + span) {
                break;
            }
        }
        best
    }

    /// Operations of this wallet on the local day of the current one, without it.
    fn today<'a>(&'a self, now: Now<'a>, wanted: impl Fn(&Op) -> bool + 'a) -> impl Iterator<Item = &'a Op> + 'a {
        let day = self.day(now.op.at);
        let gone = now.newest.is_some_and(|newest| calendar::day_end(day) <= newest - LATENESS);
        let alone = now.late && self.has(Fault::LateJudgedAlone);
        self.entries
            .iter()
            .filter(move |e| !gone && !alone && e.op.wallet == now.op.wallet && self.counts(e))
            .map(|e| &e.op)
            .filter(move |op| wanted(op) && self.day(op.at) == day)
    }

    /// Time since the first of the chain of operations that the current one continues.
    fn age(&self, now: Now<'_>, wanted: impl Fn(&Op) -> bool) -> Time {
        const QUIET: Time = 30 * DAY;
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - QUIET - LATENESS);
        let mut times: Vec<Time> = self
            .entries
            .iter()
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e) && wanted(&e.op))
            .map(|e| e.op.at)
            .collect();
        times.sort_unstable();
        let living = times
            .chunk_by(|a, b| b - a <= QUIET)
            .filter(|chain| chain.last().is_some_and(|&last| last >= oldest))
            .flatten();
        let before: Vec<Time> = living.copied().filter(|&t| t <= now.op.at).collect();
        let mut first = now.op.at;
        for &time in before.iter().rev() {
            if first - time > QUIET {
                break;
            }
            first = time;
        }
        now.op.at - first
    }

    // ---- restrictions ----

    /// Not lifted, not gone by eviction, and not over for an operation at `at`.
    fn in_force(&self, restriction: &Restriction, at: Time) -> bool {
        let closed = Time::from(self.has(Fault::EndInstantBlocked));
        !restriction.ended
            && restriction.until.is_none_or(|until| at < until + closed && !self.gone(restriction, until))
    }

    fn gone(&self, restriction: &Restriction, until: Time) -> bool {
        match &restriction.ip {
            None => self.newest(&restriction.wallet).is_some_and(|newest| newest >= until + LATENESS),
            Some(ip) => self.entries[restriction.placed_by..].iter().any(|e| {
                e.op.kind == Kind::Login && !e.refused && e.op.ip.as_ref() == Some(ip) && e.op.at >= until + LATENESS
            }),
        }
    }

    /// The active blocks that refuse this operation.
    fn blocks_against(&mut self, op: &Op) -> Vec<usize> {
        let mut stops = Vec::new();
        let mut touched = Vec::new();
        for (index, r) in self.restrictions.iter().enumerate() {
            let Shape::Block(direction) = r.shape else {
                continue;
            };
            let own = r.wallet == op.wallet;
            let concerns = match direction {
                "login" => op.kind == Kind::Login && op.ip == r.ip,
                "debit" => own && op.kind.is_debit(),
                _ if own => op.kind.is_money(),
                _ => op.kind == Kind::Transfer && op.party.as_ref().and_then(|p| p.wallet.as_ref()) == Some(&r.wallet),
            };
            if !concerns || r.ended {
                continue;
            }
            if op.at == r.from || Some(op.at) == r.until {
                touched.push(r.rule);
            }
            if self.in_force(r, op.at) {
                stops.push(index);
            }
        }
        for rule in touched {
            self.hit(rule, true);
        }
        stops
    }

    /// The active monitorings that hold this debit.
    fn monitors_of(&mut self, op: &Op) -> Vec<usize> {
        if !op.kind.is_debit() {
            return Vec::new();
        }
        let active: Vec<usize> = (0..self.restrictions.len())
            .filter(|&index| {
                let r = &self.restrictions[index];
                r.shape == Shape::Monitor && r.wallet == op.wallet && self.in_force(r, op.at)
            })
            .collect();
        let dispute = active.iter().any(|&index| {
            let r = &self.restrictions[index];
            r.rule == OWNERSHIP && r.from == op.at
        });
        self.hit(OWNERSHIP, dispute);
        active
    }

    fn is_blocked(&self, wallet: &str, at: Time) -> bool {
        self.restrictions
            .iter()
            .any(|r| r.ip.is_none() && matches!(r.shape, Shape::Block(_)) && r.wallet == wallet && self.in_force(r, at))
    }

    // ---- rules ----

    fn more(&self, value: i128, bound: i128) -> bool {
        value > bound || (value == bound && self.has(Fault::StrictBecomesInclusive))
    }

    fn money_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        if op.kind.is_credit() {
            let amount = op.amount.expect("a credit has an amount");
            let gambling = op.purpose.as_deref() == Some("gambling_payout");
            let bound = 1_000_000 * KZT;
            self.hit(GAMBLING, gambling && (amount == bound || amount == bound - 1));
            if gambling && amount >= bound {
                fired.push(GAMBLING);
            }
        }
        if op.kind.is_debit() {
            fired.extend(self.debit_limits(now));
            fired.extend(self.flagged(op));
            fired.extend(self.mule(now));
        }
        if op.kind == Kind::Transfer {
            fired.extend(self.transfer_rules(now));
        }
        fired
    }

    fn debit_limits(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        let local = self.day(op.at);
        let Some(mrp) = calendar::mrp(local) else {
            return fired;
        };
        let amount = op.amount.expect("a debit has an amount");
        let identified = op.status.as_deref() == Some("identified");
        let registered = op.status.as_deref() != Some("unregistered");
        let spent: i64 = self.today(now, |o| o.kind.is_debit()).map(|o| o.amount.expect("a debit has an amount")).sum();
        let sum = i128::from(spent + amount);
        let confirmed = self.today(now, |o| o.kind == Kind::Pin && o.success == Some(true)).next().is_some();
        let exact = |value: i128, bound: i64| (0..=1).contains(&(value - i128::from(bound)));
        if registered && !confirmed {
            self.hit(DAILY, exact(sum, 100 * mrp));
            if self.more(sum, i128::from(100 * mrp)) {
                fired.push(DAILY);
            }
        }
        let (rule, limit) = if identified { (LIMIT_IDENTIFIED, 500 * mrp) } else { (LIMIT_UNIDENTIFIED, 100 * mrp) };
        self.hit(rule, exact(i128::from(amount), limit));
        if self.more(i128::from(amount), i128::from(limit)) {
            fired.push(rule);
        }
        if !identified && local >= calendar::day_number(2026, 3, 18) {
            self.hit(STATUTORY, exact(sum, 3 * mrp));
            if self.more(sum, i128::from(3 * mrp)) {
                fired.push(STATUTORY);
            }
        }
        fired
    }

    fn flagged(&mut self, op: &Op) -> Vec<&'static str> {
        let mut fired = Vec::new();
        let party = op.party.as_ref().expect("a debit has a counterparty");
        let on = |list: &[&str], value: &Option<String>| value.as_deref().is_some_and(|value| list.contains(&value));
        let near = on(&FLAGGED_ACCOUNTS, &party.phone) || on(&FLAGGED_PHONES, &party.account);
        self.hit(FLAGGED_PARTY, near);
        if on(&FLAGGED_WALLETS, &party.wallet)
            || on(&FLAGGED_ACCOUNTS, &party.account)
            || on(&FLAGGED_PHONES, &party.phone)
        {
            fired.push(FLAGGED_PARTY);
        }
        let listed = FLAGGED_WALLETS.contains(&op.wallet.as_str());
        self.hit(FLAGGED_WALLET, !listed && on(&FLAGGED_WALLETS, &party.wallet));
        if listed {
            fired.push(FLAGGED_WALLET);
        }
        fired
    }

    fn mule(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        let into =
            |o: &Op| o.kind == Kind::Transfer && o.party.as_ref().and_then(|p| p.wallet.as_ref()) == Some(&op.wallet);
        let came = self.shared(now, HOUR, into);
        let senders = self.fullest(op.at, HOUR, came.clone(), wallets);
        if senders < 4 {
            return None;
        }
        let income = self.fullest(op.at, HOUR, came, total);
        let debits = self.own(now, HOUR, |e| e.op.kind.is_debit(), true);
        let spent = self.fullest(op.at, HOUR, debits, total);
        let fires = senders >= 5 && 100 * spent >= 80 * income;
        self.hit(MULE, senders == 5 && 100 * spent == 80 * income);
        fires.then_some(MULE)
    }

    fn transfer_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        let amount = op.amount.expect("a transfer has an amount");
        if to_client(op) {
            let bound = 100_000 * KZT;
            self.hit(TRANSFER_OVER, amount == bound || amount == bound + 1);
            if self.more(i128::from(amount), i128::from(bound)) {
                fired.push(TRANSFER_OVER);
            }
            let same = |e: &Entry| to_client(&e.op) && e.op.amount == op.amount;
            let samples = self.own(now, HOUR, same, true);
            let edge = samples.iter().any(|s| s.at == op.at - HOUR);
            let count = self.fullest(op.at, HOUR, samples, size);
            self.hit(EQUAL, edge && count == 11);
            if self.more(count, 10) {
                fired.push(EQUAL);
            }
            let recipient = |o: &Op| o.party.as_ref().and_then(|p| p.wallet.clone());
            let range = 90_000 * KZT..=100_000 * KZT;
            let within = |o: &Op| {
                to_client(o)
                    && range.contains(&o.amount.expect("a transfer has an amount"))
                    && recipient(o) == recipient(op)
            };
            let samples = self.own(now, DAY, |e| within(&e.op), within(op));
            let edge = samples.iter().any(|s| s.at == op.at - DAY);
            let count = self.fullest(op.at, DAY, samples, size);
            let brim = amount == *range.start() || amount == *range.end() || edge;
            self.hit(STRUCTURING, count == 3 && brim);
            if count >= 3 {
                fired.push(STRUCTURING);
            }
        }
        if let Some(device) = &op.device
            && amount >= 50_000 * KZT
        {
            let chain = self.age(now, |o| o.device.as_ref() == Some(device));
            let whole = self.age(now, |_| true);
            let large = self.more(i128::from(amount), i128::from(50_000 * KZT));
            let brim = amount <= 50_000 * KZT + 1 || chain == DAY;
            self.hit(NEW_DEVICE, whole > DAY && chain <= DAY && brim);
            if large && chain <= DAY && whole > DAY {
                fired.push(NEW_DEVICE);
            }
        }
        fired
    }

    fn login_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        if op.kind != Kind::Login || op.success != Some(true) {
            return fired;
        }
        let geo = op.ip.as_deref().and_then(|ip| self.record(ip));
        if let Some(record) = geo {
            let bad = ["vpn", "public_proxy", "residential_proxy", "tor"];
            let fires = record.flags.iter().any(|flag| bad.contains(flag));
            self.hit(ANONYMIZER, !fires && !record.flags.is_empty());
            if fires {
                fired.push(ANONYMIZER);
            }
        }
        if let Some(country) = geo.and_then(|record| record.country)
            && let Some((last_at, last)) = self.last_login(now)
            && last != country
        {
            let span = 2 * HOUR;
            let elapsed = (op.at - last_at).abs();
            self.hit(COUNTRY, elapsed == span);
            if elapsed <= span - Time::from(self.has(Fault::OpenWindow)) {
                fired.push(COUNTRY);
            }
        }
        if let Some(device) = &op.device {
            let key = |o: &Op| o.kind == Kind::Login && o.success == Some(true) && o.device.as_ref() == Some(device);
            let samples = self.shared(now, DAY, key);
            let edge = samples.iter().any(|s| s.at == op.at - DAY);
            let count = self.fullest(op.at, DAY, samples, wallets);
            self.hit(DEVICE_WALLETS, edge && count == 4);
            if self.more(count, 3) {
                fired.push(DEVICE_WALLETS);
            }
        }
        fired
    }

    fn record(&self, ip: &str) -> Option<GeoRecord> {
        self.geo.iter().find(|record| record.address == ip).copied()
    }

    /// Time and country of the remembered login.
    fn last_login(&self, now: Now<'_>) -> Option<(Time, &'static str)> {
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - 2 * HOUR - LATENESS);
        if now.late && self.has(Fault::LateJudgedAlone) {
            return None;
        }
        self.entries
            .iter()
            .filter(|e| e.op.kind == Kind::Login && e.op.success == Some(true))
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e))
            .filter_map(|e| {
                let record = self.record(e.op.ip.as_deref()?)?;
                Some((e.op.at, record.country?))
            })
            .max_by_key(|(at, _)| *at)
            .filter(|(at, _)| *at >= oldest)
    }

    fn support_rules(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        match op.kind {
            Kind::WalletBlock => Some(VOLUNTARY),
            Kind::OwnershipDisputed => Some(OWNERSHIP),
            Kind::CashOutWrong => Some(CASH_OUT),
            Kind::FraudReported => Some(FRAUD),
            Kind::Tampering => Some(TAMPERING),
            Kind::DocumentsRefused => {
                let own =
                    |r: &&Restriction| r.wallet == op.wallet && r.ip.is_none() && !matches!(r.shape, Shape::Hold(_));
                let ends = |r: &Restriction| r.until == Some(op.at) && !r.ended;
                let exact = self.restrictions.iter().filter(own).any(ends);
                let active = self.restrictions.iter().filter(own).any(|r| self.in_force(r, op.at));
                self.hit(DOCUMENTS, exact);
                active.then_some(DOCUMENTS)
            }
            _ => None,
        }
    }

    /// Length of the run of failures with this one, and the time since the last of them.
    fn run(&self, now: Now<'_>) -> (u64, Option<Time>) {
        let mut length = 0;
        let mut last: Option<Time> = None;
        let attempts =
            self.entries.iter().filter(|e| e.op.kind == now.op.kind && e.op.wallet == now.op.wallet && self.counts(e));
        for attempt in attempts {
            if attempt.op.success == Some(true) {
                if !self.has(Fault::StreakSurvivesSuccess) {
                    (length, last) = (0, None);
                }
                continue;
            }
            let over = last.is_some_and(|last| attempt.op.at - last > DAY);
            length = if over { 1 } else { length + 1 };
            last = last.max(Some(attempt.op.at));
        }
        match last {
            Some(last) if now.op.at - last <= DAY => (length + 1, Some(now.op.at - last)),
            _ => (1, None),
        }
    }

    fn run_rules(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        if op.success != Some(false) {
            return None;
        }
        match op.kind {
            Kind::Login => {
                let (position, gap) = self.run(now);
                let captcha = position % 6 >= 3;
                self.hit(PASSWORD_CAPTCHA, captcha && gap == Some(DAY));
                if captcha {
                    return Some(PASSWORD_CAPTCHA);
                }
                (position % 6 == 0 && op.ip.is_some()).then_some(PASSWORD_BLOCK)
            }
            Kind::SecretAnswer => {
                let (position, gap) = self.run(now);
                self.hit(SECRET_CAPTCHA, position == 3 || gap == Some(DAY));
                (position >= 3).then_some(SECRET_CAPTCHA)
            }
            _ => None,
        }
    }

    /// The rule over matches: this operation and at least two others within 24 h.
    fn repeated_suspicion(&mut self, now: Now<'_>, suspicious: bool) -> bool {
        let op = now.op;
        if !suspicious || !(op.kind.is_debit() || op.kind == Kind::Login) {
            return false;
        }
        let samples = self.own(now, DAY, |e| e.suspicious, true);
        let edge = samples.iter().any(|s| s.at == op.at - DAY);
        let count = self.fullest(op.at, DAY, samples, size);
        self.hit(REPEATED, edge && count == 3);
        count >= 3
    }

    // ---- consequences ----

    fn act(
        &mut self,
        op: &Op,
        refused: bool,
        stops: &[usize],
        monitors: &[usize],
        fired: &[&'static str],
    ) -> Vec<Command> {
        let this = self.entries.len() - 1;
        let before = self.restrictions.len();
        let mut commands = Vec::new();
        let mut causes = Vec::new();
        for &index in stops {
            let r = &self.restrictions[index];
            commands.push(Command::new("refuse", r.rule, of_operation(&op.id)).named(r));
        }
        if !refused {
            for &index in monitors {
                let r = &self.restrictions[index];
                commands.push(Command::new("hold", r.rule, of_operation(&op.id)).placing(r));
                causes.push(Cause::Restriction(index));
            }
        }
        for &rule in fired.iter().filter(|rule| !SHADOW.contains(rule)) {
            self.consequences(rule, op, refused, &mut commands, &mut causes);
        }
        // A new monitoring becomes a further cause of whatever waits already.
        for index in before..self.restrictions.len() {
            if self.restrictions[index].shape == Shape::Monitor {
                for waiting in &mut self.waiting {
                    if self.entries[waiting.entry].op.wallet == op.wallet {
                        waiting.causes.push(Cause::Restriction(index));
                    }
                }
            }
        }
        if !causes.is_empty() {
            self.waiting.push(Waiting { entry: this, causes });
        }
        if !refused {
            self.built_in(op, before, fired.contains(&FRAUD), &mut commands);
        }
        self.in_order(&op.wallet, commands)
    }

    /// What one enforced rule that fired does.
    fn consequences(
        &mut self,
        rule: &'static str,
        op: &Op,
        refused: bool,
        commands: &mut Vec<Command>,
        causes: &mut Vec<Cause>,
    ) {
        let operation = of_operation(&op.id);
        let report = |to: &str| Command::new("report", rule, operation.clone()).detail(to);
        match rule {
            LIMIT_IDENTIFIED | LIMIT_UNIDENTIFIED => {
                commands.push(Command::new("refuse", rule, operation.clone()));
            }
            TRANSFER_OVER | FLAGGED_PARTY if !refused => {
                let hold = Shape::Hold(self.entries.len() - 1);
                let index = self.place(rule, op, hold, None, None, ALL_PROOFS);
                let r = &self.restrictions[index];
                commands.push(Command::new("hold", rule, operation.clone()).placing(r));
                causes.push(Cause::Restriction(index));
            }
            DAILY if !refused => {
                commands.push(Command::new("challenge", rule, operation.clone()).detail("pin"));
                causes.push(Cause::Pin(rule));
            }
            PASSWORD_CAPTCHA | SECRET_CAPTCHA => {
                let captcha = Command::new("challenge", rule, of_wallet(&op.wallet));
                commands.push(captcha.detail("captcha"));
            }
            EQUAL | ANONYMIZER | COUNTRY | FLAGGED_WALLET | OWNERSHIP => {
                self.monitor(rule, op, refused, commands, causes);
            }
            _ => {}
        }
        self.block(rule, op, commands);
        match rule {
            FLAGGED_PARTY | FLAGGED_WALLET => commands.push(report("antifraud_centre")),
            GAMBLING => commands.push(report("afm")),
            FRAUD if matches!(op.source.as_deref(), Some("issuer" | "payment_system")) => {
                let report = Command::new("report", rule, of_wallet(&op.wallet));
                commands.push(report.detail("issuer"));
            }
            _ => {}
        }
    }

    fn monitor(
        &mut self,
        rule: &'static str,
        op: &Op,
        refused: bool,
        commands: &mut Vec<Command>,
        causes: &mut Vec<Cause>,
    ) {
        let lifters = if rule == OWNERSHIP { &["identity_document", "mobile_contract"][..] } else { ALL_PROOFS };
        if self.outlasted(rule, op, Shape::Monitor, None, None) {
            return;
        }
        let index = self.place(rule, op, Shape::Monitor, None, None, lifters);
        let r = &self.restrictions[index];
        commands.push(Command::new("monitor", rule, of_wallet(&op.wallet)).placing(r));
        if op.kind.is_debit() && !refused {
            commands.push(Command::new("hold", rule, of_operation(&op.id)).placing(r));
            causes.push(Cause::Restriction(index));
        }
    }

    fn block(&mut self, rule: &'static str, op: &Op, commands: &mut Vec<Command>) {
        let (direction, until, lifters): (&'static str, _, &'static [&'static str]) = match rule {
            COUNTRY => ("debit", Some(op.at + 2 * HOUR), &ALL_PROOFS[1..]),
            PASSWORD_BLOCK => ("login", Some(op.at + DAY), &["support"]),
            VOLUNTARY => ("both", None, &["client"]),
            CASH_OUT => {
                ("debit", Some(calendar::plus_days(op.at, 30)), &["identity_document", "mobile_contract", "agreed"])
            }
            FRAUD => ("debit", Some(calendar::plus_months(op.at, 6)), &["identity_document"]),
            DOCUMENTS => ("debit", None, &["identity_document", "mobile_contract"]),
            TAMPERING => ("debit", None, &["agreed", "identity_document"]),
            _ => return,
        };
        let ip = op.ip.clone().filter(|_| rule == PASSWORD_BLOCK);
        let shape = Shape::Block(direction);
        if self.outlasted(rule, op, shape, ip.as_deref(), until) {
            return;
        }
        let subject = match &ip {
            Some(ip) => format!("ip:{ip}"),
            None => of_wallet(&op.wallet),
        };
        let index = self.place(rule, op, shape, ip, until, lifters);
        let r = &self.restrictions[index];
        commands.push(Command::new("block", rule, subject).detail(direction).placing(r));
    }

    /// Does an active restriction of the same rule, kind, direction and subject end no earlier?
    fn outlasted(&self, rule: &str, op: &Op, shape: Shape, ip: Option<&str>, until: Option<Time>) -> bool {
        self.restrictions.iter().any(|r| {
            let same_subject = match ip {
                Some(ip) => r.ip.as_deref() == Some(ip),
                None => r.ip.is_none() && r.wallet == op.wallet,
            };
            let ends_earlier = match (r.until, until) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(old), Some(new)) => old < new,
            };
            r.rule == rule && r.shape == shape && same_subject && self.in_force(r, op.at) && !ends_earlier
        })
    }

    fn place(
        &mut self,
        rule: &'static str,
        op: &Op,
        shape: Shape,
        ip: Option<String>,
        until: Option<Time>,
        lifters: &'static [&'static str],
    ) -> usize {
        let name = match shape {
            Shape::Hold(_) => "hold".to_owned(),
            Shape::Monitor => "monitor".to_owned(),
            Shape::Block(direction) => format!("block/{direction}"),
        };
        self.restrictions.push(Restriction {
            key: format!("{}/{}/{rule}/{name}", op.wallet, op.id),
            wallet: op.wallet.clone(),
            rule,
            shape,
            ip,
            placed_by: self.entries.len() - 1,
            from: op.at,
            until,
            lifters,
            ended: false,
        });
        self.restrictions.len() - 1
    }

    /// What the engine does without a rule: liftings, the PIN's answer, the ledger's cancellation.
    fn built_in(&mut self, op: &Op, before: usize, cancel_all: bool, commands: &mut Vec<Command>) {
        match op.kind {
            Kind::Pin => self.answer_pin(op, commands),
            Kind::Cancelled if !self.has(Fault::CancelIgnored) => self.forget(op),
            Kind::IdentityConfirmed => {
                let proof = op.proof.clone().expect("a confirmation has a proof");
                let too_much = self.has(Fault::LiftTooMuch);
                self.lift(op, before, commands, |r| {
                    r.ip.is_none() && r.wallet == op.wallet && (r.lifters.contains(&proof.as_str()) || too_much)
                });
            }
            Kind::WalletUnblock => self.lift(op, before, commands, |r| {
                r.ip.is_none() && r.wallet == op.wallet && r.lifters.contains(&"client")
            }),
            Kind::IpUnblock => {
                self.lift(op, before, commands, |r| r.ip.is_some() && r.ip == op.ip && r.lifters.contains(&"support"))
            }
            _ => {}
        }
        if cancel_all {
            let (mine, others) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|w| self.entries[w.entry].op.wallet == op.wallet);
            self.waiting = others;
            let mine: Vec<Waiting> = mine;
            for waiting in mine {
                self.end_own_holds(waiting.entry);
                let subject = of_operation(&self.entries[waiting.entry].op.id);
                commands.push(Command::new("cancel", FRAUD, subject));
            }
        }
    }

    fn answer_pin(&mut self, op: &Op, commands: &mut Vec<Command>) {
        let challenged = |naive: &Self, w: &Waiting| {
            let waiting = &naive.entries[w.entry].op;
            waiting.wallet == op.wallet && Some(&waiting.id) == op.reference.as_ref()
        };
        let pins: Vec<(usize, &'static str)> = self
            .waiting
            .iter()
            .filter(|w| challenged(self, w))
            .flat_map(|w| w.causes.iter().map(move |cause| (w.entry, cause)))
            .filter_map(|(entry, cause)| match cause {
                Cause::Pin(rule) => Some((entry, *rule)),
                Cause::Restriction(_) => None,
            })
            .collect();
        if op.success == Some(true) {
            let cleared: Vec<(usize, Cause, &'static str)> =
                pins.iter().map(|&(entry, rule)| (entry, Cause::Pin(rule), rule)).collect();
            self.clear(op, &cleared, commands);
        } else {
            for (entry, rule) in pins {
                self.tally.see("pin asked again".to_owned());
                let subject = of_operation(&self.entries[entry].op.id);
                commands.push(Command::new("challenge", rule, subject).detail("pin"));
            }
        }
    }

    /// The ledger says that an operation did not happen after all.
    fn forget(&mut self, op: &Op) {
        let found = self.entries.iter().rposition(|e| {
            e.op.wallet == op.wallet && Some(&e.op.id) == op.reference.as_ref() && e.op.kind.is_money() && !e.refused
        });
        if let Some(entry) = found {
            self.entries[entry].cancelled = true;
            self.waiting.retain(|w| w.entry != entry);
            self.end_own_holds(entry);
        }
    }

    fn end_own_holds(&mut self, entry: usize) {
        for r in &mut self.restrictions {
            if r.shape == Shape::Hold(entry) {
                r.ended = true;
            }
        }
    }

    fn lift(&mut self, op: &Op, before: usize, commands: &mut Vec<Command>, chosen: impl Fn(&Restriction) -> bool) {
        let lifted: Vec<usize> = (0..before)
            .filter(|&index| {
                let r = &self.restrictions[index];
                chosen(r) && self.in_force(r, op.at)
            })
            .collect();
        let mut cleared = Vec::new();
        for &index in &lifted {
            let r = &mut self.restrictions[index];
            r.ended = true;
            let subject = match (&r.ip, r.shape) {
                (Some(ip), _) => format!("ip:{ip}"),
                (None, Shape::Hold(entry)) => of_operation(&self.entries[entry].op.id),
                (None, _) => of_wallet(&r.wallet),
            };
            commands.push(Command::new("lift", r.rule, subject).named(r));
            let cause = Cause::Restriction(index);
            for w in self.waiting.iter().filter(|w| w.causes.contains(&cause)) {
                cleared.push((w.entry, cause, r.rule));
            }
        }
        self.clear(op, &cleared, commands);
    }

    /// Takes causes from waiting operations and lets go, or cancels, what waits no more.
    fn clear(&mut self, op: &Op, cleared: &[(usize, Cause, &'static str)], commands: &mut Vec<Command>) {
        let blocked = self.is_blocked(&op.wallet, op.at) && !self.has(Fault::ReleaseDespiteBlock);
        let mut done = Vec::new();
        for w in &mut self.waiting {
            let mine = || cleared.iter().filter(|(entry, ..)| *entry == w.entry);
            let Some(rule) = mine().map(|(.., rule)| *rule).min() else {
                continue;
            };
            w.causes.retain(|cause| !mine().any(|(_, gone, _)| gone == cause));
            let (kind, note) = if op.cancel {
                ("cancel", "cancelled by order")
            } else if !w.causes.is_empty() {
                self.tally.see("still waiting after a cause went".to_owned());
                continue;
            } else if blocked {
                ("cancel", "cancelled because blocked")
            } else if op.kind == Kind::Pin {
                ("release", "released by pin")
            } else {
                ("release", "released by a lifting")
            };
            self.tally.see(note.to_owned());
            let subject = of_operation(&self.entries[w.entry].op.id);
            commands.push(Command::new(kind, rule, subject));
            done.push(w.entry);
        }
        self.waiting.retain(|w| !done.contains(&w.entry));
        for entry in done {
            self.end_own_holds(entry);
        }
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

fn to_client(op: &Op) -> bool {
    op.kind == Kind::Transfer && op.party.as_ref().is_some_and(|p| p.kind == "client")
}
