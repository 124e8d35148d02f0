//! Deliberate mistakes of the commit and of the restoration, each with the run that must find it and by what.

use std::time::Duration;

use super::check::Kind::{Different, Doubled, Halted, Lost, NotHalted, Sequence, Uncommitted};
use super::check::{self, Finding, Kind, finding};
use super::runs::{self, Wake};
use super::shared::judge_directory;
use super::stand::{Settings, Stand};
use super::tamper::tamper;
use crate::cluster::Cluster;
use crate::fleet;
use crate::random::Random;
use crate::server::Server;

/// What brings a mistake to light.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Run {
    /// A process is killed at a step, and another begins.
    Kill(&'static str),
    /// A process is halted at a step until another has taken over, and wakes.
    Stop(&'static str, Wake),
    /// A process is halted at a step for longer than its transaction may take.
    Overdue(&'static str),
    /// A broker falls silent at a commit.
    Silence,
    /// A partition is taken over by another process, and comes back.
    Back,
    /// A shard's state is written as a whole, and the process killed.
    Round,
    /// With Redis, a process is killed before a commit.
    Shared,
    /// Somebody tampers with a shard.
    Tamper,
}

/// One mistake.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    run: Run,
    /// It counts as found when one of these is.
    pub(crate) signs: &'static [Kind],
}

const fn mistake(name: &'static str, run: Run, signs: &'static [Kind]) -> Mistake {
    Mistake { name, run, signs }
}

pub(crate) const MISTAKES: [Mistake; 17] = [
    mistake("state-kept", Run::Overdue("drained:4"), &[Lost, Sequence]),
    mistake("seek-skipped", Run::Overdue("drained:4"), &[Lost]),
    mistake("shard-kept", Run::Back, &[Doubled]),
    mistake("commit-repeated", Run::Silence, &[Doubled]),
    mistake("stale-meta", Run::Kill("committed:3"), &[Halted]),
    mistake("offsets-after", Run::Kill("committed:3"), &[Halted]),
    mistake("offsets-before", Run::Kill("drained:3"), &[Halted]),
    mistake("generation-skipped", Run::Stop("begun:3:stop", Wake::Late), &[Doubled]),
    mistake("open-transactions-ignored", Run::Stop("drained:3:stop", Wake::Early(Duration::from_secs(6))), &[Doubled]),
    mistake("state-uncommitted", Run::Kill("drained:3"), &[Halted]),
    mistake("sequence-not-restored", Run::Kill("shown:3"), &[Sequence]),
    mistake("journals-forgotten", Run::Kill("shown:6"), &[Halted]),
    mistake("round-forgotten", Run::Round, &[Halted]),
    mistake("overlap-dropped", Run::Round, &[Different]),
    mistake("shared-before-commit", Run::Shared, &[Uncommitted]),
    mistake("checks-skipped", Run::Tamper, &[NotHalted]),
    mistake("after-failure-kept", Run::Overdue("drained:4"), &[Lost, Sequence, Halted]),
];

/// The transaction's time is over long before the session's.
pub(crate) fn overdue_settings(fault: Option<&'static str>) -> Settings {
    Settings {
        session_timeout: Duration::from_secs(60),
        transaction_timeout: Duration::from_secs(2),
        fault,
        ..Settings::default()
    }
}

/// A commit is given up soon.
pub(crate) fn silent_settings(fault: Option<&'static str>) -> Settings {
    overdue_settings(fault)
}

/// Makes the mistake and returns what is found, and what processes said.
pub(crate) fn run(cluster: &Cluster, mistake: &Mistake) -> (Vec<Finding>, String) {
    let fault = Some(mistake.name);
    let settings = match mistake.run {
        Run::Overdue(_) => overdue_settings(fault),
        Run::Silence => silent_settings(fault),
        // Sessions must not end by themselves here.
        Run::Back => Settings { session_timeout: Duration::from_secs(20), fault, ..Settings::default() },
        Run::Tamper => Settings { partitions: 3, fault, ..Settings::default() },
        Run::Round => Settings { partitions: 1, batch_max: 50, fault, ..Settings::default() },
        Run::Kill(_) | Run::Stop(..) | Run::Shared => Settings { fault, ..Settings::default() },
    };
    let mut stand = Stand::new(cluster, &format!("mistake-{}", mistake.name), 7, settings);
    let findings = match mistake.run {
        Run::Shared => uncommitted_restriction(&mut stand, cluster),
        Run::Tamper => tamper(&mut stand, cluster).unwrap_or_else(|broke_off| vec![broke_off]),
        Run::Back => {
            let broke_off = runs::there_and_back(&mut stand, cluster).err();
            stand.judge(cluster, broke_off)
        }
        Run::Round => {
            let broke_off = round(&mut stand, cluster).err();
            stand.judge(cluster, broke_off)
        }
        run => {
            stand.begin_load(cluster);
            let broke_off = under_load(&stand, cluster, run);
            stand.judge(cluster, broke_off)
        }
    };
    (findings, stand.logs())
}

fn under_load(stand: &Stand, cluster: &Cluster, run: Run) -> Option<Finding> {
    match run {
        Run::Kill(step) => {
            let instance = stand.start(cluster, "a", Some(step));
            let killed = stand.wait_for_end(instance, 6);
            killed.and_then(|()| {
                let _again = stand.start(cluster, "a", None);
                stand.wait_until_through(cluster)
            })
        }
        .err(),
        Run::Stop(step, wake) => {
            let partner = stand.start(cluster, "b", None);
            let stopped = stand
                .wait_until_through(cluster)
                .and_then(|()| runs::stop_once(stand, cluster, Some(step), wake, &mut Random(1)));
            drop(partner);
            stopped.err()
        }
        Run::Overdue(step) => runs::overdue_transaction(stand, cluster, step),
        Run::Silence => runs::silent_broker(stand, cluster, 4).1,
        Run::Back | Run::Round | Run::Shared | Run::Tamper => None,
    }
}

/// Enough operations for several rounds of the checkpoint, then a kill and operations that need what is in them.
fn round(stand: &mut Stand, cluster: &Cluster) -> Result<(), Finding> {
    let instance = stand.start(cluster, "a", None);
    stand.send(cluster, 6_000);
    stand.wait_until_through(cluster)?;
    instance.signal("KILL");
    stand.wait_for_end(instance, 9)?;
    stand.send(cluster, 1_000);
    Ok(())
}

/// A process dies right before the commit of a decision that restricts a wallet: gateways must not know of it.
/// The next process decides it, and then they must.
pub(crate) fn uncommitted_restriction(stand: &mut Stand, cluster: &Cluster) -> Vec<Finding> {
    let redis = Server::start();
    stand.configure_more(&format!("[redis]\nurl = \"{}\"\n", redis.url()));
    let dispute =
        br#"{"op_id":"d","type":"ownership_disputed","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"77010000001"}"#;
    fleet::send(cluster, &stand.topics, &[dispute.to_vec()]);
    let directory = |stand: &Stand| judge_directory(&redis, &check::visible(cluster, &stand.topics));
    let run = || -> Result<Vec<Finding>, Finding> {
        let instance = stand.start(cluster, "a", Some("drained:1"));
        stand.wait_for_end(instance, 6)?;
        let mut findings = directory(stand);
        let _again = stand.start(cluster, "a", None);
        stand.wait_until_through(cluster)?;
        stand.wait("gateways are not told", || directory(stand).is_empty())?;
        if check::visible(cluster, &stand.topics).values().map(Vec::len).sum::<usize>() != 1 {
            findings.push(finding(Lost, "the restriction was not decided once"));
        }
        Ok(findings)
    };
    run().unwrap_or_else(|broke_off| vec![broke_off])
}
