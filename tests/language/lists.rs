//! Lists: how values are compared, and on which days a row is in force.

use kuzet::operation::Time;
use kuzet::operation::time::{DAY, HOUR, Nanos};
use kuzet::rules::SourceFile;
use serde_json::{Value, json};

use super::{payment, rule};

const LINES: &str = "on: payment\nwhen: counterparty.phone in phones or counterparty.account in accounts\n  \
                     or wallet_id in wallets\nthen:\n  - report: afm";

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile::new(name.to_owned(), text.as_bytes().to_vec())
}

/// Tells on which of the operations a rule over these lists fires.
fn fires(declared: &str, values: &[(&str, &str)], operations: &[Value]) -> Vec<bool> {
    let lines = LINES.replace("when: ", "when: |\n  ");
    let mut files = vec![rule("r", "enforce", &lines), file("rules/data/mrp.yaml", super::MRP)];
    files.push(file("rules/data/lists.yaml", declared));
    files.extend(values.iter().map(|(name, text)| file(name, text)));
    let compiled =
        kuzet::rules::compile(&files).unwrap_or_else(|found| panic!("{}", kuzet::rules::render_text(&found, &files)));
    let mut pipeline = kuzet::app::pipeline(compiled.rule_set, kuzet::geo::Geo::default());
    let decisions = super::decide(&mut pipeline, operations);
    decisions.iter().map(|decision| decision["matches"].as_array().is_some_and(|m| !m.is_empty())).collect()
}

const DECLARED: &str = "phones: {type: phone, file: phones.csv}\naccounts: {type: account, file: accounts.csv}\n\
                        wallets: {type: wallet, file: wallets.csv}\n";

fn to(number: usize, member: &str, value: &str) -> Value {
    let mut party = json!({"kind": "merchant"});
    party[member] = value.into();
    payment(number, 0, "1", &json!({ "counterparty": party }))
}

#[test]
fn both_sides_are_compared_in_one_form() {
    let values = [
        ("rules/data/phones.csv", "value,from,until,reason\n+7 (700) 000-00-01,,,a\n77000000002,,,b\n"),
        ("rules/data/accounts.csv", "value,from,until,reason\nkz86 125k zt50 0410 0100,,,a\nKZ99X,,,b\n"),
        ("rules/data/wallets.csv", "value,from,until,reason\nW9,,,a\n"),
    ];
    let operations = [
        (to(0, "phone", "77000000001"), true),
        (to(1, "phone", "+77000000001"), true),
        (to(2, "phone", "+7-700-000-00-02"), true),
        (to(3, "phone", "8 700 000 00 01"), false),
        (to(4, "phone", "77000000003"), false),
        (to(5, "account", "KZ86125KZT5004100100"), true),
        (to(6, "account", "kz99x"), true),
        (to(7, "account", "KZ 99 x"), true),
        (to(8, "account", "KZ98X"), false),
        // Each kind of value on its own list only.
        (to(9, "account", "77000000001"), false),
        (payment(10, 0, "1", &json!({"wallet_id": "W9"})), true),
        (payment(11, 0, "1", &json!({"wallet_id": "w9"})), false),
    ];
    let (operations, expected): (Vec<Value>, Vec<bool>) = operations.into_iter().unzip();
    assert_eq!(fires(DECLARED, &values, &operations), expected);
}

#[test]
fn a_set_in_redis_is_compared_as_a_file_is_and_may_hold_a_value_twice() {
    let declared = "phones: {type: phone, from: redis}\naccounts: {type: account, from: redis}\n\
                    wallets: {type: wallet, from: redis}\n";
    let path = |name: &str| format!("{}{name}", kuzet::rules::REDIS_SET);
    let (phones, accounts, wallets) = (path("phones"), path("accounts"), path("wallets"));
    let values = [
        (phones.as_str(), "+7 (700) 000-00-01\n77000000001\n+77000000001\n"),
        (accounts.as_str(), "kz 99 x\nKZ99X\n"),
        (wallets.as_str(), ""),
    ];
    let operations = [to(0, "phone", "7 700 0000001"), to(1, "account", "Kz99x"), to(2, "phone", "7")];
    assert_eq!(fires(declared, &values, &operations), [true, true, false]);
}

/// In force from the start of the day `from` to the end of the day `until` in Almaty, to the nanosecond.
#[test]
fn a_row_is_in_force_from_the_start_of_its_first_day_to_the_end_of_its_last() {
    let values = [
        ("rules/data/phones.csv", "value,from,until,reason\n+7 700,2026-03-01,2026-03-02,a\n"),
        ("rules/data/accounts.csv", "value,from,until,reason\n"),
        ("rules/data/wallets.csv", "value,from,until,reason\nW1,2026-03-05,2026-03-05,one day\n"),
    ];
    let midnight = |day: i64| super::NOON.minus(12 * HOUR).plus((day - 2) * DAY);
    let at = |number: usize, instant: Time| {
        let mut operation = to(number, "phone", "7700");
        operation["occurred_at"] = instant.to_string().into();
        operation
    };
    let instants = [
        (midnight(1).minus(Nanos::ONE), false),
        (midnight(1), true),
        (midnight(3).minus(Nanos::ONE), true),
        (midnight(3), false),
        (midnight(5).minus(Nanos::ONE), false),
        (midnight(5), true),
        (midnight(6).minus(Nanos::ONE), true),
        (midnight(6), false),
    ];
    let operations: Vec<Value> = instants.iter().enumerate().map(|(n, (instant, _))| at(n, *instant)).collect();
    assert_eq!(fires(DECLARED, &values, &operations), instants.map(|(_, expected)| expected));
}
