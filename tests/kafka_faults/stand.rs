//! What every run stands on: topics of its own, processes, a steady load, and the judgement at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kuzet::operation::partition::Partitioner;
use kuzet::simulate::{Parameters, Simulation};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use tempfile::TempDir;

use super::check::{self, Finding, IsSame, Kind, finding};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Progress, Topics};
use crate::standing;
use crate::wait::{self, PATIENCE};

/// One chunk of the load, and how often one is sent: 300 operations a second.
const CHUNK: usize = 30;
const CHUNK_EVERY: Duration = Duration::from_millis(100);
/// How long brokers may take for a chunk.
const DELIVERY: Duration = Duration::from_secs(20);
/// Enough for the longest run.
const OPERATIONS_MAX: u64 = 300_000;
const WALLETS: u64 = 300;
/// Shards' states are written again soon, so that kills fall into that too.
const JOURNALS: &str = "\njournal_bytes_min = \"4KiB\"";

/// Sends simulated operations at a steady rate, from a thread, until it is told to stop.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Vec<u8>>>,
}

impl Load {
    fn start(mut client: ClientConfig, topic: String, partitions: i32, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        client.set("enable.idempotence", "true").set("linger.ms", "1");
        let thread = std::thread::spawn(move || {
            let mut producer: BaseProducer = client.create().expect("a producer");
            let mut operations = operations(seed);
            let mut sent = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let chunk: Vec<Vec<u8>> = operations.by_ref().take(CHUNK).collect();
                chunk.iter().for_each(|record| send(&producer, &topic, partitions, record));
                // A producer may lose its way among brokers that come and go. Another sends the same again: an
                // operation that is there twice is decided once, and the next ones wait.
                while let Err(error) = producer.flush(DELIVERY) {
                    println!(
                        "{} of a chunk's records were not taken within {DELIVERY:?} ({error}): {}",
                        producer.in_flight_count(),
                        standing::of_all()
                    );
                    producer.purge(PurgeConfig::default().queue().inflight());
                    producer = client.create().expect("a producer");
                    chunk.iter().for_each(|record| send(&producer, &topic, partitions, record));
                }
                sent.extend(chunk);
                std::thread::sleep(CHUNK_EVERY);
            }
            sent
        });
        Self { is_over, thread }
    }

    fn stop(self) -> Vec<Vec<u8>> {
        self.is_over.store(true, Ordering::Relaxed);
        let _watched = wait::watched("the last records of the load are taken");
        self.thread.join().expect("the load ran")
    }
}

/// The shards that a process says it has read the states of.
fn restored(said: &str) -> BTreeSet<i32> {
    let lines = said.lines().filter(|line| line.contains("shards were restored"));
    let lists = lines.filter_map(|line| line.split_once("shards=[")?.1.split_once(']'));
    lists.flat_map(|(list, _)| list.split(", ").filter_map(|shard| shard.parse().ok())).collect()
}

/// Leaves out what one wallet's block does to another: logins from an address that another wallet came from
/// before, and transfers to wallets that somebody has blocked.
fn keeps_apart() -> impl FnMut(&Vec<u8>) -> bool {
    let (mut first_of, mut blocked) = (BTreeMap::<String, String>::new(), BTreeSet::<String>::new());
    move |record| {
        let operation = check::json(record);
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let wallet = text(&operation["wallet_id"]).expect("a wallet");
        match operation["type"].as_str() {
            Some("fraud_reported" | "tampering_detected" | "wallet_block_requested") => {
                blocked.insert(wallet);
                true
            }
            Some("transfer") => text(&operation["counterparty"]["wallet_id"]).is_none_or(|to| !blocked.contains(&to)),
            Some("login") => text(&operation["ip"])
                .is_none_or(|address| *first_of.entry(address).or_insert_with(|| wallet.clone()) == wallet),
            _ => true,
        }
    }
}

fn operations(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let start = kuzet::operation::Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let parameters =
        Parameters { wallets: WALLETS, operations: OPERATIONS_MAX, seed, start, days: Some(60), fraud_per_mille: 200 };
    let mut simulation = Simulation::new(parameters).expect("sound parameters");
    let mut waiting = std::collections::VecDeque::new();
    std::iter::from_fn(move || {
        while waiting.is_empty() {
            let mut lines = Vec::new();
            if !simulation.next_into(&mut lines) {
                return None;
            }
            let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            waiting.extend(lines.map(<[u8]>::to_vec));
        }
        waiting.pop_front()
    })
}

fn send(producer: &BaseProducer, topic: &str, partitions: i32, record: &[u8]) {
    let value = check::json(record);
    let wallet = value["wallet_id"].as_str().expect("a wallet");
    let partition = Partitioner::Murmur2.partition(wallet.as_bytes(), partitions).expect("a partition");
    let mut to_send = BaseRecord::to(topic).partition(partition).key(wallet).payload(record);
    while let Err((_, again)) = producer.send(to_send) {
        producer.poll(Duration::from_millis(10));
        to_send = again;
    }
}

/// Settings of a run that differ from those of the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) partitions: i32,
    /// Workers of each process.
    pub(crate) workers: usize,
    pub(crate) batch_max: u32,
    pub(crate) session_timeout: Duration,
    pub(crate) transaction_timeout: Duration,
    /// The deliberate mistake.
    pub(crate) fault: Option<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partitions: 4,
            workers: super::times("KUZET_SOAK_KAFKA_WORKERS", 1),
            batch_max: 40,
            session_timeout: Duration::from_millis(1_500),
            transaction_timeout: Duration::from_secs(10),
            fault: None,
        }
    }
}

/// One run's topics and processes.
pub(crate) struct Stand {
    pub(crate) topics: Topics,
    folder: TempDir,
    settings: Settings,
    /// Lines that are added to each configuration.
    more: String,
    load: Option<Load>,
    sent: Vec<Vec<u8>>,
    seed: u64,
}

impl Stand {
    pub(crate) fn new(cluster: &Cluster, name: &str, seed: u64, settings: Settings) -> Self {
        println!("{name}: seed {seed}");
        let topics = Topics::create(cluster, name, settings.partitions);
        let folder = tempfile::tempdir().expect("a folder");
        Self { topics, folder, settings, more: String::new(), load: None, sent: Vec::new(), seed }
    }

    /// Adds lines to the configurations that are written from now on.
    pub(crate) fn configure_more(&mut self, more: &str) {
        self.more.push_str(more);
    }

    pub(crate) fn config(&self, cluster: &Cluster, instance: &str) -> PathBuf {
        let timeout = format!("transaction_timeout = \"{}ms\"", self.settings.transaction_timeout.as_millis());
        let limits = (self.settings.batch_max, self.settings.session_timeout.as_millis());
        self.topics.configure_with((cluster, self.folder.path()), instance, limits, |text| {
            let text = text.replace("workers = 1\n", &format!("workers = {}\n", self.settings.workers));
            text.replace("transaction_timeout = \"10s\"", &(timeout + JOURNALS)) + &self.more
        })
    }

    /// Starts a process; `failpoint` ends or halts it at a step.
    pub(crate) fn start(&self, cluster: &Cluster, instance: &str, failpoint: Option<&str>) -> Instance {
        let mut variables = Vec::new();
        variables.extend(self.settings.fault.map(|fault| ("KUZET_TEST_FAULT", fault)));
        variables.extend(failpoint.map(|step| ("KUZET_TEST_FAILPOINT", step)));
        Instance::start_with(&self.config(cluster, instance), &variables)
    }

    /// Begins to send operations; goes on where it stopped.
    pub(crate) fn begin_load(&mut self, cluster: &Cluster) {
        assert!(self.load.is_none() && self.sent.is_empty(), "one load a run");
        let topic = self.topics.name("operations");
        self.load = Some(Load::start(cluster.client(), topic, self.topics.partitions, self.seed));
    }

    pub(crate) fn end_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.sent.extend(load.stop());
        }
    }

    /// Sends so many operations at once; those of a later call follow in time.
    pub(crate) fn send(&mut self, cluster: &Cluster, count: usize) -> Vec<Vec<u8>> {
        assert!(self.load.is_none(), "the load sends");
        let operations = operations(self.seed).filter(keeps_apart());
        let records: Vec<Vec<u8>> = operations.skip(self.sent.len()).take(count).collect();
        fleet::send(cluster, &self.topics, &records);
        self.sent.extend(records.iter().cloned());
        records
    }

    pub(crate) fn sent(&self) -> &[Vec<u8>] {
        &self.sent
    }

    /// Tells which shard was halted, if one was.
    fn halted(&self) -> Option<Finding> {
        let files = fs::read_dir(self.folder.path()).expect("the folder of the run").filter_map(Result::ok);
        let logs = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "log"));
        let texts = logs.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned());
        texts.into_iter().find_map(|text| {
            let line = text.lines().find(|line| line.contains("the shard is halted"))?;
            Some(finding(Kind::Halted, line))
        })
    }

    /// Waits for an event, unless a shard is halted.
    pub(crate) fn wait(&self, event: &str, mut is_there: impl FnMut() -> bool) -> Result<(), Finding> {
        let found = wait::attempt(PATIENCE, event, || match self.halted() {
            Some(halted) => Some(Err(halted)),
            None => is_there().then_some(Ok(())),
        });
        found.unwrap_or_else(|in_vain| Err(finding(Kind::Stuck, in_vain.to_string())))
    }

    /// Waits until a process has ended by a signal.
    pub(crate) fn wait_for_end(&self, mut instance: Instance, signal: i32) -> Result<(), Finding> {
        self.wait(&format!("the process ends by signal {signal}"), || instance.has_ended())?;
        let status = instance.wait();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal), "{status}\n{}", self.logs());
        Ok(())
    }

    /// Waits until everything that is in the topic now is decided. Whoever has decided it may have done so before
    /// this is called: that says nothing of who holds the partitions now.
    pub(crate) fn wait_until_through(&self, cluster: &Cluster) -> Result<(), Finding> {
        let progress = Progress::new(cluster, &self.topics);
        let ends = progress.ends();
        self.wait_until_none_is_left("the operations sent so far are decided", || progress.left(&ends))
    }

    /// Waits until something is decided of every partition that was not when this is called. The load must run.
    pub(crate) fn wait_until_each_goes_on(&self, cluster: &Cluster) -> Result<(), Finding> {
        assert!(self.load.is_some(), "without a load nothing new comes");
        let progress = Progress::new(cluster, &self.topics);
        let mut before = None;
        self.wait("operations of every partition are decided", || {
            let Some(now) = progress.committed() else { return false };
            let before = before.get_or_insert_with(|| now.clone());
            now.iter().zip(before).all(|(now, before)| *now > *before)
        })
    }

    /// Waits until the group has the members of one process left, which have all partitions.
    pub(crate) fn wait_until_alone(&self, cluster: &Cluster) -> Result<(), Finding> {
        let progress = Progress::new(cluster, &self.topics);
        self.wait("one process alone has all partitions", || progress.members() == Some(self.settings.workers))
    }

    /// Waits until a process has read the state of every shard since it said so much.
    pub(crate) fn wait_until_restored(&self, instance: &Instance) -> Result<(), Finding> {
        let every: BTreeSet<i32> = (0..self.topics.partitions).collect();
        self.wait("the process has read the states of all shards", || restored(&instance.log()) == every)
    }

    fn wait_until_none_is_left(&self, event: &str, mut left: impl FnMut() -> Option<i64>) -> Result<(), Finding> {
        let mut halted = None;
        let waited = fleet::until_none_is_left(event, || {
            halted = self.halted();
            if halted.is_some() { Some(0) } else { left() }
        });
        match (halted, waited) {
            (Some(halted), _) => Err(halted),
            (None, waited) => waited.map_err(|in_vain| finding(Kind::Stuck, in_vain.to_string())),
        }
    }

    /// The end of each log.
    pub(crate) fn logs(&self) -> String {
        let files = fs::read_dir(self.folder.path()).expect("the folder of the run").filter_map(Result::ok);
        let mut text = String::new();
        for path in files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "log")) {
            let log = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            text.push_str(&format!("--- {}\n{}\n", path.display(), fleet::tail(&log)));
        }
        text
    }

    /// What processes said so far, all together.
    pub(crate) fn said(&self, instance: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(format!("{instance}.log"))).unwrap_or_default())
            .into_owned()
    }

    /// What each partition's own engine decides of all that was sent.
    pub(crate) fn expected(&self) -> BTreeMap<i32, Vec<Vec<u8>>> {
        fleet::expected(&self.topics, &self.sent)
    }

    /// Ends the load, lets what is left be decided, and judges the run. A run that broke off is judged by
    /// what is visible: that something is missing is no finding then.
    pub(crate) fn judge(&mut self, cluster: &Cluster, broke_off: Option<Finding>) -> Vec<Finding> {
        self.judge_by(cluster, broke_off, |found, expected| found == expected)
    }

    /// The same with another meaning of being the same.
    pub(crate) fn judge_by(&mut self, cluster: &Cluster, broke_off: Option<Finding>, is_same: IsSame) -> Vec<Finding> {
        self.end_load();
        let mut findings: Vec<Finding> = broke_off.into_iter().collect();
        if findings.is_empty() {
            let last = self.start(cluster, "z", None);
            // Everything may be through already; what the topics hold must make sense to a process all the same.
            let is_through = self.wait_until_restored(&last).and_then(|()| self.wait_until_through(cluster));
            findings.extend(is_through.err());
            if findings.is_empty() {
                last.end();
                findings.extend(self.halted());
            }
        }
        let is_whole = findings.is_empty();
        let judged = check::judge(cluster, &self.topics, &self.expected(), is_same);
        findings.extend(judged.into_iter().filter(|finding| is_whole || finding.kind != Kind::Lost));
        println!("{} operations, {} findings", self.sent.len(), findings.len());
        findings
    }
}
