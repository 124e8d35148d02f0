//! Aggregates over decimals that one word of a window cannot pack: the window holds the symbol of the decimal's text,
//! the wallet's record or the shared window the text itself. What they come to is exact, or missing where it is
//! longer than a total can be.

use num_bigint::BigInt;

use crate::engine::matching::aggregates::Gathered;
use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::plan::PlannedAggregate;
use crate::engine::state::shared::{SharedKey, SharedWindow};
use crate::engine::value::{AggregateValue, decimal_of_word, is_kept_as_text, word_of_decimal};
use crate::engine::window::{Entry, scan};
use crate::operation::time::Nanos;
use crate::operation::{Decimal, Time};
use crate::rules::program::{AggregateId, Function, Scope, Stream, Window};

/// The digits of a total are below this: at most 38 of them count.
pub(super) const TOTAL_LIMIT: u128 = 10_u128.pow(38);

/// Times with the decimals that entered then, in ascending order of time.
type Entered = Vec<(Time, Decimal)>;

impl Evaluation<'_, '_> {
    /// Computes an aggregate over decimals some of which are kept as texts. It is missing where it is longer than a
    /// total can be, and [`Memo`](super::memo::Memo) notes that.
    #[cold]
    pub(super) fn compute_of_texts(&mut self, id: AggregateId) -> AggregateValue {
        let value = self.value_of_texts(id);
        value.unwrap_or_else(|| {
            self.memo.note_unheld(id);
            AggregateValue::Missing
        })
    }

    /// Tells whether an aggregate adds decimals up to a total that is too long. Totals of decimals that one word packs
    /// never are.
    pub(super) fn is_too_long(&mut self, id: AggregateId) -> bool {
        let aggregate = &self.plan.aggregates[id];
        let is_packed = aggregate.owned && !self.wallet.keeps_texts() && !self.bears_long(aggregate);
        if !aggregate.definition.adds_decimals() || is_packed {
            return false;
        }
        self.aggregate(id);
        self.memo.is_unheld(self.plan.visible_to(id, self.for_enforced))
    }

    /// Tells whether the operation's own decimal has to be kept as a text.
    fn bears_long(&self, aggregate: &PlannedAggregate) -> bool {
        let own = aggregate.definition.value.as_ref().and_then(|field| self.decimal(Scope::Past, field));
        own.is_some_and(|own| is_kept_as_text(word_of_decimal(own)))
    }

    fn value_of_texts(&self, id: AggregateId) -> Option<AggregateValue> {
        let aggregate = &self.plan.aggregates[id];
        let key = self.reading_key(aggregate)?;
        if aggregate.definition.stream == Stream::Matches {
            let mut entries = self.gather(id, aggregate, key);
            entries.extend(self.own_matches(id, aggregate));
            entries.sort_by_key(|entry| (entry.at, entry.op));
            return self.value_of_entered(aggregate, self.read(aggregate, &entries, None)?, None);
        }
        let field = aggregate.definition.value.as_ref()?;
        let this = self.this_value(id, aggregate, key).and_then(|_| self.decimal(Scope::Past, field));
        if aggregate.owned {
            let entries = self.gather(id, aggregate, key);
            return self.value_of_entered(aggregate, self.read(aggregate, &entries, None)?, this);
        }
        let window = self.view.window(self.plan, SharedKey { aggregate: id, key });
        let entries = window.as_deref().map_or_else(Gathered::new, |window| self.entries_seen(aggregate, window));
        self.value_of_entered(aggregate, self.read(aggregate, &entries, window.as_deref())?, this)
    }

    /// Lists the entries of a shared window that the operation, which may be late, still sees.
    fn entries_seen(&self, aggregate: &PlannedAggregate, window: &SharedWindow) -> Gathered {
        let lateness = self.plan.settings.lateness;
        let mut entries = match window.newest_within(self.reach) {
            Some(newest) if self.at() < newest.minus(lateness) => {
                let mut left = window.state.clone();
                left.evict(aggregate, newest, lateness);
                left.entries_for(aggregate, self.at())
            }
            _ => window.state.entries_for(aggregate, self.at()),
        };
        entries.retain(|entry| self.may_be_last(aggregate, entry.at));
        entries.into()
    }

    /// Reads the decimals behind the words of entries; none where a text is not there.
    fn read(&self, aggregate: &PlannedAggregate, entries: &[Entry], window: Option<&SharedWindow>) -> Option<Entered> {
        let own = aggregate.definition.value.as_ref().and_then(|field| self.decimal(Scope::Past, field));
        let decimal = |word: i64| {
            if own.is_some_and(|own| word_of_decimal(own) == word) {
                return own;
            }
            decimal_of_word(word, |symbol| match window {
                Some(window) => window.text(symbol),
                None => self.wallet.text(symbol),
            })
        };
        entries.iter().map(|entry| decimal(entry.value).map(|value| (entry.at, value))).collect()
    }

    /// Computes the aggregate of the decimals that entered its window and of the operation's own; `None` for a total
    /// that is too long.
    fn value_of_entered(
        &self,
        aggregate: &PlannedAggregate,
        mut entered: Entered,
        this: Option<Decimal>,
    ) -> Option<AggregateValue> {
        let (at, function) = (self.at(), aggregate.definition.function);
        let all = entered.iter().map(|(_, value)| value).chain(&this);
        let scale = Scale(all.map(|value| value.exponent()).min().unwrap_or(0));
        let span = match aggregate.definition.window {
            Window::Within(length) if function == Function::Sum => {
                let fullest = scale.fullest(&entered, length, at) + this.map_or(BigInt::ZERO, |it| scale.units(it));
                return scale.share(fullest, 1);
            }
            Window::Within(length) if function == Function::Last => {
                let last = entered.last().filter(|(time, _)| time.is_within(length, at));
                return Some(last.map_or(AggregateValue::Missing, |(_, total)| whole(*total)));
            }
            Window::Within(length) => at.minus(length)..=at,
            Window::Today | Window::ThisMonth => {
                let span = self.span(aggregate);
                span.start..=span.end.minus(Nanos::ONE)
            }
            Window::Quiet(_) => return None,
        };
        entered.retain(|(time, _)| span.contains(time));
        let values = entered.iter().map(|(_, value)| *value).chain(this);
        let found = match function {
            Function::Min => values.min_by_key(|value| scale.units(*value)),
            Function::Max => values.max_by_key(|value| scale.units(*value)),
            Function::Last => entered.last().map(|(_, value)| *value),
            _ => {
                let count = u64::try_from(values.clone().count()).ok()?;
                let total: BigInt = values.map(|value| scale.units(value)).sum();
                let is_missing = function == Function::Avg && count == 0;
                let divisor = if function == Function::Avg { count } else { 1 };
                return if is_missing { Some(AggregateValue::Missing) } else { scale.share(total, divisor) };
            }
        };
        Some(found.map_or(AggregateValue::Missing, whole))
    }
}

const fn whole(total: Decimal) -> AggregateValue {
    AggregateValue::Share { total, count: 1 }
}

/// Whole numbers of units of ten to this power: what decimals of many sizes are added up and compared in.
#[derive(Clone, Copy)]
struct Scale(i32);

impl Scale {
    fn units(self, value: Decimal) -> BigInt {
        BigInt::from(value.mantissa()) * BigInt::from(10).pow(value.exponent().abs_diff(self.0))
    }

    /// Returns the largest total over the sliding windows that hold `at`.
    fn fullest(self, entered: &Entered, length: Nanos, at: Time) -> BigInt {
        let units: Vec<BigInt> = entered.iter().map(|(_, value)| self.units(*value)).collect();
        let places = entered.iter().zip(0_i64..).map(|((time, _), place)| (*time, place));
        let weight = |place| usize::try_from(place).ok().and_then(|place| units.get(place)).cloned();
        scan::fullest_weight(places, length, at, |place| weight(place).unwrap_or_default())
    }

    /// Divides a total of units; `None` for a total of more digits than count.
    fn share(self, mut units: BigInt, count: u64) -> Option<AggregateValue> {
        let (ten, mut exponent) = (BigInt::from(10), i64::from(self.0));
        while units != BigInt::ZERO && &units % &ten == BigInt::ZERO {
            units /= &ten;
            exponent += 1;
        }
        let digits = i128::try_from(&units).ok().filter(|digits| digits.unsigned_abs() < TOTAL_LIMIT)?;
        Some(AggregateValue::Share { total: Decimal::new(digits, exponent)?, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(numbers: &[&str]) -> Option<String> {
        let values: Vec<Decimal> = numbers.iter().filter_map(|number| Decimal::parse(number)).collect();
        let scale = Scale(values.iter().map(|value| value.exponent()).min()?);
        match scale.share(values.iter().map(|value| scale.units(*value)).sum(), 1)? {
            AggregateValue::Share { total, .. } => Some(total.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn totals_are_exact_up_to_38_digits_and_none_beyond() {
        let sum = |numbers: &[&str]| total(numbers).unwrap_or_else(|| "none".to_owned());
        assert_eq!(sum(&["9999999999999999999999999999", "1"]), "10000000000000000000000000000");
        assert_eq!(sum(&["0.9999999999999999999999999999", "1e-28"]), "1");
        assert_eq!(sum(&["1e13", "-9999999999999", "1e-20"]), "1.00000000000000000001");
        assert_eq!(sum(&["1e300", "-1e300"]), "0");
        assert_eq!(sum(&["1e300", "2e300"]), "3e300");
        assert_eq!(sum(&["1e300", "1e-20", "-1e300"]), "0.00000000000000000001");
        assert_eq!(sum(&["1e18", "1e-19"]), "1000000000000000000.0000000000000000001");
        assert_eq!(sum(&["1e19", "1e-19"]), "none");
        assert_eq!(sum(&["1234567890123456789012345678", "0.1234567890123456789012345678"]), "none");
    }
}
