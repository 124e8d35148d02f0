use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::engine::plan::Settings;
use crate::engine::stored::windows::decode_group;
use crate::engine::stored::{Layouts, StateLayout};
use crate::operation::time::HOUR;
use crate::rules::{self, SourceFile};

/// Windows of one key: two lists of entries, and one that has texts besides.
const WHEN: &str = "distinct(transfer.wallet_id into wallet within 1h) > 3 and \
                    sum(transfer.amount into wallet within 2h) > 5 KZT and \
                    last(transfer.device_id into wallet within 1h) = \"d\"";

fn plan() -> Plan {
    let rule = format!(
        "rule: shared\nclauses: [\"7.15\"]\ntitle: {{kk: a, ru: b, en: c}}\nowner: risk\nseverity: low\n\
         mode: shadow\non: transfer\nwhen: |\n  {WHEN}\non_missing: skip\nthen: [monitor]\n\
         message: {{kk: a, ru: b, en: c}}\nnotes: n\n"
    );
    let sources = [SourceFile::new("shared.yaml".to_owned(), rule.into_bytes())];
    match rules::compile(&sources) {
        Ok(compiled) => Plan::new(Arc::new(compiled.rule_set), Settings::default()),
        Err(errors) => panic!("{}", rules::render_text(&errors, &sources)),
    }
}

fn change() -> impl Strategy<Value = SharedChange> {
    let key = (0..3_usize, 0..3_u64).prop_map(|(aggregate, key)| SharedKey { aggregate, key });
    let entry = (0..16_i64, 0..6_u64, 0..4_i64).prop_map(|(quarter, op, value)| Entry {
        at: Time::EPOCH.plus(quarter * HOUR / 4),
        op,
        value,
    });
    (key, entry, 0..10).prop_map(|(key, entry, kind)| match kind {
        0 => SharedChange::Remove { key, entry },
        1 => SharedChange::Text { key, symbol: entry.value.cast_unsigned(), text: "t".into() },
        _ => SharedChange::Insert { key, entry },
    })
}

/// What an operation may learn of a window.
fn answers(plan: &Plan, key: SharedKey, window: Option<&SharedWindow>) -> Vec<String> {
    let Some(window) = window else { return Vec::new() };
    let at = (0..16).map(|quarter| Time::EPOCH.plus(quarter * HOUR / 4));
    let aggregate = &plan.aggregates[key.aggregate];
    let mut answers: Vec<String> =
        at.map(|at| format!("{:?}", window.state.evaluate(aggregate, at, Some(1)))).collect();
    answers.push(format!("{:?} {:?}", window.newest(), window.cold_parts()));
    answers
}

proptest! {
    /// Whatever is entered, a window answers as one that was whole from the beginning; also after it was written
    /// and read again.
    #[test]
    fn lists_answer_as_whole_windows(changes in proptest::collection::vec(change(), 0..120)) {
        let plan = plan();
        let windows = Windows::default();
        let mut naive: BTreeMap<SharedKey, SharedWindow> = BTreeMap::new();
        for change in &changes {
            let key = change.window().expect("changes of windows");
            windows.enter(&plan, std::iter::once((key, change)));
            if !matches!(change, SharedChange::Remove { .. }) || naive.contains_key(&key) {
                naive.entry(key).or_insert_with(|| SharedWindow::new(&plan, key)).apply(&plan, change);
            }
        }
        let layout = StateLayout::of(&plan);
        let mut layouts = Layouts::new(&plan);
        layouts.add(&layout);
        let again = Windows::default();
        for group in 0..GROUPS {
            let mut writer = WindowsWriter::new(layout.id());
            windows.write(&plan, group, &mut writer);
            let read = decode_group(&writer.finish(&[]), &plan, &layouts).expect("what was written");
            read.windows.into_iter().for_each(|(key, window)| again.restore(&plan, key, window));
        }
        for aggregate in 0..3 {
            for key in 0..3 {
                let key = SharedKey { aggregate, key };
                let expected = answers(&plan, key, naive.get(&key));
                for held in [&windows, &again] {
                    let found = match LocalWindows::find(held, key) {
                        Some(StoredWindow::EntryList(entries)) => Some(SharedWindow::of_entries(&plan, key, entries)),
                        Some(StoredWindow::Whole(window)) => Some(window),
                        None => None,
                    };
                    let is_empty = |answers: &[String]| answers.is_empty();
                    let found = answers(&plan, key, found.as_ref());
                    if !(is_empty(&found) && naive.get(&key).is_some_and(|window| window.state.is_empty())) {
                        prop_assert_eq!(&found, &expected, "{:?}", key);
                    }
                }
            }
        }
        prop_assert_eq!(windows.len(), again.len());
    }
}

#[test]
fn keys_that_the_stream_has_left_behind_go() {
    let plan = plan();
    let windows = Windows::default();
    let insert = |number: i64, aggregate: usize| {
        let key = SharedKey { aggregate, key: number.cast_unsigned() };
        let entry = Entry { at: Time::EPOCH.plus(number * HOUR / 10), op: number.cast_unsigned(), value: 1 };
        windows.enter(&plan, std::iter::once((key, &SharedChange::Insert { key, entry })));
        key
    };
    let keys: Vec<SharedKey> = (0..20_000).map(|number| insert(number, usize::from(number % 3 == 0))).collect();
    let left = windows.len();
    assert!((KEPT..2_000).contains(&left), "{left} windows are left");
    let newest = &keys[keys.len() - 10..];
    assert!(newest.iter().all(|key| windows.window(&plan, *key).is_some()), "what can be read is there");
}
