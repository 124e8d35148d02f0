//! A real cluster of three primaries with a replica each: it answers as the store of one process does, and stays right
//! when a node is killed, be its replica there or not.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::gateway::{DirectoryUpdate, Restricted, Shown};
use kuzet::adapters::redis::{Epoch, Rebuild, RedisSettings, RedisStore, WindowLimits};
use kuzet::engine::plan::Plan;
use kuzet::engine::restriction::Restriction;
use kuzet::engine::shared::{Party, SharedChange, SharedKey, SharedRequest, SharedView};
use kuzet::engine::window::Entry;
use kuzet::operation::Time;
use kuzet::operation::time::MINUTE;
use kuzet::pipeline::SharedStore;
use kuzet::rules::program::Block;
use uuid::Uuid;

use super::changes::{self, Changes, START, blocks};
use super::faults::{block, in_time};
use super::{assert_same, fresh_by};
use crate::random::Random;
use crate::server::{Server, free_port};

/// The nodes; killed when it is dropped.
struct Cluster {
    nodes: Vec<(Server, u16)>,
}

impl Cluster {
    /// Starts three primaries, each with so many replicas.
    fn start(replicas: usize) -> Self {
        let node = |_| {
            let (port, bus) = (free_port(), free_port());
            let (port_text, bus_text) = (port.to_string(), bus.to_string());
            let server = Server::with(&[
                "--port",
                &port_text,
                "--bind",
                "127.0.0.1",
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus_text,
                "--cluster-node-timeout",
                "2000",
            ]);
            (server, port)
        };
        let cluster = Self { nodes: (0..3 * (1 + replicas)).map(node).collect() };
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(cluster.nodes.iter().map(|(_, port)| format!("127.0.0.1:{port}")));
        create.args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"]).stdin(Stdio::null());
        let output = create.output().expect("redis-cli is installed (Debian: package redis-tools)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        cluster.wait_until_whole();
        cluster
    }

    /// Waits until all nodes that run see every slot served, by primaries with all their replicas.
    fn wait_until_whole(&self) {
        let is_ok = |(server, _): &(Server, u16)| {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut server.connection()).expect("CLUSTER INFO");
            info.contains("cluster_state:ok").then_some(())
        };
        self.nodes.iter().for_each(|node| in_time("the cluster", || is_ok(node)));
    }

    fn settings(&self) -> RedisSettings {
        RedisSettings { cluster: true, ..RedisSettings::new(&format!("redis://127.0.0.1:{}", self.nodes[0].1)) }
    }

    /// The places of the nodes that serve slots now.
    fn primaries(&self) -> Vec<usize> {
        let role = |(server, _): &(Server, u16)| {
            let role: redis::Value = redis::cmd("ROLE").query(&mut server.connection()).expect("ROLE");
            format!("{role:?}").contains("master")
        };
        (0..self.nodes.len()).filter(|place| role(&self.nodes[*place])).collect()
    }

    /// All keys of the primaries.
    fn keys(&self) -> Vec<(usize, String)> {
        let of_node = |place: usize| {
            let mut connection = self.nodes[place].0.connection();
            let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("KEYS");
            keys.into_iter().map(move |key| (place, key))
        };
        self.primaries().into_iter().flat_map(of_node).collect()
    }
}

/// Blocks of many parties: some of them lie on every node.
fn placed() -> Vec<(Party, Restriction)> {
    let wallet = |number: u64| (Party::Wallet(1_000 + number * 77), block(u128::from(number), Block::WalletBoth));
    let address = |number: u32| {
        let party = Party::Address(std::net::Ipv4Addr::from_bits(0xc633_6400 + number).into());
        (party, block(1_000 + u128::from(number), Block::AddressLogin))
    };
    (0..40).map(wallet).chain((0..40).map(address)).collect()
}

fn fetch_all(store: &impl SharedStore, plan: &Plan) -> SharedView {
    let mut view = SharedView::default();
    let parties = placed().into_iter().map(|(party, _)| party).collect();
    store.fetch(plan, &SharedRequest { windows: changes::keys(plan), parties }, &mut view);
    view
}

fn assert_in_force(store: &impl SharedStore, plan: &Plan, when: &str) {
    let view = fetch_all(store, plan);
    for (party, block) in placed() {
        assert_eq!(blocks(&view, party), std::slice::from_ref(&block), "{when}: {party:?}");
    }
}

#[test]
fn a_cluster_answers_as_the_store_of_one_process() {
    let (cluster, plan) = (Cluster::start(0), changes::plan());
    for seed in 1..=4 {
        cluster.nodes.iter().for_each(|(server, _)| {
            redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        });
        let memory = MemoryStore::default();
        let stores = [fresh_by(&cluster.settings(), &plan), fresh_by(&cluster.settings(), &plan)];
        let (mut changes, mut chance) = (Changes::new(&plan, seed), Random(!seed));
        let mut before = changes.batch();
        memory.enter(&plan, &before);
        stores[0].apply(&plan, &before).expect("an apply");
        for round in 0..100 {
            let batch = changes.batch();
            memory.enter(&plan, &batch);
            for batch in [&batch, &before] {
                stores[chance.below(2)].apply(&plan, batch).expect("an apply, or a repetition");
            }
            before = batch;
            if round % 9 == 0 {
                assert_same(&plan, &memory, &stores[chance.below(2)], changes.now, seed);
            }
        }
        stores.iter().for_each(|store| assert_same(&plan, &memory, store, changes.now, seed));
        assert_eq!((stores[0].errors(), stores[1].errors()), (0, 0));
    }
    let (nodes, names): (BTreeSet<usize>, Vec<String>) = cluster.keys().into_iter().unzip();
    assert_eq!(nodes.len(), 3, "keys lie on every node");
    assert!(names.iter().all(|name| name.starts_with("kuzet:{")), "{names:?}");
}

#[test]
fn a_killed_node_with_a_replica_is_away_for_a_while_and_nothing_stops_being_in_force() {
    let (mut cluster, plan) = (Cluster::start(1), changes::plan());
    let memory = MemoryStore::default();
    let store = fresh_by(&cluster.settings(), &plan);
    let mut changes = Changes::new(&plan, 3);
    let batches: Vec<_> = (0..60).map(|_| changes.batch()).collect();
    for batch in &batches {
        memory.enter(&plan, batch);
        store.apply(&plan, batch).expect("an apply");
    }
    let placements: Vec<SharedChange> = placed()
        .into_iter()
        .map(|(party, block)| SharedChange::Place { party, restriction: Box::new(block) })
        .collect();
    store.apply(&plan, &placements).expect("an apply");
    assert_in_force(&store, &plan, "before");
    for (server, _) in &cluster.nodes {
        // What is written from now on is on the replicas as well; so nothing is lost below.
        let role: redis::Value = redis::cmd("ROLE").query(&mut server.connection()).expect("ROLE");
        if format!("{role:?}").contains("master") {
            redis::cmd("WAIT").arg(1).arg(5_000).exec(&mut server.connection()).expect("WAIT");
        }
    }
    // The node that the settings name: the others are known by then.
    cluster.nodes[0].0.kill();
    in_time("the loss", || (!fetch_all(&store, &plan).available).then_some(()));
    assert_in_force(&store, &plan, "while a node is away");
    let owed = changes.batch();
    memory.enter(&plan, &owed);
    in_time("the replica in its place", || store.apply(&plan, &owed).ok());
    store.caught_up();
    assert!(fetch_all(&store, &plan).available, "{:?}", store.epoch());
    assert!(matches!(store.epoch(), Epoch::Current { .. }), "nothing was lost");
    assert_in_force(&store, &plan, "after");
    assert_same(&plan, &memory, &store, changes.now, 3);
}

#[test]
fn a_node_that_comes_back_empty_is_filled_again_and_the_others_keep_theirs() {
    let (mut cluster, plan) = (Cluster::start(0), changes::plan());
    let store = fresh_by(&cluster.settings(), &plan);
    let token = |store: &RedisStore| match store.epoch() {
        Epoch::Current { token } => token,
        other => panic!("{other:?}"),
    };
    let other = RedisStore::new(&cluster.settings(), Some(token(&store))).expect("settings");
    let placements: Vec<SharedChange> = placed()
        .into_iter()
        .map(|(party, block)| SharedChange::Place { party, restriction: Box::new(block) })
        .collect();
    store.apply(&plan, &placements).expect("an apply");
    assert!(fetch_all(&other, &plan).available, "another instance with the same token");
    let lost = cluster.keys().iter().filter(|(node, _)| *node == 1).count();
    assert!(lost > 0);
    cluster.nodes[1].0.start_again();
    cluster.wait_until_whole();
    for store in [&store, &other] {
        in_time("the loss", || {
            assert!(!fetch_all(store, &plan).available);
            (store.epoch() == Epoch::RebuildDue).then_some(())
        });
    }
    assert_in_force(&store, &plan, "while the node is empty");
    let newest = Some(START.plus(MINUTE));
    let rebuild = Rebuild { blocks: wallets(), newest, ..Rebuild::default() };
    in_time("a rebuild", || store.rebuild(&plan, &rebuild).ok());
    let view = fetch_all(&store, &plan);
    assert_eq!((view.available, view.complete_from), (true, newest));
    assert_in_force(&store, &plan, "after the rebuild");
    // The other instance has to give what it knows as well, once; then both go by one token.
    assert!(!fetch_all(&other, &plan).available);
    in_time("a rebuild", || other.rebuild(&plan, &rebuild).ok());
    assert_eq!(token(&store), token(&other));
    assert!(fetch_all(&store, &plan).available);
    let third = RedisStore::new(&cluster.settings(), Some(token(&store))).expect("settings");
    assert_in_force(&third, &plan, "a process that begins");
    assert!(fetch_all(&third, &plan).available);
}

/// What the shards of the wallets hold: they give it to a server that lost it.
fn wallets() -> Vec<(Party, Vec<Restriction>)> {
    let of_wallets = placed().into_iter().filter(|(party, _)| matches!(party, Party::Wallet(_)));
    of_wallets.map(|(party, block)| (party, vec![block])).collect()
}

/// From one server to a cluster: what is in force moves along, windows fill anew and say so.
#[test]
fn a_fleet_that_moves_to_a_cluster_keeps_its_blocks() {
    let (one, cluster, plan) = (Server::start(), Cluster::start(0), changes::plan());
    let before = fresh_by(&one.settings(), &plan);
    before.apply(&plan, &Changes::new(&plan, 1).batch()).expect("an apply");
    let Epoch::Current { token } = before.epoch() else { panic!("{:?}", before.epoch()) };
    let after = RedisStore::new(&cluster.settings(), Some(token)).expect("settings");
    assert!(!fetch_all(&after, &plan).available);
    assert_eq!(after.epoch(), Epoch::RebuildDue);
    let newest = Some(START.plus(MINUTE));
    after.rebuild(&plan, &Rebuild { blocks: wallets(), newest, ..Rebuild::default() }).expect("a rebuild");
    let view = fetch_all(&after, &plan);
    assert_eq!((view.available, view.complete_from), (true, newest));
    for (party, block) in wallets() {
        assert_eq!(blocks(&view, party), block);
    }
}

#[test]
fn gateways_lists_and_limits_work_on_a_cluster() {
    let (cluster, plan) = (Cluster::start(0), changes::plan());
    let limits = WindowLimits { keys_max: 64, ..WindowLimits::default() };
    let store = fresh_by(&RedisSettings { limits, ..cluster.settings() }, &plan);
    let until = Some(kuzet::adapters::clock::now().plus(MINUTE));
    let update = |id: u128, wallet: &str, change: Shown| DirectoryUpdate {
        whom: Restricted::Wallet(wallet.into()),
        restriction: Uuid::from_u128(id),
        shard: 0,
        seq: u64::try_from(id).expect("small"),
        change,
    };
    let names: Vec<String> = (0..50).map(|number| format!("W{number}")).chain(["a{b}c".into(), "a}b".into()]).collect();
    let shown = |wallet: &String| update(1, wallet, Shown::Placed { until, text: "shown".into() });
    store.publish(&names.iter().map(shown).collect::<Vec<_>>()).expect("a publication");
    store.publish(&[update(2, "W1", Shown::Placed { until, text: "more".into() })]).expect("a publication");
    store.publish(&[update(3, "W1", Shown::Lifted)]).expect("a publication");
    let keys: BTreeSet<String> = cluster.keys().into_iter().map(|(_, key)| key).collect();
    assert!(names.iter().all(|name| keys.contains(&format!("kuzet:restriction:wallet:{name}"))), "{keys:?}");

    let client = redis::cluster::ClusterClient::new([cluster.settings().url]).expect("a client");
    let mut connection = client.get_connection().expect("a connection");
    redis::cmd("SADD").arg("kuzet:list:shops").arg(&["b", "a"]).exec(&mut connection).expect("SADD");
    assert_eq!(store.load_list("shops").expect("a list"), ["a", "b"]);

    // Each part takes in its share: of many keys about as many as the limit says.
    let aggregate = changes::keys(&plan)[0].aggregate;
    let at: Time = START;
    let change = |key: u64| {
        let key = SharedKey { aggregate, key: key * 0x1_0001 };
        SharedChange::Insert { key, entry: Entry { at, op: key.key, value: 1 } }
    };
    store.apply(&plan, &(0..2_000).map(change).collect::<Vec<_>>()).expect("an apply");
    assert_eq!(store.sizes(&plan).expect("sizes").keys, 64);
    assert_eq!(store.take_turned_away(), 2_000 - 64);
}
