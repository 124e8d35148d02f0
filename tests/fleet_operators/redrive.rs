//! `kuzet rejected redrive` to the topic that the operations of a fleet come from.

use std::collections::BTreeMap;
use std::fs;

use kuzet::operation::partition::Partitioner;

use super::{kuzet, shared, top_up, values};
use crate::fleet::{self, Instance, Topics};
use crate::kcat;

const PARTITIONS: i32 = 3;

fn wallet(number: usize) -> String {
    format!("7704{number:07}")
}

fn home(wallet: &str) -> i32 {
    Partitioner::Murmur2.partition(wallet.as_bytes(), PARTITIONS).expect("a partition")
}

/// Records that could not be understood, and one in a partition that is not its wallet's: repaired, each goes to the
/// shard of its wallet and is decided once, however often it is sent.
#[test]
fn repaired_records_go_to_their_shards_and_are_decided_once() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "redrive", PARTITIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let broken = |number: usize| top_up(&format!("r-{number}"), &wallet(number)).replace("100.00", "1.001");
    for number in 0..6 {
        fleet::send_raw(&cluster, &topics, home(&wallet(number)), Some(broken(number).as_bytes()));
    }
    let elsewhere = (home(&wallet(6)) + 1) % PARTITIONS;
    fleet::send_raw(&cluster, &topics, elsewhere, Some(top_up("r-6", &wallet(6)).as_bytes()));
    fleet::send_raw(&cluster, &topics, 0, Some(b"{\"op_id\":"));
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    let refused = values(&cluster, &topics.name("rejected"));
    assert_eq!(refused.len(), 8);
    assert!(values(&cluster, &topics.name("decisions")).is_empty());

    let repaired = |mut entry: serde_json::Value| {
        let raw = entry["raw"].as_str().expect("a text").replace("1.001", "1.01");
        entry["raw"] = raw.into();
        format!("{entry}\n")
    };
    let file = folder.path().join("repaired.jsonl");
    let lines: String = refused.into_iter().map(|(_, entry)| repaired(entry)).collect();
    fs::write(&file, lines).expect("a file");
    let redrive = ["rejected", "redrive", file.to_str().expect("a path")];
    for _ in 0..2 {
        let (code, out, err) = kuzet(&redrive, &config);
        let told: Vec<&str> = out.lines().collect();
        assert_eq!((code, told.len()), (1, 2), "{out}{err}");
        assert!(told[0].starts_with("record ") && told[0].contains(": malformed_json: "), "{out}");
        assert_eq!(told[1], "7 sent to the topic, 1 rejected again");
    }
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    instance.end();

    let mut decided = BTreeMap::new();
    for (record, decision) in values(&cluster, &topics.name("decisions")) {
        let (op_id, wallet) = (decision["op_id"].as_str(), decision["wallet_id"].as_str().expect("a wallet"));
        assert_eq!((record.partition, record.key.as_deref()), (home(wallet), Some(wallet.as_bytes())));
        *decided.entry(op_id.expect("an id").to_owned()).or_insert(0) += 1;
    }
    let once = (0..7).map(|number| (format!("r-{number}"), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(decided, once);
    // What was sent again by mistake is no operation that is refused.
    assert_eq!(values(&cluster, &topics.name("rejected")).len(), 8);
    let sent = kcat::read_committed(&cluster.bootstrap(), &topics.name("operations"));
    let keyed = |record: &&kcat::Record| record.key.as_deref() != Some(b"any".as_slice());
    assert_eq!(sent.values().flatten().filter(keyed).count(), 14, "each of seven twice");
}
