//! What a field or an aggregate can be: sets of numbers as intervals, sets of words, and whether it may be missing.

use std::collections::BTreeSet;

use crate::rules::program::Comparison;

/// A place between numbers: just before or just after one of them, or at an end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Least,
    Before(i128),
    After(i128),
    Greatest,
}

impl Cut {
    /// Returns what orders cuts along the line.
    const fn place(self) -> (i8, i128, bool) {
        match self {
            Self::Least => (-1, 0, false),
            Self::Before(number) => (0, number, false),
            Self::After(number) => (0, number, true),
            Self::Greatest => (1, 0, false),
        }
    }

    /// Moves a cut between two whole numbers to the one form `Before`.
    const fn whole(self) -> Self {
        match self {
            Self::After(number) if number < i128::MAX => Self::Before(number + 1),
            cut => cut,
        }
    }
}

/// A set of numbers: intervals in order that do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers(Vec<(Cut, Cut)>);

impl Numbers {
    /// Returns every number.
    pub(super) fn all() -> Self {
        Self(vec![(Cut::Least, Cut::Greatest)])
    }

    /// Returns the numbers for which `number comparison bound` holds; `whole` where there are no others between the
    /// whole ones.
    pub(super) fn where_it_holds(comparison: Comparison, bound: i128, whole: bool) -> Self {
        let (before, after) = (Cut::Before(bound), Cut::After(bound));
        let intervals = match comparison {
            Comparison::Equal => vec![(before, after)],
            Comparison::NotEqual => vec![(Cut::Least, before), (after, Cut::Greatest)],
            Comparison::Less => vec![(Cut::Least, before)],
            Comparison::LessOrEqual => vec![(Cut::Least, after)],
            Comparison::Greater => vec![(after, Cut::Greatest)],
            Comparison::GreaterOrEqual => vec![(before, Cut::Greatest)],
        };
        let cut = |cut: Cut| if whole { cut.whole() } else { cut };
        Self(intervals.into_iter().map(|(from, to)| (cut(from), cut(to))).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn both(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        for (from, to) in &self.0 {
            for (other_from, other_to) in &other.0 {
                let begins = if from.place() < other_from.place() { *other_from } else { *from };
                let ends = if other_to.place() < to.place() { *other_to } else { *to };
                if begins.place() < ends.place() {
                    out.push((begins, ends));
                }
            }
        }
        Self(out)
    }

    fn others(&self) -> Self {
        let mut out = Vec::new();
        let mut from = Cut::Least;
        for (begins, ends) in &self.0 {
            if from.place() < begins.place() {
                out.push((from, *begins));
            }
            from = *ends;
        }
        if from.place() < Cut::Greatest.place() {
            out.push((from, Cut::Greatest));
        }
        Self(out)
    }
}

/// A set of words, by the bits that conditions compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    These(BTreeSet<u64>),
    AllBut(BTreeSet<u64>),
}

impl Words {
    pub(super) fn all() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    /// Returns the one word, or every other one.
    pub(super) fn one(word: u64, negated: bool) -> Self {
        if negated { Self::AllBut(BTreeSet::from([word])) } else { Self::These(BTreeSet::from([word])) }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::These(words) if words.is_empty())
    }

    fn both(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::These(one), Self::These(other)) => Self::These(one & other),
            (Self::These(these), Self::AllBut(not)) | (Self::AllBut(not), Self::These(these)) => {
                Self::These(these - not)
            }
            (Self::AllBut(one), Self::AllBut(other)) => Self::AllBut(one | other),
        }
    }

    fn others(&self) -> Self {
        match self {
            Self::These(words) => Self::AllBut(words.clone()),
            Self::AllBut(words) => Self::These(words.clone()),
        }
    }
}

/// Everything that one field or aggregate can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub may_miss: bool,
    pub numbers: Numbers,
    pub words: Words,
}

impl Domain {
    /// Returns what nothing is known of.
    pub(super) fn all() -> Self {
        Self { may_miss: true, numbers: Numbers::all(), words: Words::all() }
    }

    /// Leaves what the fact lets through; false when nothing is left.
    pub(super) fn narrow(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::Number { numbers, missing } => {
                self.may_miss &= *missing;
                self.numbers = self.numbers.both(numbers);
            }
            Fact::Word { words, missing } => {
                self.may_miss &= *missing;
                self.words = self.words.both(words);
            }
            Fact::Missing(true) => (self.numbers, self.words) = (Numbers(Vec::new()), Words::These(BTreeSet::new())),
            Fact::Missing(false) => self.may_miss = false,
        }
        self.may_miss || !(self.numbers.is_empty() || self.words.is_empty())
    }
}

/// What is said of one field or aggregate; it is true or false of each thing that it can be, never unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// It is one of the numbers, or missing where that is let through.
    Number { numbers: Numbers, missing: bool },
    /// It is one of the words, or missing where that is let through.
    Word { words: Words, missing: bool },
    /// It is missing, or is there.
    Missing(bool),
}

impl Fact {
    /// Returns the fact that is true where this one is false.
    pub(super) fn opposite(&self) -> Self {
        match self {
            Self::Number { numbers, missing } => Self::Number { numbers: numbers.others(), missing: !missing },
            Self::Word { words, missing } => Self::Word { words: words.others(), missing: !missing },
            Self::Missing(missing) => Self::Missing(!missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPARISONS: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];

    fn has(numbers: &Numbers, number: i128) -> bool {
        !numbers.both(&Numbers::where_it_holds(Comparison::Equal, number, false)).is_empty()
    }

    fn holds(number: i128, comparison: Comparison, bound: i128) -> bool {
        match comparison {
            Comparison::Equal => number == bound,
            Comparison::NotEqual => number != bound,
            Comparison::Less => number < bound,
            Comparison::LessOrEqual => number <= bound,
            Comparison::Greater => number > bound,
            Comparison::GreaterOrEqual => number >= bound,
        }
    }

    #[test]
    fn sets_of_numbers_hold_what_comparisons_let_through() {
        let sets = COMPARISONS.iter().flat_map(|comparison| (-2..=2).map(move |bound| (*comparison, bound)));
        let sets: Vec<_> = sets.collect();
        for (one, at) in &sets {
            let first = Numbers::where_it_holds(*one, *at, false);
            for (other, other_at) in &sets {
                let second = Numbers::where_it_holds(*other, *other_at, false);
                for number in -4..=4 {
                    let (in_first, in_second) = (holds(number, *one, *at), holds(number, *other, *other_at));
                    assert_eq!(has(&first.both(&second), number), in_first && in_second);
                    assert_eq!(has(&first.others(), number), !in_first);
                }
            }
            assert_eq!(first.others().others(), first);
        }
    }

    #[test]
    fn nothing_lies_between_whole_numbers() {
        let between = |whole| {
            let above = Numbers::where_it_holds(Comparison::Greater, 5, whole);
            above.both(&Numbers::where_it_holds(Comparison::Less, 6, whole))
        };
        assert!(between(true).is_empty() && !between(false).is_empty());
    }

    #[test]
    fn what_is_missing_is_neither_a_word_nor_another_one() {
        let is = |negated| Fact::Word { words: Words::one(7, negated), missing: false };
        let mut domain = Domain::all();
        assert!(domain.narrow(&is(false).opposite()) && domain.narrow(&is(true).opposite()));
        assert!(domain.narrow(&Fact::Missing(true)) && !domain.narrow(&Fact::Missing(false)));
    }
}
