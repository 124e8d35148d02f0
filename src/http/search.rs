//! The filters of `GET /v1/decisions`, as they stand in the query.

use std::net::IpAddr;

use uuid::Uuid;

use crate::operation::decision::Verdict;
use crate::operation::{Money, OperationType, Time};
use crate::service::search::{Filter, Order};

use super::problem::Problem;
use super::query::{Parameters, refused};

/// Limits of the contract, in characters.
const ID_MAX: usize = 64;
const DEVICE_MAX: usize = 128;

/// Reads the filters; all that are given must be met.
///
/// # Errors
/// 400: a value is not one that is accepted.
pub(super) fn filter(parameters: &Parameters) -> Result<Filter, Problem> {
    let text = |name: &str, most: usize| match parameters.get(name) {
        Some(text) if text.is_empty() || text.chars().count() > most => {
            Err(refused(text, name, &format!("a text of 1 to {most} characters")))
        }
        found => Ok(found.map(str::to_owned)),
    };
    let filter = Filter {
        wallet: text("wallet", ID_MAX)?,
        op_id: text("op_id", ID_MAX)?,
        decision_id: read(parameters, "decision_id", "a UUID", |text| text.parse::<Uuid>().ok())?,
        rule: text("rule", ID_MAX)?,
        verdict: read(parameters, "verdict", &one_of(Verdict::NAMES), Verdict::from_name)?,
        kind: read(parameters, "type", &one_of(OperationType::NAMES), OperationType::from_name)?,
        from: time(parameters, "from")?,
        to: time(parameters, "to")?,
        amount_min: amount(parameters, "amount_min")?,
        amount_max: amount(parameters, "amount_max")?,
        ip: read(parameters, "ip", "an IPv4 or IPv6 address", |text| {
            text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
        })?,
        device: text("device", DEVICE_MAX)?,
        counterparty: text("counterparty", ID_MAX)?,
        restriction: read(parameters, "restriction_id", "a UUID", |text| text.parse::<Uuid>().ok())?,
    };
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && to < from
    {
        return Err(Problem::new(400, format!("found {to} as to, but what is not before from, {from}, is accepted")));
    }
    if let (Some(least), Some(most)) = (filter.amount_min, filter.amount_max)
        && most < least
    {
        let detail = format!("found {most} as amount_max, but what is not less than amount_min, {least}, is accepted");
        return Err(Problem::new(400, detail));
    }
    Ok(filter)
}

/// Reads which way the decisions are wanted.
///
/// # Errors
/// 400: it is neither `asc` nor `desc`.
pub(super) fn order(parameters: &Parameters) -> Result<Order, Problem> {
    match parameters.get("order") {
        None | Some("asc") => Ok(Order::Ascending),
        Some("desc") => Ok(Order::Descending),
        Some(other) => Err(refused(other, "order", "asc or desc")),
    }
}

fn read<T>(
    parameters: &Parameters,
    name: &str,
    accepted: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| refused(text, name, accepted))
}

fn one_of(names: &[&str]) -> String {
    format!("one of {}", names.join(", "))
}

fn amount(parameters: &Parameters, name: &str) -> Result<Option<Money>, Problem> {
    read(parameters, name, "an amount such as 100000 or 100000.00", Money::parse)
}

/// Reads a time. A `+` that was not written as `%2B` has become a space, and no time has one.
fn time(parameters: &Parameters, name: &str) -> Result<Option<Time>, Problem> {
    let accepted = "an RFC 3339 time with an offset, such as 2026-11-22T10:15:00+05:00,";
    read(parameters, name, accepted, |text| Time::parse_rfc3339(&text.replace(' ', "+")).ok())
}
