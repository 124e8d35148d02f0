//! Who the clients are. Everything is computed from the wallet's index and the seed, nothing is kept.

use std::net::{IpAddr, Ipv4Addr};

use crate::operation::ClientStatus;

use super::random::{Random, below_len, mix};

/// A block of addresses: the first two octets and the third octet's range.
type Range = ([u8; 2], [u8; 2]);

/// Ordinary clients use these parts of Kazakh ranges; the patterns use the rest of them.
const KAZAKHSTAN: [Range; 5] =
    [([2, 132], [0, 200]), ([95, 56], [0, 200]), ([37, 150], [0, 200]), ([92, 46], [0, 200]), ([178, 89], [0, 200])];
const ABROAD: [Range; 4] = [([77, 88], [8, 9]), ([88, 198], [0, 200]), ([84, 54], [64, 72]), ([92, 62], [64, 72])];

/// The days of the month on which salaries are paid.
pub(super) const PAY_DAYS: [u32; 4] = [5, 10, 20, 25];

/// What is true of a wallet as long as it lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    pub(super) index: u64,
    pub(super) status: ClientStatus,
    hash: u64,
    seed: u64,
}

/// Looks up the wallet with this index.
pub(super) fn profile(index: u64, seed: u64) -> Profile {
    let hash = mix(mix(seed) ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let status = match hash % 100 {
        0..60 => ClientStatus::Identified,
        60..88 => ClientStatus::Unidentified,
        _ => ClientStatus::Unregistered,
    };
    Profile { index, status, hash, seed }
}

impl Profile {
    /// Returns the client's device; number 0 is the one that is nearly always used.
    pub(super) const fn device(self, number: u64) -> u64 {
        device(self.index * 4 + number, self.seed)
    }

    /// Returns the address of that day. Most are at home in Kazakhstan; a few live or travel abroad.
    pub(super) fn address(self, day: u64) -> IpAddr {
        let today = mix(self.hash ^ (day + 1));
        let lives_abroad = self.hash >> 40 & 0x3f == 0;
        let trip = mix(self.hash.rotate_left(17) ^ (day / 5));
        if lives_abroad {
            host(ABROAD[below_len(self.hash << 13, ABROAD.len())], today)
        } else if trip.is_multiple_of(200) {
            host(ABROAD[below_len(trip, ABROAD.len())], today)
        } else {
            host(KAZAKHSTAN[below_len(self.hash << 29, KAZAKHSTAN.len())], today)
        }
    }

    /// Returns one of the client's eight acquaintances.
    pub(super) const fn acquaintance(self, number: u64, wallets: u64) -> u64 {
        let other = mix(self.hash ^ ((number & 7) << 50)) % wallets;
        if other == self.index { (other + 1) % wallets } else { other }
    }

    /// Tells on which of [`PAY_DAYS`] the salary comes; one wallet in five has none.
    pub(super) fn pay_day(self) -> Option<u32> {
        PAY_DAYS.get(usize::from((self.hash >> 48).to_le_bytes()[0] % 5)).copied()
    }

    /// Returns the monthly salary in tiyn, the same every month: 85,000 to 485,000 KZT.
    pub(super) const fn salary_tiyn(self) -> u64 {
        (85 + (self.hash >> 20) % 400) * 100_000
    }
}

/// Names a device by number: different numbers never share a name.
pub(super) const fn device(number: u64, seed: u64) -> u64 {
    let name = mix(number ^ seed.rotate_left(32));
    if name == 0 { 1 } else { name }
}

fn host((net, [from, until]): Range, bits: u64) -> IpAddr {
    let [a, b, ..] = bits.to_le_bytes();
    let third = from + a % (until - from);
    IpAddr::V4(Ipv4Addr::new(net[0], net[1], third, 1 + b % 254))
}

/// Returns a Kazakh address that no ordinary client has, and no other pattern for the next 71,000 serial numbers.
pub(super) fn pattern_address(serial: u64) -> IpAddr {
    let ([a, b], _) = KAZAKHSTAN[below_len((serial % 5) << 61 | 1 << 60, KAZAKHSTAN.len())];
    let [fourth, third, ..] = (serial / 5).to_le_bytes();
    IpAddr::V4(Ipv4Addr::new(a, b, 200 + third % 56, fourth))
}

/// Returns an address of another country.
pub(super) fn foreign_address(random: &mut Random) -> IpAddr {
    let range = random.pick(&ABROAD);
    host(range, random.next())
}
