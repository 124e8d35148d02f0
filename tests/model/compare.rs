//! Runs an engine and the model over the same stream and says where they part.

use super::naive::{Answer, COMMANDS, Command, Decided, GeoMap, Naive, Tally};
use super::op::{Op, read_time};
use super::streams::Stream;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

/// What the engine said to one line.
#[derive(Clone, Debug)]
pub(crate) enum EngineAnswer {
    Decision(Value),
    Rejected(Value),
    Duplicate,
}

pub(crate) type Engine = fn(&[String], &GeoMap, Option<&str>) -> Vec<EngineAnswer>;

pub(crate) struct Mismatch {
    /// Place of the operation in the stream.
    pub(crate) index: usize,
    pub(crate) reason: String,
    pub(crate) model: Answer,
    pub(crate) engine: EngineAnswer,
}

/// The first difference, if any, and what fired in the model until then.
pub(crate) fn compare(engine: Engine, stream: &Stream, geo: &GeoMap, fault: Option<&str>) -> (Option<Mismatch>, Tally) {
    let answers = engine(&stream.lines, geo, fault);
    assert_eq!(answers.len(), stream.lines.len(), "one answer a line");
    let mut model = Naive::new(geo, None).with_budgets(stream.has_budgets);
    let mut names = Names::default();
    for (index, (op, engine)) in stream.ops.iter().zip(answers).enumerate() {
        let expected = model.apply(op);
        if let Err(reason) = names.check(op, &expected, &engine) {
            let mismatch = Mismatch { index, reason, model: expected, engine };
            return (Some(mismatch), model.tally);
        }
    }
    (None, model.tally)
}

/// The engine's ids.
#[derive(Default)]
struct Names {
    /// What the model calls the same restrictions.
    restrictions: HashMap<String, String>,
    /// The operations that caused the commands.
    commands: HashMap<String, String>,
}

impl Names {
    fn check(&mut self, op: &Op, expected: &Answer, engine: &EngineAnswer) -> Result<(), String> {
        match (expected, engine) {
            (Answer::Duplicate, EngineAnswer::Duplicate) => Ok(()),
            (Answer::Conflict, EngineAnswer::Rejected(rejected)) => {
                same("error code", &"conflicting_duplicate", &text(&rejected["error"], "code")?)
            }
            (Answer::Decided(expected), EngineAnswer::Decision(decision)) => {
                self.check_decision(op, expected, decision)
            }
            _ => Err("another kind of answer".to_owned()),
        }
    }

    fn check_decision(&mut self, op: &Op, expected: &Decided, decision: &Value) -> Result<(), String> {
        same("op_id", &op.id, &text(decision, "op_id")?)?;
        same("wallet_id", &op.wallet, &text(decision, "wallet_id")?)?;
        same("type", &op.kind.name(), &text(decision, "type")?)?;
        let occurred_at = read_time(&text(decision, "occurred_at")?);
        same("occurred_at", &op.at, &occurred_at)?;
        same("verdict", &expected.verdict, &text(decision, "verdict")?)?;
        same("late", &Some(expected.late), &decision["late"].as_bool())?;
        let matches = list(decision, "matches")?
            .iter()
            .map(|m| Ok((text(m, "rule")?, text(m, "mode")?)))
            .collect::<Result<Vec<_>, String>>()?;
        let wanted: Vec<(String, String)> = expected.matches.iter().cloned().collect();
        same("matches", &wanted, &matches)?;
        let degraded = texts(decision, "degraded")?;
        same("degraded", &expected.degraded, &degraded)?;
        let commands = list(decision, "commands")?;
        self.learn(op, commands)?;
        let commands = commands.iter().map(|command| self.command(command)).collect::<Result<Vec<_>, String>>()?;
        check_commands(&expected.commands, commands)
    }

    /// Each restriction that this decision places gets the model's name: who placed it, by which rule, what. A
    /// command never has the id of another operation's command.
    fn learn(&mut self, op: &Op, commands: &[Value]) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for kind in ["monitor", "block", "hold"] {
            for command in commands.iter().filter(|c| c["command"] == kind) {
                let id = text(command, "restriction_id")?;
                let rule = text(command, "rule")?;
                let direction = match command["direction"].as_str() {
                    Some(direction) => format!("/{direction}"),
                    None => String::new(),
                };
                let name = format!("{}/{}/{rule}/{kind}{direction}", op.wallet, op.id);
                // One that is known is held by, or extended: the model says whether that is right.
                self.restrictions.entry(id).or_insert(name);
            }
        }
        for command in commands {
            let id = text(command, "command_id")?;
            let first = self.commands.entry(id.clone()).or_insert_with(|| op.id.clone());
            if !ids.insert(id) || *first != op.id {
                return Err("two commands with one command_id".to_owned());
            }
        }
        let sorted = commands.windows(2).all(|pair| {
            let group = |c: &Value| [c["command"].clone(), c["rule"].clone(), c["subject"].clone()];
            group(&pair[0]) != group(&pair[1])
                || pair[0]["restriction_id"].as_str() <= pair[1]["restriction_id"].as_str()
        });
        if sorted { Ok(()) } else { Err("equal commands are not in the order of restriction_id".to_owned()) }
    }

    fn command(&self, command: &Value) -> Result<Command, String> {
        let kind = text(command, "command")?;
        let subject = command["subject"].as_object().ok_or("no subject")?;
        let (what, which) = subject.iter().next().ok_or("an empty subject")?;
        let which = which.as_str().ok_or("a subject that is no text")?;
        let detail = ["direction", "challenge", "to", "reason"]
            .iter()
            .find_map(|key| command[*key].as_str())
            .unwrap_or_default();
        let restriction = command["restriction_id"].as_str().map(|id| {
            let name = self.restrictions.get(id).cloned();
            name.unwrap_or_else(|| format!("unknown {id}"))
        });
        let places = matches!(kind.as_str(), "hold" | "monitor" | "block");
        Ok(Command {
            rule: text(command, "rule")?,
            subject: format!("{what}:{which}"),
            detail: detail.to_owned(),
            from: command["from"].as_str().filter(|_| places).map(read_time),
            until: command["until"].as_str().filter(|_| places).map(read_time),
            restriction,
            lifted_by: if places { texts(command, "lifted_by")? } else { BTreeSet::new() },
            kind,
        })
    }
}

/// The order of kinds, rules and subjects is compared as it stands; ties, which the engine orders by ids
/// that the model has not, as sets.
fn check_commands(expected: &[Command], mut engine: Vec<Command>) -> Result<(), String> {
    let mut expected = expected.to_vec();
    // Whether a `refuse` names the restriction it stems from is left open by the contract.
    for command in expected.iter_mut().chain(&mut engine) {
        if command.kind == "refuse" {
            command.restriction = None;
        }
    }
    let outline = |commands: &[Command]| -> Vec<(String, String, String)> {
        commands.iter().map(|c| (c.kind.clone(), c.rule.clone(), c.subject.clone())).collect()
    };
    same("commands", &outline(&expected), &outline(&engine))?;
    expected.sort();
    engine.sort();
    for (wanted, got) in expected.iter().zip(&engine) {
        same("command", wanted, got)?;
    }
    if engine.iter().all(|c| COMMANDS.contains(&c.kind.as_str())) {
        Ok(())
    } else {
        Err("an unknown command".to_owned())
    }
}

fn same<A: PartialEq<B> + std::fmt::Debug, B: std::fmt::Debug>(
    what: &str,
    expected: &A,
    got: &B,
) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(format!("{what}: the model says {expected:?}, the engine {got:?}")) }
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    let text = value[key].as_str();
    text.map(str::to_owned).ok_or(format!("no text in {key}"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key].as_array().ok_or(format!("no list in {key}"))
}

fn texts(value: &Value, key: &str) -> Result<BTreeSet<String>, String> {
    let items = list(value, key)?.iter();
    items.map(|item| item.as_str().map(str::to_owned).ok_or(format!("no texts in {key}"))).collect()
}

/// Drops operations while engine and model still part, with a bounded number of tries.
pub(crate) fn minimise(engine: Engine, stream: &Stream, geo: &GeoMap, fault: Option<&str>, last: usize) -> Stream {
    let mut kept: Vec<usize> = (0..=last).collect();
    let part = |kept: &[usize]| Stream {
        ops: kept.iter().map(|&n| stream.ops[n].clone()).collect(),
        lines: kept.iter().map(|&n| stream.lines[n].clone()).collect(),
        has_budgets: stream.has_budgets,
    };
    let mut tries = 2_000;
    let mut size = kept.len().div_ceil(2);
    loop {
        let before = kept.len();
        let mut start = 0;
        while start < kept.len() && tries > 0 {
            tries -= 1;
            let mut fewer = kept.clone();
            fewer.drain(start..(start + size).min(kept.len()));
            if compare(engine, &part(&fewer), geo, fault).0.is_some() {
                kept = fewer;
            } else {
                start += size;
            }
        }
        if tries == 0 || (size == 1 && kept.len() == before) {
            return part(&kept);
        }
        size = size.div_ceil(2);
    }
}

/// All that is needed to repeat and to understand a mismatch.
pub(crate) fn explain(
    engine: Engine,
    stream: &Stream,
    geo: &GeoMap,
    fault: Option<&str>,
    seed: u64,
    found: &Mismatch,
) -> String {
    let small = minimise(engine, stream, geo, fault, found.index);
    let least = compare(engine, &small, geo, fault).0;
    let mut report = format!("seed {seed}, operation {} of the stream\n", found.index);
    let mut describe = |title: &str, mismatch: &Mismatch, op: &Op| {
        let Mismatch { reason, model, engine, .. } = mismatch;
        let engine = match engine {
            EngineAnswer::Decision(value) => format!("decision {value}"),
            EngineAnswer::Rejected(value) => format!("rejected {value}"),
            EngineAnswer::Duplicate => "duplicate".to_owned(),
        };
        writeln!(report, "{title}: {reason}\n  {op:?}\n  model: {model:?}\n  engine: {engine}")
            .expect("a string can be written");
    };
    describe("as found", found, &stream.ops[found.index]);
    if let Some(least) = &least {
        describe("minimised", least, &small.ops[least.index]);
    }
    report.push_str("minimised stream:\n");
    for line in &small.lines {
        report.push_str(line);
        report.push('\n');
    }
    report
}
