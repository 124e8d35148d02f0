use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Plain, Summary, SummaryTree};

#[derive(Debug, Clone, Copy, PartialEq)]
struct Joined {
    sum: i64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Summary for Joined {
    type Value = i64;
    const EMPTY: Self = Self { sum: 0, first: None, last: None };

    fn of(value: i64) -> Self {
        Self { sum: value, first: Some(value), last: Some(value) }
    }

    fn then(self, later: Self) -> Self {
        Self { sum: self.sum + later.sum, first: self.first.or(later.first), last: later.last.or(self.last) }
    }
}

fn check(tree: &SummaryTree<i64, i64, Joined>, map: &BTreeMap<i64, i64>) {
    assert_eq!(tree.len(), map.len());
    assert!(tree.iter().eq(map.iter().map(|(k, v)| (*k, *v))));
    assert_eq!(tree.first(), map.first_key_value().map(|(k, v)| (*k, *v)));
    assert_eq!(tree.last(), map.last_key_value().map(|(k, v)| (*k, *v)));
    for key in -2..42 {
        assert_eq!(tree.get(key), map.get(&key).copied());
        assert_eq!(tree.below(key), map.range(..key).next_back().map(|(k, v)| (*k, *v)));
        assert_eq!(tree.from(key), map.range(key..).next().map(|(k, v)| (*k, *v)));
        for to in [key, key + 1, key + 5, key + 30] {
            let naive = map.range(key..to).fold(Joined::EMPTY, |all, (_, v)| all.then(Joined::of(*v)));
            assert_eq!(tree.fold(Some(key), Some(to)), naive, "{key}..{to}");
        }
        let naive = map.range(key..).fold(Joined::EMPTY, |all, (_, v)| all.then(Joined::of(*v)));
        assert_eq!(tree.fold(Some(key), None), naive);
        let naive = map.range(..key).fold(Joined::EMPTY, |all, (_, v)| all.then(Joined::of(*v)));
        assert_eq!(tree.fold(None, Some(key)), naive);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_tree_is_an_ordered_map_with_range_summaries(
        steps in prop::collection::vec((0..40_i64, -9..9_i64, 0..24_u8), 0..160),
    ) {
        let mut tree = SummaryTree::<i64, i64, Joined>::default();
        let mut map = BTreeMap::new();
        let mut before = None;
        for (index, (key, value, what)) in steps.iter().copied().enumerate() {
            if index == steps.len() / 2 {
                before = Some((tree.clone(), map.clone()));
            }
            match what {
                0..=12 => assert_eq!(tree.insert(key, value), map.insert(key, value)),
                13..=18 => assert_eq!(tree.remove(key), map.remove(&key)),
                19..=22 => assert_eq!(tree.pop_first(), map.pop_first()),
                _ => tree = SummaryTree::of_ascending(tree.iter()),
            }
            if index % 16 == 0 {
                check(&tree, &map);
            }
        }
        check(&tree, &map);
        if let Some((tree, map)) = before {
            check(&tree, &map);
        }
    }
}

#[test]
fn a_tree_that_is_filled_and_emptied_in_order_stays_shallow() {
    let mut tree = SummaryTree::<i64, (), Plain<()>>::default();
    for key in 0..1_000 {
        tree.insert(key, ());
        if key >= 100 {
            assert_eq!(tree.pop_first(), Some((key - 100, ())));
        }
    }
    let per_entry = tree.heap_bytes() / tree.len();
    assert!(per_entry < 200, "{per_entry}");
    while tree.pop_first().is_some() {}
    assert!(tree.is_empty() && tree.heap_bytes() == 0);
}
