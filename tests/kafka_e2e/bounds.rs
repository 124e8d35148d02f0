//! What an operation may have seen of other wallets, and what it must have seen.
//!
//! Operations are sent in waves; a wave begins when the one before it is decided and Redis has all of it. So
//! an operation must have seen what earlier waves changed, and what its own shard changed before it; of the
//! rest of its own wave it may have seen anything.

use std::collections::HashMap;

use kuzet::engine::plan::Plan;
use kuzet::engine::restriction::Restriction;
use kuzet::engine::shared::{Party, SharedChange, SharedKey};
use kuzet::engine::window::Entry;
use kuzet::operation::Time;
use kuzet::operation::time::Nanos;
use kuzet::rules::program::{Function, Window};
use uuid::Uuid;

/// Where an operation stands among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) wave: u32,
    pub(crate) shard: i32,
    /// Its place in the file.
    pub(crate) position: usize,
}

impl Site {
    /// Tells whether what this operation changed was there for `reader`, whatever the speed of each shard.
    const fn is_before(self, reader: Self) -> bool {
        (self.shard == reader.shard && self.position < reader.position) || self.wave < reader.wave
    }

    /// Tells whether it may have been there.
    const fn may_be_before(self, reader: Self) -> bool {
        self.is_before(reader) || (self.shard != reader.shard && self.wave == reader.wave)
    }
}

/// All changes to what wallets see of each other.
#[derive(Default)]
pub(crate) struct Bounds {
    entered: HashMap<SharedKey, Vec<(Site, Entry)>>,
    left: HashMap<(SharedKey, u64), Vec<Site>>,
    placed: HashMap<Party, Vec<(Site, Restriction)>>,
    lifted: HashMap<Uuid, Vec<Site>>,
    /// Logins from addresses: at a late one blocks that have ended go.
    logins: HashMap<Party, Vec<(Site, Time)>>,
}

impl Bounds {
    pub(crate) fn add(&mut self, site: Site, changes: Vec<SharedChange>) {
        for change in changes {
            match change {
                SharedChange::Insert { key, entry } => self.entered.entry(key).or_default().push((site, entry)),
                SharedChange::Remove { key, entry } => self.left.entry((key, entry.op)).or_default().push(site),
                SharedChange::Place { party, restriction } => {
                    self.placed.entry(party).or_default().push((site, *restriction));
                }
                SharedChange::Lift { restriction, .. } => self.lifted.entry(restriction).or_default().push(site),
                SharedChange::Seen { party, at } => self.logins.entry(party).or_default().push((site, at)),
                // Every record of a fleet has an arrival time, so that none lies ahead.
                SharedChange::Ahead(change) => self.add(site, vec![*change]),
                SharedChange::Run { .. } | SharedChange::Text { .. } => {
                    panic!("the checker does not know shared runs and texts")
                }
            }
        }
    }

    /// Returns what the operation at a site entered under these keys.
    pub(crate) fn own(&self, site: Site, keys: &[SharedKey]) -> Vec<(SharedKey, Entry)> {
        let of_key = |key: &SharedKey| {
            let entries = self.entered.get(key)?;
            // They lie in the order of the file.
            let found = entries.binary_search_by_key(&site.position, |(site, _)| site.position).ok()?;
            Some((*key, entries[found].1))
        };
        keys.iter().filter_map(of_key).collect()
    }

    /// Returns the least and the greatest value that an operation at `at` may have read in a window. `own` tells
    /// whether its own entry counts, where that is known.
    pub(crate) fn values(
        &self,
        plan: &Plan,
        key: SharedKey,
        (reader, at): (Site, Time),
        own: (bool, Option<Entry>),
    ) -> (i128, i128) {
        let aggregate = &plan.aggregates[key.aggregate];
        let Window::Within(length) = aggregate.definition.window else {
            panic!("the checker does not know shared windows like {}", aggregate.definition.canonical)
        };
        let all = self.entered.get(&key).map(Vec::as_slice).unwrap_or_default();
        let known = all.iter().filter(|(site, _)| site.may_be_before(reader));
        // The key's newest entry decides what is still kept; it may come from a shard that is far ahead.
        let newest = known.clone().map(|(_, entry)| entry.at).max().unwrap_or(Time::MIN);
        let kept_from = newest.minus(aggregate.retention);
        let is_near = |entry: &Entry| entry.at.is_within(length, at);
        let gone = |entry: &Entry, is_gone: &dyn Fn(Site) -> bool| {
            self.left.get(&(key, entry.op)).is_some_and(|sites| sites.iter().any(|site| is_gone(*site)))
        };
        let (mut least, mut most) = (Vec::new(), Vec::new());
        for (site, entry) in known.filter(|(_, entry)| is_near(entry)) {
            let (certain, possible) = (|site: Site| site.is_before(reader), |site: Site| site.may_be_before(reader));
            if site.is_before(reader) && entry.at >= kept_from && !gone(entry, &possible) {
                least.push(*entry);
            }
            if !gone(entry, &certain) {
                most.push(*entry);
            }
        }
        let (is_own_known, entry) = own;
        most.extend(entry);
        least.extend(entry.filter(|_| is_own_known));
        let function = aggregate.definition.function;
        (fullest(function, &least, at, length), fullest(function, &most, at, length))
    }

    /// Returns the blocks of a party that an operation at `at` must have met, and those that it may have met.
    pub(crate) fn blocks(&self, plan: &Plan, party: Party, (reader, at): (Site, Time)) -> (Vec<Uuid>, Vec<Uuid>) {
        let (mut must, mut may) = (Vec::new(), Vec::new());
        let lateness = plan.settings.lateness;
        for (site, block) in self.placed.get(&party).into_iter().flatten() {
            if !block.covers(at) || !site.may_be_before(reader) {
                continue;
            }
            let lifts = self.lifted.get(&block.id).map(Vec::as_slice).unwrap_or_default();
            let logins = self.logins.get(&party).map(Vec::as_slice).unwrap_or_default();
            let ended = |is_seen: &dyn Fn(Site) -> bool| {
                lifts.iter().any(|site| is_seen(*site))
                    || logins.iter().any(|(site, at)| is_seen(*site) && block.is_gone(*at, lateness))
            };
            if site.is_before(reader) && !ended(&|site| site.may_be_before(reader)) {
                must.push(block.id);
            }
            if !ended(&|site| site.is_before(reader)) {
                may.push(block.id);
            }
        }
        (must, may)
    }
}

/// The definition, word by word: the greatest value over all windows of the length that hold `at`.
fn fullest(function: Function, entries: &[Entry], at: Time, length: Nanos) -> i128 {
    let ends = entries.iter().map(|entry| entry.at).filter(|end| *end > at && *end <= at.plus(length));
    let value = |end: Time| {
        let inside = entries.iter().filter(|entry| entry.at <= end && entry.at >= end.minus(length));
        match function {
            Function::Sum => inside.map(|entry| i128::from(entry.value)).sum(),
            Function::Distinct => {
                let values: std::collections::BTreeSet<i64> = inside.map(|entry| entry.value).collect();
                i128::try_from(values.len()).expect("a few values")
            }
            _ => i128::try_from(inside.count()).expect("a few entries"),
        }
    };
    ends.chain([at]).map(value).max().unwrap_or(0)
}
