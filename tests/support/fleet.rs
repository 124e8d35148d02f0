//! Processes of `kuzet serve` on a real Kafka, and what they must have decided.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::BlocksOnly;
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::operation::partition::Partitioner;
use kuzet::pipeline::{Answer, Limits, Pipeline, Record};
use kuzet::simulate::{Parameters, Simulation};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::Cluster;
use crate::command;
use crate::wait::{self, InVain};

pub(crate) const WAIT: Duration = wait::PATIENCE;

/// The topics of one test.
pub(crate) struct Topics {
    prefix: String,
    pub(crate) partitions: i32,
}

impl Topics {
    /// Makes topics whose names begin with the test's.
    pub(crate) fn create(cluster: &Cluster, prefix: &str, partitions: i32) -> Self {
        let topics = Self::named(prefix, partitions);
        let count = usize::try_from(partitions).expect("a few partitions");
        for name in ["operations", "decisions", "rejected"] {
            cluster.create_topic(&topics.name(name), count, &[]);
        }
        cluster.create_topic(&topics.name("state"), count, &[("cleanup.policy", "compact")]);
        topics
    }

    /// Names topics and makes none.
    pub(crate) fn named(prefix: &str, partitions: i32) -> Self {
        Self { prefix: prefix.to_owned(), partitions }
    }

    pub(crate) fn name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.prefix)
    }

    pub(crate) fn group(&self) -> String {
        format!("{}-group", self.prefix)
    }

    /// Writes the configuration of an instance with one worker into a folder.
    pub(crate) fn configure(&self, cluster: &Cluster, folder: &Path, instance: &str, batch_max: u32) -> PathBuf {
        self.configure_with((cluster, folder), instance, (batch_max, 1_500), |text| text)
    }

    /// The same with another session timeout in milliseconds, and the text of the configuration edited. Files are
    /// replaced whole: a process of the same name may be reading them.
    pub(crate) fn configure_with(
        &self,
        (cluster, folder): (&Cluster, &Path),
        instance: &str,
        (batch_max, session_timeout_ms): (u32, u128),
        edit: impl FnOnce(String) -> String,
    ) -> PathBuf {
        let properties = folder.join("client.properties");
        let waits = format!(
            "session.timeout.ms={session_timeout_ms}\nheartbeat.interval.ms=300\nreconnect.backoff.max.ms=200\n"
        );
        replace(&properties, &waits);
        let file = folder.join(format!("{instance}.toml"));
        let manifest = env!("CARGO_MANIFEST_DIR");
        let text = format!(
            "source = \"kafka\"\n[rules]\nfolder = \"{manifest}/rules\"\n[geoip]\nfolder = \"{manifest}/geoip\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n[kafka]\nbrokers = \"{}\"\ngroup = \"{}\"\ninstance = \"{instance}\"\n\
             workers = 1\nbatch_max = {batch_max}\nproperties_file = \"{}\"\ntransaction_timeout = \"10s\"\n\
             [kafka.topics]\noperations = \"{}\"\ndecisions = \"{}\"\nrejected = \"{}\"\nstate = \"{}\"\n",
            cluster.bootstrap(),
            self.group(),
            properties.display(),
            self.name("operations"),
            self.name("decisions"),
            self.name("rejected"),
            self.name("state"),
        );
        replace(&file, &edit(text));
        file
    }
}

/// Writes a file beside and puts it in place, so that no reader sees a part of it.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("written");
    fs::write(&beside, text).expect("a file of settings");
    fs::rename(beside, path).expect("a file of settings");
}

/// A running `kuzet serve`.
pub(crate) struct Instance {
    child: Child,
    log: PathBuf,
    /// What its predecessors wrote into the log.
    log_begins_at: usize,
}

impl Instance {
    /// Starts it; `failpoint` ends it at a step.
    pub(crate) fn start(config: &Path, failpoint: Option<&str>) -> Self {
        let variables = failpoint.map(|step| ("KUZET_TEST_FAILPOINT", step));
        Self::start_with(config, variables.as_slice())
    }

    /// Starts it with variables of a test's build.
    pub(crate) fn start_with(config: &Path, variables: &[(&str, &str)]) -> Self {
        let log = config.with_extension("log");
        let log_begins_at = fs::metadata(&log).map_or(0, |found| usize::try_from(found.len()).expect("a small log"));
        let err = File::options().create(true).append(true).open(&log).expect("a log");
        let child = command::kuzet()
            .envs(variables.iter().copied())
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(err)
            .spawn()
            .expect("kuzet starts");
        Self { child, log, log_begins_at }
    }

    /// Returns what it said so far.
    pub(crate) fn log(&self) -> String {
        let whole = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(whole.get(self.log_begins_at..).unwrap_or_default()).into_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until it takes signals and requests: before, a signal ends it as it ends any process.
    #[track_caller]
    pub(crate) fn wait_until_it_listens(&mut self) {
        wait::until("kuzet says that the service is ready", || {
            assert!(!self.has_ended(), "kuzet ended before it was ready\n{}", tail(&self.log()));
            self.log().contains("the service is ready").then_some(())
        });
    }

    /// Ends it as an operator does, and checks that it ends well; tells how long that took.
    #[track_caller]
    pub(crate) fn end(mut self) -> Duration {
        self.wait_until_it_listens();
        let begun = Instant::now();
        self.signal("TERM");
        let log = self.log.clone();
        let status = self.wait();
        let log = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
        assert!(status.success(), "{status}\n{}", tail(&log));
        begun.elapsed()
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn wait(mut self) -> ExitStatus {
        wait::until("kuzet ends", || self.child.try_wait().expect("the state of a process"))
    }

    /// Tells whether it is halted by SIGSTOP.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the state of a process");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the state of a process").is_some()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Makes simulated operations, one a line.
pub(crate) fn simulated(seed: u64, operations: u64, wallets: u32) -> Vec<Vec<u8>> {
    let start = kuzet::operation::Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let wallets = wallets.into();
    let parameters = Parameters { wallets, operations, seed, start, days: Some(30), fraud_per_mille: 200 };
    let mut simulation = Simulation::new(parameters).expect("sound parameters");
    let mut lines = Vec::new();
    while simulation.next_into(&mut lines) {}
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

pub(crate) fn wallet_of(record: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(record).expect("an operation");
    value["wallet_id"].as_str().expect("a wallet").to_owned()
}

/// Sends operations as Java's producers do.
pub(crate) fn send(cluster: &Cluster, topics: &Topics, records: &[Vec<u8>]) {
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let name = topics.name("operations");
    for record in records {
        let wallet = wallet_of(record);
        let partition = Partitioner::Murmur2.partition(wallet.as_bytes(), topics.partitions).expect("a partition");
        let mut to_send = BaseRecord::to(&name).partition(partition).key(&wallet).payload(record);
        while let Err((_, again)) = producer.send(to_send) {
            producer.poll(Duration::from_millis(10));
            to_send = again;
        }
    }
    producer.flush(WAIT).expect("the records are taken");
}

/// Sends one record to a partition, whatever it holds.
pub(crate) fn send_raw(cluster: &Cluster, topics: &Topics, partition: i32, value: Option<&[u8]>) {
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let name = topics.name("operations");
    let mut to_send: BaseRecord<'_, str, [u8]> = BaseRecord::to(&name).partition(partition).key("any");
    to_send.payload = value;
    producer.send(to_send).map_err(|(error, _)| error).expect("room in the queue");
    producer.flush(WAIT).expect("the record is taken");
}

/// Asks Kafka how far the group has come.
pub(crate) struct Progress {
    consumer: BaseConsumer,
    topic: String,
    group: String,
    partitions: i32,
}

/// How long Kafka may take for one answer; then the question is asked again.
const ANSWER: Duration = Duration::from_secs(5);

impl Progress {
    pub(crate) fn new(cluster: &Cluster, topics: &Topics) -> Self {
        let mut config = cluster.client();
        config.set("group.id", topics.group());
        let consumer = config.create().expect("a consumer");
        Self { consumer, topic: topics.name("operations"), group: topics.group(), partitions: topics.partitions }
    }

    /// The first offset and the end of each partition of the operations.
    fn bounds(&self) -> Vec<(i64, i64)> {
        let of = |partition| {
            wait::until("the ends of the operations are known", || {
                let found = self.consumer.fetch_watermarks(&self.topic, partition, ANSWER).ok();
                if found.is_none() {
                    // A leader that was missing is looked for again only every five minutes otherwise.
                    self.consumer.fetch_metadata(None, ANSWER).ok();
                }
                found
            })
        };
        (0..self.partitions).map(of).collect()
    }

    /// The ends of the operations now.
    pub(crate) fn ends(&self) -> Vec<i64> {
        self.bounds().into_iter().map(|(_, end)| end).collect()
    }

    /// The offset that the group has committed for each partition, 0 where it has none; nothing when Kafka does
    /// not tell for all of them.
    pub(crate) fn committed(&self) -> Option<Vec<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions - 1);
        let committed = self.consumer.committed_offsets(list, ANSWER).ok()?;
        let of = |partition| {
            let element = committed.find_partition(&self.topic, partition)?;
            element.error().ok()?;
            Some(if let Offset::Offset(offset) = element.offset() { offset } else { 0 })
        };
        (0..self.partitions).map(of).collect()
    }

    /// How many operations before these ends the group has not committed; nothing when Kafka does not tell.
    pub(crate) fn left(&self, ends: &[i64]) -> Option<i64> {
        let committed = self.committed()?;
        Some(ends.iter().zip(committed).map(|(end, committed)| (end - committed).max(0)).sum())
    }

    /// How many members the group has while no partition is about to change hands; nothing while one is.
    pub(crate) fn members(&self) -> Option<usize> {
        let list = self.consumer.fetch_group_list(Some(&self.group), ANSWER).ok()?;
        let group = list.groups().iter().find(|group| group.name() == self.group)?;
        (group.state() == "Stable").then(|| group.members().len())
    }
}

#[expect(clippy::print_stdout, reason = "a wait that goes on says so")]
/// Waits until nothing is left. Busy processes may need longer than any wait may last: as long as less is left
/// than before, the wait begins anew, and says so.
pub(crate) fn until_none_is_left(event: &str, mut left: impl FnMut() -> Option<i64>) -> Result<(), InVain> {
    let mut least = i64::MAX;
    loop {
        let before = least;
        let look = || {
            least = left()?.min(least);
            (least == 0).then_some(())
        };
        match wait::attempt(wait::PATIENCE, event, look) {
            Ok(()) => return Ok(()),
            Err(in_vain) if least < before => println!("{least} are left, it goes on\n{in_vain}"),
            Err(in_vain) => return Err(in_vain),
        }
    }
}

/// Tells how many records of the operations the group has not committed yet.
pub(crate) fn lag(cluster: &Cluster, topics: &Topics) -> i64 {
    let progress = Progress::new(cluster, topics);
    wait::until("Kafka tells how far the group is", || lag_of(&progress))
}

fn lag_of(progress: &Progress) -> Option<i64> {
    let bounds = progress.bounds();
    // What retention has removed is not waited for.
    let left = |((low, end), committed): (&(i64, i64), i64)| end - committed.max(*low);
    Some(bounds.iter().zip(progress.committed()?).map(left).sum())
}

/// Waits until everything is decided.
#[track_caller]
pub(crate) fn wait_until_decided(cluster: &Cluster, topics: &Topics, instances: &mut [&mut Instance]) {
    let progress = Progress::new(cluster, topics);
    let none_left = until_none_is_left("all operations are decided", || {
        let left = lag_of(&progress)?;
        for instance in instances.iter_mut().filter(|_| left > 0) {
            assert!(!instance.has_ended(), "kuzet ended with {left} records left\n{}", tail(&instance.log()));
        }
        Some(left)
    });
    none_left.unwrap_or_else(|in_vain| panic!("{in_vain}"));
}

/// Decides operations by partition, each with an engine of its own and without a shared store; returns the
/// decisions by partition, made in batches of 37.
pub(crate) fn expected(topics: &Topics, records: &[Vec<u8>]) -> BTreeMap<i32, Vec<Vec<u8>>> {
    // Other batches than those of the fleet: their bounds must not matter.
    expected_in_batches(topics.partitions, records, 37)
}

/// The same in batches of any size.
pub(crate) fn expected_in_batches(
    partitions: i32,
    records: &[Vec<u8>],
    batch_max: usize,
) -> BTreeMap<i32, Vec<Vec<u8>>> {
    let folder = |name: &str| Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let rules = Arc::new(app::load_rules(&folder("rules")).expect("the shipped rules load"));
    let mut by_partition: BTreeMap<i32, Vec<&[u8]>> = BTreeMap::new();
    for record in records {
        let partition = Partitioner::Murmur2.partition(wallet_of(record).as_bytes(), partitions);
        by_partition.entry(partition.expect("a partition")).or_default().push(record);
    }
    let geo = Arc::new(app::load_geo(&folder("geoip")).expect("the databases load"));
    let mut expected = BTreeMap::new();
    for (partition, records) in by_partition {
        let engine = Engine::new(Arc::new(Plan::new(Arc::clone(&rules), Settings::default())));
        let limits = Limits::default();
        let mut pipeline = Pipeline { engine, geo: Arc::clone(&geo), store: BlocksOnly::default(), limits };
        let of_batch: Vec<Record<'_>> = records.iter().map(|bytes| Record { bytes, arrived_at: None }).collect();
        let mut decisions = Vec::new();
        for batch in of_batch.chunks(batch_max) {
            let committed = pipeline.process(batch).expect("a store in memory takes every change");
            for answer in committed.answers {
                if let Answer::Decided(decision) = answer {
                    let mut value = Vec::new();
                    decision.encode(&mut value);
                    decisions.push(value);
                }
            }
        }
        expected.insert(partition, decisions);
    }
    expected
}
