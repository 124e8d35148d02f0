//! The lists of the payment authorities, as they stand in `rules/data/*.csv` beside the model.
//!
//! Phones compare as digits: a leading `+`, spaces, brackets and dashes are dropped. Accounts compare without
//! spaces and in capitals, wallets as they are. A row is in force from the start of the Almaty day `from` to
//! the end of the day `until`.

use super::Time;
use super::calendar;

/// A row of a list: the value as it is written there, and the first and last day on which it is in force.
pub(crate) struct Row {
    pub(crate) value: &'static str,
    from: Option<Date>,
    until: Option<Date>,
}

type Date = (i32, u32, u32);

const fn row(value: &'static str) -> Row {
    Row { value, from: None, until: None }
}

pub(crate) const FLAGGED_WALLETS: [Row; 3] = [
    row("77090000001"),
    row("77010000006"),
    Row { value: "77090000002", from: Some((2026, 11, 22)), until: Some((2026, 11, 22)) },
];

pub(crate) const FLAGGED_ACCOUNTS: [Row; 2] = [
    row("KZ86 9125 kzt1 0013 0033 5"),
    Row { value: "KZ869125KZT1001300999", from: None, until: Some((2026, 11, 22)) },
];

pub(crate) const FLAGGED_PHONES: [Row; 2] =
    [row("+7 (777) 000-00-01"), Row { value: "77770000002", from: Some((2026, 11, 23)), until: None }];

fn as_it_is(wallet: &str) -> String {
    wallet.to_owned()
}

fn account(written: &str) -> String {
    written.replace(' ', "").to_uppercase()
}

fn phone(written: &str) -> String {
    let digits = written.replace([' ', '(', ')', '-'], "");
    digits.strip_prefix('+').unwrap_or(&digits).to_owned()
}

fn holds(rows: &[Row], value: Option<&String>, at: Time, same: fn(&str) -> String) -> bool {
    let Some(value) = value else { return false };
    let day = calendar::day(at);
    let number = |(year, month, day): Date| calendar::day_number(year, month, day);
    rows.iter().any(|row| {
        same(row.value) == same(value)
            && row.from.is_none_or(|from| day >= number(from))
            && row.until.is_none_or(|until| day <= number(until))
    })
}

pub(super) fn holds_wallet(wallet: Option<&String>, at: Time) -> bool {
    holds(&FLAGGED_WALLETS, wallet, at, as_it_is)
}

pub(super) fn holds_account(written: Option<&String>, at: Time) -> bool {
    holds(&FLAGGED_ACCOUNTS, written, at, account)
}

pub(super) fn holds_phone(written: Option<&String>, at: Time) -> bool {
    holds(&FLAGGED_PHONES, written, at, phone)
}
