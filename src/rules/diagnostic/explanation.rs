//! What each code of a finding says in full: what it means, an example that gives it, what to write instead.
//!
//! One text a code, in `explained/`. The first indented block of a text is the example, the second the same mended.
//! A block is the keys of a rule that matter; those that are left out are the ones that any rule has. A line
//! `-- PATH --` begins a file of the folder. The tests hold every example to giving its code and nothing else, and
//! its mended form to giving nothing.

use super::meaning::is_complete;
use super::{Code, nearest_name};

/// The explanations, by the position of their codes.
const EXPLANATIONS: &[(Code, &str)] = &[
    (Code::AlwaysFalse, include_str!("explained/always-false.txt")),
    (Code::AlwaysTrue, include_str!("explained/always-true.txt")),
    (Code::AggregateField, include_str!("explained/aggregate-field.txt")),
    (Code::AggregateNested, include_str!("explained/aggregate-nested.txt")),
    (Code::AggregateWindow, include_str!("explained/aggregate-window.txt")),
    (Code::AttributeType, include_str!("explained/attribute-type.txt")),
    (Code::BadBudget, include_str!("explained/bad-budget.txt")),
    (Code::BadCharacter, include_str!("explained/bad-character.txt")),
    (Code::BadDate, include_str!("explained/bad-date.txt")),
    (Code::BadDuration, include_str!("explained/bad-duration.txt")),
    (Code::BadKey, include_str!("explained/bad-key.txt")),
    (Code::BadNumber, include_str!("explained/bad-number.txt")),
    (Code::BadOperator, include_str!("explained/bad-operator.txt")),
    (Code::BadPeriod, include_str!("explained/bad-period.txt")),
    (Code::BadTime, include_str!("explained/bad-time.txt")),
    (Code::BadUnit, include_str!("explained/bad-unit.txt")),
    (Code::BadValue, include_str!("explained/bad-value.txt")),
    (Code::BlockDirection, include_str!("explained/block-direction.txt")),
    (Code::BudgetUnused, include_str!("explained/budget-unused.txt")),
    (Code::CalendarUnit, include_str!("explained/calendar-unit.txt")),
    (Code::CannotLift, include_str!("explained/cannot-lift.txt")),
    (Code::ChallengeNotDebit, include_str!("explained/challenge-not-debit.txt")),
    (Code::CsvHeader, include_str!("explained/csv-header.txt")),
    (Code::CsvRow, include_str!("explained/csv-row.txt")),
    (Code::DuplicateAction, include_str!("explained/duplicate-action.txt")),
    (Code::DuplicateFile, include_str!("explained/duplicate-file.txt")),
    (Code::DuplicateKey, include_str!("explained/duplicate-key.txt")),
    (Code::DuplicateRule, include_str!("explained/duplicate-rule.txt")),
    (Code::EmptyCondition, include_str!("explained/empty-condition.txt")),
    (Code::EmptyTest, include_str!("explained/empty-test.txt")),
    (Code::FieldNotHere, include_str!("explained/field-not-here.txt")),
    (Code::FileName, include_str!("explained/file-name.txt")),
    (Code::FileTooLarge, include_str!("explained/file-too-large.txt")),
    (Code::HoldNotDebit, include_str!("explained/hold-not-debit.txt")),
    (Code::HotKey, include_str!("explained/hot-key.txt")),
    (Code::IdleEquivalent, include_str!("explained/idle-equivalent.txt")),
    (Code::InvalidYaml, include_str!("explained/invalid-yaml.txt")),
    (Code::ListType, include_str!("explained/list-type.txt")),
    (Code::LookAlike, include_str!("explained/look-alike.txt")),
    (Code::MatchesOnly, include_str!("explained/matches-only.txt")),
    (Code::MergeMarks, include_str!("explained/merge-marks.txt")),
    (Code::MissingFile, include_str!("explained/missing-file.txt")),
    (Code::MissingKey, include_str!("explained/missing-key.txt")),
    (Code::MixedAndOr, include_str!("explained/mixed-and-or.txt")),
    (Code::MoneyWithoutUnit, include_str!("explained/money-without-unit.txt")),
    (Code::MrpEnds, include_str!("explained/mrp-ends.txt")),
    (Code::MrpOrder, include_str!("explained/mrp-order.txt")),
    (Code::NeverLifted, include_str!("explained/never-lifted.txt")),
    (Code::NoRules, include_str!("explained/no-rules.txt")),
    (Code::NoWayOut, include_str!("explained/no-way-out.txt")),
    (Code::NotACondition, include_str!("explained/not-a-condition.txt")),
    (Code::NotUtf8, include_str!("explained/not-utf8.txt")),
    (Code::NumberTooLarge, include_str!("explained/number-too-large.txt")),
    (Code::OnMissingUnset, include_str!("explained/on-missing-unset.txt")),
    (Code::Placeholder, include_str!("explained/placeholder.txt")),
    (Code::QuotedCondition, include_str!("explained/quoted-condition.txt")),
    (Code::RuleCycle, include_str!("explained/rule-cycle.txt")),
    (Code::RuleId, include_str!("explained/rule-id.txt")),
    (Code::SharedWindow, include_str!("explained/shared-window.txt")),
    (Code::StateCost, include_str!("explained/state-cost.txt")),
    (Code::SubsumedRule, include_str!("explained/subsumed-rule.txt")),
    (Code::TooDeep, include_str!("explained/too-deep.txt")),
    (Code::TooManyAggregates, include_str!("explained/too-many-aggregates.txt")),
    (Code::TooManyRules, include_str!("explained/too-many-rules.txt")),
    (Code::TypeMismatch, include_str!("explained/type-mismatch.txt")),
    (Code::UnclosedText, include_str!("explained/unclosed-text.txt")),
    (Code::UnexpectedToken, include_str!("explained/unexpected-token.txt")),
    (Code::UnknownField, include_str!("explained/unknown-field.txt")),
    (Code::UnknownFunction, include_str!("explained/unknown-function.txt")),
    (Code::UnknownKey, include_str!("explained/unknown-key.txt")),
    (Code::UnknownList, include_str!("explained/unknown-list.txt")),
    (Code::UnknownRule, include_str!("explained/unknown-rule.txt")),
    (Code::UnknownType, include_str!("explained/unknown-type.txt")),
    (Code::UnknownWord, include_str!("explained/unknown-word.txt")),
    (Code::Untested, include_str!("explained/untested.txt")),
    (Code::UntestedRule, include_str!("explained/untested-rule.txt")),
    (Code::UnusedList, include_str!("explained/unused-list.txt")),
    (Code::UnusedTable, include_str!("explained/unused-table.txt")),
    (Code::VoidAction, include_str!("explained/void-action.txt")),
    (Code::WindowTooLong, include_str!("explained/window-too-long.txt")),
    (Code::WrongShape, include_str!("explained/wrong-shape.txt")),
    (Code::YamlFeature, include_str!("explained/yaml-feature.txt")),
];

const _: () = assert!(is_complete(EXPLANATIONS), "one explanation for each code, in their order");

impl Code {
    /// Returns the whole explanation, without the code's name.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        EXPLANATIONS[self as usize].1
    }

    /// Returns the explanation as a person asks for it: the code with its meaning, and the text below.
    #[must_use]
    pub fn explained(self) -> String {
        format!("{}: {}\n\n{}", self.name(), self.meaning(), self.explanation())
    }

    /// Returns the code most like a text that is none, if any is near enough.
    #[must_use]
    pub fn nearest_to(text: &str) -> Option<&'static str> {
        nearest_name(text, Self::NAMES)
    }

    /// Lists all codes with their meanings, one a line.
    #[must_use]
    pub fn list() -> String {
        let width = Self::NAMES.iter().map(|name| name.len()).max().unwrap_or_default();
        let line = |code: &Self| format!("{:width$}  {}\n", code.name(), code.meaning());
        Self::ALL.iter().map(line).collect()
    }
}
