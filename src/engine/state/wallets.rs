//! All wallets of a shard, found by id. Many small tables and fixed pages, so that growth
//! never copies more than one small table.

pub mod position_table;
pub mod slab;

use crate::engine::plan::Plan;
use crate::engine::state::groups::GROUPS;
use crate::engine::state::idle::Rounds;
use crate::engine::state::layout::LayoutMigration;
use crate::engine::state::wallet::Wallet;
use crate::engine::state::wallets::position_table::PositionTable;
use crate::engine::state::wallets::slab::Slab;
use crate::operation::Time;
use smallvec::SmallVec;
use std::cell::Cell;

/// A power of two: so many tables, each grows on its own.
const TABLES: usize = 4_096;

/// Fewer wallets than this are kept whatever they do: forgetting them would gain nothing.
const KEPT: usize = if cfg!(test) { 64 } else { 65_536 };

/// How many tables are looked through at a time for wallets to forget.
const SWEPT_TABLES: usize = if cfg!(test) { TABLES } else { 2 };

/// How many records are key_of together without taking memory for it.
const APPROACHED: usize = 64;

/// An operation whose wallet's record is brought near.
#[derive(Debug, Clone, Copy)]
pub struct PrefetchKey {
    /// The wallet's symbol.
    pub wallet: u64,
    /// The hash of the operation's id.
    pub operation: u128,
}

/// The wallets of a shard.
#[derive(Debug)]
pub struct Wallets {
    /// Where each wallet lies in `pages`, by its symbol.
    tables: Vec<PositionTable>,
    pages: Slab<Wallet>,
    /// Where the last wallet was found: deciding reads it, applying writes it.
    recent: Cell<Option<(u64, u32)>>,
    /// In which tables to look for wallets to forget.
    rounds: Rounds,
}

impl Default for Wallets {
    fn default() -> Self {
        Self {
            tables: (0..TABLES).map(|_| PositionTable::default()).collect(),
            pages: Slab::default(),
            recent: Cell::new(None),
            rounds: Rounds::new(TABLES / SWEPT_TABLES),
        }
    }
}

fn table_of(symbol: u64) -> usize {
    usize::try_from(symbol >> 52).unwrap_or(0) % TABLES
}

/// Returns the group of the wallet with this symbol.
#[must_use]
pub fn wallet_group(symbol: u64) -> usize {
    table_of(symbol) / (TABLES / GROUPS)
}

impl Wallets {
    /// Finds a wallet's position.
    fn position(&self, symbol: u64, id: &str) -> Option<u32> {
        self.tables[table_of(symbol)].find(symbol, |position| *self.pages.get(position).id == *id)
    }

    /// Finds a wallet by its symbol and id. The id is compared too: no two wallets share a record.
    #[must_use]
    pub fn get(&self, symbol: u64, id: &str) -> Option<&Wallet> {
        let position = self.position(symbol, id)?;
        self.recent.set(Some((symbol, position)));
        Some(self.pages.get(position))
    }

    /// Brings the records of wallets that are about to act near. One after another each would be
    /// waited for; here the waits overlap. A wallet that is not known, or another one with the same
    /// symbol, costs nothing but the time.
    pub fn prefetch(&self, operations: &[PrefetchKey]) {
        let table = |symbol: u64| &self.tables[table_of(symbol)];
        let places = operations.iter().fold(0, |all, PrefetchKey { wallet, .. }| all ^ table(*wallet).touch(*wallet));
        let near = |PrefetchKey { wallet, operation }: &PrefetchKey| {
            let position = table(*wallet).find(*wallet, |_| true)?;
            Some((self.pages.get(position), *operation))
        };
        let wallets: SmallVec<[(&Wallet, u128); APPROACHED]> = operations.iter().filter_map(near).collect();
        let records = wallets.iter().fold(0, |all, (wallet, _)| all ^ wallet.touch());
        let farther = wallets.iter().fold(0, |all, (wallet, operation)| all ^ wallet.prefetch_cold(*operation));
        std::hint::black_box((places, records, farther));
    }

    /// Finds a wallet or makes its empty record.
    pub fn get_or_insert(&mut self, symbol: u64, id: &str) -> &mut Wallet {
        let is_it = |(known, position): &(u64, u32)| *known == symbol && *self.pages.get(*position).id == *id;
        let recent = self.recent.get().filter(is_it).map(|(_, position)| position);
        let position = recent.or_else(|| self.position(symbol, id)).unwrap_or_else(|| {
            let position = self.pages.add(Wallet::new(id));
            self.tables[table_of(symbol)].insert(symbol, position);
            position
        });
        self.pages.get_mut(position)
    }

    /// Drops wallets that have not acted since `before` and that nothing binds, some at a time. Those who come
    /// again begin anew.
    pub(crate) fn forget_idle(&mut self, plan: &Plan, before: Time) {
        if self.len() <= KEPT {
            return;
        }
        let Some(part) = self.rounds.step(before, plan.idle_after) else { return };
        let Self { tables, pages, .. } = self;
        for table in tables.iter_mut().skip(part * SWEPT_TABLES).take(SWEPT_TABLES) {
            pages.retain(table, |wallet| !wallet.is_idle(plan, before));
        }
        self.recent.set(None);
    }

    /// Lists the wallets of one of the groups that stores write.
    pub fn of_group(&self, group: usize) -> impl Iterator<Item = &Wallet> + Clone {
        self.of_tables(group * (TABLES / GROUPS), TABLES / GROUPS)
    }

    /// Lists all wallets, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Wallet> {
        self.of_tables(0, TABLES)
    }

    fn of_tables(&self, first: usize, count: usize) -> impl Iterator<Item = &Wallet> + Clone {
        let places = self.tables.iter().skip(first).take(count).flat_map(PositionTable::iter);
        places.map(|position| self.pages.get(position))
    }

    /// Brings every record into the layout of other rules.
    pub fn translate(&mut self, plan: &Plan, way: &LayoutMigration) {
        self.pages.iter_mut().for_each(|wallet| wallet.translate(plan, way));
    }

    /// Returns how many wallets are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Tells whether no wallet is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Estimates the bytes of all records and tables.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(PositionTable::heap_bytes).sum();
        tables + self.pages.heap_bytes() + self.pages.iter().map(Wallet::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::plan::Settings;
    use crate::engine::state::changes::Changes;
    use crate::operation::time::HOUR;
    use crate::rules::program::{RuleSet, symbol_of_text};

    fn at(hours: i64) -> Time {
        Time::EPOCH.plus(hours * HOUR)
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
