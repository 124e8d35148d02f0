//! What is written: changes sorted by the key they concern, and the calls of scripts that enter them.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Cmd, Pipeline, Script};

use super::codec;
use super::names::{Names, Part};
use crate::engine::plan::{Plan, PlannedAggregate};
use crate::engine::shared::{Party, SharedChange, SharedKey};
use crate::operation::time::MILLISECOND;
use crate::rules::program::Window;

/// So many changes are entered by one script, for which all other clients wait.
const SCRIPT_CHANGES: usize = 2_000;
/// How long a window's keys live beyond twice what they hold, in milliseconds.
const SPARE_LIFE: i64 = 24 * 3_600_000;

/// The changes of one key, as a script reads them.
#[derive(Debug, Default)]
pub(super) struct KeyChanges {
    pub(super) head: Vec<Vec<u8>>,
    pub(super) changes: Vec<Vec<u8>>,
}

/// Adds calls of a script whose keys each have a number of changes, which is told here.
pub(super) fn add_scripts<'c>(
    pipe: &mut Pipeline,
    (script, names): (&Script, Names),
    head: &[Vec<u8>],
    keys: impl Iterator<Item = (Vec<String>, &'c KeyChanges)>,
) {
    let counted: Vec<_> = keys
        .map(|(keys, changes)| {
            let mut head = changes.head.clone();
            head.push(changes.changes.len().to_string().into_bytes());
            (keys, KeyChanges { head, changes: changes.changes.clone() })
        })
        .collect();
    add_calls(pipe, (script, names), head, counted.iter().map(|(keys, changes)| (keys.clone(), changes)));
}

/// Adds as many calls of a script as keep each of them short, and on one slot.
pub(super) fn add_calls<'c>(
    pipe: &mut Pipeline,
    (script, names): (&Script, Names),
    head: &[Vec<u8>],
    keys: impl Iterator<Item = (Vec<String>, &'c KeyChanges)>,
) {
    let (mut named, mut slot): (Vec<String>, u16) = (Vec::new(), 0);
    let mut arguments: Vec<&[u8]> = Vec::new();
    let mut call = |named: &mut Vec<String>, arguments: &mut Vec<&[u8]>| {
        if !named.is_empty() {
            let mut command = Cmd::new();
            command.arg("EVALSHA").arg(script.get_hash()).arg(named.len()).arg(named.as_slice());
            command.arg(head).arg(arguments.as_slice());
            pipe.add_command(command);
        }
        named.clear();
        arguments.clear();
    };
    for (key, changes) in keys {
        let of_key = key.first().map_or(0, |key| names.slot(key));
        if arguments.len() + changes.changes.len() > SCRIPT_CHANGES || of_key != slot {
            call(&mut named, &mut arguments);
            slot = of_key;
        }
        named.extend(key);
        arguments.extend(changes.head.iter().chain(&changes.changes).map(Vec::as_slice));
    }
    call(&mut named, &mut arguments);
}

/// What a batch changes, by the key it concerns.
pub(super) struct Written {
    names: Names,
    pub(super) windows: BTreeMap<String, KeyChanges>,
    pub(super) directory: BTreeMap<String, KeyChanges>,
    /// The parts of these keys.
    pub(super) parts: BTreeSet<Part>,
}

/// Returns how long a window's keys live without a change, in milliseconds.
pub(super) fn life(aggregate: &PlannedAggregate) -> i64 {
    (aggregate.retention / MILLISECOND).saturating_mul(2).saturating_add(SPARE_LIFE)
}

impl Written {
    pub(super) const fn new(names: Names) -> Self {
        Self { names, windows: BTreeMap::new(), directory: BTreeMap::new(), parts: BTreeSet::new() }
    }

    fn add_window_change(&mut self, plan: &Plan, key: SharedKey, kind: &[u8], change: &[u8]) {
        self.parts.insert(self.names.part_of_window(key));
        let changes = self.windows.entry(self.names.window(plan, key)).or_insert_with(|| {
            let aggregate = &plan.aggregates[key.aggregate];
            let (seconds, nanos) = codec::split(aggregate.retention);
            let (quiet_seconds, quiet_nanos) = match aggregate.definition.window {
                Window::Quiet(quiet) if !aggregate.is_run() => {
                    let (seconds, nanos) = codec::split(quiet);
                    (seconds.to_string(), nanos.to_string())
                }
                Window::Quiet(_) | Window::Within(_) | Window::Today | Window::ThisMonth => {
                    (String::new(), String::new())
                }
            };
            let life = life(aggregate).to_string();
            let head = [seconds.to_string(), nanos.to_string(), life, quiet_seconds, quiet_nanos];
            KeyChanges { head: head.map(String::into_bytes).to_vec(), changes: Vec::new() }
        });
        changes.changes.push([kind, change].concat());
    }

    pub(super) fn add_directory_change(&mut self, party: Party, kind: &[u8], change: &[u8]) {
        self.parts.insert(self.names.part_of_party(party));
        self.directory.entry(self.names.party(party)).or_default().changes.push([kind, change].concat());
    }

    /// Adds changes, in their order.
    pub(super) fn add(&mut self, plan: &Plan, changes: &[SharedChange]) {
        for change in changes {
            // In a fleet every record has an arrival time: none is ahead.
            match change.plain() {
                SharedChange::Insert { key, entry } => {
                    self.add_window_change(plan, *key, b"I", &codec::entry(*entry));
                }
                SharedChange::Remove { key, entry } => {
                    self.add_window_change(plan, *key, b"R", &codec::entry(*entry));
                }
                SharedChange::Run { key, length, last } => {
                    self.add_window_change(plan, *key, b"U", &codec::run(*length, *last));
                }
                SharedChange::Text { key, symbol, text } => {
                    self.add_window_change(plan, *key, b"T", &codec::text(*symbol, text));
                }
                SharedChange::Place { party, restriction } => {
                    self.add_directory_change(*party, b"P", &codec::block(restriction));
                }
                SharedChange::Lift { party, restriction } => {
                    self.add_directory_change(*party, b"L", restriction.as_bytes());
                }
                SharedChange::Seen { party, at } => self.add_directory_change(*party, b"S", &codec::time(*at)),
                SharedChange::Ahead(_) => {}
            }
        }
    }
}
