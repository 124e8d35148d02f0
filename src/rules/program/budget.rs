//! How many operations a rule may stop before it is put into shadow.

/// How many operations a rule may stop within an hour of its stream before it only watches. At least one part is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So many operations at most.
    pub holds_per_hour: Option<u32>,
    /// Such a part of the operations of the rule's types at most.
    pub share: Option<Share>,
}

/// A part of the operations that are decided within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Hundredths of a percent: `2%` is 200.
    pub basis_points: u32,
    /// With fewer operations in the hour it is not looked at.
    pub at_least: u32,
}

impl Budget {
    /// Tells whether `stopped` operations of the `decided` ones are more than the budget allows.
    #[must_use]
    pub fn is_exceeded_by(&self, stopped: u64, decided: u64) -> bool {
        let is_over_share = |share: Share| {
            let (stopped, decided) = (u128::from(stopped), u128::from(decided));
            decided >= u128::from(share.at_least) && stopped * 10_000 > decided * u128::from(share.basis_points)
        };
        self.holds_per_hour.is_some_and(|most| stopped > u64::from(most)) || self.share.is_some_and(is_over_share)
    }
}

impl Share {
    /// The number of operations in an hour from which a share is looked at, where a rule does not say: with fewer, a
    /// handful of stopped operations would be a great part of them.
    pub const AT_LEAST: u32 = 1_000;

    /// Returns the share as rules write it: `2%`, `0.25%`.
    #[must_use]
    pub fn text(self) -> String {
        let (whole, rest) = (self.basis_points / 100, self.basis_points % 100);
        if rest == 0 {
            return format!("{whole}%");
        }
        let digits = format!("{rest:02}");
        format!("{whole}.{}%", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_exceeded_by_the_first_operation_beyond_it() {
        let share = |basis_points, at_least| Some(Share { basis_points, at_least });
        let count = Budget { holds_per_hour: Some(500), share: None };
        assert_eq!([499, 500, 501].map(|stopped| count.is_exceeded_by(stopped, 501)), [false, false, true]);
        let part = Budget { holds_per_hour: None, share: share(200, 1_000) };
        assert_eq!(
            [(20, 1_000), (21, 1_000), (999, 999)].map(|(s, d)| part.is_exceeded_by(s, d)),
            [false, true, false]
        );
        let both = Budget { holds_per_hour: Some(3), share: share(5_000, 2) };
        assert_eq!([(2, 3), (1, 2), (4, 100)].map(|(s, d)| both.is_exceeded_by(s, d)), [true, false, true]);
    }

    #[test]
    fn a_share_reads_as_it_was_written() {
        let text = |basis_points| Share { basis_points, at_least: 1 }.text();
        assert_eq!([200, 25, 10, 10_000, 1].map(text), ["2%", "0.25%", "0.1%", "100%", "0.01%"]);
    }
}
