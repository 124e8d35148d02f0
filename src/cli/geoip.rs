//! `kuzet geoip`: makes an anonymizer database from lists or sources, and looks addresses up.

mod build;
mod lookup;
mod update;

use std::io::Write;

use clap::{Args, Subcommand};

pub use build::BuildArgs;
pub use lookup::LookupArgs;
pub use update::UpdateArgs;

/// Ask the geo databases, or make an anonymizer database
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kuzet geoip update
  kuzet geoip build --vpn vpn.txt --tor tor.txt --out geoip/anonymizer.mmdb
  kuzet geoip lookup 95.56.234.10 --geoip geoip")]
pub struct GeoipArgs {
    #[command(subcommand)]
    pub command: GeoipCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum GeoipCommand {
    /// Make an anonymizer database from lists of networks
    Build(BuildArgs),
    /// Show what the databases say of an address
    Lookup(LookupArgs),
    /// Make the anonymizer database from the lists that a file of sources names
    Update(UpdateArgs),
}

/// Runs the command, writing its answer to `out` and reports to `err`; returns the exit code.
///
/// # Errors
/// Files that cannot be read or written.
pub fn run(args: &GeoipArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    match &args.command {
        GeoipCommand::Build(args) => build::run(args, out, err),
        GeoipCommand::Lookup(args) => lookup::run(args, out, err),
        GeoipCommand::Update(args) => update::run(args, out, err),
    }
}
