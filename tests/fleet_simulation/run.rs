//! One run: a fleet under load, faults at times that the seed chooses, then calm, a last process, and the judge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kuzet::adapters::kafka::{KafkaSettings, Topics};
use kuzet::adapters::runtime::{Scheduler as _, simulate};
use kuzet::engine::plan::Settings;
use kuzet::operation::partition::Partitioner;
use kuzet::operation::time::MINUTE;
use kuzet::rules::program::RuleSet;
use kuzet::service::kafka::FleetSettings;
use kuzet::service::kafka::simulated::{self, Controls};

use super::judge::{Finding, Kind, finding, judge};
use super::{DECISIONS, OPERATIONS, REJECTED, STATE, load};
use crate::simulation::broker::Broker;
use crate::simulation::turns::{Deed, Process, World};
use crate::steps::COMMIT;

const PARTITIONS: i32 = 3;
const SESSION: Duration = Duration::from_secs(3);
/// A transaction may be open for less than two sessions, or for much longer.
const TRANSACTIONS: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(25)];
/// After faults are over everything is decided within so long.
const CALM: Duration = Duration::from_secs(240);
/// Steps at which a process may be killed, beside those of a batch.
const OTHERS: [&str; 7] =
    ["sent-marks", "marked", "session", "restore-offsets", "restore-stable", "restore-states", "restored"];

/// What a run is to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    /// The mistake that every process makes.
    pub(crate) mistake: Option<&'static str>,
    /// So many batches that whole rounds of the checkpoint end.
    pub(crate) is_long: bool,
}

/// How much comes, and in how small pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Little,
    Much,
    /// Of many batches.
    Long,
}

/// What became of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) findings: Vec<Finding>,
    /// How often each fault happened.
    pub(crate) happened: BTreeMap<&'static str, u64>,
    /// Equal for equal runs.
    pub(crate) trace: u64,
}

struct Instance {
    name: String,
    process: Process,
    controls: Controls,
}

struct Fleet<'s> {
    scenario: &'s Scenario,
    world: Arc<World>,
    test: Process,
    broker: Arc<Broker>,
    sets: [Arc<RuleSet>; 2],
    /// Which of them is in force.
    set: usize,
    instances: Vec<Instance>,
    /// When an instance begins again: by name, in nanoseconds.
    again: BTreeMap<String, u64>,
    sent: Vec<Vec<u8>>,
    number: u64,
    transaction: Duration,
    load: Load,
    /// So many times more partitions move: a thread that takes long is to meet that.
    moves: u64,
    happened: BTreeMap<&'static str, u64>,
    findings: Vec<Finding>,
    /// Why workers ended that nobody told to.
    reasons: Arc<Mutex<Vec<String>>>,
}

fn rule_sets() -> [Arc<RuleSet>; 2] {
    static SETS: std::sync::OnceLock<[Arc<RuleSet>; 2]> = std::sync::OnceLock::new();
    SETS.get_or_init(|| [load::rules(false), load::rules(true)]).clone()
}

/// Runs a seed.
pub(crate) fn run(seed: u64, scenario: &Scenario) -> Outcome {
    let (world, test) = World::new(seed);
    let broker = Broker::new(&world, &[OPERATIONS, DECISIONS, REJECTED, STATE], PARTITIONS, SESSION);
    let mut fleet = Fleet {
        scenario,
        world: Arc::clone(&world),
        test: test.clone(),
        broker,
        sets: rule_sets(),
        set: 0,
        instances: Vec::new(),
        again: BTreeMap::new(),
        sent: Vec::new(),
        number: 0,
        transaction: TRANSACTIONS[usize::try_from(world.below(2)).expect("0 or 1")],
        load: match world.below(40) {
            _ if scenario.is_long => Load::Long,
            0 => Load::Long,
            1..=4 => Load::Much,
            _ => Load::Little,
        },
        moves: 0,
        happened: BTreeMap::new(),
        findings: Vec::new(),
        reasons: Arc::default(),
    };
    simulate(Arc::new(test), || fleet.live());
    let Fleet { findings, happened, .. } = fleet;
    Outcome { findings, happened, trace: world.trace() }
}

impl Fleet<'_> {
    fn live(&mut self) {
        self.start("a");
        if self.world.below(2) == 0 {
            self.start("b");
        }
        for _ in 0..3 + self.world.below(6) {
            let times = match self.load {
                Load::Little => 1,
                Load::Much => 8,
                Load::Long => 30,
            };
            self.send(times * (1 + self.world.below(12)));
            self.pass(self.world.below(1_500));
            self.act();
        }
        self.broker.leave_unanswered(0);
        self.settle_down();
        if self.findings.is_empty() {
            self.hand_on();
        }
        let is_stuck = self.findings.iter().any(|found| matches!(found.kind, Kind::Stuck | Kind::Halted));
        let judged = judge(&self.broker, PARTITIONS, &self.sets);
        // What a run that broke off did not decide is not lost.
        self.findings.extend(judged.into_iter().filter(|found| !is_stuck || found.kind != Kind::Lost));
        self.world.end();
        let faults = self.world.faults();
        self.findings.extend(faults.into_iter().map(|fault| finding(Kind::Fault, fault)));
    }

    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    fn settings(&self, name: &str, process: &Process) -> FleetSettings {
        let topics = Topics {
            operations: OPERATIONS.to_owned(),
            decisions: DECISIONS.to_owned(),
            rejected: REJECTED.to_owned(),
            state: STATE.to_owned(),
        };
        let (brokers, group, instance) = (String::new(), "kuzet".to_owned(), name.to_owned());
        let (properties, transaction_timeout) = (Vec::new(), self.transaction);
        FleetSettings {
            workers: 1,
            cluster: self.broker.access(process),
            kafka: KafkaSettings { brokers, group, instance, topics, transaction_timeout, properties },
            redis: None,
            pending_changes_max: 1_000,
            engine: Settings::default(),
            future_skew_max: 5 * MINUTE,
            partitioner: Partitioner::Murmur2,
            batch_max: match self.load {
                Load::Long => 2,
                _ => 1 + usize::try_from(self.world.below(12)).expect("a small number"),
            },
            batch_linger: Duration::ZERO,
            has_cloudevents: false,
            // States are written as a whole every few batches.
            journal_bytes_min: 512,
        }
    }

    fn start(&mut self, name: &str) {
        let process = self.world.process(name, self.scenario.mistake);
        let settings = self.settings(name, &process);
        let (controls, told) = simulated::controls();
        let (rules, own, reasons) = (Arc::clone(&self.sets[self.set]), process.clone(), Arc::clone(&self.reasons));
        process.start(move || {
            let ended = simulated::run(settings, &rules, told);
            own.ended();
            reasons.lock().unwrap_or_else(PoisonError::into_inner).extend(ended.err());
        });
        self.instances.push(Instance { name: name.to_owned(), process, controls });
    }

    fn send(&mut self, count: u64) {
        for _ in 0..count {
            self.number += 1;
            let (partition, key, value) = load::operation(&self.world, PARTITIONS, self.number, &self.sent);
            self.broker.append(OPERATIONS, partition, &key, &value);
            self.sent.push(value);
        }
    }

    /// Lets so many milliseconds pass. Whoever ended begins again when it is time.
    fn pass(&mut self, millis: u64) {
        self.test.sleep(Duration::from_millis(millis));
        self.look();
    }

    fn look(&mut self) {
        if self.moves > 0 {
            self.moves -= 1;
            self.broker.rebalance();
        }
        for instance in &self.instances {
            let trouble = instance.controls.trouble().filter(|trouble| trouble.starts_with("halted"));
            let found = trouble.map(|trouble| finding(Kind::Halted, format!("{}: {trouble}", instance.name)));
            self.findings.extend(found.filter(|found| !self.findings.contains(found)));
        }
        let now = self.world.nanos();
        let (over, going) = std::mem::take(&mut self.instances).into_iter().partition(|one| one.process.is_over());
        self.instances = going;
        let over: Vec<Instance> = over;
        for instance in over {
            let after = self.world.below(5_000) * 1_000_000;
            self.again.insert(instance.name, now + after);
        }
        let due: Vec<String> = self.again.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.again.remove(&name);
            self.start(&name);
        }
    }

    fn act(&mut self) {
        let chosen = self.world.below(self.instances.len().max(1) as u64);
        let chosen = usize::try_from(chosen).expect("few instances");
        let process = self.instances.get(chosen).map(|instance| instance.process.clone());
        match (self.world.below(16), process) {
            (0..=2, Some(process)) => {
                process.kill_in(1 + self.world.below(80));
                self.count("kill at any turn");
            }
            (3..=6, Some(process)) => {
                let steps = [&COMMIT[..], &OTHERS].concat();
                let step = steps[usize::try_from(self.world.below(steps.len() as u64)).expect("few steps")];
                let time = Duration::from_millis(self.world.below(9_000));
                let (deed, what) = match self.world.below(3) {
                    0 => (Deed::Kill, "kill at a step"),
                    1 => (Deed::Halt(time), "halt at a step"),
                    _ => (Deed::Stall(time), "stall at a step"),
                };
                if what == "stall at a step" {
                    self.moves = self.world.below(20);
                }
                process.plan(step, 1 + self.world.below(3), deed);
                self.count(what);
            }
            (7, Some(process)) => {
                process.halt(Duration::from_millis(self.world.below(9_000)));
                self.count("halt");
            }
            (8, _) => {
                self.instances.get(chosen).iter().for_each(|instance| instance.controls.stop());
                self.count("orderly end");
            }
            (9, _) if self.instances.len() + self.again.len() < 4 => {
                let name = ["a", "b", "c", "d"]
                    .into_iter()
                    .find(|name| self.instances.iter().all(|one| one.name != *name) && !self.again.contains_key(*name));
                if let Some(name) = name {
                    self.start(name);
                    self.count("join");
                }
            }
            (10 | 11, _) => {
                self.broker.go_away(Duration::from_millis(self.world.below(9_000)));
                self.count("brokers away");
            }
            (12, _) => {
                self.broker.rebalance();
                self.count("rebalance");
            }
            (13, _) => {
                self.broker.compact(STATE);
                self.count("compaction");
            }
            (14, _) => {
                self.set = 1 - self.set;
                let set = Arc::clone(&self.sets[self.set]);
                self.instances.iter().for_each(|instance| instance.controls.switch(&set));
                self.count("reload");
            }
            (15, _) => {
                self.broker.leave_unanswered(300);
                self.count("commits unanswered");
            }
            _ => {}
        }
    }

    /// Waits until everything is decided; somebody is always there to do it.
    fn settle_down(&mut self) {
        let until = self.test.now() + CALM;
        while !self.broker.is_through(OPERATIONS) {
            self.pass(250);
            if self.instances.is_empty() && self.again.is_empty() {
                self.start("a");
            }
            if self.findings.iter().any(|found| found.kind == Kind::Halted) {
                return;
            }
            if self.test.now() > until {
                let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let told: Vec<Option<String>> = self.instances.iter().map(|one| one.controls.trouble()).collect();
                self.findings
                    .push(finding(Kind::Stuck, format!("{told:?}; ended: {reasons:?}; {}", self.broker.describe())));
                return;
            }
        }
    }

    /// All end, by themselves or killed; another process makes something of what they left, and goes on.
    fn hand_on(&mut self) {
        for instance in &self.instances {
            if self.world.below(2) == 0 { instance.process.kill() } else { instance.controls.stop() }
        }
        while self.instances.iter().any(|one| !one.process.is_over()) {
            self.test.sleep(Duration::from_millis(100));
        }
        self.instances.clear();
        self.again.clear();
        self.start("z");
        self.send(8);
        self.settle_down();
    }
}
