//! `kuzet geoip`: makes an anonymizer database from lists, and looks addresses up.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ipnet::IpNet;
use mmdb_writer::{MergeStrategy, Writer};
use serde::Serialize;

use crate::adapters::geo_files;
use crate::geo::{AnonymizerFlags, GeoDatabase, Lookup};

/// Ask the geo databases, or make an anonymizer database
#[derive(Debug, Args)]
#[command(after_help = "Examples:
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
}

/// Make an anonymizer database from lists of networks
#[derive(Debug, Args)]
#[command(after_help = "Each list holds one address or network (192.0.2.0/24) per line; # begins a comment.
An address in several lists bears every flag.

Example: kuzet geoip build --vpn vpn.txt --tor tor.txt --out geoip/anonymizer.mmdb")]
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
    /// What the database says it is
    #[arg(long, value_name = "TEXT", default_value = "Anonymizers, built by kuzet geoip build")]
    pub description: String,
    /// Where to write the database
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Show what the databases say of an address
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kuzet geoip lookup 95.56.234.10")]
pub struct LookupArgs {
    /// An IPv4 or IPv6 address
    pub address: IpAddr,
    /// The folder with country.mmdb and anonymizer.mmdb
    #[arg(long, value_name = "DIR", default_value = "geoip")]
    pub geoip: PathBuf,
}

/// Runs the command, writing its answer to `out` and reports to `err`; returns the exit code.
///
/// # Errors
/// Files that cannot be read or written.
pub fn run(args: &GeoipArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    match &args.command {
        GeoipCommand::Build(args) => build(args, out, err),
        GeoipCommand::Lookup(args) => lookup(args, out),
    }
}

fn build(args: &BuildArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    let lists: [(&'static str, &[PathBuf]); 5] = [
        ("is_anonymous_vpn", &args.vpn),
        ("is_tor_exit_node", &args.tor),
        ("is_public_proxy", &args.public_proxy),
        ("is_residential_proxy", &args.residential_proxy),
        ("is_hosting_provider", &args.hosting),
    ];
    if lists.iter().all(|(_, files)| files.is_empty()) {
        writeln!(
            err,
            "found no list, but at least one of --vpn, --tor, --public-proxy, --residential-proxy or --hosting is needed"
        )?;
        return Ok(2);
    }
    let mut writer = Writer::builder("GeoIP2-Anonymous-IP").description(&[("en", &args.description)]).build();
    let (mut networks, mut faults) = (0_usize, 0_usize);
    for (flag, files) in lists {
        for file in files {
            let text = fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
            let list = read_list(file, &text);
            for network in &list.networks {
                insert(&mut writer, *network, flag)?;
            }
            for fault in &list.faults {
                writeln!(err, "{fault}")?;
            }
            networks += list.networks.len();
            faults += list.faults.len();
        }
    }
    if faults > 0 {
        writeln!(err, "{faults} bad lines; nothing was written")?;
        return Ok(1);
    }
    let bytes = writer.to_bytes().context("failed to build the database")?;
    replace(&args.out, &bytes).with_context(|| format!("failed to write {}", args.out.display()))?;
    writeln!(out, "wrote {}: {networks} networks, {} bytes", args.out.display(), bytes.len())?;
    Ok(0)
}

/// Adds a flag to whatever the network's addresses bear already.
fn insert(writer: &mut Writer, network: IpNet, flag: &'static str) -> anyhow::Result<()> {
    let flags: BTreeMap<&str, bool> = BTreeMap::from([("is_anonymous", true), (flag, true)]);
    writer
        .insert_merged(network, &flags, MergeStrategy::TopLevelMerge)
        .with_context(|| format!("failed to add {network}"))
}

/// The networks of a list and its bad lines as `file:line: reason`.
struct List {
    networks: Vec<IpNet>,
    faults: Vec<String>,
}

fn read_list(file: &Path, text: &str) -> List {
    let mut list = List { networks: Vec::new(), faults: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        match parse_network(entry) {
            Some(network) => list.networks.push(network),
            None => list.faults.push(format!(
                "{}:{}: found \"{}\", but only an address or a network such as 192.0.2.0/24 is accepted",
                file.display(),
                index + 1,
                entry.chars().take(40).flat_map(char::escape_debug).collect::<String>(),
            )),
        }
    }
    list
}

/// Reads an address or network; an IPv4-mapped IPv6 one is the IPv4 one it stands for.
fn parse_network(entry: &str) -> Option<IpNet> {
    let network = match entry.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => entry.parse::<IpNet>().ok()?,
    };
    match (network, network.addr().to_canonical()) {
        (IpNet::V6(_), IpAddr::V4(address)) if network.prefix_len() >= 96 => {
            IpNet::new(IpAddr::V4(address), network.prefix_len() - 96).ok().map(|network| network.trunc())
        }
        _ => Some(network.trunc()),
    }
}

/// Writes beside the target and renames, so that a reader never sees half a database.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// What `lookup` prints, as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    address: IpAddr,
    country: Option<String>,
    anonymizer: Option<bool>,
    anonymizer_flags: Option<AnonymizerFlags>,
    country_database: Option<DatabaseAnswer<'a>>,
    anonymizer_database: Option<DatabaseAnswer<'a>>,
}

#[derive(Serialize)]
struct DatabaseAnswer<'a> {
    #[serde(rename = "type")]
    database_type: &'a str,
    description: Option<&'a str>,
    built_at: Option<String>,
}

fn lookup(args: &LookupArgs, out: &mut dyn Write) -> anyhow::Result<i32> {
    let geo = geo_files::load(&args.geoip)?;
    let address = args.address.to_canonical();
    let answer = Answer {
        address,
        country: known(geo.country(address)).map(|code| code.map(char::from).iter().collect()),
        anonymizer: known(geo.anonymizer(address)),
        anonymizer_flags: known(geo.anonymizer_flags(address)),
        country_database: geo.country_database().map(describe),
        anonymizer_database: geo.anonymizer_database().map(describe),
    };
    serde_json::to_writer_pretty(&mut *out, &answer)?;
    writeln!(out)?;
    Ok(0)
}

fn known<T>(lookup: Lookup<T>) -> Option<T> {
    match lookup {
        Lookup::Known(value) => Some(value),
        Lookup::Unknown | Lookup::DatabaseMissing => None,
    }
}

fn describe(database: &GeoDatabase) -> DatabaseAnswer<'_> {
    let built_at = i64::try_from(database.build_epoch_seconds())
        .ok()
        .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    DatabaseAnswer { database_type: database.database_type(), description: database.description(), built_at }
}
