//! PINs, liftings, references, extensions, blocks that others meet.

use super::super::naive::{ANONYMIZER, FRAUD, LOGIN_COUNTRY, OPERATION_COUNTRY, OWNERSHIP, TRANSFER_OVER, VOLUNTARY};
use super::super::streams::geo;
use super::{Case, DAY, HOUR, KZ, Kind, MINUTE, MS, NOWHERE, OTHER, Op, RU, SECOND, TOR, Time, W, at, commands};
use super::{confirmed, login, named, of, op, payment, rules, subjects, transfer, until};

const HUNDRED_MRP: i64 = 43_250_000;
const W9: &str = "77010000009";

fn pin(success: bool, at: Time) -> Op {
    op(Kind::Pin, at).outcome(success)
}

#[test]
fn case_15_a_pin_that_answers_nothing() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let strangers = || named(of(OTHER, payment(HUNDRED_MRP + 1, noon)), "strangers");
    for reference in [None, Some("never-seen"), Some("strangers"), Some("settled")] {
        let mut case = Case::new(&geo);
        assert_eq!(case.verdict(strangers()), "challenge");
        assert_eq!(case.verdict(named(payment(100, noon), "settled")), "allow");
        let mut answer = pin(true, noon + SECOND);
        if let Some(id) = reference {
            answer = answer.reference(id);
        }
        let answered = case.send(answer);
        assert_eq!((answered.verdict.as_str(), commands(&answered)), ("allow", vec![]), "{reference:?}");
        assert_eq!(case.verdict(payment(HUNDRED_MRP, noon + SECOND)), "challenge", "{reference:?}");
    }
    // Right after midnight, yesterday's challenge.
    let mut case = Case::new(&geo);
    let midnight = at("2026-11-23T00:00:00");
    assert_eq!(case.verdict(named(payment(HUNDRED_MRP + 1, midnight - MINUTE), "yesterday")), "challenge");
    let answered = case.send(pin(true, midnight + 10 * SECOND).reference("yesterday"));
    assert_eq!(subjects(&answered, "release"), ["operation:yesterday"]);
    assert_eq!(case.verdict(payment(HUNDRED_MRP + 1, midnight + 11 * SECOND)), "challenge");
    assert_eq!(case.verdict(payment(100, midnight - 1)), "allow", "yesterday is confirmed");
}

#[test]
fn case_16_a_proof_from_before_the_login() {
    let geo = geo();
    let five = at("2026-11-22T05:00:00");
    let mut case = Case::new(&geo);
    assert_eq!(commands(&case.send(login(TOR, five))), ["monitor"]);
    assert!(commands(&case.send(confirmed("identity_document", five - 2 * HOUR))).is_empty());
    assert_eq!(case.verdict(payment(100, five + MINUTE)), "hold");
    // The rule fired last at the login; that the payment came later does not matter.
    assert_eq!(commands(&case.send(confirmed("identity_document", five))), ["lift", "release"]);
    assert_eq!(case.verdict(payment(100, five + MINUTE)), "allow");
}

#[test]
fn case_17_the_owners_word_on_one_operation() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let mut case = Case::new(&geo);
    case.send(op(Kind::OwnershipDisputed, noon));
    for id in ["first", "second", "third"] {
        assert_eq!(case.verdict(named(payment(100, noon + SECOND), id)), "hold");
    }
    let word = |id: &str| confirmed("identity_document", noon + MINUTE).reference(id);
    let first = case.send(word("first"));
    assert_eq!(commands(&first), ["release"]);
    assert_eq!(subjects(&first, "release"), ["operation:first"]);
    assert_eq!(first.commands[0].rule, OWNERSHIP);
    let second = case.send(word("second").cancelling());
    assert_eq!(commands(&second), ["cancel"]);
    assert_eq!(subjects(&second, "cancel"), ["operation:second"]);
    assert!(commands(&case.send(word("second"))).is_empty());
    assert_eq!(case.verdict(payment(100, noon + MINUTE)), "hold", "still monitored");
    let all = case.send(confirmed("identity_document", noon + MINUTE));
    assert_eq!(commands(&all), ["lift", "release", "release"]);
    assert_eq!(subjects(&all, "release")[0], "operation:third");
}

#[test]
fn case_18_a_thousand_flips() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let mut case = Case::new(&geo);
    let (mut extended, mut ids) = (0, std::collections::BTreeSet::new());
    for n in 0..1_000 {
        let decided = case.send(login(if n % 2 == 0 { KZ } else { RU }, noon + n * 2 * SECOND));
        let block = decided.commands.iter().find(|c| c.kind == "block");
        if let Some(block) = block {
            ids.insert(block.restriction.clone());
            assert_eq!(block.from, Some(noon + 2 * SECOND));
            assert_eq!(block.until, Some(noon + n * 2 * SECOND + 2 * HOUR));
            extended += u32::from(n > 1);
        }
        assert_eq!(
            commands(&decided),
            if n == 0 {
                vec![]
            } else if n == 1 {
                vec!["monitor", "block"]
            } else {
                vec!["block"]
            }
        );
    }
    assert_eq!((extended, ids.len()), (998, 1));
    let last = noon + 999 * 2 * SECOND;
    let refused = case.send(payment(100, last + 2 * HOUR - 1));
    assert_eq!(commands(&refused), ["refuse"]);
    assert_eq!(refused.commands[0].rule, LOGIN_COUNTRY);
    assert_eq!(case.verdict(payment(100, last + 2 * HOUR)), "hold");
}

#[test]
fn case_19_a_debit_from_abroad() {
    let geo = geo();
    let ten = at("2026-11-22T10:00:00");
    let start = || {
        let mut case = Case::new(&geo);
        case.send(login(KZ, ten));
        case
    };
    let abroad = |at| transfer(100_000, at).ip(RU);
    let mut case = start();
    let decided = case.send(abroad(ten + 2 * HOUR));
    assert_eq!(decided.verdict, "refuse");
    assert_eq!(commands(&decided), ["refuse", "monitor", "block"]);
    assert!(decided.commands.iter().all(|c| c.rule == OPERATION_COUNTRY));
    assert_eq!(until(&decided), Some(ten + 4 * HOUR));
    assert_eq!(case.verdict(payment(100, ten + 4 * HOUR - 1)), "refuse");
    assert_eq!(case.verdict(payment(100, ten + 4 * HOUR)), "hold");
    assert_eq!(start().verdict(abroad(ten + 2 * HOUR + MS)), "allow");
    assert_eq!(start().verdict(transfer(100_000, ten + HOUR).ip(NOWHERE)), "allow");
    assert_eq!(start().verdict(transfer(100_000, ten + HOUR)), "allow");
}

#[test]
fn case_20_a_transfer_to_the_own_wallet() {
    // What the contract refuses is asked in `tests/decode.rs`.
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let own = |amount, at| transfer(amount, at).party("client", Some(W));
    let decided = Case::new(&geo).send(own(15_000_000, noon));
    assert_eq!((decided.verdict.as_str(), rules(&decided)), ("allow", vec![]));
    let mut case = Case::new(&geo);
    for n in 0..10 {
        assert_eq!(case.verdict(own(500_000, noon + n * MINUTE)), "allow");
    }
    assert_eq!(case.verdict(own(500_000, noon + HOUR)), "hold", "equal transfers count");
}

#[test]
fn case_21_details_of_a_waiting_cash_out() {
    let geo = geo();
    let noon = at("2026-04-10T15:00:00");
    for (reference, expected) in [
        (Some("waits"), vec!["block", "cancel"]),
        (Some("settled"), vec!["block"]),
        (Some("never-seen"), vec!["block"]),
        (None, vec!["block"]),
    ] {
        let mut case = Case::new(&geo);
        case.send(named(payment(100, noon), "settled"));
        case.send(login(TOR, noon));
        let cash_out = op(Kind::CashOut, noon).amount(100).status("identified").party("agent", None);
        assert_eq!(case.verdict(named(cash_out, "waits")), "hold");
        let mut wrong = op(Kind::CashOutWrong, noon);
        if let Some(id) = reference {
            wrong = wrong.reference(id);
        }
        let decided = case.send(wrong);
        assert_eq!(commands(&decided), expected, "{reference:?}");
        assert_eq!(until(&decided), Some(at("2026-05-10T15:00:00")));
    }
}

#[test]
fn case_22_the_recipient_or_the_wallet_itself_is_blocked() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let start = || {
        let mut case = Case::new(&geo);
        let waits = transfer(15_000_000, noon).party("client", Some(W9));
        assert_eq!(case.verdict(named(waits, "waits")), "hold");
        case
    };
    let mut case = start();
    case.send(of(W9, op(Kind::WalletBlock, noon + SECOND)));
    let word = case.send(confirmed("pin", noon + MINUTE));
    assert_eq!(commands(&word), ["lift", "cancel"]);
    assert_eq!(word.commands[1].rule, TRANSFER_OVER);
    let mut case = start();
    case.send(op(Kind::WalletBlock, noon + SECOND));
    assert_eq!(commands(&case.send(confirmed("pin", noon + MINUTE))), ["lift"]);
    let unblocked = case.send(op(Kind::WalletUnblock, noon + 2 * MINUTE));
    assert_eq!(commands(&unblocked), ["lift", "release"]);
    assert_eq!(unblocked.commands[1].rule, VOLUNTARY);
    // The block without an end is asked first, the recipient's when it has gone.
    let mut case = start();
    case.send(op(Kind::WalletBlock, noon + SECOND));
    case.send(of(W9, op(Kind::WalletBlock, noon + SECOND)));
    assert_eq!(commands(&case.send(confirmed("pin", noon + MINUTE))), ["lift"]);
    assert_eq!(commands(&case.send(op(Kind::WalletUnblock, noon + 2 * MINUTE))), ["lift", "cancel"]);
    // A block with an end cancels at once.
    let mut case = start();
    case.send(op(Kind::CashOutWrong, noon + SECOND));
    assert_eq!(commands(&case.send(confirmed("pin", noon + MINUTE))), ["lift", "cancel"]);
}

#[test]
fn case_23_a_wallet_reported_for_fraud() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let mut case = Case::new(&geo);
    let reported = case.send(of(W9, op(Kind::FraudReported, noon).source("payment_system")));
    assert_eq!(commands(&reported), ["block", "report"]);
    assert_eq!(
        (reported.commands[0].detail.as_str(), reported.commands[1].detail.as_str()),
        ("both", "payment_system")
    );
    let strangers = case.send(transfer(100, noon).party("client", Some(W9)));
    assert_eq!((strangers.verdict.as_str(), strangers.commands[0].rule.as_str()), ("refuse", FRAUD));
    let top_up = case.send(of(W9, op(Kind::TopUp, noon).amount(100)));
    assert_eq!((top_up.verdict.as_str(), top_up.commands[0].rule.as_str()), ("refuse", FRAUD));
    for proof in ["identity_document", "agreed", "explanations", "mobile_contract", "pin"] {
        assert!(commands(&case.send(of(W9, confirmed(proof, noon + MINUTE)))).is_empty(), "{proof}");
    }
    assert_eq!(commands(&case.send(of(W9, confirmed("facts_established", noon + MINUTE)))), ["lift"]);
    assert_eq!(case.verdict(transfer(100, noon + MINUTE).party("client", Some(W9))), "allow");
}

#[test]
fn case_24_limits_of_top_ups() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let top_up = |amount| op(Kind::TopUp, noon).amount(amount);
    let mut case = Case::new(&geo);
    assert_eq!(case.verdict(top_up(HUNDRED_MRP + 1).status("unregistered")), "refuse");
    assert_eq!(case.verdict(top_up(HUNDRED_MRP).status("unregistered")), "allow");
    assert_eq!(case.verdict(top_up(HUNDRED_MRP + 1)), "allow");
    assert_eq!(case.verdict(top_up(5 * HUNDRED_MRP).status("identified")), "allow");
    assert_eq!(case.verdict(top_up(5 * HUNDRED_MRP + 1).status("identified")), "refuse");
}

#[test]
fn case_25_listed_details() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let paying = |account: Option<&str>, phone: Option<&str>, at| {
        let mut op = payment(100, at);
        if let Some(party) = &mut op.party {
            party.account = account.map(str::to_owned);
            party.phone = phone.map(str::to_owned);
        }
        op
    };
    let mut case = Case::new(&geo);
    assert_eq!(case.verdict(paying(Some("KZ869125KZT1001300335"), None, noon)), "hold");
    for proof in ["pin", "identity_document", "mobile_contract", "secret_answer", "explanations"] {
        assert!(commands(&case.send(confirmed(proof, noon + MINUTE))).is_empty(), "{proof}");
    }
    assert_eq!(commands(&case.send(confirmed("agreed", noon + MINUTE))), ["lift", "release"]);
    let verdict = |account, phone, at| Case::new(&geo).verdict(paying(account, phone, at));
    for account in ["kz869125kzt1001300335", "KZ86 9125 KZT1 0013 0033 5"] {
        assert_eq!(verdict(Some(account), None, noon), "hold", "{account}");
    }
    for phone in ["77770000001", "+77770000001", "+7 (777) 000-00-01"] {
        assert_eq!(verdict(None, Some(phone), noon), "hold", "{phone}");
    }
    assert_eq!(verdict(None, Some("8 777 000 00 01"), noon), "allow", "a national form is not translated");
    // Both days of a row are in force as a whole.
    let midnight = at("2026-11-23T00:00:00");
    assert_eq!(verdict(Some("KZ869125KZT1001300999"), None, midnight - 1), "hold");
    assert_eq!(verdict(Some("KZ869125KZT1001300999"), None, midnight), "allow");
    assert_eq!(verdict(None, Some("+7 777 0000002"), midnight - 1), "allow");
    assert_eq!(verdict(None, Some("+7 777 0000002"), midnight), "hold");
}

#[test]
fn case_26_disputed_operations() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    for (reference, after, expected) in [
        ("paid", DAY, vec!["monitor", "report"]),
        ("paid", DAY + MS, vec!["monitor"]),
        ("never-seen", DAY, vec!["monitor"]),
        ("refused", HOUR, vec!["monitor", "report"]),
        ("waits", HOUR, vec!["monitor", "cancel", "report"]),
        ("strangers", HOUR, vec!["monitor"]),
    ] {
        let mut case = Case::new(&geo);
        assert_eq!(case.verdict(named(payment(100, noon), "paid")), "allow");
        assert_eq!(case.verdict(named(payment(5 * HUNDRED_MRP + 1, noon), "refused")), "refuse");
        assert_eq!(case.verdict(named(transfer(15_000_000, noon), "waits")), "hold");
        case.send(named(of(OTHER, payment(100, noon)), "strangers"));
        let disputed = case.send(op(Kind::OperationDisputed, noon + after).reference(reference));
        assert_eq!(commands(&disputed), expected, "{reference}");
        let to: Vec<&str> =
            disputed.commands.iter().filter(|c| c.kind == "report").map(|c| c.detail.as_str()).collect();
        assert!(to.iter().all(|to| *to == "disputes"));
    }
}

#[test]
fn case_27_arrested_by_a_court() {
    let geo = geo();
    let nine = at("2026-11-22T09:00:00");
    let mut case = Case::new(&geo);
    assert_eq!(commands(&case.send(op(Kind::SeizureOrdered, nine + HOUR))), ["block"]);
    assert_eq!(case.verdict(payment(100, nine + HOUR)), "refuse");
    assert_eq!(case.verdict(op(Kind::TopUp, nine + HOUR).amount(100)), "allow");
    let proofs =
        ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed", "explanations", "facts_established"];
    for proof in proofs {
        assert!(commands(&case.send(confirmed(proof, nine + 2 * HOUR))).is_empty(), "{proof}");
    }
    assert!(commands(&case.send(op(Kind::SeizureLifted, nine))).is_empty(), "lifted before it was ordered");
    assert_eq!(commands(&case.send(op(Kind::SeizureLifted, nine + 2 * HOUR))), ["lift"]);
    assert_eq!(case.verdict(payment(100, nine + 2 * HOUR)), "allow");
}

#[test]
fn case_28_a_silent_firing_counts() {
    let geo = geo();
    let four = at("2026-11-22T04:00:00");
    let mut case = Case::new(&geo);
    assert_eq!(commands(&case.send(login(TOR, four))), ["monitor"]);
    let again = case.send(login(TOR, four + HOUR));
    assert_eq!((rules(&again), commands(&again)), (vec![ANONYMIZER], vec![]));
    assert!(commands(&case.send(confirmed("pin", four + 30 * MINUTE))).is_empty());
    assert_eq!(case.verdict(payment(100, four + HOUR)), "hold");
    assert_eq!(commands(&case.send(confirmed("pin", four + HOUR))), ["lift", "release"]);
}
