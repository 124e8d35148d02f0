//! Runs a fleet and a replay on the same records.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::check::{Found, Sent};
use crate::cluster::Cluster;
use crate::command::kuzet;
use crate::environment::number;
use crate::fleet::{self, Instance, Topics};
use crate::http::get;
use crate::server::Server;
use crate::turn;
use crate::wait;

/// How many operations are decided where nobody asks for another number.
const OPERATIONS: u64 = 30_000;

pub(crate) fn operations_asked() -> u64 {
    number("KUZET_E2E_OPERATIONS").unwrap_or(OPERATIONS)
}

/// Decides records with `kuzet replay`, in their order; returns the decisions.
pub(crate) fn replay(folder: &Path, records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let file = |name: &str| folder.join(name);
    let mut lines = fs::File::create(file("operations.jsonl")).map(std::io::BufWriter::new).expect("a file");
    for record in records {
        lines.write_all(record).and_then(|()| lines.write_all(b"\n")).expect("room on the disk");
    }
    lines.into_inner().expect("room on the disk");
    let here = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let output = kuzet()
        .arg("replay")
        .arg(file("operations.jsonl"))
        .args([PathBuf::from("--out"), file("decisions.jsonl"), PathBuf::from("--rejected"), file("rejected.jsonl")])
        .args([PathBuf::from("--rules"), here("rules"), PathBuf::from("--geoip"), here("geoip")])
        .output()
        .expect("kuzet runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::metadata(file("rejected.jsonl")).expect("a file").len(), 0, "the replay refused records");
    let decisions = fs::read(file("decisions.jsonl")).expect("decisions");
    decisions.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Decides records with two processes, wave by wave; returns what `kcat` sees of it. The second process joins
/// while the first works, so that partitions change hands.
pub(crate) fn decide(folder: &Path, sent: &[Sent<'_>], partitions: i32, waves: usize) -> Found {
    let _turn = turn::take(module_path!());
    let cluster = Cluster::start(1);
    let redis = Server::start();
    let topics = Topics::create(&cluster, "e2e", partitions);
    let configs = ["a", "b"].map(|name| {
        let config = topics.configure(&cluster, folder, name, 2_000);
        // Nobody dies here: on a busy machine a member must not be taken for dead.
        let waits = "session.timeout.ms=30000\nheartbeat.interval.ms=1000\nreconnect.backoff.max.ms=200\n";
        fs::write(folder.join("client.properties"), waits).expect("settings");
        let text = fs::read_to_string(&config).expect("a configuration");
        let mut text = text.replace("transaction_timeout = \"10s\"", "transaction_timeout = \"60s\"");
        // On a busy machine an answer may take long; a decision without Redis would be another one.
        text.push_str(&format!("[redis]\nurl = \"{}\"\ntimeout = \"20s\"\n", redis.url()));
        fs::write(&config, text).expect("a configuration");
        config
    });
    let begun = Instant::now();
    let mut instances = vec![Instance::start(&configs[0], None)];
    for wave in 0..u32::try_from(waves).expect("a few waves") {
        let records: Vec<Vec<u8>> =
            sent.iter().filter(|record| record.site.wave == wave).map(|record| record.bytes.to_vec()).collect();
        fleet::send(&cluster, &topics, &records);
        if wave == 0 {
            instances.push(Instance::start(&configs[1], None));
        }
        wait_until_shared((&cluster, &topics), &mut instances);
    }
    println!("decided after {:?}", begun.elapsed());
    for instance in instances {
        instance.end();
    }
    let found = read(&cluster.bootstrap(), &topics.name("decisions"), partitions);
    assert!(read(&cluster.bootstrap(), &topics.name("rejected"), partitions).is_empty(), "records were refused");
    found
}

/// Waits until everything is decided and Redis has all that it changed.
fn wait_until_shared((cluster, topics): (&Cluster, &Topics), instances: &mut [Instance]) {
    fleet::wait_until_decided(cluster, topics, &mut instances.iter_mut().collect::<Vec<_>>());
    for instance in instances {
        wait::until("kuzet owes Redis nothing", || (owed(instance) == Some(0)).then_some(()));
    }
}

/// Returns how many changes a process owes Redis. The thread that commits answers questions for wallets between
/// its batches: once it has, it has also given Redis, or counted, what the last batch changed.
fn owed(instance: &Instance) -> Option<u64> {
    get(instance, "/v1/wallets/nobody")?;
    let metrics = get(instance, "/metrics")?;
    let line = metrics.lines().find(|line| line.starts_with("kuzet_shared_pending_changes "))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Reads the values of a topic with kcat, as a consumer that sees only what is committed, and checks that the
/// decisions of each shard are numbered without a gap.
fn read(bootstrap: &str, topic: &str, partitions: i32) -> Found {
    let mut child = Command::new("kcat")
        .args(["-C", "-e", "-q", "-u", "-o", "beginning", "-b", bootstrap, "-t", topic])
        // kcat sets an option that its librdkafka warns of.
        .args(["-X", "log_level=3", "-X", "isolation.level=read_committed", "-f", "%p %S %h\n%s\n"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kcat, which `make tools FOR_TESTS=1` installs");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut found: Found = BTreeMap::new();
    let mut head = String::new();
    while out.read_line(&mut head).expect("lines of kcat") > 0 {
        let mut words = head.trim_end().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_else(|| panic!("kcat's line: {head}"));
        let (partition, length, headers) = (word(), word(), word());
        let partition: i32 = partition.parse().expect("a partition");
        assert!(partition < partitions, "partition {partition}");
        let mut value = vec![0; length.parse::<usize>().expect("a length") + 1];
        out.read_exact(&mut value).expect("a value");
        assert_eq!(value.pop(), Some(b'\n'), "kcat's value has another length");
        let of_shard = found.entry(partition).or_default();
        of_shard.push(value);
        let seq = format!(",kuzet-seq={},", of_shard.len());
        assert!(headers.contains(&seq), "decision {} of shard {partition} has {headers}", of_shard.len());
        head.clear();
    }
    let status = child.wait().expect("kcat ends");
    assert!(status.success(), "kcat: {status}");
    found
}
