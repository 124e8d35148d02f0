use std::path::Path;

use super::*;
use crate::rules::{self, SourceFile};

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()
}

fn rule(id: &str, keys: &str) -> SourceFile {
    let text = format!(
        "rule: {id}\nclauses: [\"7.15\"]\ntitle: {{kk: x, ru: x, en: x}}\nowner: x\nmode: enforce\non_missing: skip\n{keys}"
    );
    let then = if keys.contains("then:") { "" } else { "\nthen: [report: afm]\n" };
    SourceFile::new(format!("{id}.yaml"), format!("{text}{then}"))
}

/// What is found in a set, each as its code and the text that it points at; notes are left out.
fn found(files: &[SourceFile]) -> Vec<(&'static str, String)> {
    let compiled = rules::compile(files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, files)));
    let found = findings(&compiled.rule_set, files, &compiled.warnings, today());
    let text = |found: &Diagnostic| {
        let file = files.iter().find(|file| file.path == found.path).unwrap();
        String::from_utf8_lossy(&file.bytes[found.span.clone()]).into_owned()
    };
    let is_warning = |found: &&Diagnostic| found.severity == rules::Severity::Warning;
    found.iter().filter(is_warning).map(|found| (found.code, text(found))).collect()
}

/// What is found in the condition of one rule on transfers.
fn of(when: &str) -> Vec<(&'static str, String)> {
    found(&[rule("a", &format!("on: transfer\nwhen: {when}"))])
}

fn one(code: &'static str, text: &str) -> Vec<(&'static str, String)> {
    vec![(code, text.to_owned())]
}

#[test]
fn conditions_that_never_hold_are_found() {
    let whole = [
        "amount <= 0 KZT",
        "type = payment",
        "count(transfer by wallet today) < 0",
        "client_status is missing",
        "ip is missing and ip.country = \"KZ\" and ip.country is missing",
        "amount > 5 KZT and not amount > 5 KZT",
        "none(transfer by wallet within 1h)",
    ];
    for when in whole {
        assert_eq!(of(when), one("always-false", when));
    }
    let parts = [
        ("amount > 5 KZT and (amount < 3 KZT or counterparty.kind = client)", vec!["amount < 3 KZT"]),
        ("amount > 5 KZT and (amount < 3 KZT or amount = 4 KZT)", vec!["amount < 3 KZT", "amount = 4 KZT"]),
        ("amount > 5 MRP and (amount < 3 MRP or amount > 9 MRP)", vec!["amount < 3 MRP"]),
        ("amount - amount > 5 KZT and amount < amount", vec!["amount < amount"]),
        ("count(debit where type = login by wallet today) > 3", vec!["type = login"]),
    ];
    for (when, parts) in parts {
        let found = of(when);
        assert_eq!(found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), parts, "{when}");
        assert!(found.iter().all(|(code, _)| *code == "always-false"), "{when}");
    }
    let pair = "count(login where outcome = success and outcome = failure by wallet today) > 3";
    assert_eq!(of(pair), [], "what loading warned of is not said again");
}

const ANY_COUNTRY: &str = "ip.country = \"KZ\" or not (ip.country = \"KZ\") or ip.country is missing";

#[test]
fn conditions_that_always_hold_are_found() {
    let always = [
        ("count(transfer by wallet today) > 0", "count(transfer by wallet today) > 0"),
        (ANY_COUNTRY, ANY_COUNTRY),
        (
            "client_status = unregistered or client_status = unidentified or client_status = identified",
            "client_status = unregistered or client_status = unidentified or client_status = identified",
        ),
        ("client_status is present and amount > 5 KZT", "client_status is present"),
        ("type = transfer and amount > 5 KZT", "type = transfer"),
        ("any(any by wallet within 24h) and amount > 5 KZT", "any(any by wallet within 24h)"),
        ("count(debit where type != login by wallet today) > 3", "type != login"),
    ];
    for (when, text) in always {
        assert_eq!(of(when), one("always-true", text), "{when}");
    }
    let pair = "amount > 5 KZT or amount < 10 KZT or counterparty.kind = client";
    assert_eq!(of(pair), [], "what loading warned of is not said again");
}

#[test]
fn what_may_hold_or_not_is_left_alone() {
    let fine = [
        "amount > 5 KZT and (amount < 7 KZT or counterparty.kind = client)",
        "amount > 5 KZT and amount < 5.02 KZT",
        "not ip.is_anonymizer",
        "count(transfer by wallet today) > 1",
        "count(transfer by wallet within 24h excluding this) > 0",
        "count(transfer into wallet within 24h) > 0",
        "count(transfer where amount > 5 KZT by wallet today) > 0",
        "count(top_up by wallet today) > 0",
        "count(transfer by device_id today) > 0 and ip is present",
        "last(transfer.amount by wallet within 1h) = amount",
        "attributes.score > 0.5 and attributes.score < 1",
        "amount > 5 MRP and amount < 5 KZT",
        "100 * amount > 80 * sum(transfer.amount by wallet today)",
        "count(transfer where amount = this.amount by wallet today) > 3",
    ];
    for when in fine {
        assert_eq!(of(when), [], "{when}");
    }
}

#[test]
fn an_unknown_condition_counts_as_the_rule_says() {
    let file = |on_missing: &str| {
        let text = rule("a", "on: transfer\nwhen: ip.country = \"KZ\" and ip.country is missing");
        let text = String::from_utf8(text.bytes).unwrap().replace("on_missing: skip", on_missing);
        [SourceFile::new("a.yaml", text)]
    };
    assert_eq!(found(&file("on_missing: skip")).len(), 1);
    // Of an operation without a country the first part is unknown, and so is the whole.
    assert_eq!(found(&file("on_missing: fire")), []);
    let choice = |on_missing: &str| {
        let when = "on: transfer\nwhen: device_id = \"d\" and (device_id is missing or amount > 5 KZT)";
        let text = String::from_utf8(rule("a", when).bytes).unwrap().replace("on_missing: skip", on_missing);
        [SourceFile::new("a.yaml", text)]
    };
    assert_eq!(found(&choice("on_missing: skip")), one("always-false", "device_id is missing"));
    // Without a device the rest is unknown, and the rule fires by this part.
    assert_eq!(found(&choice("on_missing: fire")), []);
}

#[test]
fn a_report_is_looked_at_where_the_rule_fires() {
    let text = "on: transfer\nwhen: amount > 5 KZT\nthen: [monitor, report: {to: afm, when: amount < 3 KZT}]\n";
    assert_eq!(found(&[rule("a", text)]), one("always-false", "amount < 3 KZT"));
}

/// Two enforced rules; what is found of the first.
fn beside(first: &str, second: &str) -> Vec<(&'static str, String)> {
    found(&[rule("first", first), rule("second", second)])
}

#[test]
fn a_rule_that_another_makes_superfluous_is_found() {
    let narrow = "on: transfer\nwhen: amount > 9 KZT and counterparty.kind = client\nthen: [hold]\n";
    let subsumed = one("subsumed-rule", "first");
    assert_eq!(beside(narrow, "on: debit\nwhen: amount > 5 KZT\nthen: [hold]\n"), subsumed);
    assert_eq!(beside(narrow, "on: debit\nthen: [report: afm, hold]\n"), subsumed);
    let fine = [
        "on: payment\nwhen: amount > 5 KZT\nthen: [hold]\n",
        "on: debit\nwhen: amount > 9.01 KZT\nthen: [hold]\n",
        "on: debit\nwhen: amount > 5 KZT\nthen: [monitor: {lifted_by: [pin]}]\n",
        "on: debit\nwhen: amount > 5 KZT and ip is present\nthen: [hold]\n",
        "on: debit\nfrom: 2026-01-01\nwhen: amount > 5 KZT\nthen: [hold]\n",
        "on: debit\nwhen: amount > 5 KZT\nthen: [hold: {lifted_by: [pin, agreed, facts_established]}]\n",
    ];
    for second in fine {
        assert_eq!(beside(narrow, second), [], "{second}");
    }
    // Of two that are the same, the later one is superfluous.
    assert_eq!(beside(narrow, narrow), one("subsumed-rule", "second"));
}

/// So many enforced rules as a set of some size has: thresholds over a few fields and windows, each its own.
fn many_rules(count: usize) -> Vec<SourceFile> {
    let condition = |number: usize| match number % 5 {
        0 => format!("amount > {} KZT and counterparty.kind = client", 1_000 + number),
        1 => format!("count(transfer by wallet within {}m) > {} and amount > 500 KZT", 5 + number % 50, 3 + number / 5),
        2 => format!("amount > {} KZT and (device_id is missing or client_status = unregistered)", 2_000 + number),
        3 => format!(
            "sum(transfer.amount by wallet within 24h) > {} KZT and not client_status = identified",
            9_000 + number
        ),
        _ => format!(
            "ip.country != KZ and amount > {} KZT and count(transfer by wallet within 1h) > {}",
            number,
            number % 7
        ),
    };
    let keys = |number: usize| {
        let then = ["[hold]", "[hold, report: afm]", "[refuse]", "[monitor]"][number % 4];
        format!("on: {}\nwhen: {}\nthen: {then}\n", ["transfer", "debit"][number % 2], condition(number))
    };
    (0..count).map(|number| rule(&format!("rule-{number:03}"), &keys(number))).collect()
}

/// Counted, not timed: how many pairs of rules are searched, and in how many steps.
fn effort(count: usize) -> (usize, usize) {
    let files = many_rules(count);
    let rules =
        rules::compile(&files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, &files))).rule_set;
    let places: Vec<Places> = rules.rules.iter().map(Places::of).collect();
    let mut pairs = pairs::Pairs { rules: &rules, steps_left: usize::MAX, searches: 0 };
    pairs.findings(&places);
    (pairs.searches, usize::MAX - pairs.steps_left)
}

#[test]
fn comparing_every_rule_with_every_other_stays_affordable() {
    let [(few, few_steps), (many, many_steps)] = [125, 500].map(effort);
    assert!(many <= 500 * 499, "each pair once: {many}");
    assert!(many_steps <= 20 * many, "a few steps each: {many_steps} in {many}");
    assert!(many <= 20 * few && many_steps <= 20 * few_steps, "as the square of their number, and no more");
}

#[test]
fn what_would_take_too_long_is_not_claimed() {
    let narrow = "on: transfer\nwhen: amount > 9 KZT and counterparty.kind = client\nthen: [hold]\n";
    let files = [rule("first", narrow), rule("second", narrow)];
    let rules = rules::compile(&files).unwrap().rule_set;
    let places: Vec<Places> = rules.rules.iter().map(Places::of).collect();
    let found = |steps_left| pairs::Pairs { rules: &rules, steps_left, searches: 0 }.findings(&places).len();
    assert_eq!([found(usize::MAX), found(3), found(0)], [1, 0, 0]);
}

#[test]
fn what_waits_for_nothing_is_found() {
    let refuses = "on: debit\nwhen: amount > 5 KZT\nthen: [refuse, report: issuer]\n";
    let holds = "on: transfer\nwhen: amount > 9 KZT\nthen: [report: afm, hold, challenge: pin]\n";
    let void = [("void-action", "hold".to_owned()), ("void-action", "challenge: pin".to_owned())];
    assert_eq!(beside(holds, refuses), void);
    assert_eq!(
        found(&[rule("a", "on: debit\nwhen: amount > 5 KZT\nthen: [refuse, hold]\n")]),
        one("void-action", "hold")
    );
    assert_eq!(beside("on: transfer\nwhen: amount > 4 KZT\nthen: [hold]\n", refuses), []);
}

#[test]
fn restrictions_without_a_way_out_are_found() {
    let of = |keys: &str| found(&[rule("a", keys)]);
    assert_eq!(of("on: debit\nthen: [monitor]\n"), one("no-way-out", "monitor"));
    assert_eq!(of("on: any\nthen: [refuse]\n"), one("no-way-out", "refuse"));
    let by_pin =
        "on: transfer\nwhen: client_status = unregistered and amount > 5 KZT\nthen: [hold: {lifted_by: [pin]}]\n";
    assert_eq!(of(by_pin), one("no-way-out", "hold: {lifted_by: [pin]}"));
    let fine = [
        "on: transfer\nthen: [monitor]\n",
        "on: debit\nthen: [hold]\n",
        "on: debit\nwhen: amount > 5 KZT\nthen: [monitor]\n",
        "on: login\nthen: [block: {what: wallet, direction: both, for: until_lifted}]\n",
        "on: transfer\nwhen: client_status != identified\nthen: [hold: {lifted_by: [pin]}]\n",
    ];
    for keys in fine {
        assert_eq!(of(keys), [], "{keys}");
    }
    let deaf = [
        rule(
            "a",
            "on: login\nthen: [block: {what: wallet, direction: both, for: until_lifted, lifted_by: [client]}]\n",
        ),
        rule("b", "on: wallet_unblock_requested\nthen: [refuse]\n"),
    ];
    let text = "block: {what: wallet, direction: both, for: until_lifted, lifted_by: [client]}";
    assert_eq!(found(&deaf), one("no-way-out", text));
}

#[test]
fn keys_of_few_values_are_hot() {
    assert_eq!(of("count(transfer by ip.country, currency within 1h) > 9"), one("hot-key", "ip.country, currency"));
    assert_eq!(of("count(transfer by ip.country, device_id within 1h) > 9"), []);
    assert_eq!(of("count(transfer by client_status, wallet within 1h) > 9"), []);
}

#[test]
fn lists_and_tables_are_looked_at() {
    let data = |name: &str, text: &str| SourceFile::new(format!("data/{name}"), text);
    let lists = data("lists.yaml", "lists:\n  used: {type: phone, file: a.csv}\n  idle: {type: phone, file: b.csv}\n");
    let csv = ["a.csv", "b.csv"].map(|name| data(name, "value,from,until,reason\n"));
    let mrp = data("mrp.yaml", "mrp:\n  - {from: 2025-01-01, value: 3932 KZT}\n");
    let [a, b] = csv;
    let reads = rule("a", "on: transfer\nwhen: counterparty.phone in used");
    let files = [lists, a, b, mrp.clone(), reads];
    assert_eq!(found(&files), [("unused-list", "idle".to_owned()), ("unused-table", "mrp".to_owned())]);
    let speaks = rule("a", "on: transfer\nwhen: amount > 5 АЕК");
    assert_eq!(found(&[mrp, speaks.clone()]), one("mrp-ends", "{from: 2025-01-01, value: 3932 KZT}"));

    let table = data("mrp.yaml", "mrp: [{from: 2026-01-01, value: 4325 KZT}]\n");
    let files = [table, speaks];
    let rules = rules::compile(&files).unwrap().rule_set;
    let on = |month, day| findings(&rules, &files, &[], NaiveDate::from_ymd_opt(2026, month, day).unwrap()).len();
    assert_eq!((on(1, 1), on(11, 30), on(12, 1), on(12, 31)), (0, 0, 1, 1));
}

#[test]
fn nothing_is_said_of_the_shipped_rules_but_which_windows_are_shared() {
    let folder = crate::adapters::folders::Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
    let files = folder.files(|_| true).unwrap();
    let files: Vec<SourceFile> =
        files.into_iter().map(|file| SourceFile::of_folder("", &file.path, file.bytes.into_owned())).collect();
    let compiled = rules::compile(&files).unwrap();
    let found = findings(&compiled.rule_set, &files, &compiled.warnings, today());
    let (notes, warnings): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.severity == rules::Severity::Note);
    assert_eq!(warnings, []);
    let names: Vec<&str> = notes.iter().map(|note| note.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "address-tries-many-wallets.yaml",
            "mule-in-and-out.yaml",
            "mule-in-and-out.yaml",
            "one-device-many-wallets.yaml"
        ]
    );
}
