//! `value,from,until,reason`: one value of a list on each line, bad rows reported and skipped.

use std::ops::Range;

use crate::operation::Time;
use crate::operation::network::parse_network;
use crate::operation::time::almaty_midnight;
use crate::rules::diagnostic::{Code, Diagnostic, Findings};
use crate::rules::keys::parse_date;
use crate::rules::program::{List, ListOrigin, ListRow, ListType};

const HEADER: [&str; 4] = ["value", "from", "until", "reason"];

/// One field of a row.
#[derive(Debug)]
struct Cell {
    text: String,
    span: Range<usize>,
}

/// Reads the rows of a file into the list.
pub(super) fn read(path: &str, text: &str, list: &mut List) -> Vec<Diagnostic> {
    let mut findings = Findings::new(path);
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut has_header = false;
    while at < text.len() {
        let start = at;
        let row = read_row(text, &mut at, &mut findings);
        let Some(row) = row else { continue };
        if row.len() == 1 && row[0].text.trim().is_empty() {
            continue;
        }
        if !has_header {
            has_header = true;
            let names: Vec<&str> = row.iter().map(|cell| cell.text.trim()).collect();
            if names != HEADER {
                findings
                    .error(
                        Code::CsvHeader,
                        &(start..row.last().map_or(start, |cell| cell.span.end)),
                        "the first line must name the columns",
                    )
                    .label("not the columns of a list")
                    .help("write `value,from,until,reason`");
                return findings.list;
            }
            continue;
        }
        add_row(&row, list, &mut findings);
    }
    if !has_header {
        findings.error(Code::CsvHeader, &(0..0), "the file is empty").help("write `value,from,until,reason`");
    }
    findings.list
}

/// Reads values that stand one on a line, always in force.
pub(super) fn read_values(path: &str, text: &str, list: &mut List) -> Vec<Diagnostic> {
    let mut findings = Findings::new(path);
    let mut start = 0;
    for line in text.split_terminator('\n') {
        let span = start..start + line.len();
        start = span.end + 1;
        let row = ListRow { from: None, until: None, reason: String::new() };
        add_value(&Cell { text: line.to_owned(), span }, row, list, &mut findings);
    }
    findings.list
}

/// Reads cells up to the end of the line; quoted cells may hold commas, doubled quotes and line ends.
fn read_row(text: &str, at: &mut usize, findings: &mut Findings) -> Option<Vec<Cell>> {
    let mut cells = Vec::new();
    loop {
        let start = *at;
        let quoted = text[start..].starts_with('"');
        let content = if quoted {
            let Some(content) = read_quoted(text, at) else {
                findings.error(Code::CsvRow, &(start..start + 1), "this quote is not closed").label("opened here");
                *at = text.len();
                return None;
            };
            content
        } else {
            let length = text[start..].find([',', '\n']).unwrap_or(text.len() - start);
            *at = start + length;
            text[start..*at].trim_end_matches('\r').to_owned()
        };
        cells.push(Cell { text: content, span: start..*at });
        let rest = &text[*at..];
        if rest.starts_with(',') {
            *at += 1;
            continue;
        }
        let rest = rest.strip_prefix('\r').unwrap_or(rest);
        if rest.is_empty() {
            *at = text.len();
            return Some(cells);
        }
        if rest.starts_with('\n') {
            *at = text.len() - rest.len() + 1;
            return Some(cells);
        }
        findings.error(Code::CsvRow, &(start..*at), "text follows the closing quote").label("quoted up to here");
        *at = text[*at..].find('\n').map_or(text.len(), |end| *at + end + 1);
        return None;
    }
}

fn read_quoted(text: &str, at: &mut usize) -> Option<String> {
    let mut content = String::new();
    *at += 1;
    loop {
        let close = *at + text[*at..].find('"')?;
        content.push_str(&text[*at..close]);
        *at = close + 1;
        if !text[*at..].starts_with('"') {
            return Some(content);
        }
        content.push('"');
        *at += 1;
    }
}

fn add_row(row: &[Cell], list: &mut List, findings: &mut Findings) {
    let [value, from, until, reason] = row else {
        let span = row.first().map_or(0, |cell| cell.span.start)..row.last().map_or(0, |cell| cell.span.end);
        findings
            .error(Code::CsvRow, &span, format!("a row has 4 columns, this has {}", row.len()))
            .label("here")
            .help("a reason that holds a comma stands in quotes");
        return;
    };
    let (Some(from_day), Some(until_day)) = (day(from, findings), day(until, findings)) else {
        return;
    };
    if let (Some(from_day), Some(until_day)) = (from_day, until_day)
        && until_day < from_day
    {
        findings.error(Code::BadPeriod, &until.span, "`until` is before `from`").label("earlier day");
        return;
    }
    let row = ListRow {
        from: from_day.map(almaty_midnight),
        until: until_day.and_then(|day| day.succ_opt()).map(almaty_midnight),
        reason: reason.text.trim().to_owned(),
    };
    add_value(value, row, list, findings);
}

/// An empty cell is no limit; `None` when the cell is wrong.
fn day(cell: &Cell, findings: &mut Findings) -> Option<Option<chrono::NaiveDate>> {
    let text = cell.text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let parsed = parse_date(text);
    if parsed.is_none() {
        findings
            .error(Code::BadDate, &cell.span, format!("`{text}` is no date"))
            .label("here")
            .help("write it as `2026-03-18`, or leave it empty for no limit");
    }
    parsed.map(Some)
}

fn add_value(cell: &Cell, row: ListRow, list: &mut List, findings: &mut Findings) {
    let value = cell.text.trim();
    if list.list_type == ListType::Cidr {
        match parse_network(value) {
            Ok(network) => list.networks.push((network, row)),
            Err(error) => {
                findings
                    .error(Code::CsvRow, &cell.span, format!("`{value}`: {error}"))
                    .label("here")
                    .help(error.help());
            }
        }
        return;
    }
    let max = if list.list_type == ListType::Text { 256 } else { 64 };
    let compared = list.list_type.compared(value);
    if compared.is_empty() || value.chars().count() > max {
        findings.error(Code::CsvRow, &cell.span, format!("a value has 1 to {max} characters")).label("here");
        return;
    }
    let rows = list.values.entry(compared.into_owned()).or_default();
    if list.origin == ListOrigin::Redis && !rows.is_empty() {
        // Written in two ways, the set holds it twice: it is listed all the same.
        return;
    }
    if rows.iter().any(|known| overlap(known, &row)) {
        findings
            .error(Code::CsvRow, &cell.span, format!("`{value}` is listed twice for the same days"))
            .label("second time here");
        return;
    }
    rows.push(row);
}

fn overlap(one: &ListRow, other: &ListRow) -> bool {
    let starts_before = |from: Option<Time>, until: Option<Time>| match (from, until) {
        (Some(from), Some(until)) => from < until,
        _ => true,
    };
    starts_before(one.from, other.until) && starts_before(other.from, one.until)
}
