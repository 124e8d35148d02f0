//! Writes a simulated operation as a line of JSON, by hand: no formatting machinery, no allocation.

use std::net::IpAddr;

use super::event::{Event, LISTED_ACCOUNT, LISTED_PHONE, LISTED_WALLET, OpId, Party, WALLETS_MAX, Wallet};

/// `00` to `99`, two bytes each.
const PAIRS: &[u8; 200] = b"00010203040506070809101112131415161718192021222324252627282930313233343536373839\
4041424344454647484950515253545556575859606162636465666768697071727374757677787980818283848586878889\
90919293949596979899";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const HEX: &[u8; 16] = b"0123456789abcdef";

const DAY_MS: u64 = 86_400_000;
/// Times are written with the offset of Almaty since 1 March 2024; an instant is the same under any offset.
const OFFSET_MS: u64 = 5 * 3_600_000;

/// Writes operations; remembers the last date it has written.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoder {
    day: u64,
    date: [u8; 10],
}

impl Encoder {
    /// Appends the operation as one line of JSON with its newline.
    pub(super) fn encode(&mut self, event: &Event, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"op_id\":\"");
        op_id(event.id, out);
        out.extend_from_slice(b"\",\"type\":\"");
        out.extend_from_slice(event.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"occurred_at\":\"");
        self.time(event.at_ms, out);
        out.extend_from_slice(b"\",\"wallet_id\":\"");
        wallet(event.wallet, out);
        out.push(b'"');
        if let Some(status) = event.status {
            text_field(b",\"client_status\":\"", status.name(), out);
        }
        if event.amount_tiyn > 0 {
            out.extend_from_slice(b",\"amount\":\"");
            number(event.amount_tiyn / 100, out);
            out.push(b'.');
            pair(event.amount_tiyn % 100, out);
            out.extend_from_slice(b"\",\"currency\":\"KZT\"");
        }
        party(event.party, out);
        if let Some(ip) = event.ip {
            address(ip, out);
        }
        if event.device > 0 {
            device(event.device, out);
        }
        rest(event, out);
        out.extend_from_slice(b"}\n");
    }

    fn time(&mut self, at_ms: u64, out: &mut Vec<u8>) {
        let local_ms = at_ms + OFFSET_MS;
        if local_ms / DAY_MS != self.day {
            self.day = local_ms / DAY_MS;
            self.date = date_text(self.day);
        }
        let ms = local_ms % DAY_MS;
        out.extend_from_slice(&self.date);
        out.push(b'T');
        pair(ms / 3_600_000, out);
        out.push(b':');
        pair(ms / 60_000 % 60, out);
        out.push(b':');
        pair(ms / 1000 % 60, out);
        out.push(b'.');
        out.push(digit(ms / 100 % 10));
        pair(ms % 100, out);
        out.extend_from_slice(b"+05:00");
    }
}

/// Appends the text of an id as a ULID: 26 Crockford digits.
pub(super) fn op_id(id: OpId, out: &mut Vec<u8>) {
    let mut text = [b'0'; 26];
    let mut rest = id.at_ms;
    for place in text[..10].iter_mut().rev() {
        *place = CROCKFORD[low(rest, 31)];
        rest >>= 5;
    }
    let mut rest = id.unique;
    for place in text[13..].iter_mut().rev() {
        *place = CROCKFORD[low(rest, 31)];
        rest >>= 5;
    }
    out.extend_from_slice(&text);
}

/// Appends the text of a wallet's id.
pub(super) fn wallet(wallet: Wallet, out: &mut Vec<u8>) {
    match wallet {
        Wallet::Client(index) => {
            out.extend_from_slice(b"77");
            nine_digits(scattered(index), out);
        }
        Wallet::Listed => out.extend_from_slice(LISTED_WALLET.as_bytes()),
        Wallet::NearListed(number_of) => {
            out.extend_from_slice(LISTED_WALLET.as_bytes());
            out.extend_from_slice(b"-near-");
            number(number_of, out);
        }
    }
}

/// Scatters indices over all nine-digit numbers; the factor has no divisor in common with 10⁹.
const fn scattered(index: u64) -> u64 {
    (index % WALLETS_MAX) * 387_420_489 % WALLETS_MAX
}

fn party(party: Party, out: &mut Vec<u8>) {
    match party {
        Party::None => return,
        Party::Client(id) => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"client\",\"wallet_id\":\"");
            wallet(id, out);
        }
        Party::Merchant(id) => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"merchant\",\"account\":\"m-");
            number(id, out);
        }
        Party::BankAccount(index) => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"bank_account\",\"account\":\"KZ867220C0000");
            nine_digits(scattered(index), out);
        }
        Party::ListedAccount { near } => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"bank_account\",\"account\":\"");
            listed(LISTED_ACCOUNT, near, out);
        }
        Party::ListedPhone { near } => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"merchant\",\"phone\":\"");
            listed(LISTED_PHONE, near, out);
        }
        Party::Agent(id) => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"agent\",\"account\":\"agent-");
            number(id, out);
        }
        Party::Card(id) => {
            out.extend_from_slice(b",\"counterparty\":{\"kind\":\"card\",\"account\":\"4400-43**-****-");
            pair(id / 100 % 100, out);
            pair(id % 100, out);
        }
    }
    out.extend_from_slice(b"\"}");
}

/// The text of the list; when it shall only be near, with its last digit raised by 7, out of the list.
fn listed(text: &str, near: bool, out: &mut Vec<u8>) {
    let Some((last, head)) = text.as_bytes().split_last() else { return };
    out.extend_from_slice(head);
    out.push(if near { last + 7 } else { *last });
}

fn address(ip: IpAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"ip\":\"");
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            octet(a, out);
            out.push(b'.');
            octet(b, out);
            out.push(b'.');
            octet(c, out);
            out.push(b'.');
            octet(d, out);
        }
        // Only a few of the patterns use these.
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
    out.push(b'"');
}

fn device(device: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; 16];
    let mut rest = device;
    for place in text.iter_mut().rev() {
        *place = HEX[low(rest, 15)];
        rest >>= 4;
    }
    out.extend_from_slice(b",\"device_id\":\"d-");
    out.extend_from_slice(&text);
    out.push(b'"');
}

/// The fields that few operations have.
fn rest(event: &Event, out: &mut Vec<u8>) {
    if let Some(outcome) = event.outcome {
        text_field(b",\"outcome\":\"", outcome.name(), out);
    }
    if let Some(reference) = event.reference {
        out.extend_from_slice(b",\"ref_op_id\":\"");
        op_id(reference, out);
        out.push(b'"');
    }
    if let Some(proof) = event.proof {
        text_field(b",\"proof\":\"", proof.name(), out);
    }
    if let Some(order) = event.order {
        text_field(b",\"order\":\"", order.name(), out);
    }
    if !event.actor.is_empty() {
        text_field(b",\"actor\":\"", event.actor, out);
    }
    if let Some(source) = event.source {
        text_field(b",\"source\":\"", source.name(), out);
    }
    match (event.channel, event.purpose) {
        ("", "") => {}
        (channel, "") => {
            text_field(b",\"attributes\":{\"channel\":\"", channel, out);
            out.push(b'}');
        }
        ("", purpose) => {
            text_field(b",\"attributes\":{\"purpose\":\"", purpose, out);
            out.push(b'}');
        }
        (channel, purpose) => {
            text_field(b",\"attributes\":{\"channel\":\"", channel, out);
            text_field(b",\"purpose\":\"", purpose, out);
            out.push(b'}');
        }
    }
}

fn text_field(opening: &[u8], text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(opening);
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends a number without leading zeros.
fn number(value: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = value;
    loop {
        at -= 1;
        text[at] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

fn nine_digits(value: u64, out: &mut Vec<u8>) {
    out.push(digit(value / 100_000_000 % 10));
    pair(value / 1_000_000, out);
    pair(value / 10_000, out);
    pair(value / 100, out);
    pair(value, out);
}

fn octet(value: u8, out: &mut Vec<u8>) {
    if value >= 100 {
        out.push(b'0' + value / 100);
    }
    if value >= 10 {
        out.push(b'0' + value / 10 % 10);
    }
    out.push(b'0' + value % 10);
}

/// Appends the last two digits.
fn pair(value: u64, out: &mut Vec<u8>) {
    let at = low(value % 100, 127) * 2;
    out.extend_from_slice(&PAIRS[at..at + 2]);
}

const fn digit(value: u64) -> u8 {
    b'0' + value.to_le_bytes()[0]
}

/// Returns the low bits as an index; the mask is below 256.
const fn low(value: u64, mask: u8) -> usize {
    (value.to_le_bytes()[0] & mask) as usize
}

/// Writes the date of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`, for years after 1970).
fn date_text(day: u64) -> [u8; 10] {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let mut text = *b"0000-00-00";
    for (place, value) in [(0, year / 100), (2, year % 100), (5, month), (8, day_of_month)] {
        text[place] = digit(value / 10);
        text[place + 1] = digit(value % 10);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::date_text;

    #[test]
    fn writes_dates_around_leap_days() {
        for (day, text) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (19_782, "2024-02-29"), (20_514, "2026-03-02")] {
            assert_eq!(std::str::from_utf8(&date_text(day)), Ok(text));
        }
    }
}
