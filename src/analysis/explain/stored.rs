//! What a stored decision alone tells of its reasons, where the state before it cannot be made again: the rules that
//! fired with what they read, and what the decision put in force. Rules that nearly fired are not known.

use serde_json::{Value as Json, json};

use super::report::{Languages, Reader, verdict_for_client};
use super::{PastRules, explain};
use crate::operation::OperationType;
use crate::operation::decision::Verdict;
use crate::operation::decision::read::{CommandRecord, DecisionRecord, SubjectRecord};
use crate::operation::localized::Language;
use crate::rules::program::RuleSet;

/// Explains a stored decision as far as it tells itself, with the same members as [`super::report::json`]. `then` are
/// the rules that decided, where they are other ones than `now`. `None`: the bytes are no decision.
#[must_use]
pub fn json(
    (now, then): (&RuleSet, Option<&PastRules>),
    decision: &[u8],
    reader: Reader,
    languages: Languages,
) -> Option<Json> {
    let read = DecisionRecord::decode(decision).ok()?;
    let in_force = read.commands.iter().filter_map(|command| placed(&read, command, reader));
    let mut told = json!({
        "op_id": read.op_id,
        "type": read.kind,
        "occurred_at": read.occurred_at,
        "verdict": read.verdict,
        "in_force": in_force.collect::<Vec<_>>(),
    });
    if reader == Reader::Client {
        told["text"] = languages.tell(&|language| for_client(&read, language));
        return Some(told);
    }
    told["decision_id"] = read.decision_id.to_string().into();
    told["wallet_id"] = (&*read.wallet_id).into();
    told["ruleset"] = (&*read.ruleset).into();
    let explained = explain(now, then, decision);
    told["rules"] = explained.iter().map(|found| rule(found, reader, languages)).collect();
    Some(told)
}

/// Writes what [`json`] tells in one language as a text in it.
#[must_use]
pub fn text(told: &Json, language: Language) -> String {
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let rules = told["rules"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = told["text"].as_str().map(str::to_owned).into_iter().collect();
    if lines.is_empty() {
        let title = language.choose(["Іске қосылған ережелер", "Сработавшие правила", "Rules that fired"]);
        let none = language.choose([": жоқ", ": нет", ": none"]);
        let has_rules = told["rules"].as_array().is_some_and(|rules| !rules.is_empty());
        lines.push(format!("{title}{}", if has_rules { ":" } else { none }));
    }
    for rule in rules {
        lines.push(format!("  {}: {}", word(&rule["rule"]), word(&rule["title"])));
        for condition in rule["conditions"].as_array().into_iter().flatten() {
            let mark = if condition["holds"] == true { "+" } else { "?" };
            lines.push(format!("    {mark} {}", word(&condition["sentence"])));
            lines.extend(condition["text"].as_str().map(|text| format!("        {text}")));
            if condition["holds"] == true {
                lines.push(format!("      {}", word(&condition["opposite"])));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn for_client(read: &DecisionRecord<'_>, language: Language) -> String {
    let kind = OperationType::from_name(&read.kind);
    let is_asked = kind.is_some_and(|kind| kind.is_money() || kind.is_session());
    let verdict = Verdict::from_name(&read.verdict).filter(|_| is_asked);
    let verdict = verdict.map(|verdict| language.choose(verdict_for_client(verdict)).to_owned());
    let messages = read.matches.iter().filter_map(|found| {
        let message = found.message.as_ref()?;
        Some(language.choose([&*message.kk, &*message.ru, &*message.en]).to_owned())
    });
    verdict.into_iter().chain(messages).collect::<Vec<_>>().join("\n")
}

/// Tells of a rule that fired what the decision's evidence tells.
fn rule(found: &Json, reader: Reader, languages: Languages) -> Json {
    let chosen = |text: &Json| match languages {
        Languages::All => text.clone(),
        Languages::One(language) => text[language.choose(["kk", "ru", "en"])].clone(),
    };
    let conditions = found["conditions"].as_array().into_iter().flatten().map(|condition| {
        let mut told = json!({
            "holds": condition["holds"],
            "sentence": chosen(&condition["sentence"]),
            "opposite": chosen(&condition["opposite"]),
            "since": null,
            "leaves": null,
            "clears": null,
        });
        if reader == Reader::Analyst {
            told["text"] = condition["text"].clone();
            told["needed"] = condition["needed"].clone();
        }
        told
    });
    json!({
        "rule": found["rule"],
        "clauses": found["clauses"],
        "title": chosen(&found["title"]),
        "mode": found["mode"],
        "fired": true,
        "conditions": conditions.collect::<Vec<_>>(),
    })
}

/// Tells of a restriction that the decision placed; `None` of any other command.
fn placed(read: &DecisionRecord<'_>, command: &CommandRecord<'_>, reader: Reader) -> Option<Json> {
    let kind = match &*command.command {
        "challenge" if command.challenge.as_deref() == Some("pin") => "pin",
        "monitor" | "block" | "hold" => &*command.command,
        _ => return None,
    };
    let is_own = match &command.subject {
        SubjectRecord::Operation(id) => *id == read.op_id,
        SubjectRecord::Wallet(id) => *id == read.wallet_id,
        SubjectRecord::Ip(_) => true,
    };
    if !is_own {
        return None;
    }
    let mut told = json!({
        "kind": kind,
        "from": read.occurred_at,
        "until": command.until,
        "lifted_by": command.lifted_by.as_ref().map_or_else(Vec::new, |lifters| lifters.iter().collect()),
    });
    if let Some(direction) = &command.direction {
        told["direction"] = (&**direction).into();
    }
    if reader != Reader::Client {
        told["rule"] = (&*command.rule).into();
    }
    Some(told)
}
