//! `kuzet geoip build`: an anonymizer database from lists of networks.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::adapters::files;
use crate::cli::exit;
use crate::geo::AnonymizerFlags;
use crate::geo::build::AnonymizerBuilder;
use crate::geo::list::{self, Format};

/// Make an anonymizer database from lists of networks
#[derive(Debug, Args)]
#[command(after_help = "Each list holds one address, network (192.0.2.0/24) or range per line; # begins a comment.
An address in several lists bears every flag. A list without a network, or with a bad line, is refused.

Example:
  kuzet geoip build --vpn vpn.txt --tor tor.txt --out geoip/anonymizer.mmdb")]
pub struct BuildArgs {
    /// Networks of VPN services
    #[arg(long, value_name = "FILE")]
    pub vpn: Vec<PathBuf>,
    /// Tor exit addresses
    #[arg(long, value_name = "FILE")]
    pub tor: Vec<PathBuf>,
    /// Public proxies
    #[arg(long, value_name = "FILE")]
    pub public_proxy: Vec<PathBuf>,
    /// Residential proxies
    #[arg(long, value_name = "FILE")]
    pub residential_proxy: Vec<PathBuf>,
    /// Data centres; alone they do not make an address an anonymizer
    #[arg(long, value_name = "FILE")]
    pub hosting: Vec<PathBuf>,
    /// Mark the database as a sample: kuzet then says that no real anonymizer is in it
    #[arg(long)]
    pub sample: bool,
    /// What the database says it is
    #[arg(long, value_name = "TEXT", default_value = "Anonymizers, built by kuzet geoip build")]
    pub description: String,
    /// Where to write the database
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

pub(super) fn run(args: &BuildArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    let base = AnonymizerFlags { is_anonymous: true, ..AnonymizerFlags::default() };
    let lists: [(AnonymizerFlags, &[PathBuf]); 5] = [
        (AnonymizerFlags { is_anonymous_vpn: true, ..base }, &args.vpn),
        (AnonymizerFlags { is_tor_exit_node: true, ..base }, &args.tor),
        (AnonymizerFlags { is_public_proxy: true, ..base }, &args.public_proxy),
        (AnonymizerFlags { is_residential_proxy: true, ..base }, &args.residential_proxy),
        (AnonymizerFlags { is_hosting_provider: true, ..base }, &args.hosting),
    ];
    if lists.iter().all(|(_, files)| files.is_empty()) {
        writeln!(
            err,
            "found no list, but at least one of --vpn, --tor, --public-proxy, --residential-proxy or --hosting is needed"
        )?;
        return Ok(exit::USAGE);
    }
    let mut builder = AnonymizerBuilder::new(&args.description, args.sample);
    let mut faults = 0;
    for (flags, files) in lists {
        for file in files {
            let bytes = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
            let found = match list::read(&Format::List, flags, &bytes) {
                Ok(found) => found,
                Err(error) => {
                    writeln!(err, "{}: {error}", file.display())?;
                    faults += 1;
                    continue;
                }
            };
            for fault in &found.faults {
                writeln!(err, "{}:{}: found \"{}\": {}", file.display(), fault.line, fault.found, fault.reason)?;
            }
            if found.networks.is_empty() && found.fault_count == 0 {
                writeln!(err, "{}: found no network, but a list holds at least one", file.display())?;
                faults += 1;
            }
            faults += found.fault_count;
            for (network, flags) in found.networks {
                builder.add(network, flags)?;
            }
        }
    }
    if faults > 0 {
        writeln!(err, "{faults} faults; nothing was written")?;
        return Ok(exit::NO);
    }
    let bytes = builder.finish()?;
    files::replace(&args.out, &bytes).with_context(|| format!("failed to write {}", args.out.display()))?;
    writeln!(out, "wrote {}: {} networks, {} bytes", args.out.display(), builder.networks(), bytes.len())?;
    Ok(exit::OK)
}
