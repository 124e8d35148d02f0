//! `kuzet geoip lookup`: what each database says of an address.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::adapters::folders;
use crate::adapters::geo_files::file_of;
use crate::app;
use crate::cli::exit;
use crate::geo::{AnonymizerFlags, DatabaseKind, Geo, GeoDatabase, Lookup, SAMPLE_WARNING};

/// Show what the databases say of an address
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 when both databases answered, be it that they know nothing of the address;
1 when one is missing; 64 when one cannot be used.

Example:
  kuzet geoip lookup 95.56.234.10")]
pub struct LookupArgs {
    /// An IPv4 or IPv6 address
    pub address: IpAddr,
    /// The folder with country.mmdb and anonymizer.mmdb [default: ./geoip, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    pub geoip: Option<PathBuf>,
}

/// What `lookup` prints, as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    address: IpAddr,
    country: Option<String>,
    anonymizer: Option<bool>,
    anonymizer_flags: Option<AnonymizerFlags>,
    folder: String,
    country_database: DatabaseAnswer<'a>,
    anonymizer_database: DatabaseAnswer<'a>,
}

/// Which database answered how.
#[derive(Default, Serialize)]
struct DatabaseAnswer<'a> {
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    database_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<bool>,
}

pub(super) fn run(args: &LookupArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    let folder = folders::geoip_folder(args.geoip.as_deref())?;
    let mut code = exit::OK;
    let mut errors = [None, None];
    let mut load = |at: usize, kind: DatabaseKind| match app::load_geo_database(&folder, kind) {
        Ok(database) => {
            if database.is_none() {
                code = code.max(exit::NO);
            }
            database
        }
        Err(error) => {
            code = exit::CONFIGURATION;
            errors[at] = Some(format!("{:#}", anyhow::Error::new(error)));
            None
        }
    };
    let geo = Geo::new(load(0, DatabaseKind::Country), load(1, DatabaseKind::Anonymizer));
    let [country_error, anonymizer_error] = errors;
    let address = args.address.to_canonical();
    let (country, flags) = (geo.country(address), geo.anonymizer_flags(address));
    let answer = Answer {
        address,
        country: known(country).map(|code| code.map(char::from).iter().collect()),
        anonymizer: known(geo.anonymizer(address)),
        anonymizer_flags: known(flags),
        folder: folder.name(),
        country_database: describe(country, geo.country_database(), country_error),
        anonymizer_database: describe(flags, geo.anonymizer_database(), anonymizer_error),
    };
    serde_json::to_writer_pretty(&mut *out, &answer)?;
    writeln!(out)?;
    for (kind, shown) in
        [(DatabaseKind::Country, &answer.country_database), (DatabaseKind::Anonymizer, &answer.anonymizer_database)]
    {
        match &shown.error {
            Some(error) => writeln!(err, "{error}")?,
            None if shown.answer == "missing" => writeln!(err, "{}: found no {}", answer.folder, file_of(kind))?,
            None => {}
        }
    }
    if geo.is_anonymizer_sample() {
        writeln!(err, "{SAMPLE_WARNING}")?;
    }
    Ok(code)
}

fn known<T>(lookup: Lookup<T>) -> Option<T> {
    match lookup {
        Lookup::Known(value) => Some(value),
        Lookup::Unknown | Lookup::DatabaseMissing => None,
    }
}

fn describe<T>(found: Lookup<T>, database: Option<&GeoDatabase>, error: Option<String>) -> DatabaseAnswer<'_> {
    let Some(database) = database else {
        let answer = if error.is_some() { "unusable" } else { "missing" };
        return DatabaseAnswer { answer, error, ..DatabaseAnswer::default() };
    };
    let built_at = i64::try_from(database.build_epoch_seconds())
        .ok()
        .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    DatabaseAnswer {
        answer: match found {
            Lookup::Known(_) => "found",
            Lookup::Unknown => "no record",
            Lookup::DatabaseMissing => "unusable",
        },
        error,
        database_type: Some(database.database_type()),
        description: database.description(),
        built_at,
        sample: Some(database.is_sample()),
    }
}
