//! `kuzet geoip update`: the anonymizer database from the lists that a file of sources names.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::adapters::geo_files::ANONYMIZER_FILE;
use crate::adapters::geo_update::{self, Report, Request};
use crate::cli::exit;

/// Make the anonymizer database from the lists that a file of sources names
#[derive(Debug, Args)]
#[command(after_help = "Only when every source gave a list is the database replaced: a source that cannot be
reached, is empty, is no list, has another checksum, or has less than half of the networks that it had,
keeps the old one. geoip/README.md describes the file.

Exit codes: 0 when the database was written, 1 when a source was refused.

Examples:
  kuzet geoip update
  kuzet geoip update --sources /etc/kuzet/geoip/sources.toml")]
pub struct UpdateArgs {
    /// The file of sources
    #[arg(long, value_name = "FILE", default_value = "geoip/sources.toml")]
    pub sources: PathBuf,
    /// Where to write the database [default: anonymizer.mmdb beside the file of sources]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Take lists that have less than half of the networks that they had
    #[arg(long)]
    pub accept_shrink: bool,
}

pub(super) fn run(args: &UpdateArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    let beside = || args.sources.parent().unwrap_or(Path::new("")).join(ANONYMIZER_FILE);
    let request = Request {
        sources: args.sources.clone(),
        out: args.out.clone().unwrap_or_else(beside),
        accept_shrink: args.accept_shrink,
    };
    let report = geo_update::update(&request)?;
    tell(&report, &request, out, err)
}

fn tell(report: &Report, request: &Request, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    for source in &report.sources {
        let name = &source.name;
        match &source.result {
            Ok(taken) => {
                let unchanged = if taken.is_unchanged { ", unchanged" } else { "" };
                writeln!(out, "{name}: {} networks{unchanged}", taken.networks)?;
                for fault in &taken.faults {
                    writeln!(err, "{name}:{}: found \"{}\": {}", fault.line, fault.found, fault.reason)?;
                }
                if taken.fault_count > 0 {
                    writeln!(err, "{name}: {} bad lines left out", taken.fault_count)?;
                }
            }
            Err(error) => writeln!(err, "{name}: refused: {error}")?,
        }
    }
    let path = request.out.display();
    match report.written {
        Some(written) => {
            writeln!(out, "wrote {path}: {} networks, {} bytes", written.networks, written.bytes)?;
            Ok(exit::OK)
        }
        None => {
            writeln!(err, "{path} stays as it is: a source was refused")?;
            Ok(exit::NO)
        }
    }
}
