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
    .map(|(path, text)| SourceFile::new((*path).to_owned(), text.as_bytes().to_vec()))
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

proptest::proptest! {
    #[test]
    fn no_text_panics_the_front_end(when in "(\\PC|\n){0,120}", file in "(\\PC|\n|: |- ){0,200}") {
        let _either = compile(&files(&when));
        let sources: Vec<SourceFile> = ["rules/r.yaml", "rules/data/mrp.yaml", "rules/data/lists.yaml", "rules/data/w.csv"]
            .iter()
            .map(|path| SourceFile::new((*path).to_owned(), file.as_bytes().to_vec()))
            .collect();
        if let Err(errors) = compile(&sources) {
            let _text = render_text(&errors, &sources);
        }
        let _tests = super::test_file::parse("r.test.yaml", &file);
    }

    #[test]
    fn no_words_of_the_language_panic_it(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "and", "or", "not", "(", ")", "amount", "count(", "transfer", "by", "wallet", "within", "1h", ">", "=", "5",
            "KZT", "\"х\"", "in", "antifraud_wallets", "is", "missing", "matched", "attributes.x", "+", "%", "this",
            "month", "where", "excluding", "today", "last(login.ip.country", "KZ", ",", "into", "sum(debit.amount", "\n  ",
        ]),
        0..40,
    )) {
        let when = words.join(" ");
        let sources = files(&when);
        if let Err(errors) = compile(&sources) {
            let _text = render_text(&errors, &sources);
        }
    }
}

#[test]
fn the_hash_ignores_layout_and_notices_meaning() {
    let of = |when: &str| compile_one(when).hash;
    let base = of("amount > 100000 KZT and counterparty.kind = client");
    assert_eq!(base, of("amount   > 100_000.00 KZT # сома\n  and (counterparty.kind = client)"));
    assert_ne!(base, of("amount >= 100000 KZT and counterparty.kind = client"));
    assert_ne!(base, of("amount > 100000.01 KZT and counterparty.kind = client"));
}

#[test]
fn evidence_is_in_the_order_of_the_text() {
    let set = compile_one(
        "attributes.purpose = \"x\" and count(transfer\n    where amount = 1 KZT by wallet   today) > 1 and amount > 1 KZT and amount < 9 KZT",
    );
    let names: Vec<&str> = set.rules[0].evidence.iter().map(|evidence| evidence.name.as_str()).collect();
    assert_eq!(names, ["attributes.purpose", "count(transfer where amount = 1 KZT by wallet today)", "amount"]);
}
