//! The command line: one file per command, help with an example on each, and the exit codes.
//!
//! Knows how people ask and how answers are shown; must not know how an operation is decided.

mod asking;
pub mod backtest;
pub mod check;
pub mod completions;
pub mod config;
pub mod demo;
pub mod digest;
pub mod exit;
pub mod explain;
mod format;
pub mod geoip;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod ledger_check;
pub mod rejected;
pub mod replay;
pub mod reproduce;
pub mod rules;
pub mod schema;
pub mod serve;
pub mod simulate;
pub mod store;
pub mod test;
pub mod withdraw;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use crate::app::LoadError;
use clap::{Parser, Subcommand, ValueEnum};

/// Shown below the help of the whole program.
const AFTER_HELP: &str = "\
Exit codes:
  0   done, and the answer is yes
  1   the answer is no: errors found, tests failed, or input or output ended before the work did
  2   usage: no such command, option or input file
  64  configuration: rules, geo databases or settings that cannot be used
  70  a fault of kuzet itself

Example:
  kuzet replay operations.jsonl.gz --out decisions.jsonl --rejected rejected.jsonl";

/// Watches the operations of an e-money wallet system and decides each of them
#[derive(Debug, Parser)]
#[command(name = "kuzet", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Arguments {
    /// How messages on standard error are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// How messages on standard error are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// Adding a command takes a line here and one in [`run`].
#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::ReplayArguments),
    Rejected(rejected::RejectedArguments),
    Geoip(geoip::GeoipArgs),
    #[cfg(feature = "kafka")]
    Kafka(kafka::KafkaArguments),
    LedgerCheck(ledger_check::LedgerCheckArguments),
    Schema(schema::SchemaArgs),
    Serve(serve::ServeArguments),
    Store(store::StoreArguments),
    Demo(demo::DemoArguments),
    Check(check::CheckArguments),
    Backtest(backtest::BacktestArguments),
    Completions(completions::CompletionsArguments),
    Config(config::ConfigArguments),
    Test(test::TestArguments),
    Simulate(simulate::Args),
    Digest(digest::Args),
    Explain(explain::ExplainArguments),
    Withdraw(withdraw::WithdrawArguments),
    Reproduce(reproduce::ReproduceArguments),
    Rules(rules::RulesArguments),
}

fn run(command: &Command, log_format: LogFormat) -> anyhow::Result<i32> {
    match command {
        Command::Replay(arguments) => replay::run(arguments, log_format),
        Command::Geoip(arguments) => geoip::run(arguments, &mut io::stdout().lock(), &mut io::stderr().lock()),
        #[cfg(feature = "kafka")]
        Command::Kafka(arguments) => kafka::run(arguments, &mut io::stdout().lock()),
        Command::LedgerCheck(arguments) => ledger_check::run(arguments, &mut io::stdout().lock()),
        Command::Demo(arguments) => demo::run(arguments, log_format),
        Command::Store(arguments) => store::run(arguments, &mut io::stdout().lock()),
        Command::Serve(arguments) => serve::run(arguments, log_format),
        Command::Schema(arguments) => schema::run(arguments, &mut io::stdout().lock()),
        Command::Backtest(arguments) => backtest::run(arguments, &mut io::stdout().lock()),
        Command::Check(arguments) => check::run(arguments, wants_color(), &mut io::stdout().lock()),
        Command::Completions(arguments) => {
            completions::run(arguments, &mut <Arguments as clap::CommandFactory>::command(), &mut io::stdout().lock())
        }
        Command::Config(arguments) => config::run(arguments, &mut io::stdout().lock(), &mut io::stderr().lock()),
        Command::Test(arguments) => test::run(arguments, wants_color(), &mut io::stdout().lock()),
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::Digest(arguments) => digest::run(arguments),
        Command::Reproduce(arguments) => reproduce::run(arguments, &mut io::stdout().lock()),
        Command::Rejected(arguments) => rejected::run(arguments, &mut io::stdout().lock()),
        Command::Rules(arguments) => rules::run(arguments, &mut io::stdout().lock()),
        Command::Explain(arguments) => explain::run(arguments, &mut io::stdout().lock()),
        Command::Withdraw(arguments) => withdraw::run(arguments, &mut io::stdout().lock()),
    }
}

/// Tells whether standard output shows colours: a terminal whose user has not refused them (`NO_COLOR`).
fn wants_color() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Parses the arguments, runs the command and gives its exit code. A panic anywhere in it becomes one
/// message and the code of an internal fault.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let code = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => guarded(arguments.log_format, || run(&arguments.command, arguments.log_format)),
        Err(message) => show_usage(&message),
    };
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Tells whether arguments, the program's name first, are a command line of this program: what its documents
/// promise is held against this.
///
/// # Errors
/// What is wrong with them, as a user would see it.
pub fn check_command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match Arguments::try_parse_from(arguments) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Lists the commands with those inside them, as words: `geoip`, `geoip build`.
#[must_use]
pub fn command_paths() -> Vec<String> {
    fn collect(command: &clap::Command, path: &str, paths: &mut Vec<String>) {
        for inside in command.get_subcommands() {
            let path = format!("{path} {}", inside.get_name()).trim_start().to_owned();
            collect(inside, &path, paths);
            paths.push(path);
        }
    }
    let mut paths = Vec::new();
    collect(&<Arguments as clap::CommandFactory>::command(), "", &mut paths);
    paths
}

/// Shows help, the version or a usage error as clap words it.
fn show_usage(message: &clap::Error) -> i32 {
    match message.print() {
        Ok(()) => message.exit_code(),
        Err(error) => failed(LogFormat::Text, &error.into()),
    }
}

/// Part of the path of every source file of the database.
const STORE_CRATE: &str = "/redb-";
/// A file that was closed in order is not walked when it opens: what is damaged in it is met while reading.
const DAMAGED_STORE: &str =
    "; the store's file is damaged: `kuzet store verify` looks at all of it, `kuzet store restore` puts a backup back";

fn guarded(log_format: LogFormat, work: impl FnOnce() -> anyhow::Result<i32>) -> i32 {
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let hint = if place.contains(STORE_CRATE) { DAMAGED_STORE } else { "" };
        log(log_format, "error", &format!("internal fault at {place}: {what}{hint}"));
    }));
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => failed(log_format, &error),
        Err(_) => exit::INTERNAL,
    }
}

fn failed(log_format: LogFormat, error: &anyhow::Error) -> i32 {
    // Rule errors are a text of many lines with carets: it must not be folded into one.
    if let (LogFormat::Text, Some(LoadError::Rules { .. })) = (log_format, error.downcast_ref()) {
        log(log_format, "error", &error.to_string());
        return exit::code_of(error);
    }
    log(log_format, "error", &exit::OneLine(error).to_string());
    exit::code_of(error)
}

/// Writes one message to standard error. When that is closed there is nobody left to tell.
pub fn log(format: LogFormat, level: &str, message: &str) {
    let line = match format {
        LogFormat::Text => format!("kuzet: {message}\n"),
        LogFormat::Json => format!("{}\n", serde_json::json!({ "level": level, "message": message })),
    };
    drop(io::stderr().write_all(line.as_bytes()));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_panic_is_an_internal_fault() {
        let code = guarded(LogFormat::Text, || panic!("planted"));
        drop(panic::take_hook());
        assert_eq!(code, exit::INTERNAL);
    }
}
