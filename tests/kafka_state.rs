//! What a fleet writes to `kuzet.state` on a real Kafka with its default limits: a wallet with many live entries.
#![expect(clippy::print_stdout, reason = "bytes belong in the test's output")]

use crate::http;
use kuzet::operation::time::MILLISECOND;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::random::Random;
use crate::turn;

const SEED: u64 = 5;
/// Live entries of the wallet in the end.
const ENTRIES: usize = 100_000;
/// How many operations are looked at, with few entries and with all of them.
const LOOK: usize = 10_000;
/// `max.message.bytes` of a broker that nobody configured.
const MESSAGE_BYTES_MAX: usize = 1_048_588;
/// What the broker adds to a record of a key and a value, generously.
const OVERHEAD: usize = 512;

/// A debit of the one wallet. All lie on one day in Almaty, so that each is live in the window of that day.
fn debit(number: usize, random: &mut Random) -> Vec<u8> {
    let at = kuzet::operation::Time::parse_rfc3339("2026-03-20T01:00:00+05:00").expect("a time");
    let at = at.plus(i64::try_from(number).expect("a small number") * (700 * MILLISECOND));
    let tiyn = 100 + random.below(200_u64);
    let (whole, part, device) = (tiyn / 100, tiyn % 100, random.below(1_000_u64));
    format!(
        "{{\"op_id\":\"{:016x}\",\"type\":\"payment\",\"occurred_at\":\"{at}\",\"wallet_id\":\"77010000001\",\
         \"client_status\":\"unidentified\",\"amount\":\"{whole}.{part:02}\",\"device_id\":\"d-{device}\",\
         \"counterparty\":{{\"kind\":\"merchant\",\"account\":\"m-{number}\"}}}}",
        random.next(),
    )
    .into_bytes()
}

/// One record of the state topic.
struct Written {
    offset: i64,
    key: String,
    bytes: usize,
}

/// Lists the records of the state from an offset on, also of transactions that did not end well: they were
/// written too.
fn written(cluster: &Cluster, topics: &Topics, from: i64) -> Vec<Written> {
    let output = Command::new("kcat")
        .args(["-C", "-e", "-q", "-u", "-o", &from.to_string(), "-b", &cluster.bootstrap()])
        .args(["-t", &topics.name("state"), "-p", "0", "-X", "log_level=3"])
        .args(["-X", "isolation.level=read_uncommitted", "-f", "%o %S %k\n"])
        .stdin(Stdio::null())
        .output()
        .expect("kcat, which `make tools FOR_TESTS=1` installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("keys are text");
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().expect("three words").to_owned();
        let (offset, length, key) = (word(), word(), word());
        // A removal has no value.
        let value = length.parse::<i64>().expect("a length").max(0);
        let bytes = usize::try_from(value).expect("a length") + key.len();
        Written { offset: offset.parse().expect("an offset"), key, bytes }
    };
    text.lines().map(line).collect()
}

/// What was written by operations.
#[derive(Debug, Clone, Copy)]
struct Bytes {
    /// Journals alone: what each operation changed.
    journals: usize,
    /// All: with the groups that are written anew now and then.
    all: usize,
}

fn bytes(records: &[Written]) -> Bytes {
    let of = |is_counted: &dyn Fn(&Written) -> bool| {
        records.iter().filter(|record| is_counted(record)).map(|record| record.bytes).sum::<usize>()
    };
    Bytes { journals: of(&|record| record.key.starts_with("journal:")), all: of(&|_| true) }
}

#[test]
fn bytes_of_an_operation_do_not_grow_with_the_entries_of_its_wallet() {
    println!("seed {SEED}");
    let _turn = turn::take(module_path!());
    let cluster = Cluster::start(1);
    let topics = Topics::create(&cluster, "state", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 500);
    // So that the state is written anew several times, and the whole wallet with it.
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let text = text.replace("batch_max = 500\n", "batch_max = 500\njournal_bytes_min = \"256KiB\"\n");
    std::fs::write(&config, text).expect("a configuration");
    let mut random = Random(SEED);
    let records: Vec<Vec<u8>> = (0..ENTRIES + LOOK + 100).map(|number| debit(number, &mut random)).collect();
    let expected = fleet::expected(&topics, &records);

    let mut instance = Instance::start(&config, None);
    let mut from = 0;
    let (mut figures, mut largest) = (Vec::new(), 0);
    let mut sent = 0;
    for until in [1_000, 1_000 + LOOK, ENTRIES, ENTRIES + LOOK] {
        fleet::send(&cluster, &topics, &records[sent..until]);
        fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
        let found = written(&cluster, &topics, from);
        from = found.last().map_or(from, |last| last.offset + 1);
        largest = found.iter().map(|record| record.bytes).max().unwrap_or(0).max(largest);
        figures.push((until - sent, bytes(&found)));
        sent = until;
    }
    let each = |at: usize, bytes: usize| bytes / figures[at].0;
    let (few, many) = (figures[1].1, figures[3].1);
    println!("entries   journal bytes   all bytes, an operation");
    println!("  1,000 {:15} {:11}", each(1, few.journals), each(1, few.all));
    println!("100,000 {:15} {:11}", each(3, many.journals), each(3, many.all));
    let in_all: usize = figures.iter().map(|(_, bytes)| bytes.all).sum();
    println!("all {} operations: {} bytes each; the largest record has {largest}", sent, in_all / sent);
    assert!(largest + OVERHEAD < MESSAGE_BYTES_MAX, "a record of {largest} bytes");
    // The changes of an operation, whatever its wallet holds; ids are random and do not compress alike.
    assert!(many.journals * 10 < few.journals * 11, "{few:?} {many:?}");

    let in_journals: usize = figures.iter().map(|(_, bytes)| bytes.journals).sum();
    // A round writes all rows for each half of them that came as changes, and rows take up to three times the
    // bytes of the changes that made them: a factor, whatever the wallet holds.
    assert!(in_all < 6 * in_journals, "{in_all} bytes for {in_journals} of changes");

    // The wallet's own record was written anew, in more than one part.
    let state = written(&cluster, &topics, 0);
    let parts = state.iter().filter(|record| record.key.starts_with("wallets:") && !record.key.ends_with(":0"));
    assert!(parts.count() > 0, "the wallet's group was never longer than one record");

    instance.signal("KILL");
    instance.wait();
    let mut instance = Instance::start(&config, None);
    fleet::send(&cluster, &topics, &records[sent..]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    let decisions = decisions(&cluster, &topics);
    assert_eq!(decisions.len(), expected[&0].len());
    for (found, expected) in decisions.iter().zip(&expected[&0]) {
        assert_eq!(*found, String::from_utf8_lossy(expected));
    }
    // What rules matched is known after the kill as before it.
    let rule = "unidentified-statutory-limit";
    let matched = decisions.iter().filter(|decision| decision.contains(&format!("{{\"rule\":\"{rule}\""))).count();
    let shown = http::get(&instance, &format!("/v1/rules/{rule}")).expect("an answer");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert!(matched > ENTRIES / 2 && shown["hits"] == matched, "{matched} matches, shown are {shown}");
    instance.end();
}

fn decisions(cluster: &Cluster, topics: &Topics) -> Vec<String> {
    let output = Command::new("kcat")
        .args(["-C", "-e", "-q", "-u", "-o", "beginning", "-b", &cluster.bootstrap()])
        .args(["-t", &topics.name("decisions"), "-X", "log_level=3", "-X", "isolation.level=read_committed"])
        .stdin(Stdio::null())
        .output()
        .expect("kcat");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("decisions are text").lines().map(str::to_owned).collect()
}
