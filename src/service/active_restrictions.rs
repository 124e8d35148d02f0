//! The active restrictions of all wallets and addresses, oldest first: what people look at. Derived from
//! the wallets' records and the directory of address blocks, which stay the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use uuid::Uuid;

use crate::adapters::memory::MemoryStore;
use crate::engine::Engine;
use crate::engine::restriction::{Restriction, Waiting};
use crate::engine::shared::{Party, SharedChange};
use crate::engine::wallet::Wallet;
use crate::operation::decision::{Clauses, Command, CommandKind, Decision};
use crate::operation::{OperationType, Time};
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
    by_wallet: HashMap<Arc<str>, OfWallet>,
    by_address: HashMap<IpAddr, Vec<Place>>,
    oldest_waiting: BTreeMap<(Time, Arc<str>), ()>,
}

/// Where the entries of one wallet stand.
#[derive(Debug, Default)]
struct OfWallet {
    restrictions: Vec<Place>,
    own_holds: Vec<Place>,
    /// How many operations wait, the arrival of the last one, and since when the oldest waits.
    waiting: usize,
    last_arrival: Option<u64>,
    oldest: Option<Time>,
}

impl ActiveRestrictions {
    /// Makes the book of everything there is.
    #[must_use]
    pub fn of(engine: &Engine, shared: &MemoryStore) -> Self {
        let mut book = Self::default();
        book.add_wallets(engine);
        book.add_addresses(shared.blocks());
        book
    }

    /// Takes in the restrictions of all wallets of a shard.
    pub fn add_wallets(&mut self, engine: &Engine) {
        for wallet in engine.wallets().iter() {
            if !(wallet.restrictions().is_empty() && wallet.waiting().is_empty()) {
                self.replace(&wallet.id, Some(wallet));
            }
        }
    }

    /// Takes in what a decision on a wallet has changed; most change nothing. Costs as much as the decision changed
    /// and the wallet has restrictions, however many of its operations wait, unless some wait no longer.
    pub fn update(&mut self, decision: &Decision, wallet: Option<&Wallet>) {
        if !may_change(decision) {
            return;
        }
        let id = &*decision.wallet_id;
        let settles =
            |command: &Command| matches!(command.kind, CommandKind::Lift | CommandKind::Release | CommandKind::Cancel);
        let only_adds = !decision.commands.iter().any(settles);
        match (self.by_wallet.remove_entry(id), wallet) {
            (Some((id, known)), Some(wallet)) if only_adds && known.is_followed_by(wallet) => {
                self.follow(id, known, wallet);
            }
            (Some((id, known)), wallet) => {
                self.forget(&id, &known);
                self.replace(&id, wallet);
            }
            (None, wallet) => self.replace(id, wallet),
        }
    }

    /// Takes a wallet's restrictions in anew, whatever changed them.
    pub fn renew(&mut self, id: &str, wallet: Option<&Wallet>) {
        if let Some((id, known)) = self.by_wallet.remove_entry(id) {
            self.forget(&id, &known);
        }
        self.replace(id, wallet);
    }

    /// Adds the operation that waits since, and brings the restrictions up to date.
    fn follow(&mut self, id: Arc<str>, mut known: OfWallet, wallet: &Wallet) {
        if wallet.waiting().len() > known.waiting
            && let Some(waiting) = wallet.waiting().last()
        {
            let holds: Vec<Entry> = own_holds(waiting, &id).collect();
            known.own_holds.extend(self.add(holds));
            for place in &known.restrictions {
                let is_cause = waiting.holds.iter().any(|cause| cause.restriction == place.1);
                if let (true, Some(entry)) = (is_cause, self.entries.get_mut(place)) {
                    entry.waiting += 1;
                }
            }
            if known.oldest.is_none_or(|oldest| waiting.since < oldest) {
                self.forget_oldest(&id, &known);
                self.oldest_waiting.insert((waiting.since, Arc::clone(&id)), ());
                known.oldest = Some(waiting.since);
            }
            (known.waiting, known.last_arrival) = (wallet.waiting().len(), Some(waiting.arrival));
        }
        let is_there = |place: &Place| wallet.restrictions().iter().any(|restriction| restriction.id == place.1);
        let (stay, gone): (Vec<Place>, Vec<Place>) = known.restrictions.iter().partition(|place| is_there(place));
        gone.iter().for_each(|place| drop(self.entries.remove(place)));
        known.restrictions = stay;
        for restriction in wallet.restrictions() {
            let place = (restriction.from, restriction.id);
            if let Some(entry) = self.entries.get_mut(&place) {
                (entry.until, entry.fired_last) = (restriction.until, restriction.fired_last);
            } else {
                known.restrictions.extend(self.add([entry(restriction, Some(&id), wallet.waiting())]));
            }
        }
        self.by_wallet.insert(id, known);
    }

    /// Takes a wallet's restrictions in, of which the book has none.
    fn replace(&mut self, id: &str, wallet: Option<&Wallet>) {
        let Some(wallet) = wallet else { return };
        if wallet.restrictions().is_empty() && wallet.waiting().is_empty() {
            return;
        }
        let id: Arc<str> = id.into();
        let restrictions = wallet.restrictions().iter();
        let entries: Vec<Entry> =
            restrictions.map(|restriction| entry(restriction, Some(&id), wallet.waiting())).collect();
        let holds: Vec<Entry> = wallet.waiting().iter().flat_map(|waiting| own_holds(waiting, &id)).collect();
        let known = OfWallet {
            restrictions: self.add(entries),
            own_holds: self.add(holds),
            waiting: wallet.waiting().len(),
            last_arrival: wallet.waiting().last().map(|waiting| waiting.arrival),
            oldest: wallet.waiting().iter().map(|waiting| waiting.since).min(),
        };
        if let Some(since) = known.oldest {
            self.oldest_waiting.insert((since, Arc::clone(&id)), ());
        }
        self.by_wallet.insert(id, known);
    }

    fn add(&mut self, entries: impl IntoIterator<Item = Entry>) -> Vec<Place> {
        let mut places = Vec::new();
        for entry in entries {
            let place = (entry.from, entry.id);
            self.entries.insert(place, entry);
            places.push(place);
        }
        places
    }

    fn forget(&mut self, id: &Arc<str>, known: &OfWallet) {
        let places = known.restrictions.iter().chain(&known.own_holds);
        places.for_each(|place| drop(self.entries.remove(place)));
        self.forget_oldest(id, known);
    }

    fn forget_oldest(&mut self, id: &Arc<str>, known: &OfWallet) {
        if let Some(since) = known.oldest {
            self.oldest_waiting.remove(&(since, Arc::clone(id)));
        }
    }

    /// Takes the blocks of addresses in, of which the book has none.
    pub fn add_addresses(&mut self, blocks: impl IntoIterator<Item = (Party, Vec<Restriction>)>) {
        for (party, restrictions) in blocks {
            if let Party::Address(address) = party {
                let entries = restrictions.iter().map(|block| Entry { ip: Some(address), ..entry(block, None, &[]) });
                let places = self.add(entries.collect::<Vec<_>>());
                self.by_address.entry(address).or_default().extend(places);
            }
        }
    }

    /// Takes in the blocks of those addresses that changes concern; `blocks_of` returns all blocks of one.
    pub fn update_addresses<'c>(
        &mut self,
        changes: impl IntoIterator<Item = &'c SharedChange>,
        blocks_of: impl Fn(Party) -> Vec<Restriction>,
    ) {
        let parties: BTreeSet<Party> = changes.into_iter().filter_map(SharedChange::party).collect();
        for party in parties {
            if let Party::Address(address) = party {
                for place in self.by_address.remove(&address).unwrap_or_default() {
                    self.entries.remove(&place);
                }
                self.add_addresses([(party, blocks_of(party))].into_iter().filter(|(_, blocks)| !blocks.is_empty()));
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

/// The books of several workers, read as one. `B` leads to a book: a reference, or the guard of a lock.
#[derive(Debug)]
pub struct Books<B>(pub Vec<B>);

impl<B: Deref<Target = ActiveRestrictions>> Books<B> {
    /// Lists the restrictions in force for operations at `now`, oldest first.
    pub fn active(&self, now: Option<Time>) -> impl Iterator<Item = &Entry> {
        let mut books: Vec<_> = self.0.iter().map(|book| book.active(now).peekable()).collect();
        std::iter::from_fn(move || {
            let firsts = books.iter_mut().filter_map(|book| {
                let place = book.peek().map(|entry| (entry.from, entry.id))?;
                Some((place, book))
            });
            firsts.min_by_key(|(place, _)| *place).and_then(|(_, book)| book.next())
        })
    }

    /// Returns since when the operation waits that waits longest.
    #[must_use]
    pub fn oldest_waiting(&self) -> Option<Time> {
        self.0.iter().filter_map(|book| book.oldest_waiting()).min()
    }
}

impl OfWallet {
    /// Tells whether the wallet's waiting operations are those known, and at most one more.
    fn is_followed_by(&self, wallet: &Wallet) -> bool {
        let waiting = wallet.waiting();
        let before = match waiting.len().checked_sub(self.waiting) {
            Some(0) => waiting.last(),
            Some(1) => waiting.len().checked_sub(2).and_then(|position| waiting.get(position)),
            _ => return false,
        };
        before.map(|waiting| waiting.arrival) == self.last_arrival
    }
}

/// Tells whether a decision may have changed what is in the book of its wallet.
#[must_use]
pub fn may_change(decision: &Decision) -> bool {
    let is_plain = decision.commands.is_empty() && decision.matches.is_empty();
    !is_plain || decision.kind == OperationType::Cancelled
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
