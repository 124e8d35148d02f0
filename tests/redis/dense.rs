//! Windows of many thousand entries: read from copies that only take in what changed, and the same as the store of one
//! process, whatever is late, repeated, taken back, expired or written by who keeps no log.

use std::time::Duration;

use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::{RedisSettings, RedisStore};
use kuzet::engine::plan::Plan;
use kuzet::engine::shared::{SharedChange, SharedKey, SharedRequest, SharedView};
use kuzet::engine::window::Entry;
use kuzet::operation::Time;
use kuzet::operation::time::{MINUTE, Nanos, SECOND};
use kuzet::pipeline::SharedStore;
use kuzet::rules::program::Function;

use super::changes::{self, START, answers};
use super::fresh_by;
use crate::random::Random;
use crate::server::Server;

/// One busy key of each window that has entries.
fn hot_keys(plan: &Plan) -> Vec<SharedKey> {
    let keys = changes::keys(plan).into_iter();
    keys.filter(|key| key.key == 1 && !plan.aggregates[key.aggregate].is_run()).collect()
}

/// A store that waits however busy the machine is.
fn fresh(server: &Server, plan: &Plan) -> RedisStore {
    fresh_by(&RedisSettings { timeout: Duration::from_secs(30), ..server.settings() }, plan)
}

fn view(store: &impl SharedStore, plan: &Plan, keys: &[SharedKey]) -> SharedView {
    let mut view = SharedView::default();
    store.fetch(plan, &SharedRequest { windows: keys.to_vec(), parties: Vec::new() }, &mut view);
    view
}

/// Changes of busy windows: operations a few milliseconds apart, some late, some taken back.
struct Busy<'p> {
    plan: &'p Plan,
    random: Random,
    now: Time,
    entered: Vec<(SharedKey, Entry)>,
}

impl<'p> Busy<'p> {
    fn new(plan: &'p Plan, seed: u64) -> Self {
        Self { plan, random: Random(seed), now: START, entered: Vec::new() }
    }

    fn enter(&mut self, key: SharedKey, batch: &mut Vec<SharedChange>) {
        let late = if self.random.below(10) == 0 { 9 * MINUTE } else { Nanos::new(2_000_000) };
        let at = self.now.minus(Nanos::new(self.random.below(late.get())));
        let value = self.random.below(300_i64) * 10_000 + 1;
        let entry = Entry { at, op: self.random.next(), value };
        self.entered.push((key, entry));
        batch.push(SharedChange::Insert { key, entry });
        if self.plan.aggregates[key.aggregate].definition.function == Function::Last {
            let text = format!("text of {value}").into();
            batch.push(SharedChange::Text { key, symbol: value.cast_unsigned(), text });
        }
    }

    /// So many operations, each of which enters one window.
    fn batch(&mut self, keys: &[SharedKey], operations: usize) -> Vec<SharedChange> {
        let mut batch = Vec::new();
        for _ in 0..operations {
            self.now = self.now.plus(Nanos::new(self.random.below(9_000_000)));
            let key = keys[self.random.below(keys.len())];
            self.enter(key, &mut batch);
            if self.random.below(50) == 0 {
                let back = self.random.below(self.entered.len().min(2_000)) + 1;
                let (key, entry) = self.entered.remove(self.entered.len() - back);
                batch.push(SharedChange::Remove { key, entry });
            }
        }
        batch
    }
}

fn assert_equal(plan: &Plan, keys: &[SharedKey], now: Time, memory: &MemoryStore, stores: &[RedisStore], at: &str) {
    let expected = view(memory, plan, keys);
    for (number, store) in stores.iter().enumerate() {
        let found = view(store, plan, keys);
        assert!(found.available, "{at}");
        for key in keys {
            let definition = &plan.aggregates[key.aggregate].definition;
            let (found, expected) = (answers(plan, &found, *key, now), answers(plan, &expected, *key, now));
            assert_eq!(found, expected, "store {number}, {at}, {definition:?}");
        }
    }
}

#[test]
fn dense_windows_are_those_of_one_process() {
    let (server, plan) = (Server::start(), changes::plan());
    let keys = hot_keys(&plan);
    let memory = MemoryStore::default();
    let stores = [fresh(&server, &plan), fresh(&server, &plan)];
    let mut busy = Busy::new(&plan, 3);
    let mut chance = Random(8);
    let mut before = Vec::new();
    let mut fullest = 0;
    for round in 0..90 {
        // In the end everything leaves, and the windows fill again.
        if round >= 70 && round % 5 == 0 {
            busy.now = busy.now.plus(chance.below(40_i64) * (20 * MINUTE));
        }
        let batch = busy.batch(&keys, 2_000);
        memory.enter(&plan, &batch);
        stores[chance.below(2)].apply(&plan, &batch).expect("an apply");
        if chance.below(2) == 0 {
            stores[chance.below(2)].apply(&plan, &before).expect("a repetition of the batch before");
            stores[chance.below(2)].apply(&plan, &batch).expect("a repetition");
        }
        before = batch;
        if round % 6 == 0 || round >= 70 {
            assert_equal(&plan, &keys, busy.now, &memory, &stores, &format!("round {round}"));
        }
        if round == 69 {
            let held = view(&memory, &plan, &keys);
            let counts = keys.iter().filter_map(|key| held.window(&plan, *key).map(|window| window.state.len()));
            fullest = counts.max().unwrap_or(0);
            assert_equal(&plan, &keys, busy.now, &memory, &[fresh(&server, &plan)], "one that has no copies");
        }
    }
    assert!(fullest > 10_000, "{fullest} entries");
}

fn output_bytes(server: &Server) -> u64 {
    let info: String = redis::cmd("INFO").arg("stats").query(&mut server.connection()).expect("INFO");
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).expect("the bytes");
    line.trim().parse().expect("a number")
}

#[test]
fn a_read_brings_what_changed_whatever_the_window_holds() {
    let (server, plan) = (Server::start(), changes::plan());
    let key = [hot_keys(&plan)[0]];
    let store = fresh(&server, &plan);
    let mut busy = Busy::new(&plan, 5);
    let mut cost_of_a_read = |entries: usize| {
        while busy.entered.len() < entries {
            store.apply(&plan, &busy.batch(&key, 500)).expect("an apply");
        }
        view(&store, &plan, &key);
        store.apply(&plan, &busy.batch(&key, 3)).expect("an apply");
        let begun = output_bytes(&server);
        view(&store, &plan, &key);
        output_bytes(&server) - begun
    };
    // The bytes include the answer to the question for them, some kilobytes.
    let (few, many) = (cost_of_a_read(500), cost_of_a_read(20_000));
    assert!(many < few + 500, "{few} bytes at first, {many} when the window holds 20,000 entries");
}

/// Keeps what a server holds of a window, to go back to it.
fn window_names(plan: &Plan, key: SharedKey) -> Vec<String> {
    let name = format!("kuzet:w:{:016x}:{:016x}", plan.aggregates[key.aggregate].state_id, key.key);
    ["", ":x", ":t", ":r", ":l"].map(|part| format!("{name}{part}")).to_vec()
}

#[test]
fn a_copy_of_another_history_is_not_continued() {
    let (server, plan) = (Server::start(), changes::plan());
    let keys = hot_keys(&plan);
    let [reader, writer] = [fresh(&server, &plan), fresh(&server, &plan)];
    let mut busy = Busy::new(&plan, 7);
    let mut connection = server.connection();
    writer.apply(&plan, &busy.batch(&keys, 3_000)).expect("an apply");
    let names: Vec<String> = keys.iter().flat_map(|key| window_names(&plan, *key)).collect();
    let dump = |name: &String| redis::cmd("DUMP").arg(name).query::<Option<Vec<u8>>>(&mut server.connection());
    let saved: Vec<_> = names.iter().map(|name| dump(name).expect("DUMP")).collect();
    // The reader knows changes that the server then forgets, as one that takes over may; as many others come instead.
    writer.apply(&plan, &busy.batch(&keys, 500)).expect("an apply");
    view(&reader, &plan, &keys);
    for (name, saved) in names.iter().zip(&saved) {
        redis::cmd("DEL").arg(name).exec(&mut connection).expect("DEL");
        if let Some(bytes) = saved {
            redis::cmd("RESTORE").arg(name).arg(0).arg(bytes.as_slice()).exec(&mut connection).expect("RESTORE");
        }
    }
    for _ in 0..3 {
        writer.apply(&plan, &busy.batch(&keys, 400)).expect("an apply");
        let (found, expected) = (view(&reader, &plan, &keys), view(&fresh(&server, &plan), &plan, &keys));
        for key in &keys {
            let (found, expected) = (answers(&plan, &found, *key, busy.now), answers(&plan, &expected, *key, busy.now));
            assert_eq!(found, expected, "{:?}", plan.aggregates[key.aggregate].definition);
        }
    }
}

#[test]
fn what_a_release_without_logs_writes_is_read() {
    let (server, plan) = (Server::start(), changes::plan());
    let keys = hot_keys(&plan);
    let key = keys[0];
    let (memory, store) = (MemoryStore::default(), fresh(&server, &plan));
    let mut busy = Busy::new(&plan, 9);
    let batch = busy.batch(&keys, 3_000);
    memory.enter(&plan, &batch);
    store.apply(&plan, &batch).expect("an apply");
    for round in 0..4 {
        view(&store, &plan, &keys);
        let at = busy.now.minus(30 * SECOND);
        let entry = Entry { at, op: 1_000 + round, value: 5 };
        memory.enter(&plan, &[SharedChange::Insert { key, entry }]);
        // As the release before did, which knew of no log.
        let nanos = at.nanos();
        let seconds = nanos.div_euclid(1_000_000_000);
        let time = [&(seconds + (1 << 34)).to_be_bytes()[3..], &nanos.rem_euclid(1_000_000_000).to_be_bytes()[4..]];
        let member = [time[0], time[1], &entry.op.to_be_bytes(), &entry.value.to_be_bytes()].concat();
        let name = window_names(&plan, key).swap_remove(0);
        let score = nanos.div_euclid(1_000);
        redis::cmd("ZADD").arg(name).arg(score).arg(member).exec(&mut server.connection()).expect("ZADD");
        let stores = std::slice::from_ref(&store);
        assert_equal(&plan, &[key], busy.now, &memory, stores, "after another's write");
        let batch = busy.batch(&keys, 200);
        memory.enter(&plan, &batch);
        store.apply(&plan, &batch).expect("an apply");
        assert_equal(&plan, &keys, busy.now, &memory, stores, "after an own write");
    }
}

#[test]
fn an_operation_taken_back_before_it_came_never_comes() {
    let (server, plan) = (Server::start(), changes::plan());
    let key = hot_keys(&plan)[0];
    let (memory, stores) = (MemoryStore::default(), [fresh(&server, &plan), fresh(&server, &plan)]);
    let mut busy = Busy::new(&plan, 11);
    let batch = busy.batch(&[key], 500);
    memory.enter(&plan, &batch);
    stores[0].apply(&plan, &batch).expect("an apply");
    view(&stores[0], &plan, &[key]);
    busy.now = busy.now.plus(MINUTE);
    let entry = Entry { at: busy.now, op: 5, value: 1 };
    let (enter, leave) = (SharedChange::Insert { key, entry }, SharedChange::Remove { key, entry });
    memory.enter(&plan, &[enter.clone(), leave.clone()]);
    stores[1].apply(&plan, &[leave]).expect("the later batch first");
    assert_equal(&plan, &[key], busy.now, &memory, &stores, "taken back");
    stores[0].apply(&plan, &[enter]).expect("the batch before");
    assert_equal(&plan, &[key], busy.now, &memory, &stores, "and entered");
}
