//! The runs: processes killed, halted, joining and leaving, brokers killed, always under load. Each says what
//! it did in counts, and returns the finding that broke it off, if one did.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::check::Finding;
use super::stand::Stand;
use crate::cluster::Cluster;
use crate::fleet::Instance;
use crate::random::Random;
use crate::steps::COMMIT;
use crate::wait;

/// Every step from a new session to records that come.
pub(crate) const RECOVERY: [&str; 10] = [
    "session",
    "restore",
    "restore-offsets",
    "restore-stable",
    "restore-states",
    "restore-read",
    "restored",
    "sent-marks",
    "marked",
    "started",
];

/// So long whoever takes over is left to wait for a transaction that is still open.
const READING: Duration = Duration::from_millis(1_500);
const KILL: i32 = 9;
const ABORT: i32 = 6;

/// How often what was done, by name.
pub(crate) type Histogram = BTreeMap<String, usize>;

pub(crate) fn print(what: &str, histogram: &Histogram) {
    // What came of them is told apart, with a `=`.
    let done = histogram.iter().filter(|(name, _)| !name.starts_with('='));
    println!("{what}: {} in all", done.map(|(_, count)| count).sum::<usize>());
    let most = histogram.values().max().copied().unwrap_or(1);
    for (name, count) in histogram {
        println!("  {name:<34} {count:>4}  {}", "#".repeat((40 * count).div_ceil(most.max(40))));
    }
}

pub(crate) fn count(histogram: &mut Histogram, name: impl Into<String>) {
    *histogram.entry(name.into()).or_default() += 1;
}

/// Waits for a moment of this length; the moment itself is what matters here, not what happens meanwhile.
fn linger(random: &mut Random, max: u64) {
    std::thread::sleep(Duration::from_millis(random.below(max)));
}

/// Kills a process so often: at every step in turn, every tenth time at any instant; every third time another
/// process is there to take over.
pub(crate) fn kills(stand: &Stand, cluster: &Cluster, seed: u64, times: usize) -> (Histogram, Option<Finding>) {
    let (mut random, mut histogram) = (Random(seed), Histogram::new());
    let steps: Vec<(&str, bool)> =
        COMMIT.iter().map(|step| (*step, true)).chain(RECOVERY.iter().map(|step| (*step, false))).collect();
    let mut partner = None;
    for i in 0..times {
        let outcome = if i % 10 == 9 {
            kill_at_any_instant(stand, cluster, &mut random, &mut histogram)
        } else {
            let (step, is_repeated) = steps[(i - i / 10) % steps.len()];
            let nth: u64 = if is_repeated { 1 + random.below(6_u64) } else { 1 };
            let with = if partner.is_some() { "two processes" } else { "one process" };
            count(&mut histogram, format!("{step}, {with}"));
            let instance = stand.start(cluster, "a", Some(&format!("{step}:{nth}")));
            stand.wait_for_end(instance, ABORT)
        };
        if let Err(finding) = outcome {
            return (histogram, Some(finding));
        }
        // Kills of processes that are alone, and of one of two, in turns of three.
        match (i / 3) % 3 {
            2 if partner.is_none() => partner = Some(stand.start(cluster, "b", None)),
            2 => {}
            _ => {
                if let Some(partner) = partner.take() {
                    partner.signal("KILL");
                    count(&mut histogram, "the other process, any instant");
                    drop(partner);
                }
            }
        }
    }
    (histogram, None)
}

fn kill_at_any_instant(
    stand: &Stand,
    cluster: &Cluster,
    random: &mut Random,
    histogram: &mut Histogram,
) -> Result<(), Finding> {
    let lines_before = stand.said("a").len();
    let instance = stand.start(cluster, "a", None);
    linger(random, 6_000);
    instance.signal("KILL");
    stand.wait_for_end(instance, KILL)?;
    let said = stand.said("a");
    let said = said.get(lines_before..).unwrap_or_default();
    let phase = if said.contains("shards were restored") {
        "deciding"
    } else if said.contains("partitions were assigned") {
        "restoring"
    } else {
        "joining"
    };
    count(histogram, format!("any instant, {phase}"));
    Ok(())
}

/// Halts a process so often for longer than its session: another takes over, then the first wakes.
pub(crate) fn stops(stand: &Stand, cluster: &Cluster, seed: u64, times: usize) -> (Histogram, Option<Finding>) {
    let (mut random, mut histogram) = (Random(seed), Histogram::new());
    let partner = stand.start(cluster, "b", None);
    let steps: Vec<&str> = COMMIT.iter().chain(&RECOVERY).copied().collect();
    for i in 0..times {
        // After the wake either all threads go on at once, or the deciding one comes last.
        let action = if i % 2 == 0 { "stop" } else { "stall" };
        // The first has a transaction in hand that nobody has to wait for.
        let step = steps[(i * 7 + 1) % steps.len()];
        let nth: u64 = if COMMIT.contains(&step) { 1 + random.below(4_u64) } else { 1 };
        let outcome = if i % 6 == 5 {
            count(&mut histogram, "any instant");
            stop_once(stand, cluster, None, Wake::Late, &mut random)
        } else {
            // A transaction that has its offsets may still be committed: then whoever takes over must see it.
            let has_offsets = ["sent-offsets", "drained"].contains(&step);
            let wake = if has_offsets && action == "stop" { Wake::Early(READING) } else { Wake::Late };
            let early = if wake == Wake::Late { "" } else { ", woken early" };
            count(&mut histogram, format!("{step}, {action}{early}"));
            stop_once(stand, cluster, Some(&format!("{step}:{nth}:{action}")), wake, &mut random)
        };
        match outcome {
            Ok(is_refused) => {
                count(&mut histogram, if is_refused { "= then refused" } else { "= then nothing in hand" })
            }
            Err(finding) => return (histogram, Some(finding)),
        }
    }
    drop(partner);
    (histogram, None)
}

/// Lets a process die with an open transaction, beside another.
pub(crate) fn left_open(stand: &Stand, cluster: &Cluster) -> Result<(), Finding> {
    let _other = stand.start(cluster, "b", None);
    stand.wait_until_each_goes_on(cluster)?;
    let instance = stand.start(cluster, "a", Some("drained:5"));
    stand.wait_for_end(instance, ABORT)?;
    stand.wait_until_alone(cluster)?;
    stand.wait_until_each_goes_on(cluster)
}

/// When a halted process wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// When its partitions are another's and that one has read what they left behind, or has waited so long with
    /// it: the halted process may have a transaction that is still open.
    Early(Duration),
    /// When the other has decided what waited.
    Late,
}

/// Halts a process at a step or at any instant until another has taken over, wakes it, and tells whether Kafka
/// then refused what it had in hand.
pub(crate) fn stop_once(
    stand: &Stand,
    cluster: &Cluster,
    failpoint: Option<&str>,
    wake: Wake,
    random: &mut Random,
) -> Result<bool, Finding> {
    let of_other = stand.said("b").len();
    let instance = stand.start(cluster, "a", failpoint);
    if failpoint.is_none() {
        stand.wait("the process has read the state of a shard", || instance.log().contains("shards were restored"))?;
        linger(random, 1_000);
        instance.signal("STOP");
    }
    stand.wait("the process is halted at the step", || instance.is_stopped())?;
    let before = instance.log().len();
    // What it had may all be committed: that everything is through does not tell that another has taken over.
    stand.wait_until_alone(cluster)?;
    match wake {
        // All partitions, those of the halted process too.
        Wake::Late => stand.wait_until_each_goes_on(cluster)?,
        Wake::Early(reading) => wait_for_restoration(stand, cluster, of_other, reading)?,
    }
    instance.signal("CONT");
    let said_since = || instance.log().get(before..).unwrap_or_default().to_owned();
    let signs = ["partitions were revoked", "Kafka failed", "partitions were assigned"];
    stand.wait("the woken process says what became of its partitions", || {
        let said = said_since();
        signs.iter().any(|sign| said.contains(sign))
    })?;
    stand.wait_until_through(cluster)?;
    let said = said_since();
    let is_refused = ["Kafka failed", "the group has gone on"].iter().any(|sign| said.contains(sign));
    instance.end();
    Ok(is_refused)
}

/// Tells whether a line says that partitions came.
fn is_given(line: &str) -> bool {
    line.contains("partitions were assigned") && !line.contains("partitions=[]")
}

/// Waits until the other process, which has taken over, has read, not longer than it may have to wait for the
/// first.
fn wait_for_restoration(stand: &Stand, cluster: &Cluster, before: usize, reading: Duration) -> Result<(), Finding> {
    let said = || stand.said("b").get(before..).unwrap_or_default().to_owned();
    // All that it read since it was given partitions again; nothing if it was not yet.
    let has_read = || {
        let said = said();
        let given = said.rmatch_indices("partitions were assigned").find(|(at, _)| said[*at..].lines().any(is_given));
        given.map(|(at, _)| said[at..].contains("shards were restored"))
    };
    stand.wait("the other process is given the partitions", || has_read().is_some())?;
    // It may have to wait for a transaction of the first: that it does not read is no failure.
    let look = || (has_read() == Some(true)).then_some(());
    if wait::attempt_with(reading, "the other process has read", look, String::new).is_ok() {
        // It did not have to wait: then it decides too.
        let ends = ends(stand, cluster, "read_uncommitted");
        let mut before = None;
        stand.wait("whoever took over writes states of every shard", || {
            let Some(now) = ends() else { return false };
            let before = before.get_or_insert_with(|| now.clone());
            now.iter().zip(before).all(|(now, before)| *now > *before)
        })?;
    }
    Ok(())
}

/// Lets processes join and leave so often, in order and by kill -9; at least one stays.
pub(crate) fn rebalances(stand: &Stand, cluster: &Cluster, seed: u64, times: usize) -> (Histogram, Option<Finding>) {
    let (mut random, mut histogram) = (Random(seed), Histogram::new());
    let mut running: BTreeMap<&str, Instance> = BTreeMap::new();
    running.insert("a", stand.start(cluster, "a", None));
    for i in 0..times {
        let outcome = one_rebalance(stand, cluster, &mut random, &mut running, &mut histogram, i);
        if let Err(finding) = outcome {
            return (histogram, Some(finding));
        }
    }
    (histogram, None)
}

fn one_rebalance<'n>(
    stand: &Stand,
    cluster: &Cluster,
    random: &mut Random,
    running: &mut BTreeMap<&'n str, Instance>,
    histogram: &mut Histogram,
    i: usize,
) -> Result<(), Finding> {
    let absent: Vec<&'n str> = ["a", "b", "c"].into_iter().filter(|name| !running.contains_key(name)).collect();
    let joins = running.len() == 1 || (!absent.is_empty() && random.below(2_u64) == 0);
    if joins {
        let name = absent[random.below(absent.len())];
        running.insert(name, stand.start(cluster, name, None));
        count(histogram, format!("join of {} to {}", 1, running.len() - 1));
    } else {
        let names: Vec<&'n str> = running.keys().copied().collect();
        let name = names[random.below(names.len())];
        if let Some(instance) = running.remove(name) {
            if random.below(3_u64) == 0 {
                instance.signal("KILL");
                stand.wait_for_end(instance, KILL)?;
                count(histogram, "leave by kill -9");
            } else {
                instance.end();
                count(histogram, "leave in order");
            }
        }
    }
    // Two of three settle; the next event meets the others in the middle of it.
    if i % 3 == 2 {
        linger(random, 1_500)
    } else {
        stand.wait_until_through(cluster)?
    }
    Ok(())
}

/// Partitions go from one process to another, and back. Nothing is in hand meanwhile, so that no transaction
/// fails: a failed one would make the first process read all its shards again.
pub(crate) fn there_and_back(stand: &mut Stand, cluster: &Cluster) -> Result<(), Finding> {
    let _first = stand.start(cluster, "a", None);
    stand.send(cluster, 300);
    stand.wait_until_through(cluster)?;
    let second = stand.start(cluster, "b", None);
    stand.wait("the second has read the state of a shard", || second.log().contains("shards were restored"))?;
    stand.send(cluster, 300);
    stand.wait_until_through(cluster)?;
    let before = stand.said("a").len();
    second.end();
    stand.wait("partitions come back to the first", || {
        stand.said("a").get(before..).is_some_and(|said| said.lines().any(is_given))
    })?;
    stand.send(cluster, 300);
    stand.wait_until_through(cluster)
}

/// Kills brokers so often, one at a time, and starts them again.
pub(crate) fn broker_kills(
    stand: &Stand,
    cluster: &mut Cluster,
    seed: u64,
    times: usize,
) -> (Histogram, Option<Finding>) {
    let (mut random, mut histogram) = (Random(seed), Histogram::new());
    let running = ["a", "b"].map(|name| stand.start(cluster, name, None));
    let mut outcome = stand.wait_until_through(cluster);
    for i in 0..times {
        if outcome.is_err() {
            break;
        }
        let broker = i % 3;
        cluster.kill(broker);
        // Half of them come back while the others still notice; half after the two have gone on.
        if i % 2 == 0 {
            linger(&mut random, 1_500);
            count(&mut histogram, format!("broker {}, back at once", broker + 1));
        } else {
            outcome = stand.wait_until_through(cluster);
            count(&mut histogram, format!("broker {}, back after the others went on", broker + 1));
        }
        cluster.start_again(broker);
        cluster.wait_until_whole();
        let ours = ["operations", "decisions", "rejected", "state"].map(|name| stand.topics.name(name));
        for topic in ours.iter().map(String::as_str).chain(["__consumer_offsets", "__transaction_state"]) {
            cluster.wait_until_copied(topic);
        }
        outcome = outcome.and_then(|()| stand.wait_until_through(cluster));
    }
    drop(running);
    (histogram, outcome.err())
}

/// A transaction whose time is over while its process is halted, which stays the group's member: everything it
/// had in hand has to be decided again.
pub(crate) fn overdue_transaction(stand: &Stand, cluster: &Cluster, step: &str) -> Option<Finding> {
    let run = || -> Result<(), Finding> {
        let instance = stand.start(cluster, "a", Some(&format!("{step}:stop")));
        stand.wait("the process is halted at the step", || instance.is_stopped())?;
        let before = instance.log().len();
        wait_until_given_up(stand, cluster)?;
        instance.signal("CONT");
        stand.wait("the overdue transaction is refused", || {
            instance.log().get(before..).is_some_and(|said| said.contains("Kafka failed"))
        })?;
        stand.wait_until_through(cluster)?;
        instance.end();
        Ok(())
    };
    run().err()
}

/// Waits until Kafka has given up the transaction that is open in the topic of states.
fn wait_until_given_up(stand: &Stand, cluster: &Cluster) -> Result<(), Finding> {
    let (stable, all) = (ends(stand, cluster, "read_committed"), ends(stand, cluster, "read_uncommitted"));
    stand.wait("no transaction is open any more", || {
        // Nobody writes meanwhile; Kafka may not answer at all.
        matches!((stable(), all()), (Some(stable), Some(all)) if stable == all)
    })
}

/// Asks for the ends of the topic of states; nothing when Kafka does not tell all of them.
fn ends(stand: &Stand, cluster: &Cluster, isolation: &str) -> impl Fn() -> Option<Vec<i64>> {
    let mut config = cluster.client();
    config.set("group.id", "ends").set("isolation.level", isolation);
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let (topic, partitions) = (stand.topics.name("state"), stand.topics.partitions);
    move || {
        let end = |partition| consumer.fetch_watermarks(&topic, partition, Duration::from_secs(5)).ok();
        (0..partitions).map(|partition| end(partition).map(|(_, end)| end)).collect()
    }
}

/// A broker falls silent when a commit is under way: the process cannot know whether it happened.
pub(crate) fn silent_broker(stand: &Stand, cluster: &Cluster, times: usize) -> (Histogram, Option<Finding>) {
    let mut histogram = Histogram::new();
    for i in 0..times {
        let run = || -> Result<(), Finding> {
            let instance = stand.start(cluster, "a", Some(&format!("drained:{}:stop", 1 + i % 4)));
            stand.wait("the process is halted at the step", || instance.is_stopped())?;
            let before = instance.log().len();
            cluster.pause(0);
            instance.signal("CONT");
            // The cluster answers nothing meanwhile: only the log tells.
            let has_noticed = stand.wait("the process notices that Kafka is silent", || {
                let said = instance.log();
                let said = said.get(before..).unwrap_or_default();
                said.contains("Kafka failed") || said.contains("is made again")
            });
            // Whatever came of it, others need the broker.
            cluster.resume(0);
            has_noticed?;
            stand.wait_until_through(cluster)?;
            instance.end();
            Ok(())
        };
        if let Err(finding) = run() {
            return (histogram, Some(finding));
        }
        count(&mut histogram, "silent at a commit");
    }
    (histogram, None)
}
