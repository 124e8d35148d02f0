//! Windows that wallets share, as one process holds them: everything that a key value has lies together.
//!
//! Most keys have an operation or two, in two windows that both speak of the same operation. So a key begins
//! with a plain list of entries, a third of the size of whole windows; only a busy key gets those.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::engine::idle::{Rounds, StreamClock};
use crate::engine::plan::Plan;
use crate::engine::position_table::PositionTable;
use crate::engine::shared::{EntryList, LocalWindows, SharedChange, SharedKey, SharedWindow, StoredWindow};
use crate::engine::slab::Slab;
use crate::engine::stored::windows::{WindowsWriter, group_of_key};
use crate::engine::stored::{GROUPS, LayoutMigration};
use crate::engine::window::Entry;
use crate::operation::Time;

/// How many slots are touched together without taking memory for it.
const TOUCHED: usize = 128;

/// A key with more entries than this has whole windows.
const LISTED_MAX: usize = 8;

/// Fewer keys than this are kept however old they are.
const KEPT: usize = if cfg!(test) { 64 } else { 65_536 };

/// One entry of one window.
#[derive(Debug, Clone, Copy)]
struct Listed {
    aggregate: u32,
    entry: Entry,
}

/// Two windows of one operation are what most keys have: those need no memory of their own.
type List = SmallVec<[Listed; 2]>;

/// What a key value has.
#[derive(Debug)]
enum Held {
    /// In order of arrival. Only of windows that are lists of entries and nothing else; the newest entry of a
    /// window is always among them.
    Listed(List),
    Whole(Vec<(usize, SharedWindow)>),
}

impl Default for Held {
    fn default() -> Self {
        Self::Listed(List::new())
    }
}

#[derive(Debug, Default)]
struct Slot {
    key: u64,
    /// Until when operations of the key may have been turned away.
    lacks: Option<Time>,
    held: Held,
}

/// The slots, and where each key's is.
#[derive(Debug)]
struct Slots {
    /// By the groups that stores write.
    groups: Vec<PositionTable>,
    pages: Slab<Slot>,
    hasher: foldhash::fast::RandomState,
}

impl Default for Slots {
    fn default() -> Self {
        let groups = (0..GROUPS).map(|_| PositionTable::default()).collect();
        Self { groups, pages: Slab::default(), hasher: foldhash::fast::RandomState::default() }
    }
}

impl Slots {
    fn hash(&self, key: u64) -> u64 {
        std::hash::BuildHasher::hash_one(&self.hasher, key)
    }

    fn position(&self, key: u64) -> Option<u32> {
        self.groups[group_of(key)].find(self.hash(key), |position| self.pages.get(position).key == key)
    }

    fn find(&self, key: u64) -> Option<&Held> {
        self.position(key).map(|position| &self.pages.get(position).held)
    }

    fn find_mut(&mut self, key: u64) -> Option<&mut Held> {
        self.position(key).map(|position| &mut self.pages.get_mut(position).held)
    }

    /// Finds the position of a key's slot, or makes the slot; `lacks` is until when such keys were turned away.
    fn find_or_make(&mut self, key: u64, lacks: Option<Time>) -> u32 {
        self.position(key).unwrap_or_else(|| {
            let position = self.pages.add(Slot { key, lacks, held: Held::default() });
            let hash = self.hash(key);
            self.groups[group_of(key)].insert(hash, position);
            position
        })
    }

    /// Keeps the slots of a group that `keep` says.
    fn retain(&mut self, group: usize, mut keep: impl FnMut(&mut Held) -> bool) {
        self.pages.retain(&mut self.groups[group], |slot| keep(&mut slot.held));
    }

    fn of_group(&self, group: usize) -> impl Iterator<Item = &Slot> {
        self.groups[group].iter().map(|position| self.pages.get(position))
    }

    /// Brings what keys have near: the waits for memory overlap.
    fn touch(&self, keys: impl Iterator<Item = u64> + Clone) {
        let places = keys.clone().fold(0, |all, key| all ^ self.groups[group_of(key)].touch(self.hash(key)));
        let near = |key| {
            let position = self.groups[group_of(key)].find(self.hash(key), |_| true)?;
            Some(self.pages.get(position))
        };
        let slots: SmallVec<[&Slot; TOUCHED]> = keys.filter_map(near).collect();
        let held = slots.iter().fold(0, |all, slot| all ^ slot.key ^ slot.held.touch());
        std::hint::black_box((places, held));
    }
}

/// All windows with what time has passed for all keys together.
#[derive(Debug)]
struct Groups {
    slots: Slots,
    clock: StreamClock,
    /// The newest operation that was turned away, for there were too many keys.
    turned_away: Option<Time>,
    /// In which group to look for keys to forget.
    rounds: Rounds,
}

impl Default for Groups {
    fn default() -> Self {
        let (clock, rounds) = (StreamClock::default(), Rounds::new(GROUPS));
        Self { slots: Slots::default(), clock, turned_away: None, rounds }
    }
}

/// All windows, in the groups that stores write. One thread decides at a time: the lock is never waited for,
/// and a batch takes it once.
#[derive(Debug)]
pub(super) struct Windows {
    groups: Mutex<Groups>,
    /// More keys are not taken in.
    keys_max: AtomicUsize,
    /// Changes that were turned away since the start.
    refused: AtomicU64,
    /// Whether `turned_away` is set, to be asked without the lock.
    any_lacks: AtomicBool,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            groups: Mutex::default(),
            keys_max: AtomicUsize::new(usize::MAX),
            refused: AtomicU64::new(0),
            any_lacks: AtomicBool::new(false),
        }
    }
}

fn group_of(key: u64) -> usize {
    group_of_key(SharedKey { aggregate: 0, key })
}

impl Windows {
    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes of windows count.
    pub(super) fn enter<'c>(&self, plan: &Plan, changes: impl Iterator<Item = (SharedKey, &'c SharedChange)> + Clone) {
        let mut groups = self.groups();
        groups.slots.touch(changes.clone().map(|(key, _)| key.key));
        // An operation mostly enters several windows of a key one after another.
        let mut last = None;
        for (key, change) in changes {
            if !matches!(change, SharedChange::Remove { .. }) {
                let same = last.filter(|(known, _)| *known == key.key).map(|(_, position)| position);
                match same.or_else(|| self.take_in(&mut groups, key.key)) {
                    Some(position) => {
                        last = Some((key.key, position));
                        groups.slots.pages.get_mut(position).held.change(plan, key, change);
                    }
                    None => self.turn_away(&mut groups, change),
                }
            } else if let Some(held) = groups.slots.find_mut(key.key).filter(|held| held.has(key.aggregate)) {
                held.change(plan, key, change);
            }
            if let SharedChange::Insert { entry, .. } = change
                && let Some(passed) = groups.clock.take(entry.at)
            {
                groups.forget_idle(plan, passed, KEPT.min(self.keys_max.load(Ordering::Relaxed) / 2));
                self.any_lacks.store(groups.turned_away.is_some(), Ordering::Relaxed);
                last = None;
            }
        }
    }

    pub(super) fn window(&self, plan: &Plan, key: SharedKey) -> Option<SharedWindow> {
        let groups = self.groups();
        groups.slots.find(key.key)?.window(plan, key)
    }

    /// Puts a window back.
    pub(super) fn restore(&self, plan: &Plan, key: SharedKey, window: SharedWindow) {
        let mut groups = self.groups();
        let lacks = groups.turned_away;
        let position = groups.slots.find_or_make(key.key, lacks);
        groups.slots.pages.get_mut(position).held.restore(plan, key, window);
    }

    /// Finds a key's slot, or makes one where there is room.
    fn take_in(&self, groups: &mut Groups, key: u64) -> Option<u32> {
        let known = groups.slots.position(key);
        let has_room = || groups.slots.pages.len() < self.keys_max.load(Ordering::Relaxed);
        if known.is_none() && has_room() {
            let lacks = groups.turned_away;
            return Some(groups.slots.find_or_make(key, lacks));
        }
        known
    }

    /// Notes that a change of a key that is not held was not taken in: what reads such a key is told.
    fn turn_away(&self, groups: &mut Groups, change: &SharedChange) {
        let at = match change {
            SharedChange::Insert { entry, .. } => entry.at,
            SharedChange::Run { last, .. } => *last,
            _ => return,
        };
        groups.turned_away = groups.turned_away.max(Some(at));
        self.any_lacks.store(true, Ordering::Relaxed);
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes in no more keys than this from now on; those that are held stay.
    pub(super) fn limit(&self, keys_max: usize) {
        self.keys_max.store(keys_max, Ordering::Relaxed);
    }

    /// Returns the newest operation that was turned away, while a window may reach back to it.
    pub(super) fn turned_away(&self) -> Option<Time> {
        self.groups().turned_away
    }

    /// Goes on after a restart: which keys lack operations up to then is not known any more, so each may.
    pub(super) fn resume_turned_away(&self, at: Option<Time>) {
        let mut groups = self.groups();
        groups.turned_away = at;
        self.any_lacks.store(at.is_some(), Ordering::Relaxed);
        if at.is_some() {
            groups.slots.pages.iter_mut().for_each(|slot| slot.lacks = at);
        }
    }

    /// Returns how many keys are held, and how many changes were turned away since the start.
    pub(super) fn keys(&self) -> (usize, u64) {
        (self.groups().slots.pages.len(), self.refused.load(Ordering::Relaxed))
    }

    /// Writes the windows of one group.
    pub(super) fn write(&self, plan: &Plan, group: usize, writer: &mut WindowsWriter) {
        for slot in self.groups().slots.of_group(group) {
            slot.held.whole(plan, slot.key, |aggregate, window| {
                writer.window(SharedKey { aggregate, key: slot.key }, window);
            });
        }
    }

    /// Brings the windows into the layout of other rules; those no rule asks for any more go.
    pub(super) fn translate(&self, way: &LayoutMigration) {
        let mut groups = self.groups();
        for group in 0..GROUPS {
            groups.slots.retain(group, |held| {
                held.translate(way);
                !held.is_empty()
            });
        }
    }

    /// Returns how many windows are held.
    pub(super) fn len(&self) -> usize {
        self.groups().slots.pages.iter().map(|slot| slot.held.windows()).sum()
    }

    /// Estimates the bytes of the windows.
    pub(super) fn bytes(&self) -> usize {
        let slots = &self.groups().slots;
        let tables: usize = slots.groups.iter().map(PositionTable::heap_bytes).sum();
        tables + slots.pages.heap_bytes() + slots.pages.iter().map(|slot| slot.held.heap_bytes()).sum::<usize>()
    }
}

impl Groups {
    /// Drops keys that no operation can read any more, some at a time: the stream has passed all they hold by
    /// more than the windows' length.
    fn forget_idle(&mut self, plan: &Plan, passed: Time, kept: usize) {
        // As keys are: once for the windows, once for who is late against the stream.
        let is_over = |at: Time| at < passed.minus(plan.shared_idle_after).minus(plan.settings.lateness);
        self.turned_away = self.turned_away.filter(|at| !is_over(*at));
        if self.slots.pages.len() > kept
            && let Some(group) = self.rounds.step(passed, plan.shared_idle_after)
        {
            self.slots.retain(group, |held| !held.is_idle(plan, passed));
        }
    }
}

impl LocalWindows for Windows {
    fn find(&self, key: SharedKey) -> Option<StoredWindow> {
        let groups = self.groups();
        match groups.slots.find(key.key)? {
            Held::Listed(list) => {
                let mut few = EntryList::new();
                list.iter().filter(|listed| listed.is_of(key)).for_each(|listed| insert(&mut few, listed.entry));
                (!few.is_empty()).then_some(StoredWindow::EntryList(few))
            }
            Held::Whole(windows) => {
                let window = windows.iter().find(|(aggregate, _)| *aggregate == key.aggregate);
                window.map(|(_, window)| StoredWindow::Whole(window.clone()))
            }
        }
    }

    fn prefetch(&self, keys: &[u64]) {
        self.groups().slots.touch(keys.iter().copied());
    }

    fn lacks(&self, key: u64) -> Option<Time> {
        let groups = self.groups();
        match groups.slots.position(key) {
            Some(position) => groups.slots.pages.get(position).lacks,
            None => groups.turned_away,
        }
    }

    fn any_lacks(&self) -> bool {
        self.any_lacks.load(Ordering::Relaxed)
    }
}

impl Listed {
    fn is_of(&self, key: SharedKey) -> bool {
        self.aggregate as usize == key.aggregate
    }
}

/// Adds an entry in the order of time, unless it is there.
fn insert(few: &mut EntryList, entry: Entry) {
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

    fn translate(&mut self, way: &LayoutMigration) {
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
            Self::Listed(list) => list.iter().all(|listed| is_over(listed.aggregate as usize, listed.entry.at)),
            Self::Whole(windows) => windows.iter().all(|(aggregate, window)| {
                let run = window.run().map(|(_, last)| last);
                !window.has_ahead() && window.newest().into_iter().chain(run).all(|last| is_over(*aggregate, last))
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

    /// Reads a word of what is held, to have it near.
    fn touch(&self) -> u64 {
        match self {
            Self::Listed(list) => list.last().map_or(0, |listed| listed.entry.op),
            Self::Whole(windows) => windows.first().map_or(0, |(aggregate, _)| *aggregate as u64),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Listed(list) => {
                if list.spilled() {
                    list.capacity() * size_of::<Listed>()
                } else {
                    0
                }
            }
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
fn list_entry(list: &mut List, plan: &Plan, key: SharedKey, entry: Entry) {
    let aggregate = u32::try_from(key.aggregate).unwrap_or(u32::MAX);
    let mut newest = entry.at;
    for listed in list.iter().filter(|listed| listed.aggregate == aggregate) {
        newest = newest.max(listed.entry.at);
        if (listed.entry.at, listed.entry.op) == (entry.at, entry.op) {
            return;
        }
    }
    let limit = newest.minus(plan.aggregates[key.aggregate].retention);
    list.retain(|listed| listed.aggregate != aggregate || listed.entry.at >= limit);
    if entry.at >= limit {
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
