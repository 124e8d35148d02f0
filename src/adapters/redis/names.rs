//! Names of keys, on one server or spread over a cluster.
//!
//! A script may only name keys that lie on one node. On a cluster windows and the directory are therefore spread over
//! [`PARTS`] parts. The keys of a part have its number as hash tag (`kuzet:{07}:w:…`), so they lie on one node, and
//! each part has a sentinel and books of its own. On one server there is a single part, whose names have no tag.

use std::net::IpAddr;

use super::gateway::Restricted;
use crate::engine::plan::Plan;
use crate::engine::shared::{Party, SharedKey};

/// Over so many parts a cluster's keys are spread: enough for as many primaries, few enough to ask all of them at once.
const PARTS: u16 = 64;
/// A cluster's slots.
const SLOTS: u16 = 16_384;

/// One of the parts that the keys are spread over.
pub(super) type Part = u16;

/// How keys are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    parts: u16,
}

impl Names {
    pub(super) const fn new(is_cluster: bool) -> Self {
        Self { parts: if is_cluster { PARTS } else { 1 } }
    }

    const fn is_cluster(self) -> bool {
        self.parts > 1
    }

    /// Lists the parts.
    pub(super) fn parts(self) -> impl Iterator<Item = Part> {
        0..self.parts
    }

    /// Returns a part's share of a limit.
    pub(super) fn share(self, limit: u64) -> u64 {
        if limit == u64::MAX { limit } else { limit.div_ceil(u64::from(self.parts)) }
    }

    fn prefix(self, part: Part) -> String {
        if self.is_cluster() { format!("kuzet:{{{part:02x}}}:") } else { String::from("kuzet:") }
    }

    fn part_of(self, number: u64) -> Part {
        // The upper bits of a product depend on all bits of the number; less than `parts` fits.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Part::try_from(mixed % u64::from(self.parts)).unwrap_or(0)
    }

    /// Returns the part that a window is in.
    pub(super) fn part_of_window(self, key: SharedKey) -> Part {
        self.part_of(key.key)
    }

    /// Returns the part that a party of the directory is in.
    pub(super) fn part_of_party(self, party: Party) -> Part {
        match party {
            Party::Address(IpAddr::V4(address)) => self.part_of(u64::from(address.to_bits())),
            Party::Address(IpAddr::V6(address)) => {
                let octets = address.octets();
                let (network, rest) = octets.split_at(8);
                self.part_of(word(network) ^ word(rest).rotate_left(17))
            }
            Party::Wallet(symbol) => self.part_of(symbol),
        }
    }

    /// Names a window: by what it computes, never by its place in a rule set.
    pub(super) fn window(self, plan: &Plan, key: SharedKey) -> String {
        let prefix = self.prefix(self.part_of_window(key));
        format!("{prefix}w:{:016x}:{:016x}", plan.aggregates[key.aggregate].state_id, key.key)
    }

    /// Names what the keys of a window come to, those of one part.
    pub(super) fn book(self, state_id: u64, part: Part) -> String {
        format!("{}w:{state_id:016x}:n", self.prefix(part))
    }

    /// Names a party's part of the directory.
    pub(super) fn party(self, party: Party) -> String {
        let prefix = self.prefix(self.part_of_party(party));
        match party {
            // One address has one name.
            Party::Address(address) => format!("{prefix}d:ip:{address}"),
            Party::Wallet(symbol) => format!("{prefix}d:w:{symbol:016x}"),
        }
    }

    /// Names the sentinel of a part.
    pub(super) fn epoch(self, part: Part) -> String {
        format!("{}epoch", self.prefix(part))
    }

    /// Names how many batches an instance wrote to a part.
    pub(super) fn written(self, part: Part, instance: &str) -> String {
        format!("{}epoch:{instance}", self.prefix(part))
    }

    /// Names the hash that a gateway reads, and the one with what is known of its fields. Where one of them lies, the
    /// other does.
    pub(super) fn restricted(self, whom: &Restricted) -> [String; 2] {
        let [shown, known] = whom.keys();
        if !self.is_cluster() {
            return [shown, known];
        }
        let known = match tag(&shown) {
            Some(tag) => format!("kuzet:restriction-known:{{{tag}}}:{shown}"),
            None if !shown.contains('}') => format!("kuzet:restriction-known:{{{shown}}}"),
            // No tag can hold this name; some number lies where it does.
            None => {
                let number = (0_u32..).find(|number| slot_of(&number.to_string()) == slot_of(&shown)).unwrap_or(0);
                format!("kuzet:restriction-known:{{{number}}}:{shown}")
            }
        };
        [shown, known]
    }

    /// Returns the slot of a key: one script may only name keys of one slot. One server has one.
    pub(super) fn slot(self, key: &str) -> u16 {
        if self.is_cluster() { slot_of(tag(key).unwrap_or(key)) } else { 0 }
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Returns the part of a key that its slot is computed from, if that is not all of it.
fn tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    rest.split_once('}').map(|(tag, _)| tag).filter(|tag| !tag.is_empty())
}

/// Computes the slot of a text: CRC-16/XMODEM, as Redis Cluster has it.
fn slot_of(text: &str) -> u16 {
    let crc = text.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // As CLUSTER KEYSLOT answers.
        for (key, slot) in [("123456789", 12_739), ("foo", 12_182), ("{user1000}.following", 3_443)] {
            assert_eq!(Names::new(true).slot(key), slot, "{key}");
            assert_eq!(Names::new(false).slot(key), 0);
        }
        assert_eq!(Names::new(true).slot("a{}b"), slot_of("a{}b"));
    }

    #[test]
    fn what_a_script_names_together_lies_together() {
        let names = Names::new(true);
        for id in ["W1", "a{b}c", "a}b", "a{b", "{}", "}{", "}{x}"] {
            let [shown, known] = names.restricted(&Restricted::Wallet(id.into()));
            assert_eq!(names.slot(&shown), names.slot(&known), "{id}");
            assert_eq!(shown, format!("kuzet:restriction:wallet:{id}"), "gateways know the name");
        }
        for key in (0..1_000_u64).map(|key| key * 0x0101_0101) {
            let part = names.part_of_window(SharedKey { aggregate: 0, key });
            assert!(part < PARTS);
            assert_eq!(names.slot(&names.book(7, part)), names.slot(&names.epoch(part)));
        }
    }

    #[test]
    fn keys_are_spread_over_all_parts_evenly() {
        let mut counts = [0_u32; PARTS as usize];
        for key in 0..64_000 {
            counts[usize::from(Names::new(true).part_of(key))] += 1;
        }
        assert!(counts.iter().all(|count| (500..2_000).contains(count)), "{counts:?}");
        assert!((0..100).all(|key| Names::new(false).part_of(key) == 0));
    }

    #[test]
    fn a_part_has_its_share_of_a_limit() {
        assert_eq!([1, 64, 65, u64::MAX].map(|limit| Names::new(true).share(limit)), [1, 1, 2, u64::MAX]);
        assert_eq!(Names::new(false).share(7), 7);
    }
}
