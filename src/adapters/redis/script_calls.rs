//! What is written: changes sorted by the key they concern, and the calls of scripts that enter them.

use std::collections::BTreeMap;

use redis::{Cmd, Pipeline, Script};

use super::codec::{self, party_key, window_key};
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
    script: &Script,
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
    add_calls(pipe, script, head, counted.iter().map(|(keys, changes)| (keys.clone(), changes)));
}

/// Adds as many calls of a script as keep each of them short.
pub(super) fn add_calls<'c>(
    pipe: &mut Pipeline,
    script: &Script,
    head: &[Vec<u8>],
    keys: impl Iterator<Item = (Vec<String>, &'c KeyChanges)>,
) {
    let mut names: Vec<String> = Vec::new();
    let mut arguments: Vec<&[u8]> = Vec::new();
    let mut call = |names: &mut Vec<String>, arguments: &mut Vec<&[u8]>| {
        if !names.is_empty() {
            let mut command = Cmd::new();
            command.arg("EVALSHA").arg(script.get_hash()).arg(names.len()).arg(names.as_slice());
            command.arg(head).arg(arguments.as_slice());
            pipe.add_command(command);
        }
        names.clear();
        arguments.clear();
    };
    for (key, changes) in keys {
        if arguments.len() + changes.changes.len() > SCRIPT_CHANGES {
            call(&mut names, &mut arguments);
        }
        names.extend(key);
        arguments.extend(changes.head.iter().chain(&changes.changes).map(Vec::as_slice));
    }
    call(&mut names, &mut arguments);
}

pub(super) fn add_directory_change(directory: &mut BTreeMap<String, KeyChanges>, party: Party, change: Vec<u8>) {
    directory.entry(party_key(party)).or_default().changes.push(change);
}

/// Returns how long a window's keys live without a change, in milliseconds.
pub(super) fn life(aggregate: &PlannedAggregate) -> i64 {
    (aggregate.retention / MILLISECOND).saturating_mul(2).saturating_add(SPARE_LIFE)
}

fn add_window_change(windows: &mut BTreeMap<String, KeyChanges>, plan: &Plan, key: SharedKey, change: Vec<u8>) {
    let changes = windows.entry(window_key(plan, key)).or_insert_with(|| {
        let aggregate = &plan.aggregates[key.aggregate];
        let (seconds, nanos) = codec::split(aggregate.retention);
        let (quiet_seconds, quiet_nanos) = match aggregate.definition.window {
            Window::Quiet(quiet) if !aggregate.is_run() => {
                let (seconds, nanos) = codec::split(quiet);
                (seconds.to_string(), nanos.to_string())
            }
            Window::Quiet(_) | Window::Within(_) | Window::Today | Window::ThisMonth => (String::new(), String::new()),
        };
        let life = life(aggregate).to_string();
        let head = [seconds.to_string(), nanos.to_string(), life, quiet_seconds, quiet_nanos];
        KeyChanges { head: head.map(String::into_bytes).to_vec(), changes: Vec::new() }
    });
    changes.changes.push(change);
}

/// Sorts changes by the key they concern, in their order.
pub(super) fn by_key(
    plan: &Plan,
    changes: &[SharedChange],
) -> (BTreeMap<String, KeyChanges>, BTreeMap<String, KeyChanges>) {
    let (mut windows, mut directory) = (BTreeMap::new(), BTreeMap::new());
    let joined = |kind: &[u8], bytes: &[u8]| [kind, bytes].concat();
    for change in changes {
        // In a fleet every record has an arrival time: none is ahead.
        match change.plain() {
            SharedChange::Insert { key, entry } => {
                add_window_change(&mut windows, plan, *key, joined(b"I", &codec::entry(*entry)));
            }
            SharedChange::Remove { key, entry } => {
                add_window_change(&mut windows, plan, *key, joined(b"R", &codec::entry(*entry)));
            }
            SharedChange::Run { key, length, last } => {
                add_window_change(&mut windows, plan, *key, joined(b"U", &codec::run(*length, *last)));
            }
            SharedChange::Text { key, symbol, text } => {
                add_window_change(&mut windows, plan, *key, joined(b"T", &codec::text(*symbol, text)));
            }
            SharedChange::Place { party, restriction } => {
                add_directory_change(&mut directory, *party, joined(b"P", &codec::block(restriction)));
            }
            SharedChange::Lift { party, restriction } => {
                add_directory_change(&mut directory, *party, joined(b"L", restriction.as_bytes()));
            }
            SharedChange::Seen { party, at } => {
                add_directory_change(&mut directory, *party, joined(b"S", &codec::time(*at)));
            }
            SharedChange::Ahead(_) => {}
        }
    }
    (windows, directory)
}
