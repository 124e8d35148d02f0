//! The active restrictions of all wallets and addresses, oldest first: what people look at. Derived from
//! the wallets' records and the directory of address blocks, which stay the truth.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::adapters::memory::MemoryStore;
use crate::engine::Engine;
use crate::engine::restriction::{Restriction, Waiting};
use crate::engine::shared::Party;
use crate::engine::wallet::Wallet;
use crate::operation::Time;
use crate::operation::decision::Clauses;
use crate::rules::program::Lifters;

/// One active restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: Uuid,
    /// `monitor`, `block`, or `hold` for the own hold of an operation that waits.
    pub kind: &'static str,
    /// `debit`, `both` or `login` of a block.
    pub direction: Option<&'static str>,
    pub wallet_id: Option<Arc<str>>,
    pub ip: Option<IpAddr>,
    pub op_id: Option<Box<str>>,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    pub from: Time,
    pub until: Option<Time>,
    pub lifted_by: Lifters,
    /// When its rule fired last, to place it, to extend it or again: what is proved before lifts nothing.
    pub fired_last: Time,
    /// How many operations wait because of it.
    pub waiting: usize,
}

/// Orders the entries: the oldest first, then by id, then by wallet (an operation's id is its wallet's).
type Place = (Time, Uuid);

/// The active restrictions.
#[derive(Debug, Default)]
pub struct ActiveRestrictions {
    entries: BTreeMap<Place, Entry>,
    by_wallet: HashMap<Arc<str>, Vec<Place>>,
    of_addresses: Vec<Place>,
    oldest_waiting: BTreeMap<(Time, Arc<str>), ()>,
    waiting_of: HashMap<Arc<str>, Time>,
}

impl ActiveRestrictions {
    /// Makes the book of everything there is.
    #[must_use]
    pub fn of(engine: &Engine, shared: &MemoryStore) -> Self {
        let mut book = Self::default();
        book.add_wallets(engine);
        book.update_addresses(shared.blocks());
        book
    }

    /// Takes in the restrictions of all wallets of a shard.
    pub fn add_wallets(&mut self, engine: &Engine) {
        for wallet in engine.wallets().iter() {
            if !(wallet.restrictions().is_empty() && wallet.waiting().is_empty()) {
                self.update(&wallet.id, Some(wallet));
            }
        }
    }

    /// Takes a wallet's restrictions in anew.
    pub fn update(&mut self, id: &str, wallet: Option<&Wallet>) {
        if let Some((_, places)) = self.by_wallet.remove_entry(id) {
            places.iter().for_each(|place| drop(self.entries.remove(place)));
        }
        if let Some((id, since)) = self.waiting_of.remove_entry(id) {
            self.oldest_waiting.remove(&(since, id));
        }
        let Some(wallet) = wallet else { return };
        let id: Arc<str> = id.into();
        let mut entries: Vec<Entry> =
            wallet.restrictions().iter().map(|restriction| entry(restriction, Some(&id), wallet.waiting())).collect();
        for waiting in wallet.waiting() {
            entries.extend(own_holds(waiting, &id));
        }
        if let Some(since) = wallet.waiting().iter().map(|waiting| waiting.since).min() {
            self.oldest_waiting.insert((since, Arc::clone(&id)), ());
            self.waiting_of.insert(Arc::clone(&id), since);
        }
        let places: Vec<Place> = entries.iter().map(|entry| (entry.from, entry.id)).collect();
        self.entries.extend(places.iter().copied().zip(entries));
        if !places.is_empty() {
            self.by_wallet.insert(id, places);
        }
    }

    /// Takes the blocks of addresses in anew.
    pub fn update_addresses(&mut self, blocks: Vec<(Party, Vec<Restriction>)>) {
        for place in std::mem::take(&mut self.of_addresses) {
            self.entries.remove(&place);
        }
        for (party, restrictions) in blocks {
            let Party::Address(address) = party else { continue };
            for restriction in restrictions {
                let place = (restriction.from, restriction.id);
                self.entries.insert(place, Entry { ip: Some(address), ..entry(&restriction, None, &[]) });
                self.of_addresses.push(place);
            }
        }
    }

    /// Lists the restrictions in force for operations at `now`, oldest first.
    pub fn active(&self, now: Option<Time>) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| match (entry.until, now) {
            (Some(until), Some(now)) => now < until,
            (None, _) | (_, None) => true,
        })
    }

    /// Returns since when the operation waits that waits longest.
    #[must_use]
    pub fn oldest_waiting(&self) -> Option<Time> {
        self.oldest_waiting.first_key_value().map(|((since, _), ())| *since)
    }
}

/// Writes a restriction into the book.
#[must_use]
pub fn entry(restriction: &Restriction, wallet_id: Option<&Arc<str>>, waiting: &[Waiting]) -> Entry {
    let direction = restriction.kind.direction();
    let is_cause = |waiting: &&Waiting| waiting.holds.iter().any(|cause| cause.restriction == restriction.id);
    Entry {
        id: restriction.id,
        kind: restriction.kind.name(),
        direction: (!direction.is_empty()).then_some(direction),
        wallet_id: wallet_id.cloned(),
        ip: None,
        op_id: None,
        rule: Arc::clone(&restriction.rule),
        clauses: Arc::clone(&restriction.clauses),
        from: restriction.from,
        until: restriction.until,
        lifted_by: restriction.lifted_by,
        fired_last: restriction.fired_last,
        waiting: waiting.iter().filter(is_cause).count(),
    }
}

/// Writes an operation's own holds into the book.
pub fn own_holds(waiting: &Waiting, wallet_id: &Arc<str>) -> impl Iterator<Item = Entry> {
    waiting.holds.iter().filter_map(move |cause| {
        Some(Entry {
            id: cause.restriction,
            kind: "hold",
            direction: None,
            wallet_id: Some(Arc::clone(wallet_id)),
            ip: None,
            op_id: Some(waiting.op_id.clone()),
            rule: Arc::clone(&cause.rule),
            clauses: Arc::clone(&cause.clauses),
            from: waiting.since,
            until: None,
            lifted_by: cause.own?,
            fired_last: waiting.since,
            waiting: 1,
        })
    })
}
