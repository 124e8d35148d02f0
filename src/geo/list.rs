//! Lists of anonymizers as their makers publish them, read into networks with flags.
//!
//! Pure: bytes in, networks and bad lines out. How many bad lines make a text no list says [`Networks::check`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::AnonymizerFlags;
use super::database::{DatabaseKind, GeoDatabase, GeoError};
use super::record::{AnonymizerRecord, flags_of_proxy_type};
use crate::operation::network::parse_network;

/// No service has so many addresses: a shorter prefix is a mistake, or an attack on whoever uses the list.
const V4_PREFIX_MIN: u8 = 8;
const V6_PREFIX_MIN: u8 = 16;
/// One bad line in so many is accepted from a public list, and told.
const LINES_PER_FAULT: usize = 100;
/// Bad lines that are kept to be shown.
const FAULTS_SHOWN: usize = 20;

/// How a list is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One address, network, range (`A-B`) or `address:port` on each line; `#` and `;` begin a comment.
    List,
    /// Such values in one column of a table.
    Csv { column: Column, separator: char },
    /// `GeoIP2-Anonymous-IP-Blocks-IPv4.csv`: a network and a column for each flag.
    MaxMindCsv,
    /// IP2Proxy from PX2 on: first and last address as numbers, then the type of the proxy.
    Ip2ProxyCsv,
    /// A database in MaxMind's format with MaxMind's flags or IP2Proxy's types.
    Mmdb,
    /// <https://check.torproject.org/exit-addresses>: lines `ExitAddress ADDRESS TIME` among others.
    TorExits,
}

impl Format {
    /// Tells whether the records themselves say what kind of anonymizer each is.
    #[must_use]
    pub const fn has_flags(&self) -> bool {
        matches!(self, Self::MaxMindCsv | Self::Ip2ProxyCsv | Self::Mmdb)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The first line names the columns.
    Named(String),
    /// Counted from 1; there is no line of names.
    Numbered(usize),
}

/// A line that is not what its list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// What was found, cut short.
    pub found: String,
    pub reason: String,
}

/// What a list holds.
#[derive(Debug, Default)]
pub struct Networks {
    pub networks: Vec<(IpNet, AnonymizerFlags)>,
    /// The first bad lines.
    pub faults: Vec<Fault>,
    /// How many bad lines there are.
    pub fault_count: usize,
    /// Lines that should have held a network.
    pub lines: usize,
}

/// Why a text is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("found bytes that are no text, but a list is text in UTF-8")]
    NoText,
    #[error("found a web page in place of a list")]
    WebPage,
    #[error("found no column \"{wanted}\", but {}", found.join(", "))]
    NoColumn { wanted: String, found: Vec<String> },
    #[error("found no network")]
    Empty,
    #[error(
        "found {faults} bad lines of {lines}, but at most one in {LINES_PER_FAULT} is accepted; line {}: found \
         \"{}\": {}", first.line, first.found, first.reason
    )]
    NoList { faults: usize, lines: usize, first: Box<Fault> },
    #[error("failed to read the database")]
    Database(#[source] GeoError),
}

impl Networks {
    fn add(&mut self, line: usize, text: &str, flags: AnonymizerFlags) {
        self.lines += 1;
        match parse_entry(text) {
            Ok(networks) => self.networks.extend(networks.into_iter().map(|network| (network, flags))),
            Err(reason) => self.fault(line, text, reason),
        }
    }

    fn fault(&mut self, line: usize, text: &str, reason: String) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_SHOWN {
            let found = text.chars().take(40).flat_map(char::escape_debug).collect();
            self.faults.push(Fault { line, found, reason });
        }
    }

    /// Tells whether this may be taken for a list.
    ///
    /// # Errors
    /// It holds no network, or too many lines are bad.
    pub fn check(&self) -> Result<(), ListError> {
        match self.faults.first() {
            Some(first) if self.fault_count * LINES_PER_FAULT > self.lines => {
                Err(ListError::NoList { faults: self.fault_count, lines: self.lines, first: Box::new(first.clone()) })
            }
            _ if self.networks.is_empty() => Err(ListError::Empty),
            _ => Ok(()),
        }
    }
}

/// Reads a list; `flags` are what its networks are, unless its records say so themselves.
///
/// # Errors
/// It is not of this format at all. Single bad lines are in [`Networks::faults`].
pub fn read(format: &Format, flags: AnonymizerFlags, bytes: &[u8]) -> Result<Networks, ListError> {
    if *format == Format::Mmdb {
        return read_database(bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ListError::NoText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\0') {
        return Err(ListError::NoText);
    }
    if text.trim_start().starts_with('<') {
        return Err(ListError::WebPage);
    }
    match format {
        Format::List => Ok(read_lines(text, flags)),
        Format::TorExits => Ok(read_tor_exits(text, flags)),
        Format::Csv { column, separator } => read_csv(text, column, *separator, flags),
        Format::MaxMindCsv => read_maxmind_csv(text),
        Format::Ip2ProxyCsv => Ok(read_ip2proxy_csv(text)),
        Format::Mmdb => read_database(bytes),
    }
}

/// The lines with what follows `#` or `;` cut off, counted from 1; empty ones left out.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bare = |line: &str| line.split(['#', ';']).next().map_or(0, str::len);
    text.lines()
        .enumerate()
        .map(move |(index, line)| (index + 1, line[..bare(line)].trim()))
        .filter(|(_, t)| !t.is_empty())
}

fn read_lines(text: &str, flags: AnonymizerFlags) -> Networks {
    let mut out = Networks::default();
    for (line, entry) in entries(text) {
        out.add(line, entry, flags);
    }
    out
}

fn read_tor_exits(text: &str, flags: AnonymizerFlags) -> Networks {
    let mut out = Networks::default();
    for (line, entry) in entries(text) {
        let mut words = entry.split_ascii_whitespace();
        match words.next() {
            Some("ExitAddress") => out.add(line, words.next().unwrap_or_default(), flags),
            Some("ExitNode" | "Published" | "LastStatus") => {}
            _ => {
                out.lines += 1;
                out.fault(line, entry, String::from("not a line of Tor's exit list"));
            }
        }
    }
    out
}

/// Cells of a line; quotes around one are taken away.
fn cells(line: &str, separator: char) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            letter if letter == separator && !is_quoted => out.push(String::new()),
            letter => out.last_mut().into_iter().for_each(|cell| cell.push(letter)),
        }
    }
    out.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn lines_of_table(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}

fn read_csv(text: &str, column: &Column, separator: char, flags: AnonymizerFlags) -> Result<Networks, ListError> {
    let mut lines = lines_of_table(text).filter(|(_, line)| !line.starts_with('#'));
    let position = match column {
        Column::Numbered(number) => number.saturating_sub(1),
        Column::Named(name) => {
            let Some((_, names)) = lines.next() else { return Err(ListError::Empty) };
            column_of(&cells(names, separator), name)?
        }
    };
    let mut out = Networks::default();
    for (line, row) in lines {
        match cells(row, separator).get(position) {
            Some(cell) => out.add(line, cell, flags),
            None => {
                out.lines += 1;
                out.fault(line, row, format!("there is no column {}", position + 1));
            }
        }
    }
    Ok(out)
}

fn column_of(names: &[String], wanted: &str) -> Result<usize, ListError> {
    let is_wanted = |name: &String| name.eq_ignore_ascii_case(wanted);
    names.iter().position(is_wanted).ok_or_else(|| ListError::NoColumn {
        wanted: wanted.to_owned(),
        found: names.iter().take(20).map(|name| name.chars().take(40).flat_map(char::escape_debug).collect()).collect(),
    })
}

fn read_maxmind_csv(text: &str) -> Result<Networks, ListError> {
    let mut lines = lines_of_table(text);
    let Some((_, names)) = lines.next() else { return Err(ListError::Empty) };
    let names = cells(names, ',');
    let network = column_of(&names, "network")?;
    column_of(&names, "is_anonymous")?;
    let at = |name: &str| names.iter().position(|known| known.eq_ignore_ascii_case(name));
    let (anonymous, vpn, hosting) = (at("is_anonymous"), at("is_anonymous_vpn"), at("is_hosting_provider"));
    let (public, residential, tor) = (at("is_public_proxy"), at("is_residential_proxy"), at("is_tor_exit_node"));
    let mut out = Networks::default();
    for (line, row) in lines {
        let row = cells(row, ',');
        let is_set = |column: Option<usize>| {
            column
                .and_then(|column| row.get(column))
                .is_some_and(|cell| cell == "1" || cell.eq_ignore_ascii_case("true"))
        };
        let flags = AnonymizerFlags {
            is_anonymous: is_set(anonymous),
            is_anonymous_vpn: is_set(vpn),
            is_hosting_provider: is_set(hosting),
            is_public_proxy: is_set(public),
            is_residential_proxy: is_set(residential),
            is_tor_exit_node: is_set(tor),
        };
        out.add(line, row.get(network).map_or("", String::as_str), flags);
    }
    Ok(out)
}

fn read_ip2proxy_csv(text: &str) -> Networks {
    let mut out = Networks::default();
    for (line, row) in lines_of_table(text) {
        let cells = cells(row, ',');
        // Some tables begin with the names of the columns.
        if line == 1 && cells.first().is_some_and(|cell| cell.eq_ignore_ascii_case("ip_from")) {
            continue;
        }
        out.lines += 1;
        match ip2proxy_row(&cells) {
            // What is no proxy stands in such tables too.
            Ok((_, flags)) if flags == AnonymizerFlags::default() => {}
            Ok((networks, flags)) => out.networks.extend(networks.into_iter().map(|network| (network, flags))),
            Err(reason) => out.fault(line, row, reason),
        }
    }
    out
}

fn ip2proxy_row(cells: &[String]) -> Result<(Vec<IpNet>, AnonymizerFlags), String> {
    let address = |at: usize| cells.get(at).and_then(|cell| cell.parse().ok()).map(address_of_number);
    let (Some(from), Some(to)) = (address(0), address(1)) else {
        return Err(String::from("the first two columns are not addresses as numbers"));
    };
    let kind =
        cells.get(2).filter(|kind| *kind == "-" || kind.len() >= 3).ok_or("no type of a proxy in the third column")?;
    Ok((range(from, to)?, flags_of_proxy_type(kind)))
}

/// An address as IP2Location writes it: IPv4 ones as 32 bits, or mapped into IPv6 ones.
fn address_of_number(number: u128) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) => Ipv4Addr::from(number).into(),
        Err(_) => IpAddr::from(Ipv6Addr::from(number)).to_canonical(),
    }
}

fn read_database(bytes: &[u8]) -> Result<Networks, ListError> {
    let database = GeoDatabase::from_bytes(DatabaseKind::Anonymizer, bytes.to_vec()).map_err(ListError::Database)?;
    let records = database.records::<AnonymizerRecord<'_>>().map_err(GeoError::Damaged).map_err(ListError::Database)?;
    let mut out = Networks { lines: records.len(), ..Networks::default() };
    for (index, (network, record)) in records.into_iter().enumerate() {
        let flags = record.flags();
        match usable(network) {
            _ if flags == AnonymizerFlags::default() => {}
            Ok(network) => out.networks.push((network, flags)),
            Err(reason) => out.fault(index + 1, &network.to_string(), reason),
        }
    }
    Ok(out)
}

/// Reads an address, a network, a range or an address with a port.
fn parse_entry(text: &str) -> Result<Vec<IpNet>, String> {
    let error = match parse_network(text) {
        Ok(network) => return Ok(vec![usable(network)?]),
        Err(error) => error,
    };
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(vec![usable(IpNet::from(socket.ip().to_canonical()))?]);
    }
    if let Some((from, to)) = text.split_once('-')
        && let (Ok(from), Ok(to)) = (from.trim().parse::<IpAddr>(), to.trim().parse::<IpAddr>())
    {
        return range(from.to_canonical(), to.to_canonical());
    }
    Err(format!("{error}; {}", error.help()))
}

/// Divides a range into networks.
fn range(from: IpAddr, to: IpAddr) -> Result<Vec<IpNet>, String> {
    let networks: Vec<IpNet> = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) if from <= to => Ipv4Subnets::new(from, to, 0).map(IpNet::V4).collect(),
        (IpAddr::V6(from), IpAddr::V6(to)) if from <= to => Ipv6Subnets::new(from, to, 0).map(IpNet::V6).collect(),
        _ => return Err(format!("{from} to {to} is no range of addresses")),
    };
    networks.into_iter().map(usable).collect()
}

/// Refuses networks that cannot be those of one service, and those that are IPv4 addresses in another form.
fn usable(network: IpNet) -> Result<IpNet, String> {
    let min = if network.addr().is_ipv4() { V4_PREFIX_MIN } else { V6_PREFIX_MIN };
    if network.prefix_len() < min {
        return Err(format!("a prefix of at least {min} bits is accepted"));
    }
    if let IpNet::V6(network) = network {
        let [first, second, ..] = network.addr().segments();
        if first == 0x2002 || (first == 0x2001 && second == 0 && network.prefix_len() >= 32) {
            return Err(String::from("6to4 and Teredo addresses stand for IPv4 ones; write those"));
        }
    }
    Ok(network)
}
