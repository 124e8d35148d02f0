//! `kuzet reproduce`: makes a decision of the past again and compares it byte for byte.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use uuid::Uuid;

use super::config::environment;
use super::exit::{self, UsageError};
use super::format::Format;
use super::store::open_unused;
use crate::adapters::folders;
use crate::app;
use crate::config;
use crate::service::reproduction::{Means, report, reproduce};

const AFTER_HELP: &str = "\
Decides again everything up to the decision that the store keeps, each operation by the rules that decided it then, and
compares the decision with the stored one. The store must not be in use: take a copy with `kuzet store backup`, or ask the
service itself (`GET /v1/decisions/{id}/reproduce`). The geo databases are those of today.
Exit code 1 when the decision comes out otherwise, or something is missing to make it again.

Example:
  kuzet reproduce 7ef3ad63-be72-5957-83e3-28d73cb07535 --store backups/2026-11-23";

/// Make a decision of the past again and compare it byte for byte
#[derive(Debug, Args)]
#[command(about = "Make a decision of the past again and compare it byte for byte", after_help = AFTER_HELP)]
pub struct ReproduceArguments {
    /// The decision's id
    #[arg(value_name = "DECISION_ID")]
    decision_id: String,
    /// The store's folder, or that of a copy [default: `path` in [store] of the configuration]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The configuration of the service that decided [default: ./kuzet.toml, where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of rules, for a decision by the rules of today that the store has no note of
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of the geo databases
    #[arg(long, value_name = "DIR")]
    geoip: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// An argument is not right, the store cannot be read, or the output cannot be written.
pub fn run(arguments: &ReproduceArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let id: Uuid = arguments.decision_id.parse().map_err(|_| {
        UsageError(format!("found \"{}\" as DECISION_ID, but a UUID is accepted", arguments.decision_id))
    })?;
    let config = config::load(arguments.config.as_deref(), environment())?;
    let folder = arguments.store.clone().unwrap_or_else(|| config.store.path.clone());
    let store = open_unused(&folder)?;
    let rules_folder = arguments.rules.as_deref().or(config.rules.folder.as_deref());
    let geo_folder = arguments.geoip.as_deref().or(config.geoip.folder.as_deref());
    let means = Means {
        settings: app::service_settings(&config),
        geo: Arc::new(app::load_geo(&folders::geoip_folder(geo_folder)?)?),
        // Without them what the store notes must do.
        present: folders::rules_folder(rules_folder).ok().and_then(|folder| app::load_rules(&folder).ok()),
    };
    let found = reproduce(&store, id, means)?;
    match arguments.format {
        Format::Text => out.write_all(report::text(&found).as_bytes())?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report::json(&found))?)?,
    }
    Ok(if found.is_ok_and(|reproduced| reproduced.is_equal()) { exit::OK } else { exit::NO })
}
