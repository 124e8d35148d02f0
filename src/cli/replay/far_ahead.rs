//! Operations whose time lies far ahead of everything that follows: most likely a wrong clock, which in a file nobody
//! can tell from the arrival.

use std::sync::Arc;

use crate::engine::reach::FAR;
use crate::operation::Time;

/// Finds operations that lie more than a day ahead of every operation after them. One by itself makes nothing late; two
/// in a row do. What is kept grows with the days
/// between them, not with the operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FarAhead {
    /// In order of arrival, and of falling time: each lies more than a day ahead of the next.
    ahead: Vec<Ahead>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ahead {
    wallet_id: Arc<str>,
    at: Time,
    /// Operations of the same wallet that were late since.
    late: u64,
}

impl FarAhead {
    /// Takes a decided operation in.
    pub(super) fn take(&mut self, wallet_id: &str, at: Time, is_late: bool) {
        // Whoever is reached again was not ahead: the stream went on.
        while self.ahead.last().is_some_and(|ahead| ahead.at <= at.plus(FAR)) {
            self.ahead.pop();
        }
        if is_late {
            let of_wallet = self.ahead.iter_mut().rev().find(|ahead| *ahead.wallet_id == *wallet_id);
            of_wallet.into_iter().for_each(|ahead| ahead.late += 1);
        }
        self.ahead.push(Ahead { wallet_id: wallet_id.into(), at, late: 0 });
    }

    /// Counts the operations that lie far ahead, and those of the same wallets that were late after them.
    pub(super) fn counts(&self) -> (u64, u64) {
        // Nothing follows the last one.
        let followed = self.ahead.split_last().map_or(&[][..], |(_, followed)| followed);
        (u64::try_from(followed.len()).unwrap_or(u64::MAX), followed.iter().map(|ahead| ahead.late).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::time::DAY;

    fn counts(operations: &[(&str, i64, bool)]) -> (u64, u64) {
        let mut found = FarAhead::default();
        for (wallet, days, is_late) in operations {
            found.take(wallet, Time::ACCEPTED_FROM.plus(*days * DAY), *is_late);
        }
        found.counts()
    }

    #[test]
    fn one_wrong_clock_is_found_with_what_it_made_late() {
        let operations = [
            ("w1", 1, false),
            ("w1", 20_000, false),
            ("w1", 2, true),
            ("w2", 3, false),
            ("w1", 4, true),
            ("w2", 4, true),
        ];
        assert_eq!(counts(&operations), (1, 2), "what was late in another wallet has another reason");
        assert_eq!(counts(&[("w1", 300, false), ("w2", 200, false), ("w3", 1, false)]), (2, 0));
    }

    #[test]
    fn a_stream_that_goes_on_has_none() {
        assert_eq!(counts(&[]), (0, 0));
        assert_eq!(counts(&[("w1", 1, false), ("w1", 40, false), ("w2", 400, false)]), (0, 0), "long pauses are none");
        assert_eq!(counts(&[("w1", 5, false), ("w1", 4, true), ("w1", 5, false)]), (0, 0));
        assert_eq!(counts(&[("w1", 400, false), ("w1", 4, true), ("w2", 399, false)]), (0, 0), "it was reached again");
    }
}
