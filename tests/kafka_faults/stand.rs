//! What every run stands on: topics of its own, processes, a steady load, and the judgement at the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kuzet::operation::partition::Partitioner;
use kuzet::simulate::{Parameters, Simulation};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use super::check::{self, Finding, IsSame, Kind, finding};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};

pub(crate) const PACE: Duration = Duration::from_millis(20);
/// A step takes seconds, unless the machine is very busy: sessions then end, and everything begins again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);
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
                while producer.flush(DELIVERY).is_err() {
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
        self.thread.join().expect("the load ran")
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
        let config = self.topics.configure(cluster, self.folder.path(), instance, self.settings.batch_max);
        let timeout = format!("transaction_timeout = \"{}ms\"", self.settings.transaction_timeout.as_millis());
        let text = fs::read_to_string(&config).expect("a configuration");
        let text = text.replace("transaction_timeout = \"10s\"", &(timeout + JOURNALS)) + &self.more;
        fs::write(&config, text).expect("a configuration");
        let waits = format!(
            "session.timeout.ms={}\nheartbeat.interval.ms=300\nreconnect.backoff.max.ms=200\n",
            self.settings.session_timeout.as_millis()
        );
        fs::write(self.folder.path().join("client.properties"), waits).expect("a file of settings");
        config
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
        let records: Vec<Vec<u8>> = operations(self.seed).skip(self.sent.len()).take(count).collect();
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

    /// Waits until a condition holds, unless a shard is halted or the time is over.
    pub(crate) fn wait(&self, what: &str, mut is_there: impl FnMut() -> bool) -> Result<(), Finding> {
        let begun = Instant::now();
        while !is_there() {
            if let Some(halted) = self.halted() {
                return Err(halted);
            }
            if begun.elapsed() > PATIENCE {
                return Err(finding(Kind::Stuck, format!("{what}\n{}", self.logs())));
            }
            std::thread::sleep(PACE);
        }
        Ok(())
    }

    /// Waits until a process has ended by a signal.
    pub(crate) fn wait_for_end(&self, mut instance: Instance, signal: i32) -> Result<(), Finding> {
        self.wait("the process does not reach the step", || instance.has_ended())?;
        let status = instance.wait(PATIENCE);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal), "{status}\n{}", self.logs());
        Ok(())
    }

    /// Waits until everything that is in the topic now is decided.
    pub(crate) fn wait_until_through(&self, cluster: &Cluster) -> Result<(), Finding> {
        let progress = Progress::new(cluster, &self.topics);
        let ends = progress.ends();
        self.wait("operations are not decided", || progress.are_through(&ends))
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
            let kept = self.start(cluster, "z", None);
            findings.extend(self.wait_until_through(cluster).err());
            if findings.is_empty() {
                kept.signal("TERM");
                let status = kept.wait(PATIENCE);
                assert!(status.success(), "{status}\n{}", self.logs());
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

/// Asks how far the group has come.
pub(crate) struct Progress {
    consumer: BaseConsumer,
    topic: String,
    partitions: i32,
}

impl Progress {
    pub(crate) fn new(cluster: &Cluster, topics: &Topics) -> Self {
        let mut config = cluster.client();
        config.set("group.id", topics.group());
        let consumer = config.create().expect("a consumer");
        Self { consumer, topic: topics.name("operations"), partitions: topics.partitions }
    }

    /// The ends of the operations now.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let begun = Instant::now();
        let end = |partition| loop {
            match self.consumer.fetch_watermarks(&self.topic, partition, Duration::from_secs(5)) {
                Ok((_, end)) => break end,
                Err(error) => {
                    assert!(begun.elapsed() < PATIENCE, "no watermarks: {error}");
                    // A leader that was missing is looked for again only every five minutes otherwise.
                    self.consumer.fetch_metadata(None, Duration::from_secs(5)).ok();
                }
            }
            std::thread::sleep(PACE);
        };
        (0..self.partitions).map(end).collect()
    }

    /// Tells whether the group has committed all operations before these ends.
    pub(crate) fn are_through(&self, ends: &[i64]) -> bool {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions - 1);
        let Ok(committed) = self.consumer.committed_offsets(list, Duration::from_secs(5)) else { return false };
        (0..).zip(ends).all(|(partition, end)| {
            let element = committed.find_partition(&self.topic, partition);
            let offset = element.map(|element| (element.error().is_ok(), element.offset()));
            *end == 0 || matches!(offset, Some((true, Offset::Offset(offset))) if offset >= *end)
        })
    }
}
