//! Runs in which Redis is killed or loses everything.
//!
//! Three shipped rules read windows of the shared store, and they only watch (mode `shadow`): what they match
//! places nothing and refuses nothing. Blocks of addresses and of both directions are shared too, but the
//! stand sends no operation that a block of another wallet could reach.
//! So a decision may differ from that of an engine without a shared store in two places only: matches of those
//! rules, and `shared_state` among its missing inputs. Both are taken out before decisions are compared; whether
//! `shared_state` is there is judged apart, by what was known of Redis when the operation was sent.

use std::collections::{BTreeMap, BTreeSet};

use kuzet::operation::Time;
use kuzet::operation::time::{HOUR, MINUTE, Nanos};
use serde_json::Value;

use super::check::{self, Decisions, Finding, Kind, finding, json, value};
use super::runs::{Histogram, count};
use super::stand::Stand;
use crate::cluster::Cluster;
use crate::random::Random;
use crate::server::Server;

/// The rules that read the shared store: two judge logins, one debits.
const RULES: [&str; 3] = ["address-tries-many-wallets", "mule-in-and-out", "one-device-many-wallets"];
/// How far back their windows reach at least.
const REACH_OF_LOGINS: Nanos = HOUR.times(24);
const REACH_OF_DEBITS: Nanos = HOUR;
/// Operations between two events.
const CHUNK: usize = 300;

/// What was known of Redis when operations were sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known {
    /// It holds all there was since the first operation, or since this instant.
    Whole(Option<Time>),
    Away,
    /// It changed meanwhile.
    Open,
}

/// What was sent while something was known of Redis: where it begins in what was sent.
pub(crate) type Phases = Vec<(usize, Known)>;

/// Takes out what may differ without the shared store.
fn without_shared(bytes: &[u8]) -> Value {
    let mut decision = json(bytes);
    if let Some(matches) = decision["matches"].as_array_mut() {
        matches.retain(|matched| !RULES.iter().any(|rule| matched["rule"] == *rule));
    }
    if let Some(degraded) = decision["degraded"].as_array_mut() {
        degraded.retain(|input| input != "shared_state");
    }
    decision
}

pub(crate) fn is_same_but_shared(found: &[u8], expected: &[u8]) -> bool {
    found == expected || without_shared(found) == without_shared(expected)
}

fn is_marked(bytes: &[u8]) -> bool {
    json(bytes)["degraded"].as_array().is_some_and(|inputs| inputs.iter().any(|input| input == "shared_state"))
}

/// Lets Redis fail so often.
pub(crate) fn losses(
    stand: &mut Stand,
    cluster: &Cluster,
    redis: &mut Server,
    (seed, times): (u64, usize),
) -> (Histogram, Phases, Option<Finding>) {
    let (mut random, mut histogram, mut phases) = (Random(seed), Histogram::new(), Phases::new());
    let mut run = || -> Result<(), Finding> {
        let mut instance = stand.start(cluster, "a", None);
        let mut known = Known::Whole(None);
        for i in 0..times {
            step(stand, cluster, &mut phases, known)?;
            match i % 4 {
                0 | 2 => {
                    redis.kill();
                    step(stand, cluster, &mut phases, Known::Away)?;
                    if i % 4 == 2 {
                        instance.signal("KILL");
                        stand.wait_for_end(instance, 9)?;
                        instance = stand.start(cluster, "a", None);
                        step(stand, cluster, &mut phases, Known::Away)?;
                        count(&mut histogram, "kill of Redis, kill of kuzet meanwhile");
                    } else {
                        count(&mut histogram, "kill of Redis");
                    }
                    let rebuilt = rebuilds(stand);
                    redis.start_again();
                    stand.wait("the server is not given its blocks", || rebuilds(stand) > rebuilt)?;
                }
                1 => {
                    phases.push((stand.sent().len(), Known::Open));
                    stand.send(cluster, CHUNK);
                    std::thread::sleep(std::time::Duration::from_millis(random.below(300)));
                    flush(redis);
                    count(&mut histogram, "FLUSHALL under load");
                    stand.wait_until_through(cluster)?;
                }
                _ => {
                    flush(redis);
                    count(&mut histogram, "FLUSHALL at rest");
                }
            }
            known = Known::Whole(newest(stand));
        }
        step(stand, cluster, &mut phases, known)?;
        drop(instance);
        Ok(())
    };
    let outcome = run().err();
    (histogram, phases, outcome)
}

fn step(stand: &mut Stand, cluster: &Cluster, phases: &mut Phases, known: Known) -> Result<(), Finding> {
    phases.push((stand.sent().len(), known));
    stand.send(cluster, CHUNK);
    stand.wait_until_through(cluster)
}

fn rebuilds(stand: &Stand) -> usize {
    stand.said("a").matches("was given its blocks").count()
}

fn flush(redis: &Server) {
    redis::cmd("FLUSHALL").exec(&mut redis.connection()).expect("Redis takes it");
}

fn occurred_at(bytes: &[u8]) -> Time {
    Time::parse_rfc3339(json(bytes)["occurred_at"].as_str().expect("a time")).expect("a time")
}

/// The newest operation so far.
fn newest(stand: &Stand) -> Option<Time> {
    stand.sent().iter().map(|record| occurred_at(record)).max()
}

/// Judges what decisions say of the shared store: `shared_state` is missing where a rule applies and Redis was
/// away, or the rule's windows reach back to before it lost them, and nowhere as long as it never lost any.
pub(crate) fn judge_marks(stand: &Stand, cluster: &Cluster, phases: &Phases) -> (usize, Vec<Finding>) {
    let by_id = |values: &mut dyn Iterator<Item = Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        values.map(|bytes| (check::op_id(&bytes), bytes)).collect()
    };
    let found = check::visible(cluster, &stand.topics);
    let found = by_id(&mut found.values().flatten().map(|record| value(record).to_vec()));
    let expected = by_id(&mut stand.expected().into_values().flatten());
    let (mut findings, mut marked) = (Vec::new(), 0);
    for (index, record) in stand.sent().iter().enumerate() {
        let id = json(record)["op_id"].as_str().expect("an id").to_owned();
        let (Some(found), Some(expected)) = (found.get(&id), expected.get(&id)) else { continue };
        let (is, applies) = (is_marked(found), is_marked(expected));
        marked += usize::from(is);
        let known = phases.iter().rev().find(|(from, _)| *from <= index).map(|(_, known)| *known);
        let at = occurred_at(record);
        let is_login = json(record)["type"] == "login";
        // What may release others asks for the blocks of those that they pay, and for no window: blocks are
        // whole as soon as the server was given them again.
        let releases = ["identity_confirmed", "pin", "wallet_unblock_requested", "seizure_lifted"];
        let reads_windows = !releases.iter().any(|kind| json(record)["type"] == *kind);
        let reach = if is_login { REACH_OF_LOGINS } else { REACH_OF_DEBITS };
        let must = match known {
            Some(Known::Away) => Some(applies),
            Some(Known::Whole(None)) => Some(false),
            Some(Known::Whole(Some(_))) if !reads_windows => Some(false),
            // Some minutes less: the instant is the newest one of what the process held when it noticed.
            Some(Known::Whole(Some(since))) if at.minus(reach) <= since.minus(10 * MINUTE) => Some(applies),
            Some(Known::Whole(_) | Known::Open) | None => (!applies).then_some(false),
        };
        if must.is_some_and(|must| must != is) {
            let text = format!("operation {id}: marked {is}, {known:?}\n  {}", String::from_utf8_lossy(found));
            findings.push(finding(Kind::Different, text));
        }
    }
    (marked, findings)
}

/// Holds what gateways read against the visible decisions: nothing that none of them placed, nothing that was
/// lifted, and everything without an end.
pub(crate) fn judge_directory(redis: &Server, found: &Decisions) -> Vec<Finding> {
    let (mut placed, mut endless) = (BTreeSet::new(), BTreeSet::new());
    let commands = found
        .values()
        .flatten()
        .flat_map(|record| json(value(record))["commands"].as_array().cloned().unwrap_or_default());
    for command in commands {
        let is_shown = command["subject"]["wallet"].is_string() || command["subject"]["ip"].is_string();
        let Some(id) = command["restriction_id"].as_str().filter(|_| is_shown).map(str::to_owned) else { continue };
        match command["command"].as_str() {
            Some("block" | "monitor") => {
                if command["until"].is_null() {
                    endless.insert(id.clone());
                }
                placed.insert(id);
            }
            Some("lift") => {
                placed.remove(&id);
                endless.remove(&id);
            }
            _ => {}
        }
    }
    let mut connection = redis.connection();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("kuzet:restriction:*").query(&mut connection).expect("the keys of gateways");
    let shown: BTreeSet<String> = keys
        .iter()
        .flat_map(|key| redis::cmd("HKEYS").arg(key).query::<Vec<String>>(&mut connection).expect("a hash"))
        .collect();
    let beyond = shown.difference(&placed).map(|id| finding(Kind::Uncommitted, format!("restriction {id} is shown")));
    let missing = endless.difference(&shown).map(|id| finding(Kind::Lost, format!("restriction {id} is not shown")));
    beyond.chain(missing).collect()
}
