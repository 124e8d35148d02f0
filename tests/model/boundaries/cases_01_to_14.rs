//! Windows, days, limits, runs and the ends of blocks.

use super::super::naive;
use super::super::streams::geo;
use super::read_time;
use super::{
    Case, DAY, HOUR, KZ, Kind, MINUTE, MS, NOWHERE, OTHER, RU, SECOND, TOR, Time, W, at, commands, confirmed, login,
};
use super::{named, of, op, payment, subjects, transfer, until};

#[test]
fn case_01_transfer_to_client_over_100k() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    assert_eq!(case.verdict(transfer(10_000_000, noon)), "allow");
    assert_eq!(case.verdict(transfer(10_000_001, noon)), "hold");
    assert_eq!(Case::new(&geo).verdict(payment(15_000_000, noon)), "allow");
}

#[test]
fn case_02_eleven_equal_transfers() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    for (amount, end, verdict, kinds) in [
        (500_000, noon + HOUR, "hold", vec!["hold", "monitor"]),
        (500_000, noon + HOUR + MS, "allow", vec![]),
        (500_001, noon + HOUR, "allow", vec![]),
    ] {
        let mut case = Case::new(&geo);
        for n in 0..10 {
            assert_eq!(case.verdict(transfer(500_000, noon + n * 6 * MINUTE)), "allow");
        }
        let last = case.send(transfer(amount, end));
        assert_eq!(last.verdict, verdict);
        assert_eq!(commands(&last), kinds);
    }
}

#[test]
fn case_03_daily_total_over_100_mrp() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    assert_eq!(case.verdict(payment(40_000_000, noon)), "allow");
    assert_eq!(case.verdict(payment(3_250_000, noon + SECOND)), "allow");
    let over = named(payment(1, noon + 2 * SECOND), "over");
    assert_eq!(case.verdict(over), "challenge");
    let pin = |success| op(Kind::Pin, noon + 3 * SECOND).outcome(success).reference("over");
    let wrong = case.send(pin(false));
    assert_eq!(wrong.verdict, "challenge");
    assert_eq!(wrong.commands[0].subject, "operation:over");
    assert_eq!(case.verdict(named(payment(2_000, noon + 3 * SECOND), "too")), "challenge");
    assert_eq!(case.verdict(pin(false)), "challenge");
    let right = case.send(pin(true));
    assert_eq!(right.verdict, "allow");
    assert_eq!(commands(&right), ["release", "release"]);
    assert_eq!(subjects(&right, "release"), ["operation:over", "operation:too"]);
    assert_eq!(case.verdict(payment(20_000_000, noon + 4 * SECOND)), "allow");
    let midnight = at("2026-11-23T00:00:00");
    assert_eq!(case.verdict(payment(43_250_001, midnight)), "challenge");
}

#[test]
fn case_04_operation_limits() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    let unidentified = |amount| payment(amount, noon).status("unidentified");
    assert_eq!(case.verdict(unidentified(43_250_001)), "refuse");
    assert_eq!(case.verdict(unidentified(43_250_000)), "allow");
    let mut case = Case::new(&geo);
    assert_eq!(case.verdict(payment(216_250_000, noon)), "challenge");
    assert_eq!(case.verdict(payment(216_250_001, noon)), "refuse");
}

#[test]
fn case_05_login_from_another_country() {
    let geo = geo();
    let ten = at("2026-11-22T10:00:00");
    let start = || {
        let mut case = Case::new(&geo);
        assert_eq!(case.verdict(login(KZ, ten)), "allow");
        assert_eq!(case.verdict(login(NOWHERE, ten + MINUTE)), "allow");
        case
    };
    let mut case = start();
    let foreign = case.send(login(RU, ten + 2 * HOUR));
    assert_eq!(commands(&foreign), ["monitor", "block"]);
    assert_eq!(until(&foreign), Some(ten + 4 * HOUR));
    assert_eq!(case.verdict(payment(100, ten + 4 * HOUR - MS)), "refuse");
    assert_eq!(case.verdict(payment(100, ten + 4 * HOUR)), "hold");

    let mut case = start();
    case.send(login(RU, ten + 2 * HOUR));
    let called = case.send(confirmed("secret_answer", ten + 3 * HOUR));
    assert_eq!(commands(&called), ["lift", "lift"]);
    assert_eq!(case.verdict(payment(100, ten + 3 * HOUR)), "allow");

    let mut case = start();
    assert!(case.send(login(RU, ten + 2 * HOUR + MS)).matches.is_empty());
}

#[test]
fn case_06_login_through_tor() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let eight = at("2026-11-22T08:00:00");
    assert_eq!(commands(&case.send(login(TOR, eight))), ["monitor"]);
    assert_eq!(case.verdict(transfer(100_000, eight + MINUTE)), "hold");
    let called = case.send(confirmed("pin", eight + 32 * MINUTE));
    assert_eq!(commands(&called), ["lift", "release"]);
}

#[test]
fn case_07_wrong_passwords() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let end = at("2026-11-22T10:02:00");
    for n in 1..=6 {
        let wrong = case.send(login(KZ, end - (6 - n) * SECOND).outcome(false));
        let expected: &[&str] = match n {
            3..=5 => &["challenge"],
            6 => &["block"],
            _ => &[],
        };
        assert_eq!(commands(&wrong), expected);
    }
    let stranger = |at| of(OTHER, login(KZ, at));
    assert_eq!(case.verdict(stranger(end + DAY - MS)), "refuse");
    assert_eq!(case.verdict(stranger(end + DAY)), "allow");
}

#[test]
fn case_08_wrong_secret_answers() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    for n in 1..=20 {
        let wrong = case.send(op(Kind::SecretAnswer, noon + n * SECOND).outcome(false));
        let expected: &[&str] = if n < 3 { &[] } else { &["challenge"] };
        assert_eq!(commands(&wrong), expected);
    }
}

#[test]
fn case_09_clients_own_block() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    case.send(login(TOR, noon));
    case.send(op(Kind::WalletBlock, noon));
    assert_eq!(case.verdict(payment(100, noon)), "refuse");
    assert_eq!(case.verdict(op(Kind::TopUp, noon).amount(100)), "refuse");
    let strangers = transfer(100, noon).party("client", Some(W));
    assert_eq!(case.verdict(of(OTHER, strangers)), "refuse");
    assert_eq!(commands(&case.send(op(Kind::WalletUnblock, noon))), ["lift"]);
    assert_eq!(case.verdict(payment(100, noon)), "hold");
}

#[test]
fn case_10_disputed_ownership() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let noon = at("2026-11-22T12:00:00");
    case.send(op(Kind::OwnershipDisputed, noon));
    assert_eq!(case.verdict(op(Kind::TopUp, noon).amount(100)), "allow");
    assert_eq!(case.verdict(payment(100, noon + MINUTE)), "hold");
    assert_eq!(case.verdict(payment(100, noon + 61 * DAY)), "hold");
    let owner = confirmed("identity_document", noon + 61 * DAY + MINUTE).cancelling();
    assert_eq!(commands(&case.send(owner)), ["lift", "cancel", "cancel"]);
}

#[test]
fn case_11_calendar_ends() {
    let geo = geo();
    let wrong = op(Kind::CashOutWrong, at("2026-04-10T15:00:00"));
    let decided = Case::new(&geo).send(wrong);
    assert_eq!(until(&decided), Some(at("2026-05-10T15:00:00")));
    let fraud = op(Kind::FraudReported, at("2026-08-31T12:00:00")).source("client");
    let decided = Case::new(&geo).send(fraud);
    assert_eq!(until(&decided), Some(at("2027-02-28T12:00:00")));
}

#[test]
fn ambiguous_wall_clock_means_the_later_instant() {
    let geo = geo();
    let later = Some(at("2024-02-29T23:30:00"));
    let wrong = op(Kind::CashOutWrong, read_time("2024-01-30T23:30:00+06:00"));
    assert_eq!(until(&Case::new(&geo).send(wrong)), later);
    let fraud = op(Kind::FraudReported, read_time("2023-08-31T23:30:00+06:00"));
    assert_eq!(until(&Case::new(&geo).send(fraud.source("client"))), later);
}

#[test]
fn case_12_the_day_of_25_hours() {
    let geo = geo();
    let mut case = Case::new(&geo);
    let morning = read_time("2024-02-28T19:30:00Z");
    let evening = read_time("2024-02-29T18:30:00Z");
    assert_eq!(case.verdict(payment(20_000_000, morning)), "allow");
    assert_eq!(case.verdict(payment(20_000_000, evening)), "challenge");
}

#[test]
fn case_13_mrp_by_day() {
    let geo = geo();
    for (day, mrp) in [
        ("2020-01-01", 2651),
        ("2020-03-31", 2651),
        ("2020-04-01", 2778),
        ("2021-01-01", 2917),
        ("2022-01-01", 3063),
        ("2023-01-01", 3450),
        ("2024-01-01", 3692),
        ("2025-01-01", 3932),
        ("2026-01-01", 4325),
    ] {
        let local = if day < "2024-03-01" { "+06:00" } else { "+05:00" };
        let midnight = read_time(&format!("{day}T00:00:00{local}"));
        let mut case = Case::new(&geo);
        assert_eq!(case.verdict(payment(mrp * 10_000, midnight)), "allow");
        assert_eq!(case.verdict(payment(1, midnight)), "challenge");
    }
    let before = read_time("2019-12-31T23:59:59.999+06:00");
    let decided = Case::new(&geo).send(payment(999_999_999_999, before));
    assert_eq!(decided.verdict, "allow");
    assert!(decided.degraded.contains("mrp"));
}

#[test]
fn case_14_any_order_of_arrival() {
    let geo = geo();
    let noon = at("2026-11-22T12:00:00");
    let mut times: Vec<Time> = (0..11).map(|n| noon + n * 6 * MINUTE).collect();
    for seed in 0..200_u64 {
        let mut rng = crate::random::Random(seed);
        rng.shuffle(&mut times);
        let mut case = Case::new(&geo);
        for (n, &time) in times.iter().enumerate() {
            let decided = case.send(transfer(500_000, time));
            let fires = decided.matches.iter().any(|(rule, _)| rule == naive::EQUAL);
            assert_eq!(fires, n == 10, "seed {seed}, arrival {n}");
        }
    }
}
