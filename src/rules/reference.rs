//! The reference of the rule language as a document, made from the tables that rules are read with.

mod meanings;

use super::check::{AGGREGATES_MAX, FUNCTIONS, WindowForm, takes_field, windows_of, works_on};
use super::diagnostic::Code;
use super::fields::{self, CLASSES, FIELDS, MATCH_FIELDS};
use super::program::{AttributeType, Field, Function, Lifter, Lifters, Recipient, Type, TypeSet};
use super::rule_file::{ACTIONS, DAYS_MAX, KEYS, MONTHS_MAX};
use super::syntax::Unit;
use super::test_file::TIMES_MAX;
use super::token::DECIMALS_MAX;
use super::{FILE_BYTES_MAX, RULES_MAX, parse};
use crate::operation::OperationType;
use crate::operation::time::DAY;

/// Every type, in the order of the reference.
const TYPES: [Type; 10] = [
    Type::Bool,
    Type::Int,
    Type::Money,
    Type::Duration,
    Type::Time,
    Type::Text,
    Type::Enum,
    Type::Country,
    Type::Address,
    Type::Clauses,
];

/// Writes what stands under one title.
type Section = fn(&mut String);

/// Writes the reference as Markdown: names, types and limits are those that rules are checked with.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Rule reference\n\nMade by `kuzet schema rule-reference` from the tables that rules are checked with. \
         How rules are written, with examples, is in the [guide for analysts](../rules/README.md).\n",
    );
    let sections: [(&str, Section); 12] = [
        ("Keys of a rule file", keys),
        ("Operation types and classes", operations),
        ("Fields", operation_fields),
        ("Fields of a match", match_fields),
        ("Types and literals", types),
        ("Units", units),
        ("Operators", operators),
        ("Aggregates", aggregates),
        ("Actions", actions),
        ("Who lifts, who is told", lifters_and_recipients),
        ("Limits", limits),
        ("Codes of findings", codes),
    ];
    for (title, section) in sections {
        out.push_str("\n## ");
        out.push_str(title);
        out.push_str("\n\n");
        section(&mut out);
    }
    out
}

fn table(out: &mut String, heads: &[&str]) {
    row(out, heads);
    row(out, &vec!["---"; heads.len()]);
}

fn row(out: &mut String, cells: &[&str]) {
    for cell in cells {
        out.push_str("| ");
        out.push_str(cell);
        out.push(' ');
    }
    out.push_str("|\n");
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn codes_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

fn keys(out: &mut String) {
    table(out, &["key", "meaning"]);
    for key in KEYS {
        row(out, &[&code(key), meanings::key(key)]);
    }
}

fn operations(out: &mut String) {
    table(out, &["type", "classes", "meaning"]);
    for kind in OperationType::ALL {
        let of = |class: &&str| fields::type_set(class).is_some_and(|set| set.contains(*kind));
        let classes = codes_of(CLASSES.iter().filter(|class| of(class)).copied());
        row(out, &[&code(kind.name()), &classes, meanings::operation(*kind)]);
    }
    out.push_str("\nAn aggregate may also run over `match`: the matches of operations so far.\n");
}

fn operation_fields(out: &mut String) {
    table(out, &["field", "type", "always there on", "meaning"]);
    let attribute = Field::Attribute("KEY".into(), AttributeType::Text);
    let rows = FIELDS.iter().map(|(path, field, field_type, words)| (*path, field, type_of(*field_type, words)));
    let last = ("attributes.KEY", &attribute, "bool, number, money or text".to_owned());
    for (path, field, described) in rows.chain([last]) {
        let there = TypeSet::of(|kind| fields::is_always_present(field, kind));
        row(out, &[&code(path), &described, &described_set(there), meanings::field(field)]);
    }
    out.push_str(
        "\nA comparison with a field that is not there is unknown. What is unknown does not fire unless the rule says \
         `on_missing: fire`; `is missing` and `is present` are never unknown.\n",
    );
}

fn match_fields(out: &mut String) {
    out.push_str("Inside an aggregate over `match`:\n\n");
    table(out, &["field", "type", "meaning"]);
    for (path, field, field_type, words) in &MATCH_FIELDS {
        row(out, &[&code(path), &type_of(*field_type, words), meanings::field(field)]);
    }
}

fn type_of(value_type: Type, words: &[&str]) -> String {
    let (name, _) = meanings::value_type(value_type);
    match words {
        // Its words are the table of types.
        [] => name.to_owned(),
        _ if words.len() == OperationType::ALL.len() => "word: an operation type".to_owned(),
        _ => format!("word: {}", codes_of(words.iter().copied())),
    }
}

/// Names a set of types by the classes it is made of, where it is made of classes.
fn described_set(set: TypeSet) -> String {
    if set == TypeSet::default() {
        return "none".to_owned();
    }
    if Some(set) == fields::type_set("any") {
        return "`any`".to_owned();
    }
    let mut rest = set;
    let mut names = Vec::new();
    for class in CLASSES {
        let Some(of_class) = fields::type_set(class) else { continue };
        if rest.0 & of_class.0 == of_class.0 {
            rest.0 &= !of_class.0;
            names.push(class);
        }
    }
    names.extend(rest.iter().map(OperationType::name));
    codes_of(names)
}

fn types(out: &mut String) {
    table(out, &["type", "how a value is written"]);
    for value_type in TYPES {
        let (name, literal) = meanings::value_type(value_type);
        row(out, &[name, literal]);
    }
    out.push_str("\nNo value is converted: `amount > 100000` is an error that asks for the unit.\n");
}

fn units(out: &mut String) {
    table(out, &["unit", "meaning"]);
    for (name, unit) in Unit::NAMES {
        row(out, &[&code(name), meanings::unit(unit)]);
    }
}

/// Operators: how they are written, what stands beside them, what they mean, and a condition that uses them. The examples
/// load, and between them they use every sign and every word of the language; tests hold both.
const OPERATORS: [[&str; 4]; 11] = [
    [
        "`and`, `or`, `not`",
        "conditions",
        "three-valued: unknown stays unknown unless the rest decides; brackets where `and` meets `or`",
        "(amount > 1 KZT or ip is missing) and not wallet.is_blocked",
    ],
    ["`=`, `!=`", "two values of one type", "equal, not equal", "currency = \"KZT\" and ip.country != KZ"],
    [
        "`<`, `<=`, `>`, `>=`",
        "numbers, money, durations, times",
        "order; `>` is strict",
        "amount > 1 KZT and amount >= 1 KZT and amount < 5 MRP and amount <= 5 MRP",
    ],
    [
        "`+`, `-`",
        "numbers, money, durations; a time and a duration; times by `-`",
        "exact",
        "occurred_at - last(debit.occurred_at by wallet within 1h) < 30m + 10s",
    ],
    [
        "`*`, `/`",
        "numbers; money or a duration, and a number; `/` also two of money or two durations",
        "exact; a division by zero is missing",
        "amount * 2 > sum(debit.amount by wallet within 1h) / 3",
    ],
    [
        "`%`",
        "whole numbers",
        "the remainder, with the sign of the dividend; by zero is missing",
        "count(debit by wallet within 1h) % 3 = 0",
    ],
    [
        "`in`, `not in`",
        "a text or an address, and a list",
        "on the list, not on it",
        "counterparty.phone in phones and ip not in addresses",
    ],
    ["`is missing`, `is present`", "a field or an aggregate", "never unknown", "ip is present or device_id is missing"],
    [
        "`has`",
        "`clauses` and a text",
        "inside an aggregate over `match`",
        "count(match where clauses has \"7.15\" by wallet within 1h) > 1",
    ],
    ["`matched`", "before a text", "an enforced rule of this clause matches this operation", "matched \"7.15\""],
    [
        "`this`",
        "before a dot and a field, inside `where`",
        "the field of this operation, not of the past one",
        "count(debit where amount = this.amount by wallet within 1h excluding this) > 1",
    ],
];

fn operators(out: &mut String) {
    table(out, &["operator", "between", "meaning", "example"]);
    for [operator, between, meaning, example] in OPERATORS {
        row(out, &[operator, between, meaning, &code(example)]);
    }
}

/// Keys of an aggregate, as written, and which past operations they take.
const AGGREGATE_KEYS: [(&str, &str); 4] = [
    ("by wallet", "those of the same wallet; the state belongs to the wallet"),
    ("by wallet, amount", "those of the same wallet and the same amount"),
    ("by device_id", "those with the same device, of any wallet"),
    ("into wallet", "those whose `counterparty.wallet_id` is this wallet"),
];

/// Windows of an aggregate, as written, and which past operations they hold.
const AGGREGATE_WINDOWS: [(WindowForm, &str, &str); 4] = [
    (WindowForm::Within, "within 1h", "those at most so long before: the end counts"),
    (WindowForm::Calendar, "today", "those of the operation's Almaty day"),
    (WindowForm::Calendar, "this month", "those of the operation's Almaty month"),
    (WindowForm::Quiet, "quiet 24h", "those of the run or chain, which a longer pause ends"),
];

fn aggregates(out: &mut String) {
    out.push_str(
        "`FUNCTION(TYPE[.FIELD] [where CONDITION] KEY WINDOW [excluding this])` runs over the past operations and this \
         one; `excluding this` leaves this one out, `last` always does. Refused and cancelled operations are not there, \
         those that wait are.\n\n",
    );
    table(out, &["function", "field", "windows", "gives", "over nothing", "example"]);
    for (name, function) in FUNCTIONS {
        let (meaning, empty, example) = meanings::function(function);
        row(out, &[&code(name), &worked_on(function), &windows(function), meaning, empty, &code(example)]);
    }
    out.push('\n');
    table(out, &["key", "which past operations"]);
    for (key, meaning) in AGGREGATE_KEYS {
        row(out, &[&code(key), meaning]);
    }
    out.push_str(
        "\nWhere a field of the key is missing on this operation, the aggregate is missing. Inside `where` a bare name is \
         a field of the past operation, `this.amount` one of this operation.\n\n",
    );
    table(out, &["window", "which past operations"]);
    for (_, window, meaning) in AGGREGATE_WINDOWS {
        row(out, &[&code(window), meaning]);
    }
}

fn worked_on(function: Function) -> String {
    if !takes_field(function) {
        return "no".to_owned();
    }
    let accepted = |value_type: &Type| works_on(function, *value_type);
    let names = |wanted: bool| {
        let found = TYPES.into_iter().filter(|value_type| accepted(value_type) == wanted);
        found.map(|value_type| meanings::value_type(value_type).0).collect::<Vec<_>>().join(", ")
    };
    if TYPES.iter().filter(|value_type| accepted(value_type)).count() > TYPES.len() / 2 {
        return format!("any but {}", names(false));
    }
    names(true)
}

fn windows(function: Function) -> String {
    let forms = windows_of(function).iter().map(|form| match form {
        WindowForm::Within => "`within`",
        WindowForm::Calendar => "`today`, `this month`",
        WindowForm::Quiet => "`quiet`",
    });
    forms.collect::<Vec<_>>().join(", ")
}

fn actions(out: &mut String) {
    table(out, &["in `then`", "what happens"]);
    for name in ACTIONS {
        for (written, meaning) in meanings::action(name) {
            row(out, &[&code(written), meaning]);
        }
    }
    out.push_str(&format!(
        "\nA block's `for` is exact in `s`, `m`, `h`; calendar days `d` (at most {DAYS_MAX}) and months `mo` (at most \
         {MONTHS_MAX}) end at the same Almaty wall clock, clamped to the month's end; `until_lifted` has no end. Only \
         debits can be held or challenged by a PIN. While a restriction of a rule is in force, the rule firing again \
         extends it if it would then end later.\n",
    ));
}

fn lifters_and_recipients(out: &mut String) {
    table(out, &["in `lifted_by`", "who lifts", "without `lifted_by`"]);
    for lifter in Lifter::ALL {
        let by_default = if Lifters::PROOFS.contains(*lifter) {
            "yes"
        } else if *lifter == Lifter::Support {
            "of addresses"
        } else {
            "no"
        };
        row(out, &[&code(lifter.name()), meanings::lifter(*lifter), by_default]);
    }
    out.push('\n');
    table(out, &["in `report`", "who is told"]);
    for recipient in Recipient::ALL {
        row(out, &[&code(recipient.name()), meanings::recipient(*recipient)]);
    }
}

fn limits(out: &mut String) {
    table(out, &["what", "at most"]);
    for (what, most) in [
        ("rules in a set", RULES_MAX.to_string()),
        ("bytes of a rule file", FILE_BYTES_MAX.to_string()),
        ("depth of brackets in a condition", parse::DEPTH_MAX.to_string()),
        ("days of a window", (parse::WINDOW_MAX / DAY).to_string()),
        ("aggregates of a rule", AGGREGATES_MAX.to_string()),
        ("decimals of a literal", DECIMALS_MAX.to_string()),
        ("`times` of a step in a test", TIMES_MAX.to_string()),
    ] {
        row(out, &[what, &most]);
    }
}

fn codes(out: &mut String) {
    out.push_str(
        "`kuzet check` shows them in brackets: `error[money-without-unit]`. `kuzet check --explain money-without-unit` \
         tells more, with an example and what to write instead.\n\n",
    );
    table(out, &["code", "meaning"]);
    for finding in Code::ALL {
        row(out, &[&code(finding.name()), finding.meaning()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::token::SIGNS;
    use crate::rules::{SourceFile, compile};

    fn loads(on: &str, when: &str, then: &str) -> Result<(), String> {
        let rule = format!(
            "rule: example\nclauses: [\"1\"]\ntitle: {{kk: a, ru: a, en: a}}\nowner: risk\nmode: enforce\non: {on}\n\
             on_missing: skip\n{when}then:\n  - {then}\n"
        );
        let lists = "lists:\n  phones: {type: phone, file: l.csv}\n  addresses: {type: cidr, file: l.csv}\n";
        let files = [
            SourceFile::new("example.yaml", rule),
            SourceFile::new("data/lists.yaml", lists),
            SourceFile::new("data/l.csv", "value,from,until,reason\n"),
        ];
        compile(&files).map(|_| ()).map_err(|findings| format!("{when}{then}: {findings:?}"))
    }

    #[test]
    fn every_example_loads() {
        for (_, function) in FUNCTIONS {
            let (_, _, example) = meanings::function(function);
            assert_eq!(loads("debit", &format!("when: {example}\n"), "monitor"), Ok(()));
        }
        for name in ACTIONS {
            let written = meanings::action(name);
            assert!(!written.is_empty(), "{name}");
            for (action, _) in written {
                assert!(action.starts_with(name), "{action}");
                assert_eq!(loads("debit", "", action), Ok(()));
            }
        }
    }

    #[test]
    fn every_operator_key_and_window_loads_and_none_is_left_out() {
        for [operator, _, _, example] in OPERATORS {
            assert_eq!(loads("debit", &format!("when: |\n  {example}\n"), "monitor"), Ok(()), "{operator}");
        }
        for (key, _) in AGGREGATE_KEYS {
            let condition = format!("when: count(transfer {key} within 1h) > 1\n");
            assert_eq!(loads("transfer", &condition, "monitor"), Ok(()), "{key}");
        }
        for (form, window, _) in AGGREGATE_WINDOWS {
            let condition = match form {
                WindowForm::Within | WindowForm::Calendar => format!("when: count(debit by wallet {window}) > 1\n"),
                WindowForm::Quiet => format!("when: age(debit by wallet {window}) > 1h\n"),
            };
            assert_eq!(loads("debit", &condition, "monitor"), Ok(()), "{window}");
        }
        let text = markdown();
        for (sign, _) in SIGNS {
            assert!(OPERATORS.iter().any(|cells| cells[3].contains(sign)) || sign == ",", "no example has {sign}");
        }
        for word in parse::KEYWORDS {
            let is_shown = |code: &str| code.split([' ', '.', ',']).any(|shown| shown == word);
            assert!(text.split('`').skip(1).step_by(2).any(is_shown), "{word} stands in no example");
        }
    }

    #[test]
    fn every_key_has_a_meaning_and_no_cell_breaks_its_table() {
        for key in KEYS {
            assert_ne!(meanings::key(key), "", "{key}");
        }
        let mut columns = 0;
        for line in markdown().lines() {
            let bars = line.matches('|').count();
            if bars > 0 && columns > 0 {
                assert_eq!(bars, columns, "{line}");
            }
            columns = bars;
        }
    }
}
