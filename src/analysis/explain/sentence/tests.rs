//! Sentences, word for word.

use super::*;
use crate::rules::condition_of;

fn told(when: &str, values: &[(&str, Value)], sides: &Sides) -> [String; 3] {
    let head = "rule: x\nclauses: [\"7.1\"]\ntitle: {kk: a, ru: b, en: c}\nowner: o\nmode: enforce\non: transfer\n";
    let rule = format!("{head}when: |\n  {when}\nthen: [refuse]\n");
    let condition = condition_of(&rule).expect("a condition");
    let named = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let values = Values { named, mrp: Some(432_500) };
    Language::ALL
        .map(|language| Teller::new(&rule, &values, language).sentence(&condition, sides).replace(NO_BREAK_SPACE, " "))
}

#[test]
fn a_count_is_told_with_its_window_and_key() {
    let count = "count(transfer by wallet, amount within 1h)";
    let [kk, ru, en] = told(&format!("{count} > 10"), &[(count, Value::Whole(11))], &[None, None]);
    assert_eq!(
        kk,
        "Аударымдар саны, 1 сағ ішінде, осы әмиян бойынша, тең сомаға: 11; 10-нан артық болғанда іске қосылады"
    );
    assert_eq!(ru, "Число переводов, за 1 ч, по этому кошельку, на равную сумму: 11; срабатывает, когда больше 10");
    assert_eq!(
        en,
        "Number of transfers, within 1 h, of this wallet, of an equal amount: 11; fires when it is more than 10"
    );
}

#[test]
fn an_amount_in_mrp_is_told_in_tenge_too() {
    let sides = [Some(Value::Money(50_000_000)), None];
    let [kk, ru, en] = told("amount > 100 MRP", &[], &sides);
    assert_eq!(kk, "Сома: 500 000 теңге; 100 АЕК = 432 500 теңгеден артық болғанда іске қосылады");
    assert_eq!(ru, "Сумма: 500 000 тенге; срабатывает, когда больше 100 МРП (432 500 тенге)");
    assert_eq!(en, "Amount: 500 000 KZT; fires when it is more than 100 MRP (432 500 KZT)");
}

#[test]
fn the_thing_that_varies_comes_first() {
    let [_, _, en] = told("100_000 KZT < amount", &[("amount", Value::Money(15_000_001))], &[None, None]);
    assert_eq!(en, "Amount: 150 000.01 KZT; fires when it is more than 100 000 KZT");
}

#[test]
fn words_lists_and_flags_are_told() {
    let [kk, ru, en] =
        told("counterparty.kind != client", &[("counterparty.kind", Value::Text("agent".into()))], &[None, None]);
    assert_eq!(kk, "Контрагент түрі: агент; клиент болмағанда іске қосылады");
    assert_eq!(ru, "Вид контрагента: агент; срабатывает, когда это не клиент");
    assert_eq!(en, "Kind of counterparty: agent; fires when it is not client");
    let [_, _, en] = told("not wallet.is_confirmed", &[("wallet.is_confirmed", Value::Flag(false))], &[None, None]);
    assert_eq!(en, "Day is confirmed by the PIN: no; fires when it is “no”");
    let [_, _, en] = told("wallet_id in watched", &[("wallet_id", Value::Text("7701".into()))], &[None, None]);
    assert_eq!(en, "Wallet: 7701; fires when it is on the list “watched”");
}

#[test]
fn kazakh_numbers_take_the_ending_of_their_last_word() {
    for (number, ending) in [
        ("1", "ден"),
        ("3", "тен"),
        ("6", "дан"),
        ("9", "дан"),
        ("10", "нан"),
        ("20", "дан"),
        ("40", "тан"),
        ("50", "ден"),
        ("70", "тен"),
        ("80", "нен"),
        ("90", "нан"),
        ("100", "ден"),
        ("5\u{a0}000", "нан"),
        ("0", "ден"),
    ] {
        assert_eq!(ablative(number), format!("{number}-{ending}"));
    }
    assert_eq!(ablative("100 теңге"), "100 теңгеден");
}

#[test]
fn instants_bear_their_zone() {
    let time = |text| Time::parse_rfc3339(text).expect("a time");
    let told = moment(time("2026-11-22T08:00:00.001Z"), Language::English).replace(NO_BREAK_SPACE, " ");
    assert_eq!(told, "22 Nov 2026 13:00:00.001 (Almaty, UTC+05:00)");
    let before = moment(time("2024-02-01T06:00:00Z"), Language::Russian).replace(NO_BREAK_SPACE, " ");
    assert_eq!(before, "01.02.2024 12:00:00 (Алматы, UTC+06:00)");
}
