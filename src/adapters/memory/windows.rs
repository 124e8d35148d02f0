//! Windows that wallets share, as one process holds them: everything that a key value has lies together.
//!
//! Most keys have an operation or two, in two windows that both speak of the same operation. So a key begins
//! with a plain list of entries, a third of the size of whole windows; only a busy key gets those.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use crate::engine::idle::StreamClock;
use crate::engine::plan::Plan;
use crate::engine::shared::{Few, Found, NearWindows, SharedChange, SharedKey, SharedWindow};
use crate::engine::stored::windows::{WindowsWriter, group_of_key};
use crate::engine::stored::{GROUPS, Translation};
use crate::engine::window::Entry;
use crate::operation::Time;

/// A key with more entries than this has whole windows.
const LISTED_MAX: usize = 8;

/// Fewer keys than this are kept however old they are.
const KEPT: usize = if cfg!(test) { 64 } else { 65_536 };

/// Between two looks at a group's keys so many looks at the time pass: a look costs as much as a few hundred
/// operations.
const LOOKS: u32 = if cfg!(test) { 1 } else { 8 };

/// One entry of one window.
#[derive(Debug, Clone, Copy)]
struct Listed {
    aggregate: u32,
    entry: Entry,
}

/// What a key value has.
#[derive(Debug)]
enum Held {
    /// In order of arrival. Only of windows that are lists of entries and nothing else; the newest entry of a
    /// window is always among them.
    Listed(Vec<Listed>),
    Whole(Vec<(usize, SharedWindow)>),
}

#[derive(Debug)]
struct Slot {
    key: u64,
    held: Held,
}

/// One of the groups that stores write.
type Group = HashTable<Slot>;

#[derive(Debug)]
struct Groups {
    all: Vec<Group>,
    /// What time has passed for all keys together.
    clock: StreamClock,
    looks: u32,
    /// The group that is looked through next for keys to forget.
    next_swept: usize,
}

/// All windows, in the groups that stores write. One thread decides at a time: the lock is never waited for,
/// and a batch takes it once.
#[derive(Debug)]
pub(super) struct Windows {
    groups: Mutex<Groups>,
    hasher: foldhash::fast::RandomState,
}

impl Default for Windows {
    fn default() -> Self {
        let all = (0..GROUPS).map(|_| Group::new()).collect();
        let groups = Groups { all, clock: StreamClock::default(), looks: 0, next_swept: 0 };
        Self { groups: Mutex::new(groups), hasher: foldhash::fast::RandomState::default() }
    }
}

fn group_of(key: u64) -> usize {
    group_of_key(SharedKey { aggregate: 0, key })
}

impl Windows {
    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: u64) -> u64 {
        std::hash::BuildHasher::hash_one(&self.hasher, key)
    }

    fn find<'g>(&self, groups: &'g [Group], key: u64) -> Option<&'g Held> {
        groups[group_of(key)].find(self.hash(key), |slot| slot.key == key).map(|slot| &slot.held)
    }

    fn find_or_make<'g>(&self, groups: &'g mut [Group], key: u64) -> &'g mut Held {
        let hash = |key| self.hash(key);
        let entry = groups[group_of(key)].entry(hash(key), |slot: &Slot| slot.key == key, |slot: &Slot| hash(slot.key));
        let slot = entry.or_insert_with(|| Slot { key, held: Held::Listed(Vec::new()) });
        &mut slot.into_mut().held
    }

    /// Makes changes of windows count.
    pub(super) fn enter<'c>(&self, plan: &Plan, changes: impl Iterator<Item = (SharedKey, &'c SharedChange)> + Clone) {
        let mut groups = self.groups();
        self.touch(&groups.all, changes.clone().map(|(key, _)| key.key));
        for (key, change) in changes {
            let is_removal = matches!(change, SharedChange::Remove { .. });
            if !is_removal || self.find(&groups.all, key.key).is_some_and(|held| held.has(key.aggregate)) {
                self.find_or_make(&mut groups.all, key.key).change(plan, key, change);
            }
            if let SharedChange::Insert { entry, .. } = change
                && let Some(passed) = groups.clock.take(Time::from_nanos(entry.at))
            {
                groups.forget_idle(plan, passed);
            }
        }
    }

    /// Brings what keys have near: the waits for memory overlap.
    fn touch(&self, groups: &[Group], keys: impl Iterator<Item = u64>) {
        let read = |key| match self.find(groups, key) {
            Some(Held::Listed(list)) => list.first().map_or(0, |listed| listed.entry.op),
            Some(Held::Whole(windows)) => windows.len() as u64,
            None => 0,
        };
        std::hint::black_box(keys.map(read).fold(0, |all, word| all ^ word));
    }

    pub(super) fn window(&self, plan: &Plan, key: SharedKey) -> Option<SharedWindow> {
        let groups = self.groups();
        self.find(&groups.all, key.key)?.window(plan, key)
    }

    /// Puts a window back.
    pub(super) fn restore(&self, plan: &Plan, key: SharedKey, window: SharedWindow) {
        let mut groups = self.groups();
        self.find_or_make(&mut groups.all, key.key).restore(plan, key, window);
    }

    /// Writes the windows of one group.
    pub(super) fn write(&self, plan: &Plan, group: usize, writer: &mut WindowsWriter) {
        for slot in &self.groups().all[group] {
            slot.held.whole(plan, slot.key, |aggregate, window| {
                writer.window(SharedKey { aggregate, key: slot.key }, window);
            });
        }
    }

    /// Brings the windows into the layout of other rules; those no rule asks for any more go.
    pub(super) fn translate(&self, way: &Translation) {
        for group in &mut self.groups().all {
            group.retain(|slot| {
                slot.held.translate(way);
                !slot.held.is_empty()
            });
        }
    }

    /// Returns how many windows are held.
    pub(super) fn len(&self) -> usize {
        self.groups().all.iter().flatten().map(|slot| slot.held.windows()).sum()
    }

    /// Estimates the bytes of the windows.
    pub(super) fn bytes(&self) -> usize {
        let groups = self.groups();
        let tables: usize = groups.all.iter().map(|group| group.capacity() * (size_of::<Slot>() + 1)).sum();
        tables + groups.all.iter().flatten().map(|slot| slot.held.heap_bytes()).sum::<usize>()
    }
}

impl Groups {
    /// Drops keys that no operation can read any more, some at a time: the stream has passed all they hold by
    /// more than the windows' length.
    fn forget_idle(&mut self, plan: &Plan, passed: Time) {
        self.looks += 1;
        if self.looks < LOOKS || self.all.iter().map(HashTable::len).sum::<usize>() <= KEPT {
            return;
        }
        self.looks = 0;
        self.all[self.next_swept].retain(|slot| !slot.held.is_idle(plan, passed));
        self.next_swept = (self.next_swept + 1) % GROUPS;
    }
}

impl NearWindows for Windows {
    fn find(&self, key: SharedKey) -> Option<Found> {
        let groups = self.groups();
        match self.find(&groups.all, key.key)? {
            Held::Listed(list) => {
                let mut few = Few::new();
                list.iter().filter(|listed| listed.is_of(key)).for_each(|listed| insert(&mut few, listed.entry));
                (!few.is_empty()).then_some(Found::Few(few))
            }
            Held::Whole(windows) => {
                let window = windows.iter().find(|(aggregate, _)| *aggregate == key.aggregate);
                window.map(|(_, window)| Found::Whole(window.clone()))
            }
        }
    }

    fn approach(&self, keys: &[u64]) {
        self.touch(&self.groups().all, keys.iter().copied());
    }
}

impl Listed {
    fn is_of(&self, key: SharedKey) -> bool {
        self.aggregate as usize == key.aggregate
    }
}

/// Adds an entry in the order of time, unless it is there.
fn insert(few: &mut Few, entry: Entry) {
    if let Err(position) = few.binary_search_by_key(&(entry.at, entry.op), |held| (held.at, held.op)) {
        few.insert(position, entry);
    }
}

impl Held {
    fn change(&mut self, plan: &Plan, key: SharedKey, change: &SharedChange) {
        if let (Self::Listed(list), SharedChange::Insert { entry, .. }) = (&mut *self, change)
            && plan.aggregates[key.aggregate].is_listed()
            && list.len() < LISTED_MAX
        {
            list_entry(list, plan, key, *entry);
            return;
        }
        self.window_mut(plan, key).apply(plan, change);
    }

    /// Returns a whole window, to change it in ways that a list cannot show.
    fn window_mut(&mut self, plan: &Plan, key: SharedKey) -> &mut SharedWindow {
        match self {
            Self::Whole(windows) => window_in(windows, plan, key),
            Self::Listed(list) => {
                *self = Self::Whole(made_whole(list, plan, key.key));
                self.window_mut(plan, key)
            }
        }
    }

    fn window(&self, plan: &Plan, key: SharedKey) -> Option<SharedWindow> {
        let mut found = None;
        self.whole(plan, key.key, |aggregate, window| {
            if aggregate == key.aggregate {
                found = Some(window.clone());
            }
        });
        found
    }

    /// Shows each window whole.
    fn whole(&self, plan: &Plan, key: u64, mut show: impl FnMut(usize, &SharedWindow)) {
        match self {
            Self::Whole(windows) => windows.iter().for_each(|(aggregate, window)| show(*aggregate, window)),
            Self::Listed(list) => {
                let windows = made_whole(list, plan, key);
                windows.iter().for_each(|(aggregate, window)| show(*aggregate, window));
            }
        }
    }

    fn restore(&mut self, plan: &Plan, key: SharedKey, window: SharedWindow) {
        if let (Self::Listed(list), Some(entries)) = (&mut *self, window.listed())
            && plan.aggregates[key.aggregate].is_listed()
            && list.len() + entries.len() <= LISTED_MAX
        {
            let aggregate = u32::try_from(key.aggregate).unwrap_or(u32::MAX);
            list.extend(entries.into_iter().map(|entry| Listed { aggregate, entry }));
            return;
        }
        *self.window_mut(plan, key) = window;
    }

    fn translate(&mut self, way: &Translation) {
        match self {
            Self::Listed(list) => list.retain_mut(|listed| {
                let other = way.window(listed.aggregate as usize).and_then(|other| u32::try_from(other).ok());
                listed.aggregate = other.unwrap_or(0);
                other.is_some()
            }),
            Self::Whole(windows) => windows.retain_mut(|(aggregate, _)| {
                let other = way.window(*aggregate);
                *aggregate = other.unwrap_or(0);
                other.is_some()
            }),
        }
    }

    fn is_idle(&self, plan: &Plan, passed: Time) -> bool {
        // Twice the lateness: once for the windows, once for who is late against the stream.
        let is_over = |aggregate: usize, last: Time| {
            last < passed.minus(plan.aggregates[aggregate].retention).minus(plan.settings.lateness)
        };
        match self {
            Self::Listed(list) => {
                list.iter().all(|listed| is_over(listed.aggregate as usize, Time::from_nanos(listed.entry.at)))
            }
            Self::Whole(windows) => windows.iter().all(|(aggregate, window)| {
                let run = window.run().map(|(_, last)| last);
                window.newest().into_iter().chain(run).all(|last| is_over(*aggregate, last))
            }),
        }
    }

    fn has(&self, aggregate: usize) -> bool {
        match self {
            Self::Listed(list) => list.iter().any(|listed| listed.aggregate as usize == aggregate),
            Self::Whole(windows) => windows.iter().any(|(held, _)| *held == aggregate),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Listed(list) => list.is_empty(),
            Self::Whole(windows) => windows.is_empty(),
        }
    }

    fn windows(&self) -> usize {
        match self {
            Self::Listed(list) => {
                let is_first = |at: &usize| !list[..*at].iter().any(|other| other.aggregate == list[*at].aggregate);
                (0..list.len()).filter(is_first).count()
            }
            Self::Whole(windows) => windows.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Listed(list) => list.capacity() * size_of::<Listed>(),
            Self::Whole(windows) => {
                let states = windows.iter().map(|(_, window)| window.state.heap_bytes());
                windows.capacity() * size_of::<(usize, SharedWindow)>() + states.sum::<usize>()
            }
        }
    }
}

/// Makes whole windows of a list.
fn made_whole(list: &[Listed], plan: &Plan, key: u64) -> Vec<(usize, SharedWindow)> {
    let mut windows = Vec::new();
    for listed in list {
        let key = SharedKey { aggregate: listed.aggregate as usize, key };
        let change = SharedChange::Insert { key, entry: listed.entry };
        window_in(&mut windows, plan, key).apply(plan, &change);
    }
    windows
}

/// Adds an entry to a list, and lets those of its window go that no longer count.
fn list_entry(list: &mut Vec<Listed>, plan: &Plan, key: SharedKey, entry: Entry) {
    let aggregate = u32::try_from(key.aggregate).unwrap_or(u32::MAX);
    let mut newest = entry.at;
    for listed in list.iter().filter(|listed| listed.aggregate == aggregate) {
        newest = newest.max(listed.entry.at);
        if (listed.entry.at, listed.entry.op) == (entry.at, entry.op) {
            return;
        }
    }
    let limit = newest.saturating_sub(plan.aggregates[key.aggregate].retention);
    list.retain(|listed| listed.aggregate != aggregate || listed.entry.at >= limit);
    if entry.at >= limit {
        if list.len() == list.capacity() {
            // Two windows of one operation are what most keys have.
            list.reserve_exact(2);
        }
        list.push(Listed { aggregate, entry });
    }
}

fn window_in<'w>(windows: &'w mut Vec<(usize, SharedWindow)>, plan: &Plan, key: SharedKey) -> &'w mut SharedWindow {
    let known = windows.iter().position(|(aggregate, _)| *aggregate == key.aggregate);
    let position = known.unwrap_or_else(|| {
        windows.push((key.aggregate, SharedWindow::new(plan, key)));
        windows.len() - 1
    });
    &mut windows[position].1
}

#[cfg(test)]
mod tests;
