//! What a worker of a fleet relies on of Kafka, asked of a real broker and of the one in memory by the same calls:
//! what holds for one holds for the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kuzet::adapters::kafka::port::{
    Change, Cluster, Group, GroupMember, Isolation, Outgoing, Questions, Told, Transactions,
};
use kuzet::adapters::kafka::session::Session;
use kuzet::adapters::kafka::{Failure, KafkaSettings};

/// Enough looks for what takes a moment; there is [`PAUSE`] between two.
const LOOKS: usize = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Where the suite runs.
pub(crate) trait Bench {
    fn cluster(&self) -> Arc<dyn Cluster>;
    /// Returns the settings of a process; topics and group are those of one case, and the topics are there, with one
    /// partition each.
    fn settings(&self, case: &str, instance: &str, transaction: Duration) -> KafkaSettings;
    fn sleep(&self, time: Duration);
}

/// One promise, tried on a bench.
type Promise = fn(&dyn Bench);

/// Every promise with the name of its topics.
pub(crate) const CASES: [(&str, Promise); 7] = [
    ("commit", a_commit_is_seen_whole_with_its_offsets),
    ("abort", what_is_aborted_is_seen_by_nobody_who_reads_committed),
    ("fenced", who_is_fenced_commits_nothing),
    ("stable", an_open_transaction_holds_the_last_stable_offset),
    ("generation", offsets_of_a_generation_that_is_over_are_refused),
    ("nobody", offsets_without_a_generation_are_taken_from_anybody),
    ("overdue", an_overdue_transaction_is_over),
];

const LONG: Duration = Duration::from_secs(60);

struct Case<'b> {
    bench: &'b dyn Bench,
    name: &'static str,
    questions: Box<dyn Questions>,
}

impl<'b> Case<'b> {
    fn new(bench: &'b dyn Bench, name: &'static str) -> Self {
        let questions = bench.cluster().questions(&bench.settings(name, "questions", LONG)).expect("questions");
        Self { bench, name, questions }
    }

    fn settings(&self, instance: &str) -> KafkaSettings {
        self.bench.settings(self.name, instance, LONG)
    }

    fn session(&self, instance: &str) -> Session {
        Session::begin(&*self.bench.cluster(), &self.settings(instance)).expect("a session")
    }

    /// Waits until a question has this answer.
    fn until<T: PartialEq + std::fmt::Debug>(&self, expected: &T, question: impl Fn(&Self) -> T) {
        let mut found = question(self);
        for _ in 0..LOOKS {
            if found == *expected {
                return;
            }
            self.bench.sleep(PAUSE);
            found = question(self);
        }
        assert_eq!(found, *expected, "{}", self.name);
    }

    /// Reads the decisions from their beginning.
    fn read(&self, isolation: Isolation) -> Vec<String> {
        let (topic, mut found) = (self.settings("questions").topics.decisions, Vec::new());
        let read = self.questions.read(isolation, &topic, &[(0, 0)], &mut |record| {
            found.push(String::from_utf8(record.value().expect("a value").to_vec()).expect("UTF-8"));
        });
        read.expect("the topic is read");
        found
    }

    fn marks(&self, isolation: Isolation) -> (i64, i64) {
        self.questions.marks(isolation, &self.settings("questions").topics.decisions, 0).expect("offsets")
    }

    /// Asks for the group's offset of operations; the outer one is missing while it is not told.
    fn offset(&self) -> Option<Option<i64>> {
        let topic = self.settings("questions").topics.operations;
        let told = self.questions.offsets(Isolation::Committed, &topic, &[0], Duration::from_millis(500));
        match told.expect("Kafka does not refuse") {
            Told::Now(told) => Some(told.get(&0).copied()),
            Told::NotYet(_) => None,
        }
    }

    /// Joins the group, and waits until the partition is this member's.
    fn join(&self, instance: &str) -> (Arc<dyn GroupMember>, Group) {
        let member = self.bench.cluster().join(&self.settings(instance), Isolation::Committed).expect("a member");
        for _ in 0..LOOKS {
            drop(member.poll(PAUSE));
            if matches!(member.change(), Some(Change::Assigned(partitions)) if partitions == [0]) {
                let group = member.group().expect("the group is there").expect("a generation");
                return (member, group);
            }
        }
        panic!("{}: no partition is assigned", self.name);
    }
}

fn send(producer: &dyn Transactions, settings: &KafkaSettings, values: &[&str]) {
    producer.begin().expect("a transaction");
    for value in values {
        let (topic, key, value) = (settings.topics.decisions.as_str(), Some(&b"k"[..]), Some(value.as_bytes()));
        producer.send(&Outgoing { topic, partition: 0, key, value, headers: &[] }).expect("room");
    }
    producer.drain().expect("records are taken");
}

fn send_offset(
    producer: &dyn Transactions,
    settings: &KafkaSettings,
    offset: i64,
    group: &Group,
) -> Result<(), Failure> {
    producer.send_offsets(&settings.topics.operations, &[(0, offset)], group)
}

fn a_commit_is_seen_whole_with_its_offsets(bench: &dyn Bench) {
    let case = Case::new(bench, "commit");
    let settings = case.settings("a");
    let ((_member, group), mut session) = (case.join("a"), case.session("a"));
    let producer = session.next_producer();
    send(producer, &settings, &["one", "two"]);
    send_offset(producer, &settings, 7, &group).expect("offsets are taken");
    assert_eq!((case.read(Isolation::Committed), case.offset()), (Vec::new(), None));
    producer.commit().expect("a commit");
    case.until(&vec!["one".to_owned(), "two".to_owned()], |case| case.read(Isolation::Committed));
    case.until(&Some(Some(7)), Case::offset);
}

fn what_is_aborted_is_seen_by_nobody_who_reads_committed(bench: &dyn Bench) {
    let case = Case::new(bench, "abort");
    let settings = case.settings("a");
    let ((_member, group), mut session) = (case.join("a"), case.session("a"));
    let producer = session.next_producer();
    send(producer, &settings, &["aborted"]);
    send_offset(producer, &settings, 7, &group).expect("offsets are taken");
    producer.abort().expect("an abort");
    let next = session.next_producer();
    send(next, &settings, &["kept"]);
    next.commit().expect("a commit");
    case.until(&vec!["kept".to_owned()], |case| case.read(Isolation::Committed));
    case.until(&Some(None), Case::offset);
    assert_eq!(case.read(Isolation::Uncommitted), ["aborted", "kept"]);
    // A marker takes an offset of its own.
    case.until(&(0, 4), |case| case.marks(Isolation::Committed));
}

fn who_is_fenced_commits_nothing(bench: &dyn Bench) {
    let case = Case::new(bench, "fenced");
    let settings = case.settings("a");
    let mut zombie = case.session("a");
    let zombie = zombie.next_producer();
    send(zombie, &settings, &["of the zombie"]);
    let mut successor = case.session("a");
    let failure = zombie.commit().expect_err("a fenced producer cannot commit");
    assert!(failure.is_fenced() && !failure.is_unknown(), "{failure:?}");
    let successor = successor.next_producer();
    send(successor, &settings, &["of the successor"]);
    successor.commit().expect("a commit");
    case.until(&vec!["of the successor".to_owned()], |case| case.read(Isolation::Committed));
}

fn an_open_transaction_holds_the_last_stable_offset(bench: &dyn Bench) {
    let case = Case::new(bench, "stable");
    let settings = case.settings("a");
    let (mut one, mut other) = (case.session("a"), case.session("b"));
    let (one, other) = (one.next_producer(), other.next_producer());
    send(one, &settings, &["open"]);
    send(other, &settings, &["done"]);
    other.commit().expect("a commit");
    // The open record is offset 0, the other one 1, its marker 2.
    case.until(&(0, 3), |case| case.marks(Isolation::Uncommitted));
    assert_eq!((case.marks(Isolation::Committed), case.read(Isolation::Committed)), ((0, 0), Vec::new()));
    assert_eq!(case.read(Isolation::Uncommitted), ["open", "done"]);
    one.abort().expect("an abort");
    case.until(&(0, 4), |case| case.marks(Isolation::Committed));
    assert_eq!(case.read(Isolation::Committed), ["done"]);
}

fn offsets_of_a_generation_that_is_over_are_refused(bench: &dyn Bench) {
    let case = Case::new(bench, "generation");
    let settings = case.settings("a");
    let ((member, group), mut session) = (case.join("a"), case.session("a"));
    let producer = session.next_producer();
    send(producer, &settings, &["of a member that left"]);
    drop(member);
    let (_next, of_next) = case.join("b");
    let failure = send_offset(producer, &settings, 7, &group).expect_err("the generation is over");
    assert!(matches!(failure, Failure::Stale { .. }), "{failure:?}");
    producer.abort().expect("an abort");
    let producer = session.next_producer();
    send(producer, &settings, &["of the next"]);
    send_offset(producer, &settings, 8, &of_next).expect("offsets are taken");
    producer.commit().expect("a commit");
    case.until(&vec!["of the next".to_owned()], |case| case.read(Isolation::Committed));
    case.until(&Some(Some(8)), Case::offset);
}

fn offsets_without_a_generation_are_taken_from_anybody(bench: &dyn Bench) {
    let case = Case::new(bench, "nobody");
    let settings = case.settings("a");
    let (_member, _) = case.join("a");
    let mut session = case.session("b");
    let producer = session.next_producer();
    send(producer, &settings, &["of a stranger"]);
    let nobody = bench.cluster().group_of_nobody(&settings).expect("a group").expect("a group");
    send_offset(producer, &settings, 5, &nobody).expect("offsets are taken");
    producer.commit().expect("a commit");
    case.until(&Some(Some(5)), Case::offset);
}

fn an_overdue_transaction_is_over(bench: &dyn Bench) {
    let case = Case::new(bench, "overdue");
    let settings = bench.settings("overdue", "a", Duration::from_secs(1));
    let mut session = Session::begin(&*bench.cluster(), &settings).expect("a session");
    let producer = session.next_producer();
    send(producer, &settings, &["too late"]);
    // The broker looks for such transactions every ten seconds.
    case.until(&(0, 2), |case| case.marks(Isolation::Committed));
    let failure = producer.commit().expect_err("its time is over");
    assert!(!failure.is_unknown(), "{failure:?}");
    assert_eq!(case.read(Isolation::Committed), Vec::<String>::new());
    let told: BTreeMap<&str, usize> = BTreeMap::from([("uncommitted", case.read(Isolation::Uncommitted).len())]);
    assert_eq!(told["uncommitted"], 1);
}
