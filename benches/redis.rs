//! What shared state in Redis costs: commands' time and bytes an operation, by how full a window is, by feature, and of
//! the shipped rules; and what shards take of memory. These figures are the server's and the keys', not of this
//! program's speed: an unoptimised build gives the same (`cargo build --bench redis`, then the program itself).
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::{Epoch, Rebuild, RedisSettings, RedisStore};
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::shared::{SharedChange, SharedKey, SharedRequest, SharedView};
use kuzet::engine::window::Entry;
use kuzet::operation::Time;
use kuzet::operation::partition::Partitioner;
use kuzet::operation::time::{HOUR, Nanos};
use kuzet::pipeline::{Limits, Pipeline, Record, SharedStore};
use kuzet::rules::program::Function;
use kuzet::rules::{self, SourceFile};
use kuzet::simulate::{DEFAULT_START, Parameters, Simulation};

#[path = "../tests/support/server.rs"]
#[expect(dead_code, reason = "a benchmark uses its part")]
mod server;

use server::Server;

/// 2026-04-01T00:00:00Z.
const START: Time = Time::from_nanos(1_775_001_600_000_000_000);
const MRP: &str = "mrp:\n  - {from: 2020-01-01, value: 2651 KZT}\n";
const FEATURES: [&str; 10] = [
    "count(login by device_id within 30m) > 1000000",
    "sum(debit.amount by counterparty.wallet_id within 30m) > 100000000 KZT",
    "distinct(login.wallet_id by device_id within 30m) > 1000000",
    "max(debit.amount by device_id within 30m) > 100000000 KZT",
    "avg(debit.amount by device_id within 30m) > 100000000 KZT",
    "last(login.wallet_id by device_id within 30m) = \"w\"",
    "count(login by device_id today) > 1000000",
    "sum(debit.amount by device_id this month) > 100000000 KZT",
    "age(login by device_id quiet 30m) > 24h",
    "streak(login where outcome = failure by device_id quiet 1h) > 1000000",
];

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|one| one == part);
    if is_chosen("fill") {
        by_fill();
    }
    if is_chosen("features") {
        by_feature();
    }
    if is_chosen("stream") {
        shipped_rules();
    }
    if is_chosen("shards") {
        shards();
    }
}

fn plan_of(condition: &str) -> Plan {
    let on = if condition.contains("login") { "login" } else { "debit" };
    let head = "rule: r\nclauses: [\"7.15\"]\ntitle: {kk: с, ru: п, en: t}\nowner: risk\nmode: enforce";
    let text = format!("{head}\non: {on}\nwhen: {condition}\nthen:\n  - report: afm\n");
    let files = [SourceFile::new("rules/data/mrp.yaml", MRP), SourceFile::new("rules/r.yaml", text)];
    let compiled = rules::compile(&files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, &files)));
    Plan::new(Arc::new(compiled.rule_set), Settings::default())
}

/// However busy the machine is, the store waits.
fn settings_of(server: &Server) -> RedisSettings {
    RedisSettings { timeout: Duration::from_secs(30), ..server.settings() }
}

fn store_of(server: &Server, plan: &Plan) -> RedisStore {
    let store = RedisStore::new(&settings_of(server), None).expect("settings");
    store.rebuild(plan, &Rebuild::default()).expect("a rebuild");
    store
}

/// A number that the server tells of itself: `section`, then what stands before the number.
fn told(server: &Server, section: &str, before: &str) -> f64 {
    let info: String = redis::cmd("INFO").arg(section).query(&mut server.connection()).expect("INFO");
    let rest = info.split_once(before).map_or("0", |(_, rest)| rest);
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
    rest[..end].parse().expect("a number")
}

/// Microseconds of scripts so far; what they call is in it.
fn script_time(server: &Server) -> f64 {
    let calls = |name: &str| told(server, "commandstats", &format!("cmdstat_{name}:calls="));
    if calls("evalsha") == 0.0 { 0.0 } else { told(server, "commandstats", &evalsha_prefix(server)) }
}

fn evalsha_prefix(server: &Server) -> String {
    let calls = told(server, "commandstats", "cmdstat_evalsha:calls=");
    format!("cmdstat_evalsha:calls={calls:.0},usec=")
}

/// One busy key of one window.
struct Hot<'p> {
    plan: &'p Plan,
    key: SharedKey,
    gap: Nanos,
    now: Time,
    operations: u64,
    run: u64,
}

impl<'p> Hot<'p> {
    /// So many entries fit into what the window keeps.
    fn new(plan: &'p Plan, entries: i64) -> Self {
        let aggregate = (0..plan.aggregates.len()).find(|id| !plan.aggregates[*id].owned).expect("a shared window");
        // A month would take too many: there the window just grows.
        let kept = plan.aggregates[aggregate].retention.min(2 * HOUR);
        let gap = Nanos::new(kept.get() / entries.max(1));
        Self { plan, key: SharedKey { aggregate, key: 0x5eed }, gap, now: START, operations: 0, run: 0 }
    }

    fn operation(&mut self) -> Vec<SharedChange> {
        let (key, aggregate) = (self.key, &self.plan.aggregates[self.key.aggregate]);
        self.now = self.now.plus(self.gap);
        self.operations += 1;
        if aggregate.is_run() {
            self.run += 1;
            return vec![SharedChange::Run { key, length: self.run, last: self.now }];
        }
        let value = i64::try_from(self.operations % 1_000).expect("small") * 10_000;
        let op = self.operations.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut changes = vec![SharedChange::Insert { key, entry: Entry { at: self.now, op, value } }];
        if aggregate.definition.function == Function::Last {
            let text = format!("wallet-{value:09}").into();
            changes.push(SharedChange::Text { key, symbol: value.cast_unsigned(), text });
        }
        changes
    }

    fn fill(&mut self, store: &RedisStore, entries: usize) {
        let mut left = entries;
        while left > 0 {
            let batch: Vec<_> = (0..left.min(2_000)).flat_map(|_| self.operation()).collect();
            store.apply(self.plan, &batch).expect("an apply");
            left -= left.min(2_000);
        }
    }
}

fn fetch(store: &RedisStore, plan: &Plan, key: SharedKey) {
    let mut view = SharedView::default();
    store.fetch(plan, &SharedRequest { windows: vec![key], parties: Vec::new() }, &mut view);
    assert!(view.available && view.window(plan, key).is_some());
}

/// Commands' time and bytes of so many operations, one a batch: each enters the window, then it is read.
struct Cost {
    write_usec: f64,
    read_usec: f64,
    in_bytes: f64,
    out_bytes: f64,
}

fn measure(server: &Server, hot: &mut Hot<'_>, operations: u32, reader: impl Fn() -> Option<RedisStore>) -> Cost {
    let store = store_of(server, hot.plan);
    fetch(&store, hot.plan, hot.key);
    let (mut write_usec, mut read_usec) = (0.0, 0.0);
    for _ in 0..operations {
        let begun = script_time(server);
        store.apply(hot.plan, &hot.operation()).expect("an apply");
        let written = script_time(server);
        write_usec += written - begun;
        let other = reader();
        fetch(other.as_ref().unwrap_or(&store), hot.plan, hot.key);
        read_usec += script_time(server) - written;
    }
    let counts = || ["total_net_input_bytes:", "total_net_output_bytes:"].map(|name| told(server, "stats", name));
    let begun = counts();
    let asking = counts()[1] - begun[1];
    let begun = counts();
    for _ in 0..operations {
        store.apply(hot.plan, &hot.operation()).expect("an apply");
        let other = reader();
        fetch(other.as_ref().unwrap_or(&store), hot.plan, hot.key);
    }
    let ended = counts();
    let each = f64::from(operations);
    Cost {
        write_usec: write_usec / each,
        read_usec: read_usec / each,
        in_bytes: (ended[0] - begun[0]) / each,
        out_bytes: (ended[1] - begun[1] - asking) / each,
    }
}

fn by_fill() {
    println!("count by device within 30m, one operation a batch; microseconds of scripts, bytes over the network");
    println!("entries  write us  read us  bytes in  bytes out | read without a copy us  bytes out");
    for entries in [10, 100, 1_000, 10_000, 100_000_i32] {
        let server = Server::start();
        let plan = plan_of(FEATURES[0]);
        let mut hot = Hot::new(&plan, i64::from(entries));
        hot.fill(&store_of(&server, &plan), usize::try_from(entries).expect("a size"));
        let kept = measure(&server, &mut hot, 300, || None);
        let token = store_of(&server, &plan).epoch();
        let Epoch::Current { token } = token else { panic!("{token:?}") };
        let fresh = || Some(RedisStore::new(&settings_of(&server), Some(token.clone())).expect("settings"));
        let whole = measure(&server, &mut hot, if entries > 10_000 { 10 } else { 50 }, fresh);
        let Cost { write_usec, read_usec, in_bytes, out_bytes } = kept;
        println!(
            "{entries:>7} {write_usec:>9.1} {read_usec:>8.1} {in_bytes:>9.0} {out_bytes:>10.0} | {:>22.1} {:>10.0}",
            whole.read_usec, whole.out_bytes
        );
    }
}

fn by_feature() {
    println!("a window with 2,000 entries (a month and a day: that many so far), one operation a batch");
    println!("write us  read us  bytes in  bytes out  server bytes an entry  aggregate");
    for feature in FEATURES {
        let server = Server::start();
        let plan = plan_of(feature);
        let mut hot = Hot::new(&plan, 2_000);
        hot.fill(&store_of(&server, &plan), 2_000);
        let state = plan.aggregates[hot.key.aggregate].state_id;
        let name = format!("kuzet:w:{state:016x}:{:016x}", hot.key.key);
        let usage = |part: &str| {
            let mut command = redis::cmd("MEMORY");
            command.arg("USAGE").arg(format!("{name}{part}")).arg("SAMPLES").arg(0);
            command.query::<Option<f64>>(&mut server.connection()).expect("MEMORY USAGE").unwrap_or(0.0)
        };
        let bytes: f64 = ["", ":x", ":t", ":r", ":l"].map(usage).iter().sum();
        let Cost { write_usec, read_usec, in_bytes, out_bytes } = measure(&server, &mut hot, 300, || None);
        let entry = bytes / 2_000.0;
        println!("{write_usec:>8.1} {read_usec:>8.1} {in_bytes:>9.0} {out_bytes:>10.0} {entry:>22.1}  {feature}");
    }
}

fn folder(name: &str) -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

fn shipped_plan() -> Arc<Plan> {
    let rules = app::load_rules(&folder("rules")).expect("the shipped rules load");
    Arc::new(Plan::new(Arc::new(rules), Settings::default()))
}

fn pipeline<S: SharedStore>(plan: &Arc<Plan>, store: S) -> Pipeline<S> {
    let geo = app::load_geo(&folder("geoip")).expect("the databases load");
    Pipeline { engine: Engine::new(Arc::clone(plan)), geo, store, limits: Limits::default() }
}

/// A simulated day, as lines.
fn simulated(wallets: u64, operations: u64) -> Vec<u8> {
    let parameters = Parameters { wallets, operations, seed: 7, start: DEFAULT_START, days: None, fraud_per_mille: 5 };
    let mut simulation = Simulation::new(parameters).expect("parameters");
    let mut out = Vec::new();
    while simulation.next_into(&mut out) {}
    out
}

fn shipped_rules() {
    println!("the shipped rules over Redis: a simulated stream of 20,000 wallets");
    println!("batch  server CPU us/op  bytes in/op  bytes out/op  server bytes/op kept");
    let plan = shipped_plan();
    let stream = simulated(20_000, 40_000);
    let lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for batch in [1, 10, 100, 1_000] {
        let server = Server::start();
        let mut pipeline = pipeline(&plan, Arc::new(store_of(&server, &plan)));
        let names = ["total_net_input_bytes:", "total_net_output_bytes:"];
        let cpu = || ["used_cpu_user:", "used_cpu_sys:"].iter().map(|name| told(&server, "cpu", name)).sum::<f64>();
        let bytes = || names.map(|name| told(&server, "stats", name));
        let (begun_cpu, begun, memory) = (cpu(), bytes(), told(&server, "memory", "used_memory:"));
        for lines in lines.chunks(batch) {
            let records: Vec<_> = lines.iter().map(|bytes| Record { bytes, arrived_at: None }).collect();
            pipeline.process(&records).expect("the store takes the changes");
        }
        let each = f64::from(u32::try_from(lines.len()).expect("not so many"));
        let (ended_cpu, ended) = (cpu(), bytes());
        println!(
            "{batch:>5} {:>17.1} {:>12.0} {:>13.0} {:>21.0}",
            (ended_cpu - begun_cpu) * 1e6 / each,
            (ended[0] - begun[0]) / each,
            (ended[1] - begun[1]) / each,
            (told(&server, "memory", "used_memory:") - memory) / each
        );
    }
}

/// The wallets of a simulated stream, kept by one engine and spread over 64.
fn shards() {
    const WALLETS: u64 = 100_000;
    let plan = shipped_plan();
    let stream = simulated(WALLETS, 400_000);
    let lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    println!("{} operations of {WALLETS} simulated wallets; bytes as the engine estimates them", lines.len());
    println!("shards  wallets  bytes a wallet  busiest shard's share of an even one");
    for count in [1, 64] {
        let mut shards: Vec<_> = (0..count).map(|_| pipeline(&plan, MemoryStore::default())).collect();
        let mut taken = vec![0_u32; shards.len()];
        for line in &lines {
            let shard = shard_of(line, count);
            taken[shard] += 1;
            shards[shard].process(&[Record { bytes: line, arrived_at: None }]).expect("memory takes the changes");
        }
        let wallets: usize = shards.iter().map(|shard| shard.engine.wallets().len()).sum();
        let bytes: usize = shards.iter().map(|shard| shard.engine.wallets().bytes()).sum();
        let even = f64::from(u32::try_from(lines.len()).expect("not so many")) / f64::from(count);
        let busiest = f64::from(taken.iter().copied().max().unwrap_or(0)) / even;
        println!("{count:>6} {wallets:>8} {:>15} {busiest:>37.2}", bytes / wallets.max(1));
    }
}

/// Which shard decides a line, as a producer would have sent it.
fn shard_of(line: &[u8], shards: i32) -> usize {
    let text = std::str::from_utf8(line).expect("text");
    let id = text.split_once("\"wallet_id\":\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
    let shard = Partitioner::Murmur2.partition(id.as_bytes(), shards).expect("a shard");
    usize::try_from(shard).expect("no negative number")
}
