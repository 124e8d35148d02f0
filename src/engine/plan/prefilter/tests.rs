use std::fmt::Write as _;
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::matching::evaluate;
use crate::engine::matching::memo::Memo;
use crate::engine::outcome::Disposition;
use crate::engine::shared::SharedView;
use crate::engine::tests::{plan, rule};
use crate::operation::OperationType;
use crate::operation::decode::decode;
use crate::rules::SourceFile;

/// More than two groups hold.
const RULES: usize = 150;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Draws a condition on fields that are there or not.
    fn condition(&mut self, depth: u64) -> String {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => format!("amount > {} KZT", 1 + self.below(4)),
            1 => "source = client".to_owned(),
            2 => format!("device_id = \"d{}\"", self.below(3)),
            3 => "device_id is present".to_owned(),
            4 => format!("attributes.x != \"{}\"", self.below(2)),
            5 => format!("count(transfer where amount > {} KZT by wallet within 1h) > 2", 1 + self.below(3)),
            6 => format!("not ({})", self.condition(depth - 1)),
            7 => format!("({} or {})", self.condition(depth - 1), self.condition(depth - 1)),
            _ => format!("({} and {})", self.condition(depth - 1), self.condition(depth - 1)),
        }
    }

    fn rule(&mut self, number: usize) -> SourceFile {
        let (when, missing) = (self.condition(3), if self.below(3) == 0 { "fire" } else { "skip" });
        rule(&format!("rule-{number:03}"), "transfer", &when, missing)
    }

    fn transfer(&mut self, number: u64) -> String {
        let source = ["client", "ledger"][usize::from(self.below(2) == 0)];
        let mut line = format!(
            r#"{{"op_id":"o{number}","type":"transfer","occurred_at":"2026-04-01T10:{:02}:00Z","wallet_id":"w{}","#,
            number / 5 % 60,
            self.below(3),
        );
        write!(line, r#""client_status":"identified","amount":"{}.00","currency":"KZT","#, 1 + self.below(6)).unwrap();
        if self.below(2) == 0 {
            write!(line, r#""device_id":"d{}","#, self.below(3)).unwrap();
        }
        if self.below(2) == 0 {
            write!(line, r#""attributes":{{"x":"{}"}},"#, self.below(3)).unwrap();
        }
        write!(line, r#""source":"{source}","counterparty":{{"kind":"client","wallet_id":"other"}}}}"#).unwrap();
        line
    }
}

/// Every rule is also asked by itself, as its text says.
#[test]
fn the_rules_that_fire_are_those_whose_conditions_hold() {
    let mut random = Random(7);
    let sources: Vec<SourceFile> = (0..RULES).map(|number| random.rule(number)).collect();
    let plan = plan(&sources);
    let required: usize = plan.of(OperationType::Transfer).groups.iter().map(|group| group.required.len()).sum();
    assert!(required > 10, "{required} required");
    let mut engine = Engine::new(Arc::clone(&plan));
    let view = SharedView::default();
    let (mut fired_often, mut unknown) = (0, 0);
    for number in 0..300 {
        let line = random.transfer(number);
        let enriched = Enriched::new(decode(line.as_bytes()).expect("the line is accepted"), AddressFacts::UNKNOWN);
        let mut expected: Vec<Arc<str>> = Vec::new();
        for (planned, rule) in plan.of(OperationType::Transfer).rules.iter().map(|p| (p, &plan.rules.rules[p.index])) {
            let mut memo = Memo::default();
            memo.start(&plan, OperationType::Transfer);
            let mut evaluation = engine.plain_evaluation(&enriched, &view, &mut memo);
            let wallet = engine.wallets.get(enriched.wallet, &enriched.operation.wallet_id);
            evaluation.wallet = wallet.unwrap_or(&engine.nobody);
            evaluation.find_feeds();
            let holds = evaluate::condition(&mut evaluation, &rule.when);
            unknown += usize::from(holds.is_none());
            if holds.unwrap_or(planned.fires_unknown) {
                expected.push(Arc::clone(&rule.id));
            }
        }
        let Disposition::Decided(mut outcome) = engine.decide(&enriched, &view) else { panic!("{line} is decided") };
        engine.apply(&enriched, &mut outcome.changes);
        let fired: Vec<Arc<str>> = outcome.decision.matches.iter().map(|one| Arc::clone(&one.rule)).collect();
        assert_eq!(fired, expected, "{line}");
        fired_often += fired.len();
    }
    assert!(fired_often > 5_000 && unknown > 1_000, "{fired_often} matches, {unknown} unknown");
}
