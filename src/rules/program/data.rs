//! Lists and the MRP table: data that rules read beside the operation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::operation::Time;

/// One row of a list: in force for `from ≤ t < until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    pub from: Option<Time>,
    pub until: Option<Time>,
    pub reason: String,
}

/// What the values of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListType {
    Wallet,
    Phone,
    Account,
    Cidr,
    Text,
}

/// Where the values of a list come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrigin {
    /// A CSV beside `lists.yaml`.
    File,
    /// The set `kuzet:list:{name}` in Redis.
    Redis,
    /// A set in Redis that was not read: whether it holds a value is unknown.
    RedisUnread,
}

/// A named list of values.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    pub name: String,
    pub list_type: ListType,
    pub origin: ListOrigin,
    /// By value as [`ListType::compared`] gives it; for `cidr` empty.
    pub values: BTreeMap<String, Vec<ListRow>>,
    /// For `cidr`: networks in canonical form.
    pub networks: Vec<(ipnet::IpNet, ListRow)>,
}

impl ListType {
    /// Returns a value as lists of this type compare it, whichever side it comes from: a phone as its digits
    /// (the leading `+`, spaces, brackets and dashes dropped; a national form such as `8 700` is not
    /// translated), an account without spaces and in capitals, anything else as it is.
    #[must_use]
    pub fn compared(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Phone => phone(value),
            Self::Account => account(value),
            Self::Wallet | Self::Cidr | Self::Text => Cow::Borrowed(value),
        }
    }
}

fn phone(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(value);
    }
    let is_written = |c: &char| !c.is_whitespace() && !is_bracket(*c) && !is_dash(*c);
    let kept: String = value.chars().filter(is_written).collect();
    Cow::Owned(kept.strip_prefix('+').map_or_else(|| kept.clone(), str::to_owned))
}

const fn is_bracket(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']')
}

/// The hyphen of the keyboard, those of typesetting up to the long dashes, and the minus sign.
const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn account(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Cow::Borrowed(value);
    }
    if value.is_ascii() {
        let written = value.bytes().filter(|byte| !char::from(*byte).is_whitespace());
        let mut kept = String::with_capacity(value.len());
        written.for_each(|byte| kept.push(char::from(byte.to_ascii_uppercase())));
        return Cow::Owned(kept);
    }
    Cow::Owned(value.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect())
}

impl List {
    /// Tells whether the text, as [`ListType::compared`] gives it, is on the list at `at`; `None` when the list
    /// was not read.
    #[must_use]
    pub fn has_text(&self, value: &str, at: Time) -> Option<bool> {
        let has = || self.values.get(value).is_some_and(|rows| rows.iter().any(|row| row.is_in_force(at)));
        self.is_read().then(has)
    }

    /// Tells whether the address is in a network of the list at `at`; `None` when the list was not read.
    #[must_use]
    pub fn has_address(&self, address: IpAddr, at: Time) -> Option<bool> {
        let has = || self.networks.iter().any(|(network, row)| network.contains(&address) && row.is_in_force(at));
        self.is_read().then(has)
    }

    /// Tells whether the values are known.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.origin != ListOrigin::RedisUnread
    }
}

impl ListRow {
    #[must_use]
    pub fn is_in_force(&self, at: Time) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// The monthly calculation index by effective day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MrpTable {
    /// Effective from (midnight in Almaty), value in tiyn; ascending.
    pub rows: Vec<(Time, i64)>,
}

impl MrpTable {
    /// Returns the MRP in tiyn on the Almaty day of `at`, `None` before the first row.
    #[must_use]
    pub fn at(&self, at: Time) -> Option<i64> {
        let after = self.rows.partition_point(|(from, _)| *from <= at);
        after.checked_sub(1).map(|index| self.rows[index].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_compared_by_their_digits() {
        let same = [
            "77000000001",
            "+77000000001",
            "+7 (700) 000-00-01",
            " + 7 [700]\u{a0}000\u{2011}00\u{2013}01 ",
            "7\u{2212}700\u{2014}0000001",
        ];
        for written in same {
            assert_eq!(ListType::Phone.compared(written), "77000000001", "{written:?}");
        }
        for other in ["8 700 000 00 01", "77000000001+", "++77000000001", "7.700.000.00.01", "77000000001 ext 5"] {
            assert_ne!(ListType::Phone.compared(other), "77000000001", "{other:?}");
        }
        assert_eq!(ListType::Phone.compared("8 (700) 000-00-01"), "87000000001");
    }

    #[test]
    fn accounts_are_compared_without_spaces_and_in_capitals() {
        for written in ["KZ86125KZT5004100100", "kz86 125k zt50 0410 0100", "\u{a0}Kz86125KZT5004100100\t"] {
            assert_eq!(ListType::Account.compared(written), "KZ86125KZT5004100100", "{written:?}");
        }
        assert_ne!(ListType::Account.compared("KZ86-125KZT5004100100"), "KZ86125KZT5004100100");
    }

    #[test]
    fn wallets_and_texts_are_compared_as_they_are() {
        for value in ["+7 700", "w-1", "W-1", " a "] {
            assert_eq!(ListType::Wallet.compared(value), value);
            assert_eq!(ListType::Text.compared(value), value);
        }
    }

    #[test]
    fn what_was_made_comparable_stays_as_it_is() {
        for value in ["+7 (700) 000-00-01", "(+7) 700", "kz 1 ß", "", "+", " "] {
            for list_type in [ListType::Phone, ListType::Account] {
                let once = list_type.compared(value).into_owned();
                assert_eq!(list_type.compared(&once), once, "{value:?}");
            }
        }
    }
}
