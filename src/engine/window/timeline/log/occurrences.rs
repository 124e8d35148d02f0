//! How many distinct values a stretch of a log holds.
//!
//! Of each value the latest occurrence is marked, so a stretch that ends with the last entry holds as many
//! values as marks. Every entry knows the occurrence of its value before it: that tells what a stretch that
//! ends a little earlier holds. A removed entry stays in the log as dead until it is at one of the ends, or
//! else all newer ones would have to be moved.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use smallvec::SmallVec;

use super::latest::Latest;
use super::slots::{CHUNK, Slots};
use crate::operation::Time;
use crate::operation::time::Nanos;

const WORDS: usize = CHUNK.div_ceil(64);

#[derive(Debug, Clone)]
pub(super) struct Occurrences {
    /// One for each chunk of the log.
    rows: VecDeque<Row>,
    /// How far before each entry the occurrence of its value before it is; 0 where there was none.
    backs: VecDeque<Arc<[u32; CHUNK]>>,
    marks: Counts,
    latest: Latest,
    /// The number of the entry at index 0. Numbers go on when indices start again, and wrap.
    first_number: u32,
    /// The index after the last entry.
    end: usize,
    dead: usize,
}

impl Default for Occurrences {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            backs: VecDeque::new(),
            marks: Counts::default(),
            latest: Latest::default(),
            // In tests numbers wrap soon.
            first_number: if cfg!(test) { u32::MAX - 20 } else { 0 },
            end: 0,
            dead: 0,
        }
    }
}

/// One bit for each entry of a chunk.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    is_latest: [u64; WORDS],
    is_dead: [u64; WORDS],
}

/// How many marks the chunks before one have, as a Fenwick tree.
#[derive(Debug, Clone, Default)]
struct Counts {
    sums: Vec<u32>,
    /// Chunks that were dropped since the tree was made; they have no marks left.
    dropped: usize,
}

/// The dead among entries that were taken off the end, in order.
pub(super) type Dead = SmallVec<[bool; 16]>;

impl Occurrences {
    pub(super) const fn dead(&self) -> usize {
        self.dead
    }

    pub(super) fn is_dead(&self, index: usize) -> bool {
        // Most logs have none.
        self.dead > 0 && bit(&self.rows[index / CHUNK].is_dead, index)
    }

    /// Adds the log's next entry.
    pub(super) fn push(&mut self, slots: &Slots, is_dead: bool) {
        let index = self.end;
        self.end += 1;
        if index.is_multiple_of(CHUNK) {
            self.rows.push_back(Row::default());
            self.backs.push_back(Arc::new([0; CHUNK]));
            self.marks.push(&self.rows);
        }
        if is_dead {
            self.dead += 1;
            flip(&mut self.rows[index / CHUNK].is_dead, index);
            return;
        }
        let first = self.first_number;
        let before = self.latest.set(slots.value(index), self.number(index), |number| slots.value(at(first, number)));
        self.flip_mark(index);
        let back = before.map_or(0, |before| {
            let before = at(first, before);
            self.flip_mark(before);
            index - before
        });
        let backs = Arc::make_mut(&mut self.backs[index / CHUNK]);
        backs[index % CHUNK] = u32::try_from(back).unwrap_or(0);
    }

    /// Takes the entries from the index on off the end, and returns which of them are dead.
    pub(super) fn cut(&mut self, slots: &Slots, index: usize) -> Dead {
        let mut dead = Dead::new();
        while self.end > index {
            self.end -= 1;
            let last = self.end;
            let is_dead = self.is_dead(last);
            if is_dead {
                self.dead -= 1;
                flip(&mut self.rows[last / CHUNK].is_dead, last);
            } else {
                self.step_back(slots, last);
            }
            dead.push(is_dead);
            if last.is_multiple_of(CHUNK) {
                self.rows.pop_back();
                self.backs.pop_back();
            }
        }
        dead.reverse();
        dead
    }

    /// Marks an entry as removed.
    pub(super) fn kill(&mut self, slots: &Slots, index: usize) {
        if bit(&self.rows[index / CHUNK].is_latest, index) {
            self.step_back(slots, index);
        }
        flip(&mut self.rows[index / CHUNK].is_dead, index);
        self.dead += 1;
    }

    /// Forgets the log's first entry.
    pub(super) fn drop_first(&mut self, slots: &Slots) {
        let index = slots.begin();
        if self.is_dead(index) {
            self.dead -= 1;
            flip(&mut self.rows[index / CHUNK].is_dead, index);
        } else if bit(&self.rows[index / CHUNK].is_latest, index) {
            self.forget(slots, index);
        }
    }

    /// Forgets the first chunk, of which every entry was dropped.
    pub(super) fn drop_chunk(&mut self) {
        self.rows.pop_front();
        self.backs.pop_front();
        self.marks.dropped += 1;
        self.end = self.end.saturating_sub(CHUNK);
        self.first_number = self.number(CHUNK);
    }

    /// Returns the largest number of values of the windows that end from `at` to `at+length` and contain
    /// it, that of `this` included.
    pub(super) fn fullest(&self, slots: &Slots, at: Time, length: Nanos, this: Option<i64>) -> usize {
        let (first, until) = (slots.from(at.minus(length)), slots.after(at));
        if until < self.end {
            return self.fullest_among_newer(slots, (first, until), (at, length), this);
        }
        let is_new = this.is_some_and(|value| self.latest_of(slots, value).is_none_or(|latest| latest < first));
        self.since(first) + usize::from(is_new)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let rows = self.rows.capacity() * size_of::<Row>() + self.marks.sums.capacity() * size_of::<u32>();
        let backs = self.backs.len() * (CHUNK * size_of::<u32>() + 2 * size_of::<usize>());
        rows + backs + self.backs.capacity() * size_of::<usize>() + self.latest.heap_bytes()
    }

    /// The windows end at `at`, or where an entry after it enters. What one of them holds is what all from
    /// its first entry on hold, less the values that only occur after its end.
    fn fullest_among_newer(
        &self,
        slots: &Slots,
        (mut first, until): (usize, usize),
        (at, length): (Time, Nanos),
        this: Option<i64>,
    ) -> usize {
        // Of the entries after `at`: the index after the occurrence before, 0 for none.
        let after_before = |index| self.before(slots, index).map_or(0, |before| before + 1);
        let newer: SmallVec<[usize; 32]> = (until..self.end).map(after_before).collect();
        let is_counted = |index: usize| !self.is_dead(index);
        let mut beyond = (until..self.end).filter(|index| is_counted(*index) && newer[index - until] <= first).count();
        let mut leaving: SmallVec<[(usize, usize); 32]> =
            (until..self.end).filter(|index| is_counted(*index)).map(|index| (newer[index - until], index)).collect();
        leaving.retain(|(before, _)| *before > first);
        leaving.sort_unstable();
        let mut leaving = leaving.into_iter().peekable();

        let own = this.map(|value| self.around(slots, value, until));
        let adds = |first, end| {
            own.is_some_and(|(before, after)| before.is_none_or(|at| at < first) && after.is_none_or(|at| at >= end))
        };
        let mut fullest = self.since(first) - beyond + usize::from(adds(first, until));
        let last = at.plus(length);
        for index in until..self.end {
            let ends = slots.at(index);
            if ends > last {
                break;
            }
            first = slots.advance(first, ends.minus(length));
            while let Some((_, later)) = leaving.next_if(|(before, _)| *before <= first) {
                beyond += usize::from(later >= index);
            }
            beyond -= usize::from(is_counted(index) && newer[index - until] <= first);
            fullest = fullest.max(self.since(first) - beyond + usize::from(adds(first, index + 1)));
        }
        fullest
    }

    /// Returns how many values the entries from the index on have.
    fn since(&self, index: usize) -> usize {
        let chunk = index / CHUNK;
        let inside = self.rows.get(chunk).map_or(0, |row| bits_below(&row.is_latest, index));
        self.latest.len() - self.marks.before(chunk) - inside
    }

    fn latest_of(&self, slots: &Slots, value: i64) -> Option<usize> {
        let first = self.first_number;
        self.latest.get(value, |number| slots.value(at(first, number))).map(|number| at(first, number))
    }

    /// Returns the last occurrence of a value before an index, and the first not before it.
    fn around(&self, slots: &Slots, value: i64, index: usize) -> (Option<usize>, Option<usize>) {
        let (mut before, mut after) = (self.latest_of(slots, value), None);
        while let Some(found) = before.filter(|found| *found >= index) {
            after = before;
            before = self.before(slots, found);
        }
        (before, after)
    }

    /// Returns the occurrence of an entry's value before it.
    fn before(&self, slots: &Slots, index: usize) -> Option<usize> {
        let mut index = index;
        loop {
            let back = self.backs[index / CHUNK][index % CHUNK] as usize;
            if back == 0 || back > index - slots.begin() {
                return None;
            }
            index -= back;
            if !self.is_dead(index) {
                return Some(index);
            }
        }
    }

    /// Lets the occurrence before become the latest of its value.
    fn step_back(&mut self, slots: &Slots, index: usize) {
        let Some(before) = self.before(slots, index) else {
            return self.forget(slots, index);
        };
        let first = self.first_number;
        self.latest.set(slots.value(index), self.number(before), |number| slots.value(at(first, number)));
        self.flip_mark(index);
        self.flip_mark(before);
    }

    fn forget(&mut self, slots: &Slots, index: usize) {
        let first = self.first_number;
        self.latest.remove(slots.value(index), |number| slots.value(at(first, number)));
        self.flip_mark(index);
    }

    fn flip_mark(&mut self, index: usize) {
        let row = &mut self.rows[index / CHUNK].is_latest;
        flip(row, index);
        self.marks.add(index / CHUNK, bit(row, index));
    }

    #[expect(clippy::cast_possible_truncation, reason = "numbers wrap; a log never holds so many entries at once")]
    const fn number(&self, index: usize) -> u32 {
        self.first_number.wrapping_add(index as u32)
    }
}

impl Counts {
    /// Makes room for the last chunk, which has no marks yet.
    fn push(&mut self, rows: &VecDeque<Row>) {
        if self.dropped + rows.len() < self.sums.len() {
            return;
        }
        self.sums = vec![0; (2 * rows.len()).next_power_of_two().max(8)];
        self.dropped = 0;
        for (chunk, row) in rows.iter().enumerate() {
            self.sums[chunk + 1] = u32::try_from(bits_below(&row.is_latest, CHUNK - 1)).unwrap_or(u32::MAX)
                + u32::from(bit(&row.is_latest, CHUNK - 1));
        }
        for node in 1..self.sums.len() {
            let above = node + lowest_bit(node);
            if above < self.sums.len() {
                self.sums[above] += self.sums[node];
            }
        }
    }

    /// Adds a mark to a chunk, or takes one away.
    fn add(&mut self, chunk: usize, is_more: bool) {
        let mut node = self.dropped + chunk + 1;
        while let Some(sum) = self.sums.get_mut(node) {
            *sum = if is_more { *sum + 1 } else { *sum - 1 };
            node += lowest_bit(node);
        }
    }

    /// Returns how many marks the chunks before this one have.
    fn before(&self, chunk: usize) -> usize {
        let (mut node, mut all) = (self.dropped + chunk, 0);
        while node > 0 {
            all += self.sums[node];
            node -= lowest_bit(node);
        }
        all as usize
    }
}

/// Returns the index of the entry with this number.
const fn at(first_number: u32, number: u32) -> usize {
    number.wrapping_sub(first_number) as usize
}

const fn lowest_bit(node: usize) -> usize {
    node & node.wrapping_neg()
}

const fn bit(row: &[u64; WORDS], index: usize) -> bool {
    row[index % CHUNK / 64] >> (index % CHUNK % 64) & 1 != 0
}

const fn flip(row: &mut [u64; WORDS], index: usize) {
    row[index % CHUNK / 64] ^= 1 << (index % CHUNK % 64);
}

/// Counts the bits of a row before that of the entry.
fn bits_below(row: &[u64; WORDS], index: usize) -> usize {
    let (word, bit) = (index % CHUNK / 64, index % CHUNK % 64);
    let whole: u32 = row[..word].iter().map(|word| word.count_ones()).sum();
    (whole + (row[word] & ((1 << bit) - 1)).count_ones()) as usize
}
