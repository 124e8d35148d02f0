//! Copies of busy windows, so that reading one brings no more than what changed since it was read last.
//!
//! The server keeps a log of the last changes of a window with many entries (`windows.lua`). A copy knows the log's
//! last record it has taken in; the server tells what came after it, or the whole window when that record is not in
//! the log. So an entry comes once to each process that reads its window, however many entries the window holds, and
//! whatever its aggregate computes is computed here, by the engine's own windows.

use std::collections::{BTreeMap, HashMap};

use super::codec::{self, Unreadable};
use crate::engine::keyed::KeyedState;
use crate::engine::plan::Plan;
use crate::engine::shared::{SharedKey, SharedWindow};
use crate::operation::Time;

/// So many bytes all copies may take together, as they are estimated; beyond it those asked for longest ago go.
const BYTES_MAX: usize = 64 << 20;
/// About what a copy takes without entries.
const COPY_BYTES: usize = 512;
/// After so many records it is estimated anew what a copy takes.
const MEASURED_EVERY: u64 = 64;

/// Names a window over reloads: its state, and the value of its key.
type Name = (u64, u64);

/// A window as the server's log told it, up to one record.
struct Copy {
    window: SharedWindow,
    mark: LogMark,
    bytes: usize,
    /// When it was asked for last, by [`Copies::turn`].
    used: u64,
}

/// The place in a window's log up to which somebody knows the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogMark {
    /// Counts the log's records from its beginning.
    pub(super) number: u64,
    /// The record with that number: a log that has another one there has another history.
    pub(super) record: Box<[u8]>,
}

/// The copies of one process.
pub(super) struct Copies {
    held: HashMap<Name, Copy>,
    /// Their names by when they were asked for last.
    by_use: BTreeMap<u64, Name>,
    turn: u64,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Copies {
    fn default() -> Self {
        let (held, by_use) = (HashMap::new(), BTreeMap::new());
        Self { held, by_use, turn: 0, bytes: 0, bytes_max: BYTES_MAX }
    }
}

fn name(plan: &Plan, key: SharedKey) -> Name {
    (plan.aggregates[key.aggregate].state_id, key.key)
}

impl Copies {
    /// Returns up to which record a window is known here.
    pub(super) fn mark(&self, plan: &Plan, key: SharedKey) -> Option<&LogMark> {
        self.held.get(&name(plan, key)).map(|copy| &copy.mark)
    }

    /// Keeps a window that was read whole.
    pub(super) fn keep(&mut self, plan: &Plan, key: SharedKey, window: SharedWindow, mark: LogMark) {
        let bytes = COPY_BYTES + window.state.heap_bytes();
        self.put(name(plan, key), Copy { window, mark, bytes, used: 0 });
    }

    /// Forgets a window.
    pub(super) fn forget(&mut self, plan: &Plan, key: SharedKey) {
        self.take(name(plan, key));
    }

    /// Forgets all windows: the server may have lost what they hold.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.by_use.clear();
        self.bytes = 0;
    }

    /// Takes in the records that came after a copy's, and of a chain its folded beginning; returns the window.
    ///
    /// # Errors
    /// A record is not as this version writes it, or there is no copy; the copy is gone then.
    pub(super) fn advance<'r>(
        &mut self,
        plan: &Plan,
        key: SharedKey,
        records: impl Iterator<Item = &'r [u8]>,
        folded: Option<(Time, Time)>,
    ) -> Result<SharedWindow, Unreadable> {
        let name = name(plan, key);
        let mut copy = self.take(name).ok_or(Unreadable("an answer about a window"))?;
        let before = copy.mark.number;
        let mut last = None;
        for record in records {
            if let Some(change) = codec::read_record(record, key)? {
                copy.window.apply(plan, &change);
            }
            copy.mark.number += 1;
            last = Some(record);
        }
        if let Some(record) = last {
            copy.mark.record = record.into();
        }
        // Which stretch is remembered depends on the order of arrival, and that is the server's.
        if let KeyedState::Chain(chain) = &mut copy.window.state {
            chain.restore_folded(folded);
        }
        if before / MEASURED_EVERY < copy.mark.number / MEASURED_EVERY {
            copy.bytes = COPY_BYTES + copy.window.state.heap_bytes();
        }
        let window = copy.window.clone();
        self.put(name, copy);
        Ok(window)
    }

    fn take(&mut self, name: Name) -> Option<Copy> {
        let copy = self.held.remove(&name)?;
        self.by_use.remove(&copy.used);
        self.bytes -= copy.bytes;
        Some(copy)
    }

    fn put(&mut self, name: Name, copy: Copy) {
        self.take(name);
        self.turn += 1;
        self.by_use.insert(self.turn, name);
        self.bytes += copy.bytes;
        self.held.insert(name, Copy { used: self.turn, ..copy });
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.by_use.first_key_value().map(|(_, name)| *name)
        {
            self.take(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::Settings;
    use crate::rules::{self, SourceFile};
    use std::sync::Arc;

    fn plan() -> Plan {
        let text = "rule: r\nclauses: [\"7.15\"]\ntitle: {kk: с, ru: п, en: t}\nowner: risk\nmode: enforce\non: login\n\
                    when: count(login by device_id within 30m) > 9\nthen:\n  - report: afm\n";
        let compiled = rules::compile(&[SourceFile::new("rules/r.yaml", text)]).expect("a rule");
        Plan::new(Arc::new(compiled.rule_set), Settings::default())
    }

    fn record(kind: u8, at: i64) -> Vec<u8> {
        let entry = crate::engine::window::Entry { at: Time::from_nanos(at), op: at.unsigned_abs(), value: 1 };
        [b"mark-of-12-b".as_slice(), &[kind], &codec::entry(entry)].concat()
    }

    fn mark(number: u64) -> LogMark {
        LogMark { number, record: record(b'I', 1).into() }
    }

    #[test]
    fn a_copy_takes_in_records_and_knows_the_last() {
        let (plan, mut copies) = (plan(), Copies::default());
        let key = SharedKey { aggregate: 0, key: 7 };
        assert!(copies.mark(&plan, key).is_none());
        assert!(copies.advance(&plan, key, std::iter::empty(), None).is_err());
        copies.keep(&plan, key, SharedWindow::new(&plan, key), mark(5));
        let records = [record(b'I', 10), record(b'I', 20), record(b'R', 10)];
        let window = copies.advance(&plan, key, records.iter().map(Vec::as_slice), None).expect("records");
        assert_eq!((window.state.len(), window.newest()), (1, Some(Time::from_nanos(20))));
        let known = copies.mark(&plan, key).expect("a copy");
        assert_eq!((known.number, &*known.record), (8, records[2].as_slice()));
        assert!(copies.advance(&plan, key, std::iter::once(b"short".as_slice()), None).is_err());
        assert!(copies.mark(&plan, key).is_none(), "what cannot be read leaves no copy");
        assert_eq!(copies.bytes, 0);
    }

    #[test]
    fn copies_asked_for_longest_ago_go_first() {
        let plan = plan();
        let mut copies = Copies { bytes_max: 3 * COPY_BYTES, ..Copies::default() };
        let key = |key| SharedKey { aggregate: 0, key };
        (1..=3).for_each(|number| copies.keep(&plan, key(number), SharedWindow::new(&plan, key(number)), mark(1)));
        copies.advance(&plan, key(1), std::iter::empty(), None).expect("nothing new");
        copies.keep(&plan, key(4), SharedWindow::new(&plan, key(4)), mark(1));
        let held: Vec<bool> = (1..=4).map(|number| copies.mark(&plan, key(number)).is_some()).collect();
        assert_eq!(held, [true, false, true, true]);
        copies.clear();
        assert_eq!((copies.held.len(), copies.by_use.len(), copies.bytes), (0, 0, 0));
    }
}
