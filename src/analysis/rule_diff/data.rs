//! Lists and the table of the MRP side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::operation::{Money, Time};
use crate::rules::program::{List, ListRow, ListType, MrpTable};

/// Values of a list that are shown of each kind.
const EXAMPLES: usize = 5;

/// A list that came, went or holds other values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListChange {
    pub list: String,
    /// The type of its values; `None` where the set does not have the list.
    pub before: Option<&'static str>,
    pub after: Option<&'static str>,
    /// Whether only one set knows its values: the other one would have to read them from Redis.
    pub is_unread: bool,
    pub added: Values,
    pub removed: Values,
    /// Values whose period or reason is another one.
    pub changed: Values,
}

/// How many values, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Values {
    pub count: usize,
    pub examples: Vec<String>,
}

/// A row of the table of the MRP, in tenge; `None` where only one set has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MrpChange {
    /// The Almaty day from which it holds.
    pub from: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl ListType {
    /// Returns the word of `lists.yaml`.
    const fn word(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Phone => "phone",
            Self::Account => "account",
            Self::Cidr => "cidr",
            Self::Text => "text",
        }
    }
}

/// Compares the lists of two sets by name.
pub(super) fn lists(before: &[List], after: &[List]) -> Vec<ListChange> {
    let names: BTreeSet<&str> = before.iter().chain(after).map(|list| list.name.as_str()).collect();
    let find = |lists: &'_ [List], name: &str| lists.iter().position(|list| list.name == name);
    let change = |name: &str| {
        let old = find(before, name).map(|at| &before[at]);
        let new = find(after, name).map(|at| &after[at]);
        let (old_rows, new_rows) = (rows(old), rows(new));
        let is_read = |list: Option<&List>| list.is_none_or(List::is_read);
        let only = |one: &Rows<'_>, other: &Rows<'_>| {
            Values::of(one.keys().filter(|value| !other.contains_key(*value)).cloned())
        };
        let moved = old_rows.iter().filter(|(value, rows)| new_rows.get(*value).is_some_and(|other| other != *rows));
        let found = ListChange {
            list: name.to_owned(),
            before: old.map(|list| list.list_type.word()),
            after: new.map(|list| list.list_type.word()),
            is_unread: is_read(old) != is_read(new),
            added: only(&new_rows, &old_rows),
            removed: only(&old_rows, &new_rows),
            changed: Values::of(moved.map(|(value, _)| value.clone())),
        };
        let is_other = found.before != found.after
            || found.is_unread
            || [&found.added, &found.removed, &found.changed].iter().any(|values| values.count > 0);
        is_other.then_some(found)
    };
    names.into_iter().filter_map(change).collect()
}

type Rows<'l> = BTreeMap<String, Vec<&'l ListRow>>;

fn rows(list: Option<&List>) -> Rows<'_> {
    let mut rows: Rows<'_> = BTreeMap::new();
    if let Some(list) = list {
        for (value, of_value) in &list.values {
            rows.entry(value.clone()).or_default().extend(of_value);
        }
        for (network, row) in &list.networks {
            rows.entry(network.to_string()).or_default().push(row);
        }
    }
    rows
}

impl Values {
    fn of(values: impl Iterator<Item = String>) -> Self {
        let mut found = Self::default();
        for value in values {
            found.count += 1;
            if found.examples.len() < EXAMPLES {
                found.examples.push(value);
            }
        }
        found
    }
}

/// Compares the rows of two tables by day.
pub(super) fn mrp(before: &MrpTable, after: &MrpTable) -> Vec<MrpChange> {
    let rows = |table: &MrpTable| -> BTreeMap<_, _> { table.rows.iter().copied().collect() };
    let (old, new) = (rows(before), rows(after));
    let days: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let tenge = |tiyn: &i64| Money::from_tiyn(*tiyn).to_string();
    let changed = days.into_iter().filter(|day| old.get(day) != new.get(day));
    let change = |day| MrpChange {
        from: Time::almaty_date(day).to_string(),
        before: old.get(&day).map(tenge),
        after: new.get(&day).map(tenge),
    };
    changed.map(change).collect()
}
