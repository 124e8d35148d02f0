//! `kuzet demo`: the service in a temporary folder, fed by the simulator at a pace one can watch.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use chrono_tz::Asia::Almaty;
use clap::Args;

use super::LogFormat;
use super::exit::{self, UsageError};
use super::serve::start_logging;
use crate::adapters::clock;
use crate::app::serve::{Hearing, Running, ServeError};
use crate::config::{self, Config};
use crate::operation::decision::read::DecisionRecord;
use crate::operation::time::DAY;
use crate::service::{ItemAnswer, Service};
use crate::simulate::{Parameters, Simulation};

/// Show the service at work: a simulated day, the console's address, decisions as they fall
#[derive(Debug, Args)]
#[command(
    about = "Show the service at work: a simulated day, the console's address, decisions as they fall",
    after_help = "The day's first half is decided at once, so that there is something to look at; the rest comes at the
pace. Ctrl-C ends with a summary. Nothing is kept.

Examples:
  kuzet demo
  kuzet demo --headless --ops 100000"
)]
pub struct DemoArguments {
    /// How many operations the simulated day has
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    ops: u64,
    /// How many wallets there are
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    wallets: u64,
    /// The same seed gives the same day
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Operations a second
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pace: u64,
    /// Where the console is; another port is taken if this one is in use
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: String,
    /// Decide everything at full speed, print the summary, and end
    #[arg(long)]
    headless: bool,
}

/// So many operations go to the service together while nobody watches.
const TOGETHER: usize = 1_000;

/// What was decided so far.
#[derive(Debug, Default)]
struct Tally {
    verdicts: BTreeMap<String, u64>,
    rules: BTreeMap<String, u64>,
    commands: BTreeMap<String, u64>,
    refused: u64,
}

/// Runs the command.
///
/// # Errors
/// The service cannot start, or the output cannot be written.
pub fn run(arguments: &DemoArguments, log_format: LogFormat) -> anyhow::Result<i32> {
    let folder = tempfile::Builder::new().prefix("kuzet-demo-").tempdir().context("failed to make a folder")?;
    let config = configuration(arguments, folder.path())?;
    let mut simulation = Simulation::new(Parameters {
        wallets: arguments.wallets,
        operations: arguments.ops,
        seed: arguments.seed,
        start: clock::now().minus(DAY),
        days: Some(1),
        fraud_per_mille: 20,
    })
    .map_err(|error| UsageError(error.to_string()))?;
    start_logging(&config, log_format);
    let mut running = start(config)?;
    let mut out = io::stdout().lock();
    writeln!(out, "console   http://{}/", running.address)?;
    out.flush()?;
    let mut tally = Tally::default();
    let handle = running.handle();
    let feed = Feed { service: running.service.clone(), handle, is_colour: io::stdout().is_terminal() };
    let watched = if arguments.headless { 0 } else { arguments.ops / 2 };
    let fed = feed.all_at_once(&mut simulation, arguments.ops.saturating_sub(watched), &mut tally);
    if fed.is_ok() && !arguments.headless {
        writeln!(
            out,
            "decided   the day's first {} operations; the rest follow at {} a second\n",
            tally.total(),
            arguments.pace
        )?;
        out.flush()?;
        let (mut out, tally) = (&mut out, &mut tally);
        running.wait(feed.at_pace(&mut simulation, arguments.pace, tally, &mut out))?;
    }
    let last = *running.service.last_seq().borrow();
    running.stop();
    fed?;
    tally.show(last, &mut out)?;
    Ok(exit::OK)
}

fn configuration(arguments: &DemoArguments, folder: &std::path::Path) -> anyhow::Result<Config> {
    let store = folder.join("store");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let text = format!(
        "[http]\nlisten = {}\n[store]\npath = {}\n[log]\nlevel = \"warn\"\n",
        quoted(&arguments.listen),
        quoted(&store.to_string_lossy()),
    );
    Ok(config::parse("kuzet demo", &text, [])?)
}

/// Starts; on another port if the usual one is taken.
fn start(mut config: Config) -> anyhow::Result<Running> {
    match Running::start(&config, Hearing::OnceWaiting) {
        Err(error) if is_in_use(&error) => {
            config.http.listen.set_port(0);
            Running::start(&config, Hearing::OnceWaiting)
        }
        started => started,
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<ServeError>(),
        Some(ServeError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse
    )
}

struct Feed {
    service: Service,
    handle: tokio::runtime::Handle,
    is_colour: bool,
}

impl Feed {
    fn all_at_once(&self, simulation: &mut Simulation, count: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let mut left = count;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(TOGETHER).min(TOGETHER);
            let records = draw(simulation, most);
            if records.is_empty() {
                return Ok(());
            }
            left -= u64::try_from(records.len()).unwrap_or(left);
            self.handle.block_on(self.decide(records, tally, &mut |_| {}))?;
        }
        Ok(())
    }

    async fn at_pace(&self, simulation: &mut Simulation, pace: u64, tally: &mut Tally, out: &mut impl Write) {
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / pace));
        loop {
            ticks.tick().await;
            let records = draw(simulation, 1);
            if records.is_empty() {
                let over = "\nThe simulated day is over. The console stays until Ctrl-C.";
                if writeln!(out, "{over}").and_then(|()| out.flush()).is_ok() {
                    std::future::pending::<()>().await;
                }
                return;
            }
            let mut lines = String::new();
            let mut show = |shown: &DecisionRecord<'_>| lines.push_str(&line(shown, self.is_colour));
            let decided = self.decide(records, tally, &mut show).await;
            // Whoever closed the output has seen enough.
            if decided.is_err() || out.write_all(lines.as_bytes()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    }

    async fn decide(
        &self,
        records: Vec<Vec<u8>>,
        tally: &mut Tally,
        show: &mut impl FnMut(&DecisionRecord<'_>),
    ) -> anyhow::Result<()> {
        let answers = self.service.submit(records, clock::now()).await?;
        for item in &answers.items {
            match item {
                ItemAnswer::Decided(seq) => {
                    let decision = answers.decision(*seq).unwrap_or_default();
                    let shown = DecisionRecord::decode(decision).context("failed to read a decision")?;
                    tally.add(&shown);
                    show(&shown);
                }
                ItemAnswer::Duplicate(_) => {}
                ItemAnswer::Rejected(_) => tally.refused += 1,
            }
        }
        Ok(())
    }
}

fn draw(simulation: &mut Simulation, count: usize) -> Vec<Vec<u8>> {
    let mut records = Vec::with_capacity(count);
    let mut record = Vec::new();
    while records.len() < count && simulation.next_into(&mut record) {
        if record.last() == Some(&b'\n') {
            record.pop();
        }
        records.push(std::mem::take(&mut record));
    }
    records
}

fn line(shown: &DecisionRecord<'_>, is_colour: bool) -> String {
    let (start, end) = match (is_colour, &*shown.verdict) {
        (false, _) => ("", ""),
        (true, "allow") => ("\u{1b}[2m", "\u{1b}[0m"),
        (true, "challenge") => ("\u{1b}[36m", "\u{1b}[0m"),
        (true, "hold") => ("\u{1b}[33m", "\u{1b}[0m"),
        (true, _) => ("\u{1b}[31m", "\u{1b}[0m"),
    };
    let at = DateTime::parse_from_rfc3339(&shown.occurred_at).map(|at| at.with_timezone(&Almaty).format("%H:%M:%S"));
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    let rules: Vec<&str> = shown.enforced_rules().collect();
    let commands: Vec<&str> = shown.commands.iter().map(|command| &*command.command).collect();
    let (rules, commands) = (rules.join(", "), commands.join(", "));
    let text =
        format!("{at}  {:<9}  {:<22}  {:<12}  {rules:<28}  {commands}", shown.verdict, shown.kind, shown.wallet_id);
    format!("{start}{}{end}\n", text.trim_end())
}

impl Tally {
    fn add(&mut self, shown: &DecisionRecord<'_>) {
        *self.verdicts.entry(shown.verdict.to_string()).or_default() += 1;
        for found in &shown.matches {
            *self.rules.entry(found.rule.to_string()).or_default() += 1;
        }
        for command in &shown.commands {
            *self.commands.entry(command.command.to_string()).or_default() += 1;
        }
    }

    fn total(&self) -> u64 {
        self.verdicts.values().sum()
    }

    fn show(&self, last: u64, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\ndecisions {last}")?;
        for verdict in ["allow", "challenge", "hold", "refuse"] {
            writeln!(out, "  {verdict:<30}{:>8}", self.verdicts.get(verdict).copied().unwrap_or(0))?;
        }
        for (title, counts) in [("rules that matched", &self.rules), ("commands", &self.commands)] {
            writeln!(out, "{title}")?;
            for (name, count) in counts {
                writeln!(out, "  {name:<30}{count:>8}")?;
            }
        }
        if self.refused > 0 {
            writeln!(out, "records refused {}", self.refused)?;
        }
        out.flush()
    }
}
