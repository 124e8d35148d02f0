//! Taking back what a rule placed: which restrictions can be lifted by support, by which event, without touching what
//! other rules placed; and which are kept, and why.
//!
//! No event of its own: a restriction of a wallet is lifted by `identity_confirmed` with a proof that it names, a hold
//! by one that names its operation, a block of an address by `ip_unblock_requested`. What only the client, a court or
//! an established fact may lift (7.20, 6.3.15, 7.24, 6.2.5) is never lifted so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::operation::{Proof, Time};
use crate::rules::program::{Lifter, Lifters};

use super::active_restrictions::Entry;

/// By which proof restrictions are taken back, the first that a restriction names. What the client agreed to comes
/// first; nobody has shown a document where a rule was wrong.
const PROOFS: [(Proof, Lifter); 5] = [
    (Proof::Agreed, Lifter::Agreed),
    (Proof::IdentityDocument, Lifter::IdentityDocument),
    (Proof::MobileContract, Lifter::MobileContract),
    (Proof::SecretAnswer, Lifter::SecretAnswer),
    (Proof::Pin, Lifter::Pin),
];

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub rule: String,
    /// Restrictions that began then or later.
    pub since: Time,
    /// When the events occur: what fired later they cannot lift.
    pub now: Time,
}

/// Whom or what an event speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `identity_confirmed` of a wallet; of one operation if it is named.
    Confirmed { wallet_id: Arc<str>, proof: Proof, op_id: Option<Box<str>> },
    /// `ip_unblock_requested`.
    AddressOpened { ip: IpAddr },
}

/// An event, and the restrictions of the rule that it lifts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub event: Event,
    pub lifts: Vec<Entry>,
}

/// Why a restriction of the rule is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It began before.
    PlacedBefore,
    /// Nobody whom it names is support with a proof of identity.
    NotBySupport(Lifters),
    /// Its rule fired after the time of the events.
    FiredLater(Time),
    /// Whatever lifts it lifts a restriction of another rule, or one of the same rule that is kept.
    Together(Arc<str>),
    /// An operation that waits would be cancelled.
    Cancels(Box<str>),
    /// The wallet has changed while it was looked at.
    Changed,
}

impl Why {
    /// Returns the word for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PlacedBefore => "placed_before",
            Self::NotBySupport(_) => "not_by_support",
            Self::FiredLater(_) => "fired_later",
            Self::Together(_) => "together",
            Self::Cancels(_) => "cancels",
            Self::Changed => "changed",
        }
    }

    /// Says it in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::PlacedBefore => "it began before the time that was asked for".to_owned(),
            Self::NotBySupport(lifters) => {
                let names: Vec<&str> = lifters.iter().map(Lifter::name).collect();
                format!("only {} may lift it, case by case", names.join(" or "))
            }
            Self::FiredLater(at) => format!("its rule fired at {at}, after the time of the events"),
            Self::Together(rule) => format!("what lifts it would also lift a restriction of the rule {rule}"),
            Self::Cancels(op_id) => format!("the operation {op_id}, which waits, would be cancelled by it"),
            Self::Changed => "the wallet changed while it was looked at".to_owned(),
        }
    }
}

/// What can be taken back, and what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// By wallet, then by address.
    pub steps: Vec<Step>,
    pub kept: Vec<(Entry, Why)>,
}

/// Lays out what is to be done, of all active restrictions.
pub fn plan<'e>(active: impl Iterator<Item = &'e Entry>, asked: &Asked) -> Plan {
    let (mut wallets, mut addresses) = (BTreeMap::<&str, Vec<&Entry>>::new(), BTreeMap::<IpAddr, Vec<&Entry>>::new());
    // What has ended by the time of the events is not there to be lifted.
    let lasts = |entry: &&Entry| entry.until.is_none_or(|until| asked.now < until);
    for entry in active.filter(lasts) {
        match (&entry.wallet_id, entry.ip) {
            (Some(id), _) => wallets.entry(id).or_default().push(entry),
            (None, Some(ip)) => addresses.entry(ip).or_default().push(entry),
            (None, None) => {}
        }
    }
    let concerns = |entries: &&Vec<&Entry>| entries.iter().any(|entry| *entry.rule == *asked.rule);
    let mut plan = Plan::default();
    wallets.values().filter(concerns).for_each(|entries| plan.add_wallet(entries, asked));
    addresses.iter().filter(|(_, entries)| concerns(entries)).for_each(|(ip, entries)| {
        plan.add_address(*ip, entries, asked);
    });
    plan
}

impl Plan {
    /// Takes out what is to be lifted of these, and keeps the rest of the rule's.
    fn targets<'e>(&mut self, entries: &[&'e Entry], asked: &Asked, lifters: Lifters) -> Vec<&'e Entry> {
        let mut targets = Vec::new();
        for entry in entries.iter().filter(|entry| *entry.rule == *asked.rule) {
            let why = if entry.from < asked.since {
                Why::PlacedBefore
            } else if entry.lifted_by.0 & lifters.0 == 0 {
                Why::NotBySupport(entry.lifted_by)
            } else if entry.fired_last > asked.now {
                Why::FiredLater(entry.fired_last)
            } else {
                targets.push(*entry);
                continue;
            };
            self.kept.push(((*entry).clone(), why));
        }
        targets
    }

    fn add_wallet(&mut self, entries: &[&Entry], asked: &Asked) {
        let all = PROOFS.iter().fold(Lifters::default(), |all, (_, lifter)| all.with(*lifter));
        let mut left = self.targets(entries, asked, all);
        let aimed: BTreeSet<_> = left.iter().map(|entry| entry.id).collect();
        let others: Vec<&Entry> = entries.iter().copied().filter(|entry| !aimed.contains(&entry.id)).collect();
        // What holds the whole wallet first: with it go the holds that the same proof lifts.
        for (proof, lifter) in PROOFS {
            let yields = |entry: &&Entry| entry.lifted_by.contains(lifter);
            let is_hurt = others.iter().any(|other| yields(other) && other.fired_last <= asked.now);
            if is_hurt || !left.iter().any(|entry| entry.op_id.is_none() && yields(entry)) {
                continue;
            }
            let (lifted, rest): (Vec<&Entry>, Vec<&Entry>) = left.into_iter().partition(yields);
            left = rest;
            self.add_confirmed(&lifted, proof, None);
        }
        for entry in left {
            let hurt = |lifter: Lifter| {
                let counts = |other: &&&Entry| {
                    // A hold of another operation is not touched where one is named.
                    let is_near = entry.op_id.is_none() || other.op_id.is_none() || other.op_id == entry.op_id;
                    is_near && other.lifted_by.contains(lifter) && other.fired_last <= asked.now
                };
                others.iter().find(counts).map(|other| Arc::clone(&other.rule))
            };
            let mut proofs = PROOFS.iter().filter(|(_, lifter)| entry.lifted_by.contains(*lifter));
            match (&entry.op_id, proofs.clone().find(|(_, lifter)| hurt(*lifter).is_none())) {
                (Some(op_id), Some((proof, _))) => self.add_confirmed(&[entry], *proof, Some(op_id.clone())),
                _ => {
                    let rule = proofs.find_map(|(_, lifter)| hurt(*lifter)).unwrap_or_else(|| Arc::clone(&entry.rule));
                    self.kept.push((entry.clone(), Why::Together(rule)));
                }
            }
        }
    }

    fn add_confirmed(&mut self, lifted: &[&Entry], proof: Proof, op_id: Option<Box<str>>) {
        let Some(wallet_id) = lifted.first().and_then(|entry| entry.wallet_id.clone()) else { return };
        let event = Event::Confirmed { wallet_id, proof, op_id };
        self.steps.push(Step { event, lifts: lifted.iter().copied().cloned().collect() });
    }

    /// All active blocks of an address go together.
    fn add_address(&mut self, ip: IpAddr, entries: &[&Entry], asked: &Asked) {
        let targets = self.targets(entries, asked, Lifters::default().with(Lifter::Support));
        let is_target = |entry: &&Entry| targets.iter().any(|target| target.id == entry.id);
        let other = entries.iter().find(|entry| !is_target(entry) && entry.fired_last <= asked.now);
        match other {
            Some(other) => {
                let why = Why::Together(Arc::clone(&other.rule));
                self.kept.extend(targets.into_iter().map(|entry| (entry.clone(), why.clone())));
            }
            None if targets.is_empty() => {}
            None => {
                let lifts = targets.into_iter().cloned().collect();
                self.steps.push(Step { event: Event::AddressOpened { ip }, lifts });
            }
        }
    }

    /// Returns how many restrictions can be lifted.
    #[must_use]
    pub fn lifted(&self) -> usize {
        self.steps.iter().map(|step| step.lifts.len()).sum()
    }

    /// Keeps what a step would have lifted.
    pub fn keep(&mut self, step: Step, why: &Why) {
        self.kept.extend(step.lifts.into_iter().map(|entry| (entry, why.clone())));
    }

    /// Names what can be lifted: two plans of the same name lift the same by the same rules.
    #[must_use]
    pub fn state(&self, ruleset: &str) -> String {
        let mut ids: Vec<String> =
            self.steps.iter().flat_map(|step| &step.lifts).map(|entry| entry.id.to_string()).collect();
        ids.sort_unstable();
        let hash = xxhash_rust::xxh3::xxh3_128(format!("{ruleset}/{}", ids.join(",")).as_bytes());
        format!("{hash:032x}")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::operation::time::MINUTE;

    fn at(minute: i64) -> Time {
        Time::ACCEPTED_FROM.plus(minute * MINUTE)
    }

    fn asked() -> Asked {
        Asked { rule: "bad".to_owned(), since: at(10), now: at(100) }
    }

    fn of(rule: &str, kind: &'static str, op_id: Option<&str>, from: i64, lifters: &[Lifter]) -> Entry {
        let lifted_by = lifters.iter().fold(Lifters::default(), |all, lifter| all.with(*lifter));
        Entry {
            id: Uuid::new_v4(),
            kind,
            direction: None,
            wallet_id: Some("w1".into()),
            ip: None,
            op_id: op_id.map(Into::into),
            rule: rule.into(),
            clauses: Arc::new([]),
            from: at(from),
            until: None,
            lifted_by,
            fired_last: at(from),
            waiting: 0,
        }
    }

    /// The proof and the operation of an event, and how many restrictions it lifts.
    type PlannedEvent = (Option<Proof>, Option<String>, usize);

    fn planned(entries: &[Entry]) -> (Vec<PlannedEvent>, Vec<&'static str>) {
        let plan = plan(entries.iter(), &asked());
        let steps = plan.steps.iter().map(|step| match &step.event {
            Event::Confirmed { proof, op_id, .. } => {
                (Some(*proof), op_id.as_deref().map(str::to_owned), step.lifts.len())
            }
            Event::AddressOpened { .. } => (None, None, step.lifts.len()),
        });
        (steps.collect(), plan.kept.iter().map(|(_, why)| why.name()).collect())
    }

    const ANY: &[Lifter] =
        &[Lifter::Pin, Lifter::SecretAnswer, Lifter::IdentityDocument, Lifter::MobileContract, Lifter::Agreed];

    #[test]
    fn what_holds_the_wallet_goes_by_one_event_with_the_holds() {
        let entries = [
            of("bad", "monitor", None, 10, ANY),
            of("bad", "block", None, 11, &ANY[1..]),
            of("bad", "hold", Some("a"), 12, ANY),
        ];
        assert_eq!(planned(&entries), (vec![(Some(Proof::Agreed), None, 3)], vec![]));
    }

    #[test]
    fn single_holds_go_by_their_operations() {
        let entries = [of("bad", "hold", Some("a"), 10, ANY), of("bad", "hold", Some("b"), 10, ANY)];
        let expected =
            vec![(Some(Proof::Agreed), Some("a".to_owned()), 1), (Some(Proof::Agreed), Some("b".to_owned()), 1)];
        assert_eq!(planned(&entries), (expected, vec![]));
    }

    #[test]
    fn what_other_rules_placed_is_not_touched() {
        // Another proof lifts only what is meant.
        let entries =
            [of("bad", "monitor", None, 10, ANY), of("good", "monitor", None, 5, &[Lifter::Agreed, Lifter::Pin])];
        assert_eq!(planned(&entries), (vec![(Some(Proof::IdentityDocument), None, 1)], vec![]));
        // None does.
        let entries = [of("bad", "monitor", None, 10, ANY), of("good", "hold", Some("a"), 5, ANY)];
        assert_eq!(planned(&entries), (vec![], vec!["together"]));
        // A hold of another operation stays where one is named; a monitoring would not keep this one.
        let entries = [of("bad", "hold", Some("a"), 10, ANY), of("good", "hold", Some("b"), 5, ANY)];
        assert_eq!(planned(&entries).0.len(), 1);
        let entries = [of("bad", "hold", Some("a"), 10, ANY), of("good", "monitor", None, 5, ANY)];
        assert_eq!(planned(&entries), (vec![], vec!["together"]));
    }

    #[test]
    fn what_was_before_fired_later_or_is_not_supports_is_kept() {
        for lifters in [&[Lifter::Client][..], &[Lifter::Court], &[Lifter::FactsEstablished, Lifter::Explanations]] {
            assert_eq!(planned(&[of("bad", "block", None, 10, lifters)]), (vec![], vec!["not_by_support"]));
        }
        assert_eq!(planned(&[of("bad", "hold", Some("a"), 9, ANY)]), (vec![], vec!["placed_before"]));
        assert_eq!(planned(&[of("bad", "hold", Some("a"), 101, ANY)]), (vec![], vec!["fired_later"]));
        // The same rule's earlier monitoring would go with the later block.
        let entries = [of("bad", "monitor", None, 9, ANY), of("bad", "block", None, 10, ANY)];
        assert_eq!(planned(&entries), (vec![], vec!["placed_before", "together"]));
    }

    #[test]
    fn an_address_is_opened_if_nobody_else_closed_it() {
        let address = |rule: &str| Entry {
            wallet_id: None,
            ip: Some("203.0.113.7".parse().expect("an address")),
            ..of(rule, "block", None, 10, &[Lifter::Support])
        };
        assert_eq!(planned(&[address("bad")]), (vec![(None, None, 1)], vec![]));
        assert_eq!(planned(&[address("bad"), address("good")]), (vec![], vec!["together"]));
        let both = [address("bad"), of("bad", "monitor", None, 10, ANY)];
        let plan = plan(both.iter(), &asked());
        assert_eq!((plan.lifted(), plan.steps.len()), (2, 2));
        assert_eq!(plan.state("r"), plan.clone().state("r"));
        assert_ne!(plan.state("r"), Plan::default().state("r"));
    }
}
