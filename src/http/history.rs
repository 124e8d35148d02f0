//! Which history the streams tell, and whether a reader's position lies in it.
//!
//! A store that was restored goes on from an earlier moment: its numbers mean other decisions from there on. A
//! reader whose position belongs to the history before would miss them without noticing, so it is refused.

use axum::http::HeaderValue;
use axum::response::Response;

use crate::adapters::store::Stream;

use super::problem::Problem;
use super::query::Parameters;
use super::{Shared, blocking};

/// The header that names the history.
pub(super) const EPOCH_HEADER: &str = "kuzet-epoch";
/// The parameter that names the history a position belongs to.
pub(super) const EPOCH: &str = "epoch";

/// Names the history in an answer's head.
pub(super) fn named(api: &Shared, mut response: Response) -> Response {
    if let Ok(epoch) = HeaderValue::from_str(api.service.epoch()) {
        response.headers_mut().insert(EPOCH_HEADER, epoch);
    }
    response
}

/// Checks that a reader's position, the number of items before it, lies in this history.
///
/// # Errors
/// 409 `other-history`: the reader names another history, or a position that this one has not reached.
pub(super) async fn check(api: &Shared, parameters: &Parameters, stream: Stream, position: u64) -> Result<(), Problem> {
    let here = api.service.epoch();
    let (items, reached) = if stream == Stream::Decisions && api.fleet.is_some() {
        // Those that this instance keeps.
        ("decisions", *api.service.last_seq().borrow())
    } else {
        let store = api.store()?;
        let reached = blocking(move || store.position()).await??;
        match stream {
            Stream::Operations | Stream::Decisions => ("decisions", reached.seq),
            Stream::Rejected => ("refused records", reached.rejected),
        }
    };
    let advice = "read anew from the beginning, or from where both still agree, with the epoch of this one";
    let asked = parameters.get(EPOCH).map(|epoch| epoch.chars().take(64).collect::<String>());
    match asked {
        Some(epoch) if epoch != here => Err(Problem::other_history(format!(
            "found a position in the history {epoch}, but this is the history {here}, which has {reached} {items}: {advice}"
        ))),
        _ if position > reached => Err(Problem::other_history(format!(
            "found the position {position}{}, but this is the history {here}, which has {reached} {items}: {advice}",
            asked.map(|epoch| format!(" in the history {epoch}")).unwrap_or_default(),
        ))),
        _ => Ok(()),
    }
}
