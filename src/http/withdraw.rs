//! Taking back what a rule placed: counted first, then lifted by support's own events, at a bounded rate.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::operation::decision::{Command, CommandKind, Decision};
use crate::operation::time::MILLISECOND;
use crate::operation::{OperationType, Time};
use crate::pipeline::Answer;
use crate::service::active_restrictions::Entry;
use crate::service::withdrawal::{self, Asked, Event, Plan, Step, Why};

use super::access::Caller;
use super::operations;
use super::problem::Problem;
use super::query::{Parameters, refused};
use super::restrictions::shown;
use super::{Shared, blocking, json_of};

/// Between two events of all withdrawals together: at most 200 a second.
const PACE: Duration = Duration::from_millis(5);
/// Events that open an address come from no client's wallet.
const ADDRESS_WALLET: &str = "kuzet-support";

/// Withdrawals go one after the other, so that their rate is one.
#[derive(Debug, Default)]
pub struct Withdrawals(tokio::sync::Mutex<()>);

/// What an event does, or would do.
struct Effects {
    released: usize,
    /// The state of the wallet it was foreseen on.
    state: String,
}

/// What one call did.
#[derive(Default)]
struct Done {
    events: Vec<Value>,
    kinds: BTreeMap<&'static str, usize>,
    subjects: BTreeSet<(bool, String)>,
    released: usize,
}

impl Done {
    fn add(&mut self, step: &Step, released: usize) {
        for entry in &step.lifts {
            *self.kinds.entry(entry.kind).or_default() += 1;
        }
        self.subjects.insert(match &step.event {
            Event::Confirmed { wallet_id, .. } => (false, wallet_id.to_string()),
            Event::AddressOpened { ip } => (true, ip.to_string()),
        });
        self.released += released;
    }

    /// Writes the counts.
    fn counts(&self, body: &mut Value) {
        let of = |kind: &str| self.kinds.get(kind).copied().unwrap_or(0);
        let addresses = self.subjects.iter().filter(|(is_address, _)| *is_address).count();
        body["lifts"] = json!({"hold": of("hold"), "monitor": of("monitor"), "block": of("block")});
        body["wallets"] = (self.subjects.len() - addresses).into();
        body["addresses"] = addresses.into();
        body["releases"] = self.released.into();
    }
}

/// `POST /v1/rules/{id}/withdraw`
pub(super) async fn withdraw(
    State(api): State<Shared>,
    Path(rule): Path<String>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["since", "dry_run", "state", "limit", "actor"])?;
    let (is_dry_run, limit) = (parameters.flag("dry_run")?, parameters.limit()?);
    let now = (api.clock)();
    // A person is not faster than a millisecond.
    let now = now.rounded_down(MILLISECOND);
    let asked = Asked { since: since(&parameters, now)?, rule, now };
    let actor = match parameters.get("actor") {
        // Whoever bears the token did it, whatever the query says.
        Some(actor) if api.tokens.is_empty() => actor.to_owned(),
        Some(_) | None => caller.name,
    };
    let _turn = api.withdrawals.0.lock().await;
    let plan = lay_out(&api, &asked)?;
    let state = plan.state(&api.service.rules().plan.ruleset);
    if parameters.get("state").is_some_and(|expected| expected != state) {
        let mut problem =
            Problem::new(409, "what the rule placed has changed since that state was looked at: look again");
        problem.code = Some("withdrawal-changed");
        return Err(problem);
    }
    if is_dry_run {
        foreseen(&api, &asked, (plan, &actor), limit).await
    } else {
        done(&api, &asked, (plan, &actor), limit).await
    }
}

fn since(parameters: &Parameters, now: Time) -> Result<Time, Problem> {
    let accepted = "an RFC 3339 time with an offset, not after now,";
    let Some(text) = parameters.get("since") else {
        return Err(Problem::new(400, format!("found no since, but {accepted} is required")));
    };
    // A `+` that was not written as `%2B` has become a space, and no time has one.
    let since = Time::parse_rfc3339(&text.replace(' ', "+")).ok().filter(|since| *since <= now);
    since.ok_or_else(|| refused(text, "since", accepted))
}

/// Looks at everything that is active.
///
/// # Errors
/// 404: nothing is known of the rule. 409: nobody but the client, a court or an established fact may lift what it
/// placed.
fn lay_out(api: &Shared, asked: &Asked) -> Result<Plan, Problem> {
    let newest = api.service.figures().newest;
    let plan = api.service.with_book(|book| withdrawal::plan(book.active(newest), asked));
    let is_loaded = api.service.rules().plan.rules.rules.iter().any(|rule| *rule.id == *asked.rule);
    if !is_loaded && plan.steps.is_empty() && plan.kept.is_empty() {
        let detail = "no rule has this id, and no active restriction was placed by one of this name";
        return Err(Problem::new(404, detail));
    }
    let not_by_support = |(_, why): &&(Entry, Why)| matches!(why, Why::NotBySupport(_));
    match plan.kept.iter().find(not_by_support) {
        Some((_, why)) if plan.steps.is_empty() => {
            let count = plan.kept.iter().filter(not_by_support).count();
            let mut problem =
                Problem::new(409, format!("{count} active restrictions of this rule: {}", why.sentence()));
            problem.code = Some("not-by-support");
            Err(problem)
        }
        _ => Ok(plan),
    }
}

/// Answers what a call would do: all of it counted, so many listed.
async fn foreseen(
    api: &Shared,
    asked: &Asked,
    (mut plan, actor): (Plan, &str),
    limit: usize,
) -> Result<Response, Problem> {
    let state = plan.state(&api.service.rules().plan.ruleset);
    let (mut would, mut left) = (Done::default(), Vec::new());
    for step in std::mem::take(&mut plan.steps) {
        match foresee(api, &step, &record_of(asked, &step.event, actor)).await? {
            Ok(effects) => {
                would.add(&step, effects.released);
                left.push(step);
            }
            Err(why) => plan.keep(step, &why),
        }
    }
    plan.steps = left;
    let mut body = head(api, asked, true);
    body["state"] = state.into();
    would.counts(&mut body);
    let listed = plan.steps.iter().flat_map(|step| step.lifts.iter().map(move |entry| (step, entry)));
    body["restrictions"] = listed.take(limit).map(|(step, entry)| shown_lift(step, entry, asked.now)).collect();
    push_kept(&mut body, &plan, (limit, asked.now));
    Ok(json_of(&body))
}

/// Sends events until so many are sent, or nothing is left; answers what they did, and how much is left.
async fn done(api: &Shared, asked: &Asked, (mut plan, actor): (Plan, &str), limit: usize) -> Result<Response, Problem> {
    let mut did = Done::default();
    let mut steps = std::mem::take(&mut plan.steps).into_iter();
    let mut stopped = None;
    while did.events.len() < limit
        && let Some(step) = steps.next()
    {
        match carry_out(api, &step, record_of(asked, &step.event, actor)).await {
            Ok(Ok((answer, effects))) => {
                did.add(&step, effects.released);
                did.events.push(answer);
                tokio::time::sleep(PACE).await;
            }
            Ok(Err(why)) => plan.keep(step, &why),
            // What was done before is to be told.
            Err(problem) if did.events.is_empty() => return Err(problem),
            Err(problem) => {
                stopped = Some(problem.detail.clone());
                plan.steps.push(step);
                break;
            }
        }
    }
    plan.steps.extend(steps);
    let mut body = head(api, asked, false);
    did.counts(&mut body);
    body["left"] = plan.lifted().into();
    body["state"] = plan.state(&api.service.rules().plan.ruleset).into();
    body["stopped"] = stopped.into();
    body["events"] = did.events.into();
    push_kept(&mut body, &plan, (limit, asked.now));
    Ok(json_of(&body))
}

fn head(api: &Shared, asked: &Asked, is_dry_run: bool) -> Value {
    let plan = api.service.rules().plan;
    let mode = plan.rules.rules.iter().find(|rule| *rule.id == *asked.rule).map(|rule| rule.mode.name());
    json!({"rule": asked.rule, "mode": mode, "since": asked.since.to_string(), "dry_run": is_dry_run})
}

fn shown_lift(step: &Step, entry: &Entry, now: Time) -> Value {
    let mut value = serde_json::to_value(shown(entry, now)).unwrap_or_default();
    value["by"] = match &step.event {
        Event::Confirmed { proof, op_id, .. } => {
            json!({"type": OperationType::IdentityConfirmed.name(), "proof": proof.name(), "ref_op_id": op_id})
        }
        Event::AddressOpened { .. } => json!({"type": OperationType::IpUnblockRequested.name()}),
    };
    value
}

/// Writes what is kept: counted by reason, so many listed.
fn push_kept(body: &mut Value, plan: &Plan, (limit, now): (usize, Time)) {
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (_, why) in &plan.kept {
        *reasons.entry(why.name()).or_default() += 1;
    }
    let listed = plan.kept.iter().take(limit).map(|(entry, why)| {
        let mut value = serde_json::to_value(shown(entry, now)).unwrap_or_default();
        value["why"] = json!({"reason": why.name(), "text": why.sentence()});
        value
    });
    body["kept"] = json!({"total": plan.kept.len(), "reasons": reasons, "restrictions": listed.collect::<Vec<_>>()});
}

/// Makes the operation that an event is.
fn record_of(asked: &Asked, event: &Event, actor: &str) -> Vec<u8> {
    let mut record = json!({
        "op_id": format!("withdraw-{}", uuid::Uuid::new_v4()),
        "occurred_at": asked.now.to_string(),
        "source": "support",
        "actor": actor,
        "attributes": {"withdrawn_rule": asked.rule, "withdrawn_since": asked.since.to_string()},
    });
    match event {
        Event::Confirmed { wallet_id, proof, op_id } => {
            record["type"] = OperationType::IdentityConfirmed.name().into();
            record["wallet_id"] = (**wallet_id).into();
            record["proof"] = proof.name().into();
            if let Some(op_id) = op_id {
                record["ref_op_id"] = (**op_id).into();
            }
        }
        Event::AddressOpened { ip } => {
            record["type"] = OperationType::IpUnblockRequested.name().into();
            record["wallet_id"] = ADDRESS_WALLET.into();
            record["ip"] = ip.to_string().into();
        }
    }
    record.to_string().into_bytes()
}

/// Tells what an event would do now; inside, why it must not be sent.
async fn foresee(api: &Shared, step: &Step, record: &[u8]) -> Result<Result<Effects, Why>, Problem> {
    let wallet_id = wallet_of(&step.event);
    if api.fleet.is_some() && matches!(step.event, Event::AddressOpened { .. }) {
        // Its wallet belongs to no shard that could be asked.
        return Ok(Ok(Effects { released: 0, state: String::new() }));
    }
    let foreseen = api.service.foresee(wallet_id, record.to_vec(), (api.clock)()).await?;
    let decision = match foreseen.answer {
        Answer::Decided(decision) => decision,
        Answer::Rejected(rejection) => return Err(Problem::of_rejection(&rejection)),
        Answer::Duplicate { .. } => return Ok(Err(Why::Changed)),
    };
    let state = foreseen.wallet.map_or_else(|| api.service.state_of_nobody(), |wallet| wallet.state);
    Ok(releases(step, &decision).map(|released| Effects { released, state }))
}

fn wallet_of(event: &Event) -> &str {
    match event {
        Event::Confirmed { wallet_id, .. } => wallet_id,
        Event::AddressOpened { .. } => ADDRESS_WALLET,
    }
}

/// Counts what a decision releases.
///
/// # Errors
/// It does not lift all that was meant, or does something else.
fn releases(step: &Step, decision: &Decision) -> Result<usize, Why> {
    let is_meant = |command: &Command| {
        let id = command.restriction.as_ref().map(|terms| terms.id);
        step.lifts.iter().any(|entry| Some(entry.id) == id)
    };
    let (mut lifted, mut released) = (0, 0);
    for command in &decision.commands {
        match command.kind {
            CommandKind::Lift if is_meant(command) => lifted += 1,
            CommandKind::Lift => return Err(Why::Together(command.rule.clone())),
            CommandKind::Release => released += 1,
            CommandKind::Cancel => return Err(Why::Cancels(command.subject.name().into())),
            _ => {}
        }
    }
    if lifted == step.lifts.len() { Ok(released) } else { Err(Why::Changed) }
}

/// Sends an event, in the state of its wallet that was looked at; inside, why it was not.
async fn carry_out(api: &Shared, step: &Step, record: Vec<u8>) -> Result<Result<(Value, Effects), Why>, Problem> {
    let effects = match foresee(api, step, &record).await? {
        Ok(effects) => effects,
        Err(why) => return Ok(Err(why)),
    };
    let ids: Vec<String> = step.lifts.iter().map(|entry| entry.id.to_string()).collect();
    let mut answer = match &step.event {
        Event::Confirmed { wallet_id, op_id, .. } => json!({"wallet_id": &**wallet_id, "ref_op_id": op_id}),
        Event::AddressOpened { ip } => json!({"ip": ip.to_string()}),
    };
    answer["restrictions"] = ids.into();
    answer["releases"] = effects.released.into();
    if api.fleet.is_some() {
        let (sender, wallet_id) = (api.clone(), wallet_of(&step.event).to_owned());
        let sent = blocking(move || match &sender.fleet {
            Some(fleet) => (fleet.send)(&wallet_id, &record),
            None => Err("there is no topic".to_owned()),
        });
        sent.await?.map_err(|reason| Problem::new(503, format!("Kafka has not taken the operation: {reason}")))?;
        return Ok(Ok((answer, effects)));
    }
    let only_if = Some((wallet_of(&step.event).to_owned(), effects.state.clone()));
    match operations::one_if(api, record, only_if).await {
        Ok((seq, _)) => {
            answer["seq"] = seq.into();
            Ok(Ok((answer, effects)))
        }
        Err(problem) if problem.code == Some("wallet-changed") => Ok(Err(Why::Changed)),
        Err(problem) => Err(problem),
    }
}
