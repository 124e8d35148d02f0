//! Where a row of a wallet's log keeps what: header, mask, columns.

use crate::engine::plan::aggregate::{PlannedAggregate, residual_fields};
use crate::engine::plan::settings::Settings;
use crate::operation::time::{DAY, HOUR};
use crate::rules::program::{Aggregate, Field, Function, Window, symbol_of_text};

/// Words of a row before its mask: time, id (two words), content, arrival and flags, sequence number.
pub const ROW_HEADER: usize = 6;

/// Positions of the header's words.
pub const ROW_AT: usize = 0;

pub const ROW_ID: usize = 1;

pub const ROW_CONTENT: usize = 3;

pub const ROW_FLAGS: usize = 4;

pub const ROW_SEQ: usize = 5;

/// The word of a missing value: no amount, no count and no time has it.
pub const MISSING: u64 = 1 << 63;

/// Collects the fields that rows must keep: keys, values, and what a residual `where` reads.
pub(crate) fn columns_of<'a>(definitions: impl Iterator<Item = &'a Aggregate>) -> Vec<Field> {
    let mut columns = Vec::new();
    for definition in definitions {
        let keys = definition.key.iter().map(|part| &part.past);
        let value = definition.value.iter();
        let residual = residual_fields(definition);
        columns.extend(keys.chain(value).chain(residual.iter()).filter(|field| header_word(field).is_none()).cloned());
        columns.extend(definition.value.iter().filter(|field| is_shown(definition, field)).cloned());
    }
    columns.sort();
    columns.dedup();
    columns
}

/// Tells whether a value that the header tells apart must also be there as itself: `last` shows and
/// compares it, and the owner is no word of the header.
pub(crate) fn is_shown(definition: &Aggregate, field: &Field) -> bool {
    definition.is_owned()
        && (*field == Field::WalletId || *field == Field::OpId && definition.function == Function::Last)
}

/// Fields a row's header already holds, as far as telling values apart goes; the owner is the record itself.
pub(crate) const fn header_word(field: &Field) -> Option<usize> {
    match field {
        Field::OccurredAt => Some(ROW_AT),
        Field::OpId => Some(ROW_ID),
        Field::WalletId => Some(usize::MAX),
        _ => None,
    }
}

pub(crate) struct RowLayout<'a> {
    pub(crate) columns: &'a [Field],
    pub(crate) mask_words: usize,
}

impl RowLayout<'_> {
    pub(crate) fn word(&self, field: &Field) -> usize {
        let column = self.columns.iter().position(|column| column == field);
        column.map_or_else(|| header_word(field).unwrap_or(ROW_AT), |at| ROW_HEADER + self.mask_words + at)
    }

    pub(crate) fn place(&self, definition: Aggregate, enforced_only: bool, settings: Settings) -> PlannedAggregate {
        let owned = definition.is_owned();
        let is_owner = |past: &Field, this: &Field| owned && *past == Field::WalletId && *this == Field::WalletId;
        let parts: Vec<_> = definition.key.iter().filter(|part| !is_owner(&part.past, &part.this)).collect();
        let length = match definition.window {
            Window::Within(length) | Window::Quiet(length) => length,
            Window::Today => DAY + HOUR,
            Window::ThisMonth => 31 * DAY + HOUR,
        };
        let state_text = format!("{}{}", definition.canonical, if enforced_only { " enforced" } else { "" });
        PlannedAggregate {
            enforced_only,
            owned,
            state_id: symbol_of_text(&state_text),
            key_words: parts.iter().map(|part| self.word(&part.past)).collect(),
            key_this: parts.iter().map(|part| part.this.clone()).collect(),
            key_past: parts.iter().map(|part| part.past.clone()).collect(),
            residual_past: residual_fields(&definition),
            value_word: definition.value.as_ref().map(|field| self.word(field)),
            retention: length.saturating_add(settings.lateness),
            whole: None,
            definition,
        }
    }
}
