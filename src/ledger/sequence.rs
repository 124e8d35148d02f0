//! The numbers of one shard, as ranges: few, however many numbers there are.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// First and last number of each range; ranges neither overlap nor touch.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl Sequence {
    /// Adds a number; `false` when it was there already.
    pub(super) fn add(&mut self, number: u64) -> bool {
        let below = self.ranges.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if below.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        self.count += 1;
        let first = match below {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        let next = number.checked_add(1).and_then(|next| self.ranges.remove(&next));
        self.ranges.insert(first, next.unwrap_or(number));
        true
    }

    /// Returns the smallest and the largest number.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        Some((*self.ranges.first_key_value()?.0, *self.ranges.last_key_value()?.1))
    }

    /// Lists what is missing between the smallest and the largest number, as first and last.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.values().zip(self.ranges.keys().skip(1)).map(|(last, first)| (last + 1, first - 1))
    }

    /// Returns how many numbers there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_set(numbers in prop::collection::vec(0_u64..40, 0..60)) {
            let (mut sequence, mut naive) = (Sequence::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(sequence.add(number), naive.insert(number));
            }
            prop_assert_eq!(sequence.count(), naive.len() as u64);
            prop_assert_eq!(sequence.ends(), naive.first().copied().zip(naive.last().copied()));
            let missing: Vec<u64> = sequence.gaps().flat_map(|(first, last)| first..=last).collect();
            let (first, last) = sequence.ends().unwrap_or((1, 0));
            let expected: Vec<u64> = (first..=last).filter(|number| !naive.contains(number)).collect();
            prop_assert_eq!(missing, expected);
        }
    }

    #[test]
    fn the_largest_number_is_one() {
        let mut sequence = Sequence::default();
        assert!(sequence.add(u64::MAX) && !sequence.add(u64::MAX) && sequence.add(u64::MAX - 1));
        assert_eq!(sequence.ends(), Some((u64::MAX - 1, u64::MAX)));
    }
}
