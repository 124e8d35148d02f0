//! `kuzet serve`: the embedded service.

use std::io;
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::filter::LevelFilter;

use super::LogFormat;
use super::config::environment;
use super::exit;
use crate::app::serve::{Hearing, Running};
use crate::config::{self, Config, LogLevel};

/// Run the service: operations in over HTTP, decisions out, state in a durable store
#[derive(Debug, Args)]
#[command(
    about = "Run the service: operations in over HTTP, decisions out, state in a durable store",
    after_help = "SIGHUP reads rules and geo databases again; SIGTERM ends after what is in hand is committed.

Example:
  kuzet serve --config kuzet.toml"
)]
pub struct ServeArguments {
    /// The configuration [default: ./kuzet.toml, which may be missing]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The configuration, the rules, the store or the address cannot be used.
pub fn run(arguments: &ServeArguments, log_format: LogFormat) -> anyhow::Result<i32> {
    let config = config::load(arguments.config.as_deref(), environment())?;
    start_logging(&config, log_format);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let mut running = Running::start(&config, Hearing::BeforeReady)?;
    let still_works = running.wait(std::future::pending())?;
    running.stop();
    Ok(if still_works { exit::OK } else { exit::INTERNAL })
}

/// Writes log lines to standard error from now on.
pub fn start_logging(config: &Config, log_format: LogFormat) {
    let level = match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level).with_target(false);
    let is_json = log_format == LogFormat::Json || config.log.format == config::LogFormat::Json;
    // A second call changes nothing: the first subscriber stays.
    drop(if is_json { builder.json().flatten_event(true).try_init() } else { builder.with_ansi(false).try_init() });
}
