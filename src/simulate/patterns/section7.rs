//! One pattern for each shipped rule. The last operation built is the labelled one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::operation::{AttemptOutcome, ClientStatus, OperationType, Order, Proof, ReportSource};
use crate::simulate::event::{Party, Wallet};
use crate::simulate::population::foreign_address;

use super::Rule;
use super::instance::Instance;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// 1,000 KZT in tiyn.
const THOUSAND: u64 = 100_000;

/// Builds the operations of one instance and names its pattern. One of them comes at the instance's first moment.
pub(super) fn build(rule: Rule, it: &mut Instance<'_>) -> &'static str {
    match rule {
        Rule::TransferOver100k => transfer_over_100k(it),
        Rule::EqualTransfersInHour => equal_transfers(it),
        Rule::LoginThroughAnonymizer => anonymizer(it),
        Rule::LoginCountryChange => country_change(it),
        Rule::DailyTotalOver100Mrp => daily_total(it),
        Rule::WrongPasswordCaptcha => failures(it, OperationType::Login, 3, "third-wrong-password"),
        Rule::WrongPasswordIpBlock => failures(it, OperationType::Login, 6, "sixth-wrong-password"),
        Rule::WrongSecretAnswerCaptcha => failures(it, OperationType::SecretAnswer, 3, "third-wrong-answer"),
        Rule::ClientVoluntaryBlock => voluntary_block(it),
        Rule::OwnershipDisputeHold => support(it, OperationType::OwnershipDisputed, "ownership-disputed"),
        Rule::OperationCountryChange => operation_country_change(it),
        Rule::SuspicionConfirmedBlock => suspicion_confirmed(it),
        Rule::OperationDisputed => operation_disputed(it),
        Rule::ComplaintBlock => support(it, OperationType::ComplaintReceived, "complaint"),
        Rule::SeizureBlock => seizure(it),
        Rule::AddressTriesManyWallets => many_wallets_tried(it),
        Rule::WrongPinRun => wrong_pins(it),
        Rule::CashOutWrongDetails => wrong_details(it),
        Rule::RepeatedSuspicionBlock => repeated_suspicion(it),
        Rule::FraudReportedBlock => support(it, OperationType::FraudReported, "fraud-reported"),
        Rule::DocumentsRefusedKeepBlock => documents_refused(it),
        Rule::TamperingBlock => support(it, OperationType::TamperingDetected, "tampering"),
        Rule::OperationLimitUnidentified => operation_limit(it, false),
        Rule::OperationLimitIdentified => operation_limit(it, true),
        Rule::UnidentifiedStatutoryLimit => statutory_limit(it),
        Rule::FlaggedCounterparty => flagged_counterparty(it),
        Rule::FlaggedWallet => flagged_wallet(it),
        Rule::GamblingPayoutReport => gambling(it),
        Rule::StructuringBelow100k => structuring(it),
        Rule::MuleInAndOut => mule(it),
        Rule::OneDeviceManyWallets => one_device(it),
        Rule::NewDeviceLargeTransfer => new_device(it),
    }
}

/// Over 100,000 KZT to another client; in the near miss exactly that, or more to the own wallet.
fn transfer_over_100k(it: &mut Instance<'_>) -> &'static str {
    if !it.fraud && it.random.chance(1, 2) {
        let own = Party::Client(it.wallet(0));
        it.debit(0, OperationType::Transfer, 150 * THOUSAND, own);
        return "to-the-own-wallet";
    }
    let over = if it.fraud { 1 + it.random.below(300 * THOUSAND) } else { 0 };
    it.transfer(0, 100 * THOUSAND + over);
    "one-large-transfer"
}

/// Eleven equal transfers; in the near miss the first is one millisecond more than an hour before the last.
fn equal_transfers(it: &mut Instance<'_>) -> &'static str {
    let amount = it.random.between(1_000, 8_000) * 100;
    for number in 0..10 {
        it.transfer(number * 5 * MINUTE_MS, amount);
    }
    let late = u64::from(!it.fraud);
    it.transfer(HOUR_MS + late, amount);
    "eleventh-equal-transfer"
}

/// An address of the demonstration's anonymizer ranges, or the nearest one outside of it.
fn anonymizer(it: &mut Instance<'_>) -> &'static str {
    let [host, ..] = it.random.next().to_le_bytes();
    let (inside, outside, pattern) = match it.random.below(4) {
        0 => (v4([192, 0, 2, host]), v4([192, 0, 3, 0]), "vpn"),
        1 => (v4([198, 51, 100, host]), v4([198, 51, 99, 255]), "tor"),
        2 => (v4([203, 0, 113, host]), v4([203, 0, 114, 0]), "public-proxy"),
        _ => {
            let inside = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host) + 1);
            let outside = Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 0);
            (IpAddr::V6(inside), IpAddr::V6(outside), "residential-proxy")
        }
    };
    let ip = if it.fraud { inside } else { outside };
    it.login(0).ip = Some(ip);
    pattern
}

/// A login, every other time through a virtual private network of the demonstration's ranges: then the wallet is
/// monitored, and what it does waits.
fn login_monitored_or_not(it: &mut Instance<'_>) -> bool {
    let [host, ..] = it.random.next().to_le_bytes();
    let monitored = it.random.chance(1, 2);
    let login = it.login(0);
    if monitored {
        login.ip = Some(v4([192, 0, 2, host]));
    }
    monitored
}

const fn v4([a, b, c, d]: [u8; 4]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// A login at home and one abroad two hours later; in the near miss one millisecond later still.
fn country_change(it: &mut Instance<'_>) -> &'static str {
    it.login(0);
    let abroad = foreign_address(it.random);
    let late = u64::from(!it.fraud);
    it.login(2 * HOUR_MS + late).ip = Some(abroad);
    "two-countries-in-two-hours"
}

/// A login at home and a transfer from abroad two hours later; in the near miss one millisecond later still.
fn operation_country_change(it: &mut Instance<'_>) -> &'static str {
    it.login(0);
    let (abroad, amount) = (foreign_address(it.random), it.random.between(2, 40) * THOUSAND);
    let late = u64::from(!it.fraud);
    it.transfer(2 * HOUR_MS + late, amount).ip = Some(abroad);
    "transfer-from-another-country"
}

/// Payments of exactly 100 MRP on one day, and one tiyn more; or over that on a day that the PIN has confirmed.
fn daily_total(it: &mut Instance<'_>) -> &'static str {
    let total = 100 * it.mrp_tiyn();
    if !it.fraud && it.random.chance(1, 2) {
        let challenged = it.payment(0, total + 1).id;
        it.attempt(MINUTE_MS, OperationType::Pin, AttemptOutcome::Success).reference = Some(challenged);
        it.payment(30 * MINUTE_MS, 20 * THOUSAND);
        return "day-confirmed-by-pin";
    }
    let first = it.random.between(total / 2, total - 10 * THOUSAND);
    let second = it.random.between(1, 9 * THOUSAND);
    it.payment(0, first);
    it.payment(25 * MINUTE_MS, second);
    let over = u64::from(it.fraud);
    it.payment(55 * MINUTE_MS, total - first - second + over);
    "day-over-100-mrp"
}

/// A run of failures as long as the rule asks for, or one shorter.
fn failures(it: &mut Instance<'_>, kind: OperationType, length: u64, pattern: &'static str) -> &'static str {
    let length = if it.fraud { length } else { length - 1 };
    for number in 0..length {
        it.attempt(number * 20 * SECOND_MS, kind, AttemptOutcome::Failure);
    }
    pattern
}

fn voluntary_block(it: &mut Instance<'_>) -> &'static str {
    let kind = if it.fraud { OperationType::WalletBlockRequested } else { OperationType::WalletUnblockRequested };
    it.event(0, kind).source = Some(ReportSource::Client);
    "client-blocks-wallet"
}

/// An event on which the rule always fires; the near miss is the owner's confirmed identity instead.
fn support(it: &mut Instance<'_>, kind: OperationType, pattern: &'static str) -> &'static str {
    const SOURCES: [ReportSource; 5] = [
        ReportSource::Client,
        ReportSource::Issuer,
        ReportSource::PaymentSystem,
        ReportSource::AntifraudCentre,
        ReportSource::LawEnforcement,
    ];
    let paid = it.payment(0, 2 * THOUSAND).id;
    let source = it.random.pick(&SOURCES);
    if !it.fraud {
        let event = it.event(10 * MINUTE_MS, OperationType::IdentityConfirmed);
        event.proof = Some(Proof::IdentityDocument);
        event.actor = "support-1";
        return pattern;
    }
    let event = it.event(10 * MINUTE_MS, kind);
    event.actor = "support-1";
    if kind == OperationType::FraudReported {
        event.source = Some(source);
        event.reference = Some(paid);
    }
    pattern
}

/// A large transfer waits, and the operator finds the suspicion grounded; in the near miss the client proves who
/// they are.
fn suspicion_confirmed(it: &mut Instance<'_>) -> &'static str {
    let amount = it.random.between(101, 300) * THOUSAND;
    it.transfer(0, amount);
    let kind = if it.fraud { OperationType::SuspicionConfirmed } else { OperationType::IdentityConfirmed };
    let proof = (!it.fraud).then_some(Proof::SecretAnswer);
    let event = it.event(30 * MINUTE_MS, kind);
    event.proof = proof;
    event.source = Some(ReportSource::Support);
    event.actor = "support-1";
    "suspicion-confirmed"
}

/// The client says that a payment, done or waiting, was not theirs; in the near miss, that it was.
fn operation_disputed(it: &mut Instance<'_>) -> &'static str {
    let waiting = login_monitored_or_not(it);
    let amount = it.random.between(5, 60) * THOUSAND;
    let named = it.payment(5 * MINUTE_MS, amount).id;
    let (fraud, after_ms) = (it.fraud, 5 * MINUTE_MS + it.random.between(1, 25) * HOUR_MS);
    let kind = if fraud { OperationType::OperationDisputed } else { OperationType::IdentityConfirmed };
    let event = it.event(after_ms, kind);
    event.reference = Some(named);
    event.source = Some(ReportSource::Client);
    event.actor = "support-2";
    if !fraud {
        event.proof = Some(Proof::SecretAnswer);
        event.order = Some(Order::Complete);
    }
    if waiting { "waiting-payment-disputed" } else { "payment-disputed" }
}

/// A court seizes the money; in the near miss it ends a seizure.
fn seizure(it: &mut Instance<'_>) -> &'static str {
    it.payment(0, 2 * THOUSAND);
    if !it.fraud {
        it.event(10 * MINUTE_MS, OperationType::SeizureOrdered).source = Some(ReportSource::Court);
    }
    let kind = if it.fraud { OperationType::SeizureOrdered } else { OperationType::SeizureLifted };
    it.event(3 * HOUR_MS, kind).source = Some(ReportSource::Court);
    "court-seizes-money"
}

/// A cash-out, waiting or not, to details that prove wrong; in the near miss another cash-out to the same.
fn wrong_details(it: &mut Instance<'_>) -> &'static str {
    login_monitored_or_not(it);
    let account = Party::BankAccount(it.first_wallet);
    let named = it.debit(MINUTE_MS, OperationType::CashOut, 20 * THOUSAND, account).id;
    if it.fraud {
        it.event(30 * MINUTE_MS, OperationType::CashOutDetailsWrong).reference = Some(named);
    } else {
        it.debit(30 * MINUTE_MS, OperationType::CashOut, 20 * THOUSAND, account);
    }
    "cash-out-to-wrong-details"
}

/// Three transfers over 100,000 KZT in 24 hours; in the near miss the first is a millisecond too old.
fn repeated_suspicion(it: &mut Instance<'_>) -> &'static str {
    for after_ms in [0, 23 * HOUR_MS, 24 * HOUR_MS + u64::from(!it.fraud)] {
        let amount = it.random.between(101, 130) * THOUSAND;
        it.transfer(after_ms, amount);
    }
    "third-suspicion-in-a-day"
}

fn documents_refused(it: &mut Instance<'_>) -> &'static str {
    it.event(0, OperationType::WalletBlockRequested).source = Some(ReportSource::Client);
    if it.fraud {
        it.payment(20 * MINUTE_MS, 3 * THOUSAND);
    } else {
        it.event(20 * MINUTE_MS, OperationType::WalletUnblockRequested).source = Some(ReportSource::Client);
    }
    it.event(40 * MINUTE_MS, OperationType::DocumentsRefused).actor = "support-2";
    "documents-refused-while-blocked"
}

fn operation_limit(it: &mut Instance<'_>, identified: bool) -> &'static str {
    const UNKNOWN: [ClientStatus; 2] = [ClientStatus::Unregistered, ClientStatus::Unidentified];
    let units = if identified { 500 } else { 100 };
    let status = if identified { ClientStatus::Identified } else { it.random.pick(&UNKNOWN) };
    let amount = units * it.mrp_tiyn() + u64::from(it.fraud);
    if it.random.chance(1, 3) {
        let card = Party::Card(it.random.below(10_000));
        let event = it.event(0, OperationType::TopUp);
        (event.amount_tiyn, event.party, event.status) = (amount, card, Some(status));
        return "top-up-over-the-limit";
    }
    it.payment(0, amount).status = Some(status);
    "operation-over-the-limit"
}

/// Two payments of 3 MRP in all, and one tiyn more. Before 18 March 2026 that is a near miss, too.
fn statutory_limit(it: &mut Instance<'_>) -> &'static str {
    let total = 3 * it.mrp_tiyn() + u64::from(it.fraud);
    let first = it.random.between(THOUSAND, 9 * THOUSAND / 2);
    it.payment(0, first).status = Some(ClientStatus::Unidentified);
    it.payment(40 * MINUTE_MS, total - first).status = Some(ClientStatus::Unidentified);
    if it.fraud && !it.statutory_limit_applies() {
        it.fraud = false;
        return "day-over-3-mrp-before-it-applies";
    }
    "day-over-3-mrp"
}

fn flagged_counterparty(it: &mut Instance<'_>) -> &'static str {
    let near = !it.fraud;
    let wallet = if near { Wallet::NearListed(it.serial) } else { Wallet::Listed };
    let (kind, party, pattern) = match it.random.below(3) {
        0 => (OperationType::Transfer, Party::Client(wallet), "listed-wallet"),
        1 => (OperationType::CashOut, Party::ListedAccount { near }, "listed-account"),
        _ => (OperationType::Payment, Party::ListedPhone { near }, "listed-phone"),
    };
    it.debit(0, kind, 15 * THOUSAND, party);
    pattern
}

fn flagged_wallet(it: &mut Instance<'_>) -> &'static str {
    let wallet = if it.fraud { Wallet::Listed } else { Wallet::NearListed(it.serial) };
    it.payment(0, 4 * THOUSAND).wallet = wallet;
    "listed-wallet-pays"
}

fn gambling(it: &mut Instance<'_>) -> &'static str {
    let amount = if it.fraud { 1_000 * THOUSAND } else { 1_000 * THOUSAND - 1 };
    let kind = it.random.pick(&[OperationType::TopUp, OperationType::Refund]);
    let event = it.event(0, kind);
    event.amount_tiyn = amount;
    event.purpose = "gambling_payout";
    "gambling-payout"
}

/// Three transfers just below the limit to one recipient; in the near miss the third is too small or too late.
fn structuring(it: &mut Instance<'_>) -> &'static str {
    let small = it.random.chance(1, 2);
    it.transfer(0, 100 * THOUSAND);
    it.transfer(23 * HOUR_MS, 90 * THOUSAND);
    let (after_ms, amount, pattern) = match (it.fraud, small) {
        (true, _) => (24 * HOUR_MS, 95 * THOUSAND, "third-just-below"),
        (false, true) => (24 * HOUR_MS, 90 * THOUSAND - 1, "third-too-small"),
        (false, false) => (24 * HOUR_MS + 1, 95 * THOUSAND, "third-too-late"),
    };
    it.transfer(after_ms, amount);
    pattern
}

/// Five strangers send, and four fifths go out again; in the near miss one tiyn less.
fn mule(it: &mut Instance<'_>) -> &'static str {
    let each = it.random.between(15, 40) * THOUSAND;
    let to = Party::Client(it.wallet(0));
    for sender in 0..5 {
        let wallet = it.wallet(2 + sender);
        it.debit(sender * 12 * MINUTE_MS, OperationType::Transfer, each, to).wallet = wallet;
    }
    let amount = if it.fraud { 4 * each } else { 4 * each - 1 };
    it.debit(HOUR_MS, OperationType::CashOut, amount, Party::Agent(7));
    "five-in-one-out"
}

/// Four wallets log in on one device; in the near miss the first did so a millisecond too early.
fn one_device(it: &mut Instance<'_>) -> &'static str {
    let last_ms = 24 * HOUR_MS + u64::from(!it.fraud);
    for (number, after_ms) in [(1, 0), (2, 2 * HOUR_MS), (3, 5 * HOUR_MS), (0, last_ms)] {
        let wallet = it.wallet(number);
        it.login(after_ms).wallet = wallet;
    }
    "fourth-wallet-on-device"
}

/// Wrong passwords for eleven wallets from one address within an hour; in the near miss the first is a millisecond
/// too old, or the eleventh is for a wallet that was tried before.
fn many_wallets_tried(it: &mut Instance<'_>) -> &'static str {
    for number in 1..=10 {
        let wallet = it.wallet(number);
        it.attempt((number - 1) * 6 * MINUTE_MS, OperationType::Login, AttemptOutcome::Failure).wallet = wallet;
    }
    let late = !it.fraud && it.random.chance(1, 2);
    let last = if it.fraud || late { it.wallet(0) } else { it.wallet(4) };
    let event = it.attempt(HOUR_MS + u64::from(late), OperationType::Login, AttemptOutcome::Failure);
    event.wallet = last;
    "eleventh-wallet-from-address"
}

/// A PIN that answers a challenge is wrong five times; in the near miss it was right in between, or the fifth comes
/// a millisecond too late.
fn wrong_pins(it: &mut Instance<'_>) -> &'static str {
    let amount = 100 * it.mrp_tiyn() + it.random.between(1, 100 * THOUSAND);
    let challenged = it.payment(0, amount).id;
    let late = !it.fraud && it.random.chance(1, 2);
    let mut after_ms = 0;
    for number in 1..=5 {
        let right = number == 4 && !it.fraud && !late;
        after_ms += if number == 5 && late { 24 * HOUR_MS + 1 } else { 12 * SECOND_MS };
        let outcome = if right { AttemptOutcome::Success } else { AttemptOutcome::Failure };
        it.attempt(after_ms, OperationType::Pin, outcome).reference = Some(challenged);
    }
    "fifth-wrong-pin"
}

/// A transfer of more than 50,000 KZT on a device that is a day old at most.
fn new_device(it: &mut Instance<'_>) -> &'static str {
    let old = it.random.chance(1, 2) && !it.fraud;
    let over = u64::from(it.fraud || old);
    let device = it.device(1);
    it.login(0);
    it.login(2 * HOUR_MS).device = device;
    let age_ms = if old { 24 * HOUR_MS + 1 } else { 24 * HOUR_MS };
    it.transfer(2 * HOUR_MS + age_ms, 50 * THOUSAND + over).device = device;
    if old { "device-too-old" } else { "large-transfer-on-new-device" }
}
