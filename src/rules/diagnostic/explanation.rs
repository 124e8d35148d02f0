//! What each code of a finding says in full: what it means, an example that gives it, what to write instead.
//!
//! One text a code, in `explained/`. The first indented block of a text is the example, the second the same mended.
//! A block is the keys of a rule that matter; those that are left out are the ones that any rule has. A line
//! `-- PATH --` begins a file of the folder. The tests hold every example to giving its code and nothing else, and
//! its mended form to giving nothing.

use super::{Code, nearest_name};

impl Code {
    /// Returns the whole explanation, without the code's name.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::AlwaysFalse => include_str!("explained/always-false.txt"),
            Self::AlwaysTrue => include_str!("explained/always-true.txt"),
            Self::AggregateField => include_str!("explained/aggregate-field.txt"),
            Self::AggregateNested => include_str!("explained/aggregate-nested.txt"),
            Self::AggregateWindow => include_str!("explained/aggregate-window.txt"),
            Self::AttributeType => include_str!("explained/attribute-type.txt"),
            Self::BadBudget => include_str!("explained/bad-budget.txt"),
            Self::BadCharacter => include_str!("explained/bad-character.txt"),
            Self::BadDate => include_str!("explained/bad-date.txt"),
            Self::BadDuration => include_str!("explained/bad-duration.txt"),
            Self::BadKey => include_str!("explained/bad-key.txt"),
            Self::BadNumber => include_str!("explained/bad-number.txt"),
            Self::BadOperator => include_str!("explained/bad-operator.txt"),
            Self::BadPeriod => include_str!("explained/bad-period.txt"),
            Self::BadTime => include_str!("explained/bad-time.txt"),
            Self::BadUnit => include_str!("explained/bad-unit.txt"),
            Self::BadValue => include_str!("explained/bad-value.txt"),
            Self::BlockDirection => include_str!("explained/block-direction.txt"),
            Self::BudgetUnused => include_str!("explained/budget-unused.txt"),
            Self::CalendarUnit => include_str!("explained/calendar-unit.txt"),
            Self::CannotLift => include_str!("explained/cannot-lift.txt"),
            Self::ChallengeNotDebit => include_str!("explained/challenge-not-debit.txt"),
            Self::CsvHeader => include_str!("explained/csv-header.txt"),
            Self::CsvRow => include_str!("explained/csv-row.txt"),
            Self::DuplicateAction => include_str!("explained/duplicate-action.txt"),
            Self::DuplicateFile => include_str!("explained/duplicate-file.txt"),
            Self::DuplicateKey => include_str!("explained/duplicate-key.txt"),
            Self::DuplicateRule => include_str!("explained/duplicate-rule.txt"),
            Self::EmptyCondition => include_str!("explained/empty-condition.txt"),
            Self::EmptyTest => include_str!("explained/empty-test.txt"),
            Self::FieldNotHere => include_str!("explained/field-not-here.txt"),
            Self::FileName => include_str!("explained/file-name.txt"),
            Self::FileTooLarge => include_str!("explained/file-too-large.txt"),
            Self::HoldNotDebit => include_str!("explained/hold-not-debit.txt"),
            Self::InvalidYaml => include_str!("explained/invalid-yaml.txt"),
            Self::ListType => include_str!("explained/list-type.txt"),
            Self::LookAlike => include_str!("explained/look-alike.txt"),
            Self::MatchesOnly => include_str!("explained/matches-only.txt"),
            Self::MergeMarks => include_str!("explained/merge-marks.txt"),
            Self::MissingFile => include_str!("explained/missing-file.txt"),
            Self::MissingKey => include_str!("explained/missing-key.txt"),
            Self::MixedAndOr => include_str!("explained/mixed-and-or.txt"),
            Self::MoneyWithoutUnit => include_str!("explained/money-without-unit.txt"),
            Self::MrpOrder => include_str!("explained/mrp-order.txt"),
            Self::NeverLifted => include_str!("explained/never-lifted.txt"),
            Self::NoRules => include_str!("explained/no-rules.txt"),
            Self::NotACondition => include_str!("explained/not-a-condition.txt"),
            Self::NotUtf8 => include_str!("explained/not-utf8.txt"),
            Self::NumberTooLarge => include_str!("explained/number-too-large.txt"),
            Self::OnMissingUnset => include_str!("explained/on-missing-unset.txt"),
            Self::Placeholder => include_str!("explained/placeholder.txt"),
            Self::QuotedCondition => include_str!("explained/quoted-condition.txt"),
            Self::RuleCycle => include_str!("explained/rule-cycle.txt"),
            Self::RuleId => include_str!("explained/rule-id.txt"),
            Self::TooDeep => include_str!("explained/too-deep.txt"),
            Self::TooManyAggregates => include_str!("explained/too-many-aggregates.txt"),
            Self::TooManyRules => include_str!("explained/too-many-rules.txt"),
            Self::TypeMismatch => include_str!("explained/type-mismatch.txt"),
            Self::UnclosedText => include_str!("explained/unclosed-text.txt"),
            Self::UnexpectedToken => include_str!("explained/unexpected-token.txt"),
            Self::UnknownField => include_str!("explained/unknown-field.txt"),
            Self::UnknownFunction => include_str!("explained/unknown-function.txt"),
            Self::UnknownKey => include_str!("explained/unknown-key.txt"),
            Self::UnknownList => include_str!("explained/unknown-list.txt"),
            Self::UnknownRule => include_str!("explained/unknown-rule.txt"),
            Self::UnknownType => include_str!("explained/unknown-type.txt"),
            Self::UnknownWord => include_str!("explained/unknown-word.txt"),
            Self::UntestedRule => include_str!("explained/untested-rule.txt"),
            Self::WindowTooLong => include_str!("explained/window-too-long.txt"),
            Self::WrongShape => include_str!("explained/wrong-shape.txt"),
            Self::YamlFeature => include_str!("explained/yaml-feature.txt"),
        }
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
