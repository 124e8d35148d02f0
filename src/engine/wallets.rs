//! All wallets of a shard, found by id. Split into many small tables so that none ever stalls the
//! stream while it grows.

use std::cell::Cell;

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;
use smallvec::SmallVec;

use crate::operation::Time;
use crate::rules::program::symbol_of_text;

use super::plan::Plan;
use super::stored::{GROUPS, Translation};
use super::wallet::Wallet;

/// A power of two: so many tables, each grows on its own.
const TABLES: usize = 4_096;

/// Fewer wallets than this are kept whatever they do: forgetting them would gain nothing.
const KEPT: usize = if cfg!(test) { 64 } else { 65_536 };

/// How many tables are looked through at a time for wallets to forget.
const SWEPT_TABLES: usize = if cfg!(test) { TABLES } else { 2 };

/// How many records are approached together without taking memory for it.
const APPROACHED: usize = 64;

/// The wallets of a shard.
#[derive(Debug)]
pub struct Wallets {
    tables: Vec<Table>,
    /// Where the last wallet was found: deciding reads it, applying writes it.
    recent: Cell<(u64, usize)>,
    /// The table that is looked through next for wallets to forget.
    next_swept: usize,
}

#[derive(Debug, Default)]
struct Table {
    /// Where each wallet lies in `wallets`.
    places: HashTable<Place>,
    wallets: Vec<Wallet>,
}

/// A wallet's symbol and position. Both lie in the table itself: looking anywhere else is one more wait for
/// memory. In halves, so that a place takes 12 bytes.
#[derive(Debug, Clone, Copy)]
struct Place {
    symbol: [u32; 2],
    position: u32,
}

impl Place {
    fn new(symbol: u64, position: u32) -> Self {
        let half = |shift| u32::try_from(symbol >> shift & u64::from(u32::MAX)).unwrap_or(0);
        Self { symbol: [half(0), half(32)], position }
    }

    const fn symbol(self) -> u64 {
        self.symbol[0] as u64 | (self.symbol[1] as u64) << 32
    }
}

impl Default for Wallets {
    fn default() -> Self {
        Self {
            tables: (0..TABLES).map(|_| Table::default()).collect(),
            recent: Cell::new((0, usize::MAX)),
            next_swept: 0,
        }
    }
}

impl Table {
    /// Finds a wallet's position. Others are told apart by their symbols, nearly always.
    fn position(&self, symbol: u64, id: &str) -> Option<usize> {
        let is_it = |place: &Place| place.symbol() == symbol && *self.wallets[place.position as usize].id == *id;
        self.places.find(symbol, is_it).map(|place| place.position as usize)
    }
}

impl Table {
    /// Drops the wallets that have not acted since `before` and are in no restriction.
    fn forget_idle(&mut self, plan: &Plan, before: Time) {
        let Self { places, wallets } = self;
        let mut position = 0;
        while position < wallets.len() {
            if !wallets[position].is_idle(plan, before) {
                position += 1;
                continue;
            }
            let last = wallets.len() - 1;
            if let Some(place) = place_at(places, &wallets[position].id, position) {
                place.remove();
            }
            if position != last
                && let Some(mut moved) = place_at(places, &wallets[last].id, last)
            {
                moved.get_mut().position = u32::try_from(position).unwrap_or(u32::MAX);
            }
            wallets.swap_remove(position);
        }
    }
}

fn place_at<'p>(places: &'p mut HashTable<Place>, id: &str, position: usize) -> Option<OccupiedEntry<'p, Place>> {
    places.find_entry(symbol_of_text(id), |place| place.position as usize == position).ok()
}

fn table_of(symbol: u64) -> usize {
    usize::try_from(symbol >> 52).unwrap_or(0) % TABLES
}

/// Returns the group of the wallet with this symbol.
#[must_use]
pub fn group_of(symbol: u64) -> usize {
    table_of(symbol) / (TABLES / GROUPS)
}

impl Wallets {
    /// Finds a wallet by its symbol and id. The id is compared too: no two wallets share a record.
    #[must_use]
    pub fn get(&self, symbol: u64, id: &str) -> Option<&Wallet> {
        let table = &self.tables[table_of(symbol)];
        let position = table.position(symbol, id)?;
        self.recent.set((symbol, position));
        Some(&table.wallets[position])
    }

    /// Brings the records of wallets that are about to act near. One after another each would be
    /// waited for; here the waits overlap. A wallet that is not known, or another one with the same
    /// symbol, costs nothing but the time.
    pub fn approach(&self, symbols: &[u64]) {
        let near = |symbol: &u64| {
            let table = &self.tables[table_of(*symbol)];
            let found = table.places.find(*symbol, |place| place.symbol() == *symbol)?;
            Some(&table.wallets[found.position as usize])
        };
        let wallets: SmallVec<[&Wallet; APPROACHED]> = symbols.iter().filter_map(near).collect();
        let newest = wallets.iter().filter(|wallet| wallet.newest().is_some()).count();
        let words = wallets.iter().fold(0, |all, wallet| all ^ wallet.touch());
        std::hint::black_box((newest, words));
    }

    /// Finds a wallet or makes its empty record.
    pub fn get_or_insert(&mut self, symbol: u64, id: &str) -> &mut Wallet {
        let table = &mut self.tables[table_of(symbol)];
        let (recent, position) = self.recent.get();
        let is_recent = recent == symbol && table.wallets.get(position).is_some_and(|wallet| *wallet.id == *id);
        let found = if is_recent { Some(position) } else { table.position(symbol, id) };
        let Table { places, wallets } = table;
        let position = found.unwrap_or_else(|| {
            let position = u32::try_from(wallets.len()).unwrap_or(u32::MAX);
            if wallets.len() == wallets.capacity() {
                // Grow by an eighth: records are large, doubling would waste half of them.
                wallets.reserve_exact(wallets.len() / 8 + 4);
            }
            wallets.push(Wallet::new(id));
            places.insert_unique(symbol, Place::new(symbol, position), |place| place.symbol());
            position as usize
        });
        &mut wallets[position]
    }

    /// Drops wallets that have not acted since `before` and that nothing binds, some at a time. Those who come
    /// again begin anew.
    pub(super) fn forget_idle(&mut self, plan: &Plan, before: Time) {
        if self.len() <= KEPT {
            return;
        }
        for _ in 0..SWEPT_TABLES {
            self.tables[self.next_swept].forget_idle(plan, before);
            self.next_swept = (self.next_swept + 1) % TABLES;
        }
        self.recent.set((0, usize::MAX));
    }

    /// Lists the wallets of one of the groups that stores write.
    pub fn of_group(&self, group: usize) -> impl Iterator<Item = &Wallet> + Clone {
        let tables = self.tables.iter().skip(group * (TABLES / GROUPS)).take(TABLES / GROUPS);
        tables.flat_map(|table| &table.wallets)
    }

    /// Brings every record into the layout of other rules.
    pub fn translate(&mut self, plan: &Plan, way: &Translation) {
        self.tables.iter_mut().flat_map(|table| &mut table.wallets).for_each(|wallet| wallet.translate(plan, way));
    }

    /// Lists all wallets, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Wallet> {
        self.tables.iter().flat_map(|table| &table.wallets)
    }

    /// Returns how many wallets are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.wallets.len()).sum()
    }

    /// Tells whether no wallet is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.wallets.is_empty())
    }

    /// Estimates the bytes of all records and tables.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_table = |table: &Table| {
            table.wallets.capacity() * size_of::<Wallet>()
                + table.places.capacity() * (size_of::<Place>() + 1)
                + table.wallets.iter().map(Wallet::heap_bytes).sum::<usize>()
        };
        self.tables.iter().map(of_table).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::outcome::Changes;
    use super::super::plan::Settings;
    use super::*;
    use crate::rules::program::RuleSet;

    const HOUR: i64 = crate::operation::time::HOUR;

    fn at(hours: i64) -> Time {
        Time::from_nanos(hours * HOUR)
    }

    /// Makes wallets, each of which acted at the hour of its number.
    fn acted(plan: &Plan, count: usize) -> Wallets {
        let mut wallets = Wallets::default();
        for number in 0..count {
            let id = format!("w{number}");
            let mut row = vec![0; plan.stride()];
            let newest = at(i64::try_from(number).expect("few wallets"));
            row[0] = newest.nanos().cast_unsigned();
            let mut changes = Changes::default();
            (changes.newest, changes.rows) = (Some(newest), row.into());
            wallets.get_or_insert(symbol_of_text(&id), &id).apply(plan, &mut changes);
        }
        wallets
    }

    #[test]
    fn idle_wallets_go_and_the_others_are_found() {
        let plan = Plan::new(Arc::new(RuleSet::default()), Settings::default());
        for (count, before) in [(KEPT + 1, 10), (3 * KEPT, 2 * KEPT), (20 * KEPT, 19 * KEPT), (20 * KEPT, 0)] {
            let mut wallets = acted(&plan, count);
            wallets.forget_idle(&plan, at(i64::try_from(before).expect("few wallets")));
            let is_known = |number: &usize| {
                let id = format!("w{number}");
                wallets.get(symbol_of_text(&id), &id).is_some_and(|wallet| *wallet.id == *id)
            };
            let known: Vec<usize> = (0..count).filter(is_known).collect();
            assert!(known.iter().copied().eq(before..count), "{count} wallets, before {before}: {known:?}");
            assert_eq!(wallets.len(), count - before);
        }
        let mut few = acted(&plan, KEPT);
        few.forget_idle(&plan, at(1_000_000));
        assert_eq!(few.len(), KEPT, "so few are kept");
    }
}
