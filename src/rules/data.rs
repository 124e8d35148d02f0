//! The data that rules refer to: the MRP by effective day, and lists of wallets, phones, accounts,
//! networks and texts with the days on which each value counts.

mod csv;

use super::check::MRP_MAX;
use super::diagnostic::{Code, Diagnostic, Findings};
use super::keys::{self, Keys};
use super::program::{List, ListOrigin, ListType, MrpTable};
use super::source::REDIS_SET;
use super::yaml::{self, Entry, Node, NodeKind};
use crate::operation::Money;
use crate::operation::time::almaty_midnight;

/// Reads `data/mrp.yaml`: rows of `{from: 2020-01-01, value: 2651 KZT}` in ascending order.
pub(crate) fn read_mrp(path: &str, text: &str) -> (MrpTable, Vec<Diagnostic>) {
    let mut findings = Findings::new(path);
    let mut table = MrpTable::default();
    let rows = yaml::parse(text, &mut findings).and_then(|root| {
        let keys = Keys::open(&root, "the MRP table", &["mrp"], &mut findings)?;
        keys.required("mrp", "the MRP table", &mut findings).cloned()
    });
    let items = match rows {
        Some(Node { kind: NodeKind::Sequence(items), .. }) => items,
        Some(node) => {
            findings
                .error(Code::WrongShape, &node.span, "`mrp` must be a list of rows")
                .label(format!("this is {}", node.describe()))
                .help("for example `- {from: 2026-01-01, value: 4325 KZT}`");
            Vec::new()
        }
        None => Vec::new(),
    };
    for item in &items {
        read_mrp_row(item, &mut table, &mut findings);
    }
    (table, findings.list)
}

fn read_mrp_row(item: &Node, table: &mut MrpTable, findings: &mut Findings) {
    let Some(keys) = Keys::open(item, "a row", &["from", "value", "source"], findings) else {
        return;
    };
    let from_node = keys.required("from", "a row", findings);
    let from = from_node.and_then(|node| keys::date(node, "`from`", findings)).map(almaty_midnight);
    let value = keys.required("value", "a row", findings).and_then(|node| read_kzt(node, findings));
    let (Some(node), Some(from), Some(value)) = (from_node, from, value) else {
        return;
    };
    match table.rows.last() {
        Some((last, _)) if *last == from => {
            findings.error(Code::MrpOrder, &node.span, "two rows start on the same day").label("second of them");
        }
        Some((last, _)) if *last > from => {
            findings
                .error(Code::MrpOrder, &node.span, "the rows must be in ascending order")
                .label("starts before the row above");
        }
        _ => table.rows.push((from, value)),
    }
}

fn read_kzt(node: &Node, findings: &mut Findings) -> Option<i64> {
    let text = keys::text(node, "`value`", findings)?;
    let number = text.strip_suffix("KZT").map(|number| number.trim_end().replace('_', ""));
    let tiyn = number.as_deref().and_then(Money::parse).map(Money::tiyn);
    let found = tiyn.filter(|tiyn| *tiyn > 0 && i128::from(*tiyn) <= MRP_MAX);
    if found.is_none() {
        let code = if number.is_none() { Code::MoneyWithoutUnit } else { Code::BadValue };
        findings
            .error(code, &node.span, "the value of one MRP is an amount of money")
            .label("not an amount in KZT, or out of range")
            .help("for example `4325 KZT`");
    }
    found
}

/// The declaration of one list.
#[derive(Debug)]
struct Declaration {
    name: String,
    list_type: ListType,
    is_in_redis: bool,
    /// The CSV's path beside `lists.yaml`, or the key in Redis.
    path: String,
    span: std::ops::Range<usize>,
}

const LIST_TYPES: [(&str, ListType); 5] = [
    ("wallet", ListType::Wallet),
    ("phone", ListType::Phone),
    ("account", ListType::Account),
    ("cidr", ListType::Cidr),
    ("text", ListType::Text),
];

/// Reads `data/lists.yaml` and the values of each list; `find` gives a file's text by its path. A set in Redis
/// that it does not give is a list that was not read.
pub(crate) fn read_lists<'t>(
    path: &str,
    text: &str,
    find: impl Fn(&str) -> Option<&'t str>,
) -> (Vec<List>, Vec<Diagnostic>) {
    let mut findings = Findings::new(path);
    let mut diagnostics = Vec::new();
    let mut lists = Vec::new();
    for declaration in declarations(path, text, &mut findings) {
        let mut list = List {
            name: declaration.name,
            list_type: declaration.list_type,
            origin: if declaration.is_in_redis { ListOrigin::Redis } else { ListOrigin::File },
            values: std::collections::BTreeMap::new(),
            networks: Vec::new(),
        };
        match find(&declaration.path) {
            Some(text) if declaration.is_in_redis => {
                diagnostics.extend(csv::read_values(&declaration.path, text, &mut list));
            }
            None if declaration.is_in_redis => list.origin = ListOrigin::RedisUnread,
            Some(text) => diagnostics.extend(csv::read(&declaration.path, text, &mut list)),
            None => {
                findings
                    .error(Code::MissingFile, &declaration.span, format!("there is no file `{}`", declaration.path))
                    .label("not found")
                    .help("a list without values still needs its file with the line `value,from,until,reason`");
            }
        }
        lists.push(list);
    }
    lists.sort_by(|a, b| a.name.cmp(&b.name));
    findings.list.append(&mut diagnostics);
    (lists, findings.list)
}

fn declarations(path: &str, text: &str, findings: &mut Findings) -> Vec<Declaration> {
    let Some(root) = yaml::parse(text, findings) else {
        return Vec::new();
    };
    let NodeKind::Mapping(entries) = &root.kind else {
        findings
            .error(Code::WrongShape, &root.span, "the file must be a mapping of list names")
            .label(format!("this is {}", root.describe()))
            .help("for example `antifraud_wallets: {type: wallet, file: antifraud_wallets.csv}`");
        return Vec::new();
    };
    // The names may stand under `lists:` or at the top.
    let entries = match entries.as_slice() {
        [Entry { key, value: Node { kind: NodeKind::Mapping(inner), .. }, .. }] if key == "lists" => inner,
        _ => entries,
    };
    let folder = path.rfind('/').map_or("", |slash| &path[..=slash]);
    entries.iter().filter_map(|entry| declaration(entry, folder, findings)).collect()
}

fn declaration(entry: &Entry, folder: &str, findings: &mut Findings) -> Option<Declaration> {
    let fits = entry.key.starts_with(|c: char| c.is_ascii_lowercase())
        && entry.key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !fits {
        findings
            .error(Code::BadValue, &entry.key_span, format!("`{}` cannot be the name of a list", entry.key))
            .label("only `a`–`z`, `0`–`9` and `_`, a letter first");
    }
    let keys = Keys::open(&entry.value, "a list", &["type", "file", "from", "title", "notes"], findings)?;
    let list_type =
        keys.required("type", "a list", findings).and_then(|node| keys::word(node, "list type", &LIST_TYPES, findings));
    if let Some(from) = keys.optional("from") {
        keys::word(from, "origin of a list", &[("redis", ())], findings)?;
        if keys.optional("file").is_some() {
            findings
                .error(Code::BadValue, &from.span, "a list has either a `file` or `from: redis`")
                .label("it has a `file` too");
            return None;
        }
        let path = format!("{REDIS_SET}{}", entry.key);
        let (name, span) = (entry.key.clone(), from.span.clone());
        return Some(Declaration { name, list_type: list_type?, is_in_redis: true, path, span });
    }
    let file_node = keys.required("file", "a list", findings)?;
    let file = keys::text(file_node, "`file`", findings)?;
    if !file.to_ascii_lowercase().ends_with(".csv") || file.contains(['/', '\\']) {
        findings
            .error(Code::BadValue, &file_node.span, "a list's file is a `.csv` beside lists.yaml")
            .label("not such a name");
        return None;
    }
    let path = format!("{folder}{file}");
    let (name, span) = (entry.key.clone(), file_node.span.clone());
    Some(Declaration { name, list_type: list_type?, is_in_redis: false, path, span })
}
