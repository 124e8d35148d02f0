//! `kuzet explain --store`: why a decision that a store keeps was made.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use uuid::Uuid;

use super::{ExplainArguments, Format};
use crate::adapters::folders;
use crate::adapters::store::{Store, Stream};
use crate::analysis::explain::report::Languages;
use crate::analysis::explain::stored;
use crate::app;
use crate::cli::config::environment;
use crate::cli::exit::{self, UsageError};
use crate::cli::store::open_unused;
use crate::config;
use crate::rules::program::RuleSet;
use crate::service::reproduction::why::{Hindsight, why};
use crate::service::reproduction::{Means, find};
use crate::service::rule_history;
use crate::service::search::Filter;

/// Explains the decision that the arguments name.
///
/// # Errors
/// An argument is not right, the store or a folder cannot be used, or the answer cannot be written.
pub(super) fn run(arguments: &ExplainArguments, folder: &Path, out: &mut dyn Write) -> anyhow::Result<i32> {
    let config = config::load(arguments.config.as_deref(), environment())?;
    let store = open_unused(folder)?;
    let Some((seq, decision)) = look(&store, arguments)? else {
        let last = store.position()?.seq;
        writeln!(out, "no such decision is kept; the store has decided {last} operations")?;
        return Ok(exit::NO);
    };
    let rules_folder = arguments.rules.as_deref().or(config.rules.folder.as_deref());
    let geo_folder = arguments.geoip.as_deref().or(config.geoip.folder.as_deref());
    // Without them what the store notes must do.
    let present = folders::rules_folder(rules_folder).ok().and_then(|folder| app::load_rules(&folder).ok());
    let means = Means {
        settings: app::service_settings(&config),
        geo: Arc::new(app::load_geo(&folders::geoip_folder(geo_folder)?)?),
        present,
    };
    match why(&store, seq, &means)? {
        Some(Hindsight::Known { examination, basis }) => {
            if !basis.is_exact {
                let missing = match basis.missing {
                    0 => String::new(),
                    missing => format!("; {missing} operations before it are no longer kept"),
                };
                writeln!(std::io::stderr(), "what rules read that did not fire may have been more{missing}")?;
            }
            super::show(&examination, arguments, out)?;
        }
        Some(Hindsight::Unknown(reason)) => {
            writeln!(std::io::stderr(), "only what the decision itself tells: {reason}")?;
            by_itself(&store, means.present.unwrap_or_default(), &decision, (arguments, out))?;
        }
        None => writeln!(out, "decision {seq} is no longer kept")?,
    }
    Ok(exit::OK)
}

/// Finds the decision's number and its bytes.
fn look(store: &Store, arguments: &ExplainArguments) -> anyhow::Result<Option<(u64, Vec<u8>)>> {
    let filter = match (&arguments.decision, &arguments.op) {
        (Some(named), _) => match (named.parse::<u64>(), named.parse::<Uuid>()) {
            (Ok(seq), _) => return Ok(store.item(Stream::Decisions, seq)?.map(|decision| (seq, decision))),
            (Err(_), Ok(id)) => Filter { decision_id: Some(id), ..Filter::default() },
            (Err(_), Err(_)) => anyhow::bail!(UsageError(format!(
                "found \"{named}\" as --decision, but a decision's number, or its id, a UUID, is accepted"
            ))),
        },
        (None, op) => Filter { op_id: op.clone(), wallet: arguments.wallet.clone(), ..Filter::default() },
    };
    Ok(find(store, filter)?)
}

fn by_itself(
    store: &Store,
    now: RuleSet,
    decision: &[u8],
    (arguments, out): (&ExplainArguments, &mut dyn Write),
) -> anyhow::Result<()> {
    let hash = crate::analysis::explain::ruleset_of(decision).unwrap_or_default();
    let then = if hash == now.hash { None } else { rule_history::read(store, &hash)? };
    let (reader, language) = (arguments.reader.reader(), arguments.lang.language());
    let languages = match arguments.format {
        Format::Json => Languages::All,
        Format::Text => Languages::One(language),
    };
    let told = stored::json((&now, then.as_ref()), decision, reader, languages);
    let told = told.context("failed to read the stored decision")?;
    match arguments.format {
        Format::Json => writeln!(out, "{told}")?,
        Format::Text => out.write_all(stored::text(&told, language).as_bytes())?,
    }
    Ok(())
}
