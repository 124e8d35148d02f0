//! The rows of one wallet's log, in order of arrival.
//!
//! The first row lies in the record itself, the later ones in one allocation. Most wallets hold one operation
//! at a time and need no allocation; a second one moves nothing.

use crate::engine::state::wallet::row::Row;
use crate::operation::Time;

/// The longest row that the record itself has room for. Rows of the shipped rules are so long; longer ones
/// all lie outside.
const NEAR_WORDS: usize = 11;

/// Rows of one length, end to end.
#[derive(Debug)]
pub(super) struct Rows {
    near: [u64; NEAR_WORDS],
    /// Words of `near` that hold a row: none, or all of a row.
    near_words: u8,
    /// No row is older than the one before.
    is_ordered: bool,
    /// Words at the front of `far` that no longer count.
    gone: u32,
    /// The rows after the first.
    far: Vec<u64>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { near: [0; NEAR_WORDS], near_words: 0, is_ordered: true, gone: 0, far: Vec::new() }
    }
}

impl Rows {
    /// Takes over rows of this length.
    pub(super) fn of(mut words: Vec<u64>, stride: usize) -> Self {
        let mut rows = Self::default();
        if stride <= NEAR_WORDS && words.len() >= stride {
            rows.far = words.split_off(stride);
            rows.near[..stride].copy_from_slice(&words);
            rows.near_words = u8::try_from(stride).unwrap_or(0);
        } else {
            rows.far = words;
        }
        rows.is_ordered = rows.iter(stride).map(Row::at).is_sorted();
        rows
    }

    /// Returns the words of all rows, in two pieces.
    pub(super) fn parts(&self) -> [&[u64]; 2] {
        [&self.near[..self.near_words as usize], &self.far[self.gone as usize..]]
    }

    /// Copies the words of all rows into one piece.
    pub(super) fn to_words(&self) -> Vec<u64> {
        self.parts().concat()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words() == 0
    }

    /// Returns how many words the rows have.
    fn words(&self) -> usize {
        self.near_words as usize + self.far.len() - self.gone as usize
    }

    /// Returns how many rows there are.
    pub(super) fn count(&self, stride: usize) -> usize {
        self.words() / stride
    }

    /// Lists the rows.
    pub(super) fn iter(&self, stride: usize) -> impl DoubleEndedIterator<Item = Row<'_>> + Clone {
        let [near, far] = self.parts();
        let near = (!near.is_empty()).then_some(near);
        near.into_iter().chain(far.chunks_exact(stride)).map(Row)
    }

    /// Finds the last row that `is_it`.
    #[inline]
    pub(super) fn rfind(&self, stride: usize, is_it: impl Fn(Row<'_>) -> bool) -> Option<Row<'_>> {
        let [near, far] = self.parts();
        let found = far.rchunks_exact(stride).map(Row).find(|row| is_it(*row));
        found.or_else(|| (!near.is_empty()).then_some(Row(near)).filter(|row| is_it(*row)))
    }

    /// Returns where a row lies: in the record, or else from where in `far`.
    const fn place(&self, number: usize, stride: usize) -> Option<usize> {
        match (self.near_words, number) {
            (1.., 0) => None,
            (1.., number) => Some(self.gone as usize + (number - 1) * stride),
            (0, number) => Some(self.gone as usize + number * stride),
        }
    }

    /// Returns the row at this position.
    pub(super) fn get(&self, number: usize, stride: usize) -> Option<Row<'_>> {
        match self.place(number, stride) {
            None => Some(Row(&self.near[..self.near_words as usize])),
            Some(start) => self.far.get(start..start + stride).map(Row),
        }
    }

    /// Returns the row at this position, to change it.
    pub(super) fn get_mut(&mut self, number: usize, stride: usize) -> Option<&mut [u64]> {
        match self.place(number, stride) {
            None => Some(&mut self.near[..self.near_words as usize]),
            Some(start) => self.far.get_mut(start..start + stride),
        }
    }

    /// Adds a row at the end, and returns it.
    pub(super) fn push(&mut self, row: &[u64]) -> &mut [u64] {
        if self.is_empty() && row.len() <= NEAR_WORDS {
            self.far.clear();
            self.gone = 0;
            self.near_words = u8::try_from(row.len()).unwrap_or(0);
            self.is_ordered = true;
            let near = &mut self.near[..row.len()];
            near.copy_from_slice(row);
            return near;
        }
        let newest = self.newest(row.len());
        self.is_ordered = newest.is_none_or(|newest| self.is_ordered && newest <= Row(row).at());
        if self.far.is_empty() {
            self.far.reserve_exact(row.len());
        }
        let start = self.far.len();
        self.far.extend_from_slice(row);
        &mut self.far[start..]
    }

    /// Returns the time of the last row.
    fn newest(&self, stride: usize) -> Option<Time> {
        let [near, far] = self.parts();
        let last = if far.is_empty() { near } else { &far[far.len() - stride..] };
        (!last.is_empty()).then(|| Row(last).at())
    }

    /// Tells whether no row is older than the one before.
    pub(super) const fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// Takes the row at the front out.
    pub(super) fn pop_front(&mut self, stride: usize) {
        if self.near_words > 0 {
            self.near_words = 0;
        } else {
            self.gone = u32::try_from(self.gone as usize + stride).unwrap_or(u32::MAX);
        }
    }

    /// Gives memory back that rows have left, after half of it was.
    pub(super) fn shrink(&mut self) {
        if self.gone as usize > self.far.len() / 2 {
            self.far.drain(..self.gone as usize);
            self.gone = 0;
            self.far.shrink_to(self.far.len() * 2);
        }
    }

    /// Reads a word of each end of the row in the record, to have it near.
    pub(super) const fn touch(&self) -> u64 {
        self.near[0] ^ self.near[NEAR_WORDS - 1]
    }

    /// Reads a word of each end of the rows outside the record.
    pub(super) fn touch_far(&self) -> u64 {
        let ends = [self.far.get(self.gone as usize), self.far.last()];
        ends.into_iter().flatten().fold(0, |all, word| all ^ word)
    }

    /// Returns the bytes outside the record.
    pub(super) fn heap_bytes(&self) -> usize {
        self.far.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Goes through every change at random and compares with a plain list.
    #[test]
    fn rows_are_those_of_a_plain_list() {
        for stride in [7, NEAR_WORDS, NEAR_WORDS + 1, 20] {
            let (mut rows, mut plain) = (Rows::default(), VecDeque::new());
            let (mut random, mut late_seen) = (0x9e37_79b9_7f4a_7c15_u64, false);
            for step in 0..4_000_u64 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let is_growing = step / 50 % 2 == 0;
                match random >> 60 {
                    0..=9 if is_growing => {
                        // Now and then one is late.
                        let row = vec![if step % 97 == 0 { step / 2 } else { step }; stride];
                        assert_eq!(rows.push(&row), row);
                        plain.push_back(row);
                    }
                    0..=13 if !plain.is_empty() => {
                        rows.pop_front(stride);
                        plain.pop_front();
                    }
                    14 => rows.shrink(),
                    _ => rows = Rows::of(rows.to_words(), stride),
                }
                let number = usize::try_from(random >> 32).unwrap_or(0) % (plain.len() + 1);
                assert_eq!(rows.get(number, stride).map(|row| row.0), plain.get(number).map(Vec::as_slice));
                if let Some(row) = rows.get_mut(number, stride) {
                    row[stride - 1] = random;
                    plain[number][stride - 1] = random;
                }
                assert_eq!(rows.count(stride), plain.len());
                assert!(rows.iter(stride).map(|row| row.0).eq(&plain), "step {step}, rows of {stride} words");
                let last = plain.iter().rfind(|row| row[0] % 3 == 0);
                assert_eq!(rows.rfind(stride, |row| row.0[0] % 3 == 0).map(|row| row.0), last.map(Vec::as_slice));
                assert!(rows.iter(stride).rev().map(|row| row.0).eq(plain.iter().rev()));
                assert_eq!(rows.is_empty(), plain.is_empty());
                let is_ordered = plain.iter().map(|row| row[0]).is_sorted();
                assert!(!rows.is_ordered() || is_ordered, "step {step}");
                late_seen |= !rows.is_ordered();
                assert_eq!(rows.parts().concat(), plain.make_contiguous().concat());
            }
            assert!(late_seen);
        }
    }
}
