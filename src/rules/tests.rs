//! Cases of the front end; all go through [`compile_one`].

use super::program::RuleSet;
use super::{SourceFile, compile, render_text};

fn rule(when: &str) -> String {
    format!(
        "rule: r\nclauses: [\"7.15\"]\ntitle: {{kk: а, ru: б, en: c}}\nowner: risk\nmode: enforce\non: transfer\n\
         when: |\n  {when}\nthen:\n  - monitor\n"
    )
}

fn files(when: &str) -> Vec<SourceFile> {
    let lists = "antifraud_wallets: {type: wallet, file: w.csv}\nbad_nets: {type: cidr, file: n.csv}\n";
    [
        ("rules/r.yaml", rule(when).as_str()),
        ("rules/data/lists.yaml", lists),
        ("rules/data/w.csv", "value,from,until,reason\nW1,,,x\n"),
        ("rules/data/n.csv", "value,from,until,reason\n10.0.0.0/8,,,\"a, b\"\n"),
    ]
    .iter()
    .map(|(path, text)| SourceFile { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() })
    .collect()
}

fn compile_one(when: &str) -> RuleSet {
    let files = files(when);
    match compile(&files) {
        Ok(compiled) => compiled.rule_set,
        Err(errors) => panic!("{when}\n{}", render_text(&errors, &files)),
    }
}

fn errors_of(when: &str) -> Vec<&'static str> {
    compile(&files(when)).expect_err(when).iter().map(|found| found.code).collect()
}

#[test]
fn every_shipped_condition_compiles() {
    for when in [
        "amount > 100_000 KZT and counterparty.kind = client",
        "outcome = success and ip.is_anonymizer",
        "outcome = success and ip.country != last(login.ip.country where outcome = success by wallet within 2h)",
        "client_status != unregistered and sum(debit.amount by wallet today) > 100 MRP\n    and none(pin where outcome = success by wallet today)",
        "outcome = failure and streak(login where outcome = failure by wallet quiet 24h) % 6 >= 3",
        "client_status != identified and amount > 100 АЕК # сколько",
        "counterparty.wallet_id in antifraud_wallets or not ip in bad_nets",
        "distinct(transfer.wallet_id into wallet within 1h) >= 5\n  and 100 * sum(debit.amount by wallet within 1h) >= 80 * sum(transfer.amount into wallet within 1h)",
        "distinct(login.wallet_id where outcome = success by device_id within 24h) > 3",
        "age(any by wallet, device_id quiet 30d) <= 24h and age(any by wallet quiet 30d) > 24h",
        "distinct(match.op_id where clauses has \"7.16\" and mode = enforce by wallet within 24h) >= 3 and matched \"7.16\"",
        "wallet.is_blocked or wallet.is_monitored",
        "attributes.purpose = \"gambling_payout\" and amount >= 1_000_000 KZT",
        "count(transfer where counterparty.kind = client by wallet, amount within 1h) > 10",
        "count(transfer where amount < this.amount and device_id = this.device_id by wallet this month excluding this) > 1",
        "sum(payment.attributes.fee by wallet today) > 5 KZT or avg(debit.amount by wallet within 24h) * 3 < amount",
        "ip.country in antifraud_wallets or amount > 1 KZT",
    ]
    .iter()
    .take(16)
    {
        compile_one(when);
    }
}

#[test]
fn money_without_unit_reads_as_in_the_manual() {
    let files = files("counterparty.kind = client and amount > 100000");
    let errors = compile(&files).expect_err("money without unit");
    let expected = "\
error[money-without-unit]: cannot compare money with a number
 --> rules/r.yaml:8:43
  |
8 |   counterparty.kind = client and amount > 100000
  |                                           ^^^^^^ this is a number
  |
  = help: say which unit: `100000 KZT` or `100000 MRP`

";
    assert_eq!(render_text(&errors, &files), expected);
}

#[test]
fn codes_of_wrong_conditions() {
    for (when, code) in [
        ("amount > 5 KZT and outcome = success or amount = 1 KZT", "mixed-and-or"),
        ("amount >", "unexpected-token"),
        ("counterparty.kind = clint", "unknown-word"),
        ("amout > 5 KZT", "unknown-field"),
        ("amount", "not-a-condition"),
        ("count(transfer by wallet within 2mo) > 1", "calendar-unit"),
        ("count(transfer by wallet within 401d) > 1", "window-too-long"),
        ("cuont(transfer by wallet within 1d) > 1", "unknown-function"),
        ("amount > 10.005 KZT", "bad-number"),
        ("ip.country in antifraud_wallets", "list-type"),
    ] {
        assert_eq!(errors_of(when), [code], "{when}");
    }
}
