//! What a shard saw of blocks that others placed or lifted. It is kept with the shard's state, so that what was known
//! last stays in force while the shared store is away, over a restart too.
//!
//! Each party has a note of its own in the state topic: a change rewrites nothing but that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use tracing::warn;
use uuid::Uuid;

use crate::engine::restriction::Restriction;
use crate::engine::shared::{Party, SharedChange};
use crate::engine::stored::{Reader, StoredError, Writer};
use crate::operation::Time;
use crate::operation::time::{DAY, Nanos};

/// What the names of the notes begin with.
const PREFIX: &str = "seen:";
/// Of so many parties a shard keeps what it saw; of more it is known only until the process ends.
const PARTIES_MAX: usize = 100_000;
/// So long after a block's end by the shard's newest operation nothing of it is kept: an operation that comes later
/// is still decided, so this is far more than the allowed lateness.
const SPARE_LIFE: Nanos = DAY;

/// What was seen of one party, where that is other than what the shard itself placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    blocks: Vec<Restriction>,
    /// Blocks that this shard placed and another lifted, or that ended, with the ends that they had.
    lifted: Vec<(Uuid, Option<Time>)>,
}

impl Seen {
    /// Returns the end of what ends last; `None` when something stays until it is lifted.
    fn end(&self) -> Option<Time> {
        let ends = self.blocks.iter().map(|block| block.until).chain(self.lifted.iter().map(|(_, until)| *until));
        ends.reduce(|one, other| Some(one?.max(other?))).flatten()
    }

    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.lifted.is_empty()
    }
}

/// What a shard saw of others, by party.
#[derive(Debug, Default)]
pub(super) struct SeenBlocks {
    parties: BTreeMap<Party, Seen>,
    /// The parties of which all that was seen ends by itself, by that end.
    ends: BTreeSet<(Time, Party)>,
    /// The parties whose notes are not as they are here.
    changed: BTreeSet<Party>,
    is_full: bool,
    /// The last party that was asked for again.
    asked: Option<Party>,
}

impl SeenBlocks {
    /// Takes in what the shared store holds for a party, of which the shard itself placed `own`.
    pub(super) fn see(&mut self, party: Party, stored: &[Restriction], own: &[Restriction]) {
        if stored.is_empty() && own.is_empty() && !self.parties.contains_key(&party) {
            return;
        }
        let blocks = stored.iter().filter(|block| !own.contains(block)).cloned().collect();
        let is_stored = |id: Uuid| stored.iter().any(|block| block.id == id);
        // Nobody but its own shard lifts a wallet's block.
        let is_lifted = |block: &&Restriction| matches!(party, Party::Address(_)) && !is_stored(block.id);
        let lifted = own.iter().filter(is_lifted).map(|block| (block.id, block.until)).collect();
        self.put(party, Seen { blocks, lifted });
    }

    /// Takes in what the shard's own decisions change.
    pub(super) fn change(&mut self, changes: &[SharedChange]) {
        if self.parties.is_empty() {
            return;
        }
        for change in changes {
            let (party, id) = match change {
                SharedChange::Place { party, restriction } => (party, restriction.id),
                SharedChange::Lift { party, restriction } => (party, *restriction),
                // What ended is told by the store the next time.
                SharedChange::Seen { .. }
                | SharedChange::Insert { .. }
                | SharedChange::Remove { .. }
                | SharedChange::Run { .. }
                | SharedChange::Text { .. }
                | SharedChange::Ahead(_) => continue,
            };
            let Some(seen) = self.parties.get(party) else { continue };
            let mut seen = seen.clone();
            // The shard's own from now on, or nobody's.
            seen.blocks.retain(|block| block.id != id);
            seen.lifted.retain(|(lifted, _)| *lifted != id);
            self.put(*party, seen);
        }
    }

    fn put(&mut self, party: Party, seen: Seen) {
        let before = self.parties.get(&party);
        if before.map_or_else(|| seen.is_empty(), |before| *before == seen) {
            return;
        }
        if before.is_none() && self.parties.len() >= PARTIES_MAX {
            if !std::mem::replace(&mut self.is_full, true) {
                warn!(
                    parties = PARTIES_MAX,
                    "the shard knows of more blocks of others than it keeps: a restart while the shared store is away \
                     would forget the rest"
                );
            }
            return;
        }
        if let Some(end) = before.and_then(Seen::end) {
            self.ends.remove(&(end, party));
        }
        if seen.is_empty() {
            self.parties.remove(&party);
            self.is_full = false;
        } else {
            self.ends.extend(seen.end().map(|end| (end, party)));
            self.parties.insert(party, seen);
        }
        self.changed.insert(party);
    }

    /// Forgets what has long ended by the shard's newest operation.
    pub(super) fn forget_ended(&mut self, newest: Time) {
        while let Some((end, party)) = self.ends.first().copied().filter(|(end, _)| end.plus(SPARE_LIFE) <= newest) {
            debug_assert!(self.parties.get(&party).and_then(Seen::end) == Some(end));
            self.put(party, Seen::default());
        }
    }

    /// Returns so many parties to ask for again, all in their turn: what nobody's operations ask for would else stay as it
    /// was seen, long after it has ended.
    pub(super) fn next_to_ask(&mut self, count: usize) -> Vec<Party> {
        let from = self.asked.map_or(Bound::Unbounded, Bound::Excluded);
        let next: Vec<Party> =
            self.parties.range((from, Bound::Unbounded)).map(|(party, _)| *party).take(count).collect();
        // Behind the last one the first comes next.
        self.asked = next.last().copied().filter(|_| next.len() == count);
        next
    }

    /// Forgets everything: there is no shared store any more.
    pub(super) fn forget_all(&mut self) {
        let parties: Vec<Party> = self.parties.keys().copied().collect();
        parties.into_iter().for_each(|party| self.put(party, Seen::default()));
    }

    /// Lists the blocks of others.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (Party, &Restriction)> {
        self.parties.iter().flat_map(|(party, seen)| seen.blocks.iter().map(|block| (*party, block)))
    }

    /// Tells whether another lifted a block that the shard placed.
    pub(super) fn is_lifted(&self, party: Party, block: &Restriction) -> bool {
        self.parties.get(&party).is_some_and(|seen| seen.lifted.iter().any(|(lifted, _)| *lifted == block.id))
    }

    /// Returns the notes that are to be written since the last call, by name; without a value a note goes.
    pub(super) fn notes(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let note = |party: Party| (name(party), self.parties.get(&party).map(encode));
        std::mem::take(&mut self.changed).into_iter().map(note).collect()
    }

    /// Takes a note back in.
    ///
    /// # Errors
    /// It is damaged, or of a later version.
    pub(super) fn restore(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoredError> {
        let Some(party) = party_of(name) else { return Err(StoredError::Damaged(0)) };
        self.put(party, decode(bytes)?);
        self.changed.remove(&party);
        Ok(())
    }
}

/// Tells whether a note is one of what was seen.
pub(super) fn is_note(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn name(party: Party) -> String {
    match party {
        Party::Address(address) => format!("{PREFIX}ip:{address}"),
        Party::Wallet(symbol) => format!("{PREFIX}w:{symbol:016x}"),
    }
}

fn party_of(name: &str) -> Option<Party> {
    let (kind, whose) = name.strip_prefix(PREFIX)?.split_once(':')?;
    match kind {
        "ip" => whose.parse::<IpAddr>().ok().map(Party::Address),
        "w" => u64::from_str_radix(whose, 16).ok().map(Party::Wallet),
        _ => None,
    }
}

fn encode(seen: &Seen) -> Vec<u8> {
    let mut writer = Writer::versioned();
    writer.value(&seen.blocks);
    writer.value(&seen.lifted);
    writer.into_bytes()
}

fn decode(bytes: &[u8]) -> Result<Seen, StoredError> {
    let mut reader = Reader::versioned(bytes)?;
    Ok(Seen { blocks: reader.value()?, lifted: reader.value()? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::restriction::RestrictionKind;
    use crate::rules::program::{Block, Lifters};

    const WALLET: Party = Party::Wallet(0xfeed);

    fn address() -> Party {
        Party::Address("2001:db8::1".parse().expect("an address"))
    }

    fn block(id: u128, until: Option<i64>) -> Restriction {
        Restriction {
            id: Uuid::from_u128(id),
            rule: "a-rule".into(),
            clauses: Arc::new(["7.18".into()]),
            kind: RestrictionKind::Block(Block::AddressLogin),
            from: Time::from_nanos(0),
            until: until.map(Time::from_nanos),
            lifted_by: Lifters(1),
            fired_last: Time::from_nanos(0),
        }
    }

    fn restored(notes: &[(String, Option<Vec<u8>>)]) -> SeenBlocks {
        let mut seen = SeenBlocks::default();
        for (name, note) in notes {
            assert!(is_note(name));
            seen.restore(name, note.as_deref().expect("a note")).expect("a note");
        }
        seen
    }

    fn ids(seen: &SeenBlocks) -> Vec<(Party, u128)> {
        let mut ids: Vec<_> = seen.blocks().map(|(party, block)| (party, block.id.as_u128())).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn what_was_seen_comes_back_from_its_notes_and_is_noted_once() {
        let mut seen = SeenBlocks::default();
        seen.see(WALLET, &[block(1, None)], &[]);
        seen.see(address(), &[block(2, Some(5)), block(3, Some(9))], &[block(3, Some(9))]);
        seen.see(Party::Wallet(7), &[], &[]);
        let notes = seen.notes();
        assert_eq!(
            notes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["seen:ip:2001:db8::1", "seen:w:000000000000feed"]
        );
        assert_eq!(ids(&restored(&notes)), [(address(), 2), (WALLET, 1)]);
        seen.see(WALLET, &[block(1, None)], &[]);
        assert!(seen.notes().is_empty());
        assert!(restored(&notes).notes().is_empty());
        // Later versions and damage are no reason to guess.
        assert!(SeenBlocks::default().restore("seen:w:1", &[99]).is_err());
        assert!(SeenBlocks::default().restore("seen:x:1", &[1]).is_err());
    }

    #[test]
    fn what_the_store_holds_no_more_goes() {
        let mut seen = SeenBlocks::default();
        seen.see(WALLET, &[block(1, None)], &[]);
        drop(seen.notes());
        seen.see(WALLET, &[], &[]);
        assert_eq!(seen.notes(), [("seen:w:000000000000feed".to_owned(), None)]);
        assert!(ids(&seen).is_empty() && seen.ends.is_empty());
    }

    #[test]
    fn a_lifting_is_known_too() {
        let (mut seen, own) = (SeenBlocks::default(), [block(1, Some(5))]);
        seen.see(address(), &[], &own);
        assert!(seen.is_lifted(address(), &own[0]));
        assert!(restored(&seen.notes()).is_lifted(address(), &own[0]));
        // The shard's own word is newer.
        seen.change(&[SharedChange::Place { party: address(), restriction: Box::new(own[0].clone()) }]);
        assert!(!seen.is_lifted(address(), &own[0]));
        seen.see(address(), &[block(2, Some(5))], &[]);
        seen.change(&[SharedChange::Lift { party: address(), restriction: Uuid::from_u128(2) }]);
        assert!(ids(&seen).is_empty());
        // A wallet's block is lifted by its own shard only, whatever the store lacks.
        seen.see(WALLET, &[], &own);
        assert!(!seen.is_lifted(WALLET, &own[0]));
    }

    #[test]
    fn what_ended_long_ago_goes_and_what_has_no_end_stays() {
        let mut seen = SeenBlocks::default();
        seen.see(address(), &[block(1, Some(5)), block(2, Some(9))], &[]);
        seen.see(WALLET, &[block(3, Some(5)), block(4, None)], &[]);
        seen.forget_ended(Time::from_nanos(8).plus(SPARE_LIFE));
        assert_eq!(ids(&seen).len(), 4);
        seen.forget_ended(Time::from_nanos(9).plus(SPARE_LIFE));
        assert_eq!(ids(&seen), [(WALLET, 3), (WALLET, 4)]);
        seen.forget_all();
        assert_eq!(seen.notes().iter().filter(|(_, note)| note.is_none()).count(), 2);
    }

    #[test]
    fn each_party_is_asked_for_in_its_turn() {
        let mut seen = SeenBlocks::default();
        assert!(seen.next_to_ask(2).is_empty());
        (1..=3).for_each(|symbol| seen.see(Party::Wallet(symbol), &[block(1, None)], &[]));
        let mut next =
            || seen.next_to_ask(2).into_iter().map(|party| matches!(party, Party::Wallet(symbol) if symbol < 3));
        assert_eq!(next().collect::<Vec<_>>(), [true, true]);
        assert_eq!(next().collect::<Vec<_>>(), [false]);
        assert_eq!(next().collect::<Vec<_>>(), [true, true]);
    }

    #[test]
    fn more_parties_than_are_kept_are_turned_away_and_none_is_dropped_for_them() {
        let mut seen = SeenBlocks::default();
        let parties = u64::try_from(PARTIES_MAX).expect("a number");
        (0..=parties).for_each(|symbol| seen.see(Party::Wallet(symbol), &[block(1, None)], &[]));
        assert_eq!(seen.notes().len(), PARTIES_MAX);
        assert!(seen.parties.contains_key(&Party::Wallet(0)) && !seen.parties.contains_key(&Party::Wallet(parties)));
        seen.see(Party::Wallet(0), &[], &[]);
        seen.see(Party::Wallet(parties), &[block(1, None)], &[]);
        assert!(seen.parties.contains_key(&Party::Wallet(parties)));
    }
}
