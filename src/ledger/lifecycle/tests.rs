//! Decisions written by hand: what of them fits together, and what does not.

use serde_json::{Value, json};

use crate::ledger::Checker;

/// Decisions on operations of one wallet.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    commands: u128,
}

fn uuid(number: u128) -> String {
    uuid::Uuid::from_u128(number).to_string()
}

/// The instant of a minute of the day.
fn minute(minute: u32) -> String {
    format!("2026-11-22T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

const DOCUMENT: [&str; 2] = ["identity_document", "mobile_contract"];

fn block(rule: &str, restriction: u128, until: Option<u32>) -> Value {
    let until = until.map(minute);
    json!({"command": "block", "rule": rule, "subject": {"wallet": "W"}, "direction": "debit",
           "restriction_id": uuid(restriction), "until": until, "lifted_by": DOCUMENT})
}

fn monitor(rule: &str, restriction: u128) -> Value {
    json!({"command": "monitor", "rule": rule, "subject": {"wallet": "W"},
           "restriction_id": uuid(restriction), "until": null, "lifted_by": DOCUMENT})
}

fn hold(rule: &str, restriction: u128, op_id: &str) -> Value {
    json!({"command": "hold", "rule": rule, "subject": {"operation": op_id},
           "restriction_id": uuid(restriction), "until": null, "lifted_by": DOCUMENT})
}

fn lift(rule: &str, restriction: u128, subject: Value) -> Value {
    json!({"command": "lift", "rule": rule, "subject": subject,
           "restriction_id": uuid(restriction), "reason": "identity_document"})
}

fn let_go(kind: &str, rule: &str, op_id: &str) -> Value {
    json!({"command": kind, "rule": rule, "subject": {"operation": op_id}})
}

impl Told {
    /// One more decision; every rule that it names is enforced.
    fn tell(mut self, at: u32, kind: &str, op_id: &str, rules: &[&str], commands: Vec<Value>) -> Self {
        let has = |name: &str| commands.iter().any(|command| command["command"] == name);
        let verdict = if has("refuse") {
            "refuse"
        } else if has("hold") {
            "hold"
        } else {
            "allow"
        };
        let matches: Vec<Value> =
            rules.iter().map(|rule| json!({"rule": rule, "clauses": [], "mode": "enforce", "evidence": {}})).collect();
        let mut numbered = Vec::new();
        for mut command in commands {
            self.commands += 1;
            command["command_id"] = uuid(0x1_0000 + self.commands).into();
            command["clauses"] = json!([]);
            numbered.push(command);
        }
        let id = uuid(0x2_0000 + u128::try_from(self.lines.len()).expect("a small number"));
        let decision = json!({"decision_id": id, "op_id": op_id, "wallet_id": "W", "type": kind,
            "occurred_at": minute(at), "verdict": verdict, "matches": matches, "commands": numbered,
            "late": false, "degraded": [], "ruleset": "b1946ac92492"});
        self.lines.push(decision.to_string());
        self
    }

    /// The codes of what is found.
    fn found(&self) -> Vec<&'static str> {
        let (mut checker, mut found) = (Checker::default(), Vec::new());
        for (number, line) in (1..).zip(&self.lines) {
            checker.check_bare(number, line.as_bytes(), None, &mut found);
        }
        let _totals = checker.finish(&mut found);
        found.iter().map(|finding| finding.code).collect()
    }
}

/// A block of an hour from the minute 0 on.
fn blocked() -> Told {
    Told::default().tell(0, "login", "l1", &["r"], vec![block("r", 1, Some(60))])
}

#[test]
fn a_restriction_that_is_commanded_again_with_a_later_end_is_extended() {
    let extended = || blocked().tell(10, "login", "l2", &["r"], vec![block("r", 1, Some(70))]);
    let refuse = json!({"command": "refuse", "rule": "r", "subject": {"operation": "p"}, "restriction_id": uuid(1)});
    assert_eq!(extended().tell(65, "payment", "p", &[], vec![refuse]).found(), [""; 0]);
    assert_eq!(extended().tell(65, "payment", "p", &[], vec![]).found(), ["let-through"]);
    let forever = extended().tell(20, "login", "l3", &["r"], vec![block("r", 1, None)]);
    assert_eq!(forever.found(), [""; 0]);
    // Without another command the rule only fires.
    assert_eq!(blocked().tell(10, "login", "l2", &["r"], vec![]).found(), [""; 0]);
}

#[test]
fn an_extension_changes_nothing_but_the_end_and_that_for_later() {
    let again = |at, command: Value| blocked().tell(at, "login", "l2", &["r", "s"], vec![command]).found();
    assert_eq!(again(10, block("r", 1, Some(60))), ["extension"]);
    assert_eq!(again(10, block("r", 1, Some(50))), ["extension"]);
    assert_eq!(again(60, block("r", 1, Some(120))), ["extension"], "it has ended");
    assert_eq!(again(10, block("s", 1, Some(70))), ["extension"], "another rule's");
    let mut by_others = block("r", 1, Some(70));
    by_others["lifted_by"] = json!(["agreed"]);
    assert_eq!(again(10, by_others), ["extension"]);
    let wallet = json!({"wallet": "W"});
    let lifted = blocked().tell(5, "identity_confirmed", "i", &[], vec![lift("r", 1, wallet)]);
    assert_eq!(lifted.tell(10, "login", "l2", &["r"], vec![block("r", 1, Some(70))]).found(), ["placed-twice"]);
}

#[test]
fn a_rule_has_one_restriction_of_a_kind_at_a_time() {
    let second = |at| blocked().tell(at, "login", "l2", &["r"], vec![block("r", 2, Some(at + 60))]).found();
    assert_eq!(second(59), ["placed-beside"]);
    assert_eq!(second(60), [""; 0], "the first has ended");
    assert_eq!(blocked().tell(5, "login", "l2", &["s"], vec![block("s", 2, Some(65))]).found(), [""; 0]);
    assert_eq!(blocked().tell(5, "login", "l2", &["r"], vec![monitor("r", 2)]).found(), [""; 0]);
}

#[test]
fn the_block_of_an_address_is_extended_by_whoever_fires_its_rule() {
    let of_address = |until| {
        let mut block = block("r", 1, Some(until));
        block["subject"] = json!({"ip": "95.56.234.10"});
        block["direction"] = "login".into();
        vec![block]
    };
    let told = Told::default().tell(0, "login", "l1", &["r"], of_address(60));
    // In another partition the later one may stand first.
    assert_eq!(told.tell(10, "login", "l2", &["r"], of_address(50)).found(), [""; 0]);
    let told = Told::default().tell(0, "login", "l1", &["r"], of_address(60));
    assert_eq!(told.tell(1, "login", "l2", &["r"], vec![block("r", 1, Some(70))]).found(), ["placed-twice"]);
}

#[test]
fn what_lies_before_the_rule_fired_last_lifts_nothing() {
    let wallet = || json!({"wallet": "W"});
    let confirmed = |at| {
        blocked().tell(10, "login", "l2", &["r"], vec![]).tell(
            at,
            "identity_confirmed",
            "i",
            &[],
            vec![lift("r", 1, wallet())],
        )
    };
    assert_eq!(confirmed(9).found(), ["lifted-early"]);
    assert_eq!(confirmed(10).found(), [""; 0]);
    let held = || Told::default().tell(10, "payment", "p", &["r"], vec![hold("r", 1, "p")]);
    let commands = || vec![lift("r", 1, json!({"operation": "p"})), let_go("release", "r", "p")];
    assert_eq!(held().tell(9, "identity_confirmed", "i", &[], commands()).found(), ["lifted-early"]);
    assert_eq!(held().tell(10, "identity_confirmed", "i", &[], commands()).found(), [""; 0]);
    // What fired later may stay when another goes.
    let two = || {
        let told = Told::default().tell(0, "login", "l1", &["r"], vec![monitor("r", 1)]);
        told.tell(10, "login", "l2", &["s"], vec![monitor("s", 2)])
    };
    let one = |at| two().tell(at, "identity_confirmed", "i", &[], vec![lift("r", 1, wallet())]).found();
    assert_eq!(one(5), [""; 0]);
    assert_eq!(one(10), ["left-in-force"]);
}

/// Held, then blocked without an end, then free of its hold.
fn suspended() -> Told {
    let told = Told::default().tell(0, "payment", "p", &["h"], vec![hold("h", 1, "p")]);
    let mut forever = block("b", 2, None);
    forever["lifted_by"] = json!(["client"]);
    let told = told.tell(1, "wallet_block_requested", "b", &["b"], vec![forever]);
    told.tell(2, "identity_confirmed", "i", &[], vec![lift("h", 1, json!({"operation": "p"}))])
}

#[test]
fn an_operation_goes_on_waiting_for_a_block_without_an_end() {
    let mut unblock = lift("b", 2, json!({"wallet": "W"}));
    unblock["reason"] = "client".into();
    assert_eq!(suspended().found(), [""; 0]);
    let unblocked = |commands| suspended().tell(3, "wallet_unblock_requested", "u", &[], commands).found();
    assert_eq!(unblocked(vec![unblock.clone(), let_go("release", "b", "p")]), [""; 0]);
    assert_eq!(unblocked(vec![unblock.clone(), let_go("cancel", "b", "p")]), [""; 0]);
    assert_eq!(unblocked(vec![unblock]), ["left-waiting"]);
    let early = suspended().tell(3, "pin", "n", &[], vec![let_go("release", "b", "p")]);
    assert_eq!(early.found(), ["released-early", "released-early"], "it waits for the block, which is in force");
}

/// A monitoring and two operations that wait for it.
fn monitored() -> Told {
    let told = Told::default().tell(0, "ownership_disputed", "d", &["m"], vec![monitor("m", 1)]);
    let told = told.tell(1, "payment", "p1", &[], vec![hold("m", 1, "p1")]);
    told.tell(2, "payment", "p2", &[], vec![hold("m", 1, "p2")])
}

#[test]
fn the_owner_settles_one_operation() {
    let settled = |commands| monitored().tell(3, "identity_confirmed", "i", &[], commands);
    let first = || settled(vec![let_go("release", "m", "p1")]);
    assert_eq!(first().found(), [""; 0]);
    assert_eq!(settled(vec![let_go("cancel", "m", "p1")]).found(), [""; 0]);
    // Nobody speaks of two at once, and not without a proof that could lift what they wait for.
    let both = settled(vec![let_go("release", "m", "p1"), let_go("release", "m", "p2")]);
    assert_eq!(both.found(), ["released-early", "released-early"]);
    let again = monitored().tell(9, "ownership_disputed", "d2", &["m"], vec![]);
    let early = again.tell(8, "identity_confirmed", "i", &[], vec![let_go("release", "m", "p1")]);
    assert_eq!(early.found(), ["released-early"]);
    // The other one waits on until the monitoring goes.
    let all = |commands| first().tell(4, "identity_confirmed", "j", &[], commands).found();
    let lifted = lift("m", 1, json!({"wallet": "W"}));
    assert_eq!(all(vec![lifted.clone(), let_go("release", "m", "p2")]), [""; 0]);
    assert_eq!(all(vec![lifted]), ["left-waiting"]);
}

#[test]
fn what_the_owner_may_have_settled_is_in_doubt() {
    let told = Told::default().tell(0, "ownership_disputed", "d", &["m"], vec![monitor("m", 1)]);
    let mut listed = hold("h", 2, "p");
    listed["lifted_by"] = json!(["facts_established"]);
    let told = told.tell(1, "payment", "p", &["h"], vec![listed, hold("m", 1, "p")]);
    // A document, for this operation alone: its monitoring counts no more, its own hold does.
    let told = told.tell(2, "identity_confirmed", "i", &[], vec![]);
    let mut facts = lift("h", 2, json!({"operation": "p"}));
    facts["reason"] = "facts_established".into();
    let released = told.tell(3, "identity_confirmed", "j", &[], vec![facts, let_go("release", "h", "p")]);
    assert_eq!(released.found(), [""; 0]);
}

#[test]
fn whoever_is_told_is_known() {
    for to in ["afm", "antifraud_centre", "issuer", "payment_system", "law_enforcement", "disputes", "operators"] {
        let report = json!({"command": "report", "rule": "r", "subject": {"wallet": "W"}, "to": to});
        assert_eq!(Told::default().tell(0, "operation_disputed", "d", &["r"], vec![report]).found(), [""; 0], "{to}");
    }
    let report = json!({"command": "report", "rule": "r", "subject": {"wallet": "W"}, "to": "neighbours"});
    let told = Told::default().tell(0, "operation_disputed", "d", &["r"], vec![report]);
    assert_eq!(told.found(), ["not-a-decision"]);
}

#[test]
fn a_number_of_another_history_is_told_once() {
    let told = Told::default().tell(0, "top_up", "a", &[], vec![]).tell(1, "top_up", "b", &[], vec![]);
    let told = told.tell(2, "top_up", "c", &[], vec![]);
    let found = |epochs: [Option<&str>; 3]| {
        let (mut checker, mut found) = (Checker::default(), Vec::new());
        for ((number, line), epoch) in (1..).zip(&told.lines).zip(epochs) {
            checker.check_bare(number, line.as_bytes(), epoch, &mut found);
        }
        let _totals = checker.finish(&mut found);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(found([None, Some("e1"), Some("e1")]), [""; 0]);
    let expected = "shard 0 seq 2 op b (line 2) other-history: it is of the history e2, those before it of e1";
    assert_eq!(found([Some("e1"), Some("e2"), Some("e2")]), [expected]);
}
