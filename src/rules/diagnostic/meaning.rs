//! What each code of a finding says, in one line.

use super::Code;

/// The meanings, by the position of their codes.
const MEANINGS: &[(Code, &str)] = &[
    (Code::AlwaysFalse, "a part of the condition is false whatever the operation (a warning)"),
    (Code::AlwaysTrue, "a part of the condition is true whatever the operation (a warning)"),
    (Code::AggregateField, "the function needs a field after the type, takes none, or cannot work on this one"),
    (Code::AggregateNested, "an aggregate stands inside another one"),
    (Code::AggregateWindow, "the function cannot have this kind of window"),
    (Code::AttributeType, "nothing says what type the attribute has, or it cannot be of this type"),
    (Code::BadBudget, "a budget without a limit, or a limit that is no number of operations or no percentage"),
    (Code::BadCharacter, "a character that the language does not know"),
    (Code::BadDate, "not a date as `2026-03-18`"),
    (Code::BadDuration, "not a length of time, without its unit, or not above zero"),
    (Code::BadKey, "what stands after `by` cannot be a key"),
    (Code::BadNumber, "a number has more than two decimals"),
    (Code::BadOperator, "an operator is written as in another language"),
    (Code::BadPeriod, "`until` is before `from`"),
    (Code::BadTime, "not a time with its offset, as `2026-03-02T12:00:00+05:00`"),
    (Code::BadUnit, "a unit that the language does not know"),
    (Code::BadValue, "a value outside of what its place accepts"),
    (Code::BlockDirection, "a wallet is blocked for `debit` or `both`, an address for `login`"),
    (Code::BudgetUnused, "a rule that only reports has a budget, which nothing could spend"),
    (Code::CalendarUnit, "a month has no exact length: only a block's `for` takes `mo`"),
    (Code::CannotLift, "who is named cannot lift this kind of restriction"),
    (Code::ChallengeNotDebit, "a PIN is asked for an operation that cannot wait"),
    (Code::CsvHeader, "a list does not begin with `value,from,until,reason`"),
    (Code::CsvRow, "a row of a list cannot be read, or repeats another"),
    (Code::DuplicateAction, "the rule asks for the same thing twice"),
    (Code::DuplicateFile, "a second MRP table, file of lists or default budget"),
    (Code::DuplicateKey, "a key is given twice"),
    (Code::DuplicateRule, "two files hold rules of the same id"),
    (Code::EmptyCondition, "a condition without any text: leave the key out for a rule that always fires"),
    (Code::EmptyTest, "a test without steps, or without anything expected, would always pass"),
    (Code::FieldNotHere, "the field exists, but cannot be read in this place"),
    (Code::FileName, "a file that is named or placed so that it would never load, or that nothing reads"),
    (Code::FileTooLarge, "the file is longer than files may be"),
    (Code::HoldNotDebit, "an operation is held that cannot wait"),
    (Code::HotKey, "a window is keyed by something of a few values only: all operations share it (a warning)"),
    (
        Code::IdleEquivalent,
        "`equivalent` of a test file names a change of the rule that is none, or that a test notices",
    ),
    (Code::InvalidYaml, "the file is not YAML"),
    (Code::ListType, "the list holds values of another type than the field"),
    (Code::LookAlike, "a word of a text mixes letters of two alphabets that look alike (a warning)"),
    (Code::MatchesOnly, "`has` and `matched` in a place where they cannot be asked"),
    (Code::MergeMarks, "the file holds the marks of a merge that was not finished"),
    (Code::MissingFile, "the CSV file of a list is not there"),
    (Code::MissingKey, "a key is missing that the file needs"),
    (Code::MixedAndOr, "`and` and `or` stand together without brackets"),
    (Code::MoneyWithoutUnit, "money without `KZT` or `MRP`"),
    (Code::MrpEnds, "the MRP of this year, or in December of the next, is missing (a warning)"),
    (Code::MrpOrder, "rows of the MRP table are not in the order of their days, or share one"),
    (Code::NeverLifted, "a restriction that nothing ends and nobody may lift"),
    (Code::NoRules, "the folder holds no rule: everything would be allowed"),
    (Code::NoWayOut, "a restriction that nobody can lift, or that comes back with every debit (a warning)"),
    (Code::NotACondition, "a value stands where something true or false is wanted"),
    (Code::NotUtf8, "the file is not UTF-8"),
    (Code::NumberTooLarge, "a number, or what is calculated with it, leaves the range of exact numbers"),
    (Code::OnMissingUnset, "a rule that refuses or blocks on a field that may be missing has no `on_missing`"),
    (Code::Placeholder, "a message names something that it cannot show"),
    (Code::QuotedCondition, "the whole condition stands in quotes"),
    (Code::RuleCycle, "rules wait for each other's matches"),
    (Code::RuleId, "the id has another form than ids have, or is not the file's name"),
    (Code::SharedWindow, "wallets share a window: a fleet keeps it in Redis (a note)"),
    (Code::StateCost, "the rules keep more in memory than `rules.budget` accepts when it is not set (a warning)"),
    (Code::SubsumedRule, "whenever the rule fires another one does, and asks for as much (a warning)"),
    (Code::TooDeep, "brackets, or the file's lists and mappings, are nested too deeply"),
    (Code::TooManyAggregates, "the rule reads more aggregates than a rule may"),
    (Code::TooManyRules, "the folder holds more rules than a set may"),
    (Code::TypeMismatch, "values of two types are compared or calculated with each other"),
    (Code::UnclosedText, "a text has no closing quote"),
    (Code::UnexpectedToken, "something else is wanted in this place"),
    (Code::UnknownField, "no field of this name"),
    (Code::UnknownFunction, "no aggregate function of this name"),
    (Code::UnknownKey, "no key of this name in this place"),
    (Code::UnknownList, "`lists.yaml` declares no list of this name"),
    (Code::UnknownRule, "a test expects something of a rule that is not there"),
    (Code::UnknownType, "no operation type or class of this name"),
    (Code::UnknownWord, "a word that is none of those this place accepts"),
    (Code::Untested, "the rule could say something else, and no test of it would notice"),
    (Code::UntestedRule, "an enforced rule lacks a test in which it fires, or one in which it does not (a warning)"),
    (Code::UnusedList, "no rule reads the list (a warning)"),
    (Code::UnusedTable, "no rule reads the MRP table (a warning)"),
    (Code::VoidAction, "an action that never takes effect, for the operation is refused (a warning)"),
    (Code::WindowTooLong, "a window is longer than operations are kept"),
    (Code::WrongShape, "a list, a mapping or a single value stands where another of them is wanted"),
    (Code::YamlFeature, "anchors, aliases, tags and merge keys are not accepted"),
];

const _: () = assert!(is_complete(MEANINGS), "one meaning for each code, in their order");

/// Tells whether a table has one row for each code, in the order of the codes.
pub(super) const fn is_complete(table: &[(Code, &str)]) -> bool {
    let mut position = 0;
    while position < table.len() {
        if table[position].0 as usize != position {
            return false;
        }
        position += 1;
    }
    table.len() == Code::ALL.len()
}

impl Code {
    /// Returns one sentence for people who look the code up.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        MEANINGS[self as usize].1
    }
}
