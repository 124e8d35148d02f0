//! Holds the decisions of a fleet against those of one replay: equal byte for byte, or explained.
//!
//! Both streams are made again from what their decisions say they saw of other wallets (`derive.rs`), and what
//! the fleet saw must be something that it could see (`bounds.rs`). A decision may then differ from the replay's
//! because it saw other blocks, or because a rule fired on other values of a shared window; or, having seen the
//! same, because an earlier decision of its wallet differs. Anything else is an error.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use kuzet::engine::enrich::Enriched;
use kuzet::engine::shared::Party;
use kuzet::engine::window::Entry;
use kuzet::rules::program::{AggregateId, Function};
use serde_json::Value;

use super::bounds::{Bounds, Site};
use super::derive::{Again, Derivation, Lens, Seen, Witness, holds, is_of, party_of};

/// How many errors are told in words.
const TOLD_MAX: usize = 12;

/// One record as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) site: Site,
}

/// Decisions of a fleet, by shard in their order.
pub(crate) type Found = BTreeMap<i32, Vec<Vec<u8>>>;

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) decisions: usize,
    pub(crate) equal: usize,
    /// Decisions that differ, by cause, and how often each field of them differs.
    pub(crate) differing: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
    /// How many decisions showed something of other wallets.
    pub(crate) saw_others: usize,
    pub(crate) errors: usize,
    told: Vec<String>,
}

impl Report {
    fn error(&mut self, text: impl FnOnce() -> String) {
        self.errors += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(text());
        }
    }

    pub(crate) fn explained(&self) -> usize {
        self.differing.values().map(|(count, _)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9} decisions, {} of them show something of other wallets", self.decisions, self.saw_others)?;
        writeln!(f, "{:>9} equal to the replay's, byte for byte", self.equal)?;
        writeln!(f, "{:>9} explained", self.explained())?;
        for (cause, (count, fields)) in &self.differing {
            let fields: Vec<String> = fields.iter().map(|(field, count)| format!("{field} {count}")).collect();
            writeln!(f, "{count:>9}   {cause} ({})", fields.join(", "))?;
        }
        writeln!(f, "{:>9} not explained", self.errors)?;
        self.told.iter().try_for_each(|text| writeln!(f, "          {text}"))
    }
}

/// The decisions of a stream by shard, and how far each was read.
struct Cursor<'a> {
    found: BTreeMap<i32, (&'a [Vec<u8>], usize)>,
}

impl<'a> Cursor<'a> {
    fn new(found: &'a Found) -> Self {
        Self { found: found.iter().map(|(shard, decisions)| (*shard, (decisions.as_slice(), 0))).collect() }
    }

    /// Takes the shard's next decision if it is that of the operation.
    fn take(&mut self, shard: i32, enriched: Option<&Enriched<'_>>) -> Option<&'a [u8]> {
        let (decisions, next) = self.found.get_mut(&shard)?;
        let decision = decisions.get(*next)?;
        if !is_of(decision, enriched?) {
            return None;
        }
        *next += 1;
        Some(decision)
    }

    fn left(&self) -> impl Iterator<Item = (i32, &'a [u8])> {
        self.found.iter().filter_map(|(shard, (decisions, next))| Some((*shard, decisions.get(*next)?.as_slice())))
    }
}

/// Compares what a fleet decided with what a replay of the same records decided, in the order of the records.
pub(crate) fn compare(lens: &Lens, sent: &[Sent<'_>], found: &Found, replayed: &[Vec<u8>]) -> Report {
    let mut report = Report::default();
    let bounds = make_again(lens, sent, found, &mut report);
    let (mut ours, mut theirs) = (Cursor::new(found), Cursor { found: BTreeMap::from([(0, (replayed, 0))]) });
    let mut fleet = Derivation::new(lens, all(found));
    let mut replay = Derivation::new(lens, replayed.iter().map(Vec::as_slice));
    let mut differing_wallets = HashSet::new();
    for record in sent {
        let enriched = lens.enrich(record.bytes);
        let decisions = (ours.take(record.site.shard, enriched.as_ref()), theirs.take(0, enriched.as_ref()));
        if let (Some(enriched), Some(found)) = (&enriched, decisions.0) {
            check_seen(&bounds, (record.site, enriched), found, &mut fleet, &mut report);
        }
        let again = (fleet.step(record.bytes, decisions.0), replay.step(record.bytes, decisions.1));
        let (Ok(Some(fleet_again)), Ok(Some(replay_again))) = &again else { continue };
        if decisions.1 != Some(replay_again.bytes.as_slice()) {
            report.error(|| format!("the replay cannot be made again: {}", text(&replay_again.bytes)));
        }
        let (Some(found), Some(replayed)) = decisions else { continue };
        report.decisions += 1;
        report.saw_others += usize::from(fleet_again.witness != Witness::default());
        if found == replayed {
            report.equal += 1;
            continue;
        }
        let wallet = enriched.as_ref().map(|enriched| enriched.wallet).unwrap_or_default();
        let follows = differing_wallets.contains(&wallet);
        differing_wallets.insert(wallet);
        match cause(fleet_again, replay_again, enriched.as_ref(), follows) {
            Some(cause) => note_difference(&mut report, cause, found, replayed),
            None => report.error(|| format!("differs without a cause: {}\n          {}", text(found), text(replayed))),
        }
    }
    for (_, decision) in theirs.left() {
        report.error(|| format!("the replay's next decision is of no operation: {}", text(decision)));
    }
    report
}

/// Makes the fleet's stream again and collects what wallets saw of each other.
fn make_again(lens: &Lens, sent: &[Sent<'_>], found: &Found, report: &mut Report) -> Bounds {
    let mut bounds = Bounds::default();
    let mut ours = Cursor::new(found);
    let mut fleet = Derivation::new(lens, all(found));
    for record in sent {
        let enriched = lens.enrich(record.bytes);
        let decision = ours.take(record.site.shard, enriched.as_ref());
        match (fleet.step(record.bytes, decision), decision) {
            (Ok(Some(again)), Some(decision)) => {
                if again.bytes != decision {
                    report.error(|| format!("found {}\n      but got {}", text(decision), text(&again.bytes)));
                }
                bounds.add(record.site, again.shared);
            }
            (Ok(Some(again)), None) => {
                report.error(|| format!("not decided in its turn: {}", text(&again.bytes)));
                bounds.add(record.site, again.shared);
            }
            (Ok(None), Some(decision)) => {
                report.error(|| format!("decided, but it is a duplicate or refused: {}", text(decision)));
            }
            (Ok(None), None) => {}
            (Err(error), _) => report.error(|| error),
        }
    }
    for (shard, decision) in ours.left() {
        report.error(|| format!("the next decision of shard {shard} has no operation: {}", text(decision)));
    }
    bounds
}

/// Tells why a decision differs from the replay's, if it may.
fn cause(fleet: &Again, replay: &Again, enriched: Option<&Enriched<'_>>, follows: bool) -> Option<String> {
    let mut causes = Vec::new();
    if fleet.witness.blocks != replay.witness.blocks {
        causes.push(match enriched.and_then(party_of) {
            Some(Party::Wallet(_)) => "the block of another wallet".to_owned(),
            Some(Party::Address(_)) | None => "the block of an address".to_owned(),
        });
    }
    let (ours, theirs) = (&fleet.witness.shared, &replay.witness.shared);
    let rules: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for rule in rules {
        match (ours.get(rule), theirs.get(rule)) {
            (Some(ours), Some(theirs)) if ours == theirs => {}
            (Some(_), Some(_)) => causes.push(format!("a shared window of {rule} held other entries")),
            (Some(_), None) => causes.push(format!("{rule} fired on a shared window, in the replay it did not")),
            (None, _) => causes.push(format!("{rule} did not fire on a shared window, in the replay it did")),
        }
    }
    if causes.is_empty() && follows {
        causes.push("follows from an earlier difference of the same wallet".to_owned());
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}

fn note_difference(report: &mut Report, cause: String, found: &[u8], replayed: &[u8]) {
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let (found, replayed) = (parse(found), parse(replayed));
    let (count, fields) = report.differing.entry(cause).or_default();
    *count += 1;
    for (field, value) in found.as_object().into_iter().flatten() {
        if replayed[field] != *value {
            *fields.entry(field.clone()).or_default() += 1;
        }
    }
}

/// Holds what a decision shows of others against what it may have seen, and must have seen.
fn check_seen(
    bounds: &Bounds,
    (site, enriched): (Site, &Enriched<'_>),
    found: &[u8],
    fleet: &mut Derivation<'_>,
    report: &mut Report,
) {
    let Ok(witness) = fleet.witness(found) else { return };
    let plan = std::sync::Arc::clone(fleet.plan());
    let at = enriched.operation.occurred_at;
    let (must, may) = party_of(enriched).map(|party| bounds.blocks(&plan, party, (site, at))).unwrap_or_default();
    for id in &witness.blocks {
        if !may.contains(id) {
            report.error(|| format!("met the block {id}, which it cannot have met: {}", text(found)));
        }
    }
    for id in must {
        if !witness.blocks.contains(&id) {
            report.error(|| format!("did not meet the block {id}, which was there: {}", text(found)));
        }
    }
    let blocks: Vec<_> = witness.blocks.iter().copied().collect();
    let is_refused = holds(found, b"\"verdict\":\"refuse\"");
    let keys = fleet.keys(enriched);
    for (rule, windows) in fleet.lens().shared_rules() {
        let Some(keys) = windows.iter().map(|id| keys.get(id).copied()).collect::<Option<Vec<_>>>() else { continue };
        let own = bounds.own(site, &keys);
        let ranges: Vec<(AggregateId, (i128, i128))> = keys
            .iter()
            .map(|key| {
                let entry = own.iter().find(|(of, _)| of == key).map(|(_, entry)| *entry);
                // Of what was refused nothing entered, but it may have counted for itself.
                let assumed = || {
                    let function = plan.aggregates[key.aggregate].definition.function;
                    entry_of(enriched, function, site).filter(|_| is_refused)
                };
                let part = entry.map_or_else(|| (false, assumed()), |entry| (true, Some(entry)));
                (key.aggregate, bounds.values(&plan, *key, (site, at), part))
            })
            .collect();
        match witness.shared.get(rule) {
            Some(seen) => {
                for (id, (least, most)) in ranges {
                    let value = seen.get(&id).copied().unwrap_or_default();
                    if value < least || value > most {
                        report.error(|| format!("{rule}: saw {value}, possible is {least} to {most}: {}", text(found)));
                    }
                }
            }
            // Of what was refused its own part is not known, so neither what the rule read.
            None if !is_refused
                && ranges.iter().any(|(_, (least, _))| *least > 1)
                && corners(&ranges).iter().all(|seen| fleet.fires(enriched, &blocks, seen, rule)) =>
            {
                report.error(|| format!("{rule} must fire with windows of {ranges:?}: {}", text(found)));
            }
            None => {}
        }
    }
}

fn entry_of(enriched: &Enriched<'_>, function: Function, site: Site) -> Option<Entry> {
    let amount = enriched.operation.amount.map_or(0, kuzet::operation::Money::tiyn);
    let value = if function == Function::Sum { amount } else { enriched.wallet.cast_signed() };
    let op = u64::try_from(site.position).ok()?;
    Some(Entry { at: enriched.operation.occurred_at, op, value })
}

/// Lists every choice of least and greatest values.
fn corners(ranges: &[(AggregateId, (i128, i128))]) -> Vec<Seen> {
    let mut corners = vec![Seen::default()];
    for (id, (least, most)) in ranges {
        let mut values = vec![*least, *most];
        values.dedup();
        let with = |seen: &Seen, value: i128| seen.iter().map(|(id, v)| (*id, *v)).chain([(*id, value)]).collect();
        corners =
            corners.iter().flat_map(|seen| values.iter().map(|value| with(seen, *value)).collect::<Vec<_>>()).collect();
    }
    corners
}

fn all(found: &Found) -> impl Iterator<Item = &[u8]> {
    found.values().flatten().map(Vec::as_slice)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
