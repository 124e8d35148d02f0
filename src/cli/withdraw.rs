//! `kuzet withdraw`: lifts in bulk what a bad rule placed, by asking the running service.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::asking::{self, AskingArguments, Refusal};
use super::exit::{self, UsageError};
use crate::adapters::service_client::{ServiceClient, path_segment};
use crate::operation::Time;

/// So many events are asked for in one request.
const EVENTS: &str = "200";
/// How long what was sent to a topic may take until it shows.
const DECIDED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Counts and lists first, then lifts each restriction by an event of support with the actor's name: a hold, monitoring or
wallet block by identity-confirmed, an address block by ip-unblock-requested, at most 200 a second. What only the
client, a court or an established fact may lift is kept, and so is what cannot be lifted without lifting another rule's
restriction or cancelling an operation that waits; each is listed with its reason. Put the rule into shadow or roll back
first: while it is enforced it places new ones.
Exit code 1 when nothing may be lifted so, or the service refuses; 64 when it does not answer.

Examples:
  kuzet withdraw --rule structuring-below-100k --since 2026-11-22T10:00:00+05:00 --dry-run
  KUZET_TOKEN=kzt_… kuzet withdraw --rule structuring-below-100k --since 2026-11-22T10:00:00+05:00 --url https://kuzet:8480";

/// Lift in bulk what a bad rule placed: holds, monitorings, blocks
#[derive(Debug, Args)]
#[command(about = "Lift in bulk what a bad rule placed: holds, monitorings, blocks", after_help = AFTER_HELP)]
pub struct WithdrawArguments {
    /// The rule's id
    #[arg(long, value_name = "ID")]
    rule: String,
    /// Restrictions that began at this time or later, as RFC 3339 with an offset
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Only count and list what would be lifted, and what would be kept and why
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asking: AskingArguments,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// An argument is not right, the service does not answer, or the output cannot be written.
pub fn run(arguments: &WithdrawArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let since = Time::parse_rfc3339(&arguments.since).map_err(|_| {
        let (found, example) = (&arguments.since, "2026-11-22T10:00:00+05:00");
        UsageError(format!("found \"{found}\" as --since, but a time such as {example} is accepted"))
    })?;
    let asking = Asking { client: arguments.asking.client()?, arguments, since: since.to_string() };
    let would = match asking.ask(true, None)? {
        Ok(would) => would,
        Err(problem) => return refused(out, &problem),
    };
    writeln!(out, "{} in {}, restrictions since {}", text(&would["rule"]), mode(&would), text(&would["since"]))?;
    counts(out, if arguments.dry_run { "would lift" } else { "to lift" }, &would)?;
    list(out, &would)?;
    if arguments.dry_run {
        return Ok(exit::OK);
    }
    asking.lift_all(would, out)
}

struct Asking<'a> {
    client: ServiceClient,
    arguments: &'a WithdrawArguments,
    since: String,
}

impl Asking<'_> {
    fn ask(&self, dry_run: bool, state: Option<&str>) -> anyhow::Result<Result<Value, Refusal>> {
        let path = format!("/v1/rules/{}/withdraw", path_segment(&self.arguments.rule));
        let flag = if dry_run { "true" } else { "false" };
        let mut query = vec![("since", &*self.since), ("dry_run", flag), ("limit", EVENTS)];
        query.extend(state.map(|state| ("state", state)));
        query.extend(self.arguments.asking.actor.as_deref().map(|actor| ("actor", actor)));
        asking::post(&self.client, &path, &query)
    }

    /// Asks again and again until nothing is left that can be lifted.
    fn lift_all(&self, would: Value, out: &mut dyn Write) -> anyhow::Result<i32> {
        let (mut total, mut state) = (Totals::default(), would["state"].as_str().map(str::to_owned));
        loop {
            let did = match self.ask(false, state.take().as_deref())? {
                Ok(did) => did,
                Err(problem) => return refused(out, &problem),
            };
            total.add(&did);
            writeln!(out, "lifted {}, {} left", total.lifted, number(&did["left"]))?;
            if let Some(reason) = did["stopped"].as_str() {
                writeln!(out, "stopped: {reason}; the same command goes on")?;
                return Ok(exit::NO);
            }
            if number(&did["left"]) == 0 {
                counts_of_kept(out, &did)?;
                writeln!(out, "lifted {} restrictions, released {} operations", total.lifted, total.released)?;
                return Ok(exit::OK);
            }
            if is_sent(&did) && !self.is_decided(&did)? {
                writeln!(out, "what was sent to the topic is not decided yet; the same command goes on")?;
                return Ok(exit::NO);
            }
        }
    }

    /// Waits until what was sent to a topic is decided: sent twice, it would be two events.
    fn is_decided(&self, did: &Value) -> anyhow::Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < DECIDED_WITHIN {
            std::thread::sleep(LOOK_EVERY);
            let Ok(now) = self.ask(true, None)? else { return Ok(false) };
            let lifts: u64 = ["hold", "monitor", "block"].iter().map(|kind| number(&now["lifts"][*kind])).sum();
            if lifts <= number(&did["left"]) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[derive(Default)]
struct Totals {
    lifted: u64,
    released: u64,
}

impl Totals {
    fn add(&mut self, did: &Value) {
        self.lifted += ["hold", "monitor", "block"].iter().map(|kind| number(&did["lifts"][*kind])).sum::<u64>();
        self.released += number(&did["releases"]);
    }
}

/// Tells whether events went to a topic: they have no numbers then.
fn is_sent(did: &Value) -> bool {
    did["events"].as_array().is_some_and(|events| events.iter().any(|event| event["seq"].is_null()))
}

fn refused(out: &mut dyn Write, problem: &str) -> anyhow::Result<i32> {
    writeln!(out, "refused: {problem}")?;
    Ok(exit::NO)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn mode(would: &Value) -> String {
    match would["mode"].as_str() {
        Some(mode) => format!("mode {mode}"),
        None => "no rule set that is loaded".to_owned(),
    }
}

fn counts(out: &mut dyn Write, what: &str, would: &Value) -> anyhow::Result<()> {
    let of = |kind: &str| number(&would["lifts"][kind]);
    writeln!(out, "{what}: {} holds, {} monitorings, {} blocks", of("hold"), of("monitor"), of("block"))?;
    let (wallets, addresses) = (number(&would["wallets"]), number(&would["addresses"]));
    writeln!(
        out,
        "of {wallets} wallets and {addresses} addresses; {} operations released",
        number(&would["releases"])
    )?;
    counts_of_kept(out, would)
}

fn counts_of_kept(out: &mut dyn Write, answer: &Value) -> anyhow::Result<()> {
    let reasons = answer["kept"]["reasons"].as_object().into_iter().flatten();
    let reasons: Vec<String> = reasons.map(|(reason, count)| format!("{reason} {count}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    writeln!(out, "kept: {}{reasons}", number(&answer["kept"]["total"]))?;
    Ok(())
}

fn list(out: &mut dyn Write, would: &Value) -> anyhow::Result<()> {
    for entry in would["restrictions"].as_array().into_iter().flatten() {
        writeln!(
            out,
            "  {} by {}",
            subject(entry),
            [&entry["by"]["type"], &entry["by"]["proof"]].map(text).join(" ").trim()
        )?;
    }
    for entry in would["kept"]["restrictions"].as_array().into_iter().flatten() {
        writeln!(out, "  {} is kept: {}", subject(entry), text(&entry["why"]["text"]))?;
    }
    Ok(())
}

/// Names a restriction: what it is, of whom, since when.
fn subject(entry: &Value) -> String {
    let of = match (entry["wallet_id"].as_str(), entry["op_id"].as_str()) {
        (Some(wallet), Some(op_id)) => format!("wallet {wallet}, operation {op_id}"),
        (Some(wallet), None) => format!("wallet {wallet}"),
        (None, _) => format!("address {}", text(&entry["ip"])),
    };
    format!("{} of {of} since {}", text(&entry["kind"]), text(&entry["from"]))
}
