//! An open-addressing table from a key's hash to the position of its record in a [`super::slab::Slab`].
//!
//! A look-up costs one cache miss, since a slot is found where its hash says or just behind it;
//! [`PositionTable::touch`] loads the slots of many keys, so that their misses overlap.

/// The least number of slots; a power of two.
const SLOTS_MIN: usize = 8;

/// A table of positions. It knows neither the records nor their keys: whoever asks compares.
#[derive(Debug, Default)]
pub struct PositionTable {
    /// A power of two of slots, or none.
    slots: Vec<Slot>,
    used: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    tag: u32,
    /// The position and one more; 0 where the slot is free.
    place: u32,
}

impl Slot {
    const fn position(self) -> Option<u32> {
        self.place.checked_sub(1)
    }
}

/// Keeps the low half of a hash: its bits say where a slot begins to be looked for, and tell most others apart.
#[expect(clippy::cast_possible_truncation, reason = "the half is what is wanted")]
const fn tag_of(hash: u64) -> u32 {
    hash as u32
}

impl PositionTable {
    /// Returns how many positions are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.used
    }

    /// Tells whether nothing is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    const fn start(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// Reads the slot where the hash begins, to have it near.
    #[inline]
    #[must_use]
    pub fn touch(&self, hash: u64) -> u32 {
        if self.slots.is_empty() { 0 } else { self.slots[self.start(tag_of(hash))].place }
    }

    /// Finds the slot of the first position with this hash that `is_it`.
    #[inline]
    fn find_slot(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = tag_of(hash);
        let mut at = self.start(tag);
        loop {
            let slot = self.slots[at];
            let position = slot.position()?;
            if slot.tag == tag && is_it(position) {
                return Some(at);
            }
            at = self.next(at);
        }
    }

    /// Finds the first position with this hash that `is_it`.
    #[inline]
    #[must_use]
    pub fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.find_slot(hash, is_it).and_then(|at| self.slots[at].position())
    }

    /// Shows every position with this hash.
    pub fn each(&self, hash: u64, mut show: impl FnMut(u32)) {
        self.find_slot(hash, |position| {
            show(position);
            false
        });
    }

    /// Adds a position; that none like it is there is the caller's to see to.
    pub fn insert(&mut self, hash: u64, position: u32) {
        if 4 * (self.used + 1) > 3 * self.slots.len() {
            self.grow();
        }
        self.put(Slot { tag: tag_of(hash), place: position + 1 });
        self.used += 1;
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.start(slot.tag);
        while self.slots[at].place != 0 {
            at = self.next(at);
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let slots = vec![Slot::default(); (2 * self.slots.len()).max(SLOTS_MIN)];
        let old = std::mem::replace(&mut self.slots, slots);
        old.into_iter().filter(|slot| slot.place != 0).for_each(|slot| self.put(slot));
    }

    /// Takes a position out.
    pub fn remove(&mut self, hash: u64, position: u32) {
        let Some(mut free) = self.find_slot(hash, |other| other == position) else { return };
        self.used -= 1;
        // Those behind move up, so that a look-up may end at the first free slot.
        let mut at = free;
        loop {
            at = self.next(at);
            let slot = self.slots[at];
            if slot.place == 0 {
                break;
            }
            let mask = self.slots.len() - 1;
            let distance = |from: usize| at.wrapping_sub(from) & mask;
            if distance(self.start(slot.tag)) >= distance(free) {
                self.slots[free] = slot;
                free = at;
            }
        }
        self.slots[free] = Slot::default();
    }

    /// Keeps the positions that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let gone: Vec<(u64, u32)> = self
            .slots
            .iter()
            .filter_map(|slot| slot.position().map(|position| (u64::from(slot.tag), position)))
            .filter(|(_, position)| !keep(*position))
            .collect();
        gone.into_iter().for_each(|(tag, position)| self.remove(tag, position));
    }

    /// Lists the positions, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = u32> + Clone {
        self.slots.iter().filter_map(|slot| slot.position())
    }

    /// Returns the bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Hashes that meet are told apart, and what is taken out hides nothing behind it.
        #[test]
        fn places_are_those_of_a_map(steps in proptest::collection::vec((0..24_u64, 0..4_u8), 0..400)) {
            let mut places = PositionTable::default();
            let mut plain: BTreeMap<u64, u32> = BTreeMap::new();
            // Three keys for each hash, and hashes that begin at few slots.
            let hash = |key: u64| key / 3 * 4;
            for (position, (key, kind)) in (0_u32..).zip(steps) {
                match (kind, plain.get(&key).copied()) {
                    (0 | 1, None) => {
                        places.insert(hash(key), position);
                        plain.insert(key, position);
                    }
                    (2, Some(held)) => {
                        places.remove(hash(key), held);
                        plain.remove(&key);
                    }
                    (3, _) if position % 16 == 0 => {
                        places.retain(|held| held % 3 != 0);
                        plain.retain(|_, held| *held % 3 != 0);
                    }
                    _ => {}
                }
                for key in 0..24 {
                    let is_it = |held: u32| plain.get(&key) == Some(&held);
                    prop_assert_eq!(places.find(hash(key), is_it), plain.get(&key).copied());
                }
                let mut held: Vec<u32> = places.iter().collect();
                held.sort_unstable();
                let mut expected: Vec<u32> = plain.values().copied().collect();
                expected.sort_unstable();
                prop_assert_eq!(held, expected);
                prop_assert_eq!(places.len(), plain.len());
            }
        }
    }
}
