//! A decision of the past made again, from what the store keeps, and compared byte for byte.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::service::reproduction::report;

use super::problem::Problem;
use super::query::Parameters;
use super::{Shared, blocking, json_of, why};

/// So many operations before a decision are decided again beside the service; it takes seconds.
const OPERATIONS_MAX: u64 = 1_000_000;

/// `GET /v1/decisions/{id}/reproduce`
pub(super) async fn reproduce(
    State(api): State<Shared>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known([])?;
    api.store()?;
    let item = why::find(&api, &id).await?;
    let made_again = {
        // State of the past is made again for so many at a time only.
        let _turn = api.hindsights.acquire().await;
        let service = api.service.clone();
        blocking(move || service.reproduce((item.seq, item.decision), OPERATIONS_MAX)).await?
    };
    let made_again = made_again.map_err(|error| Problem::new(500, error.to_string()))?;
    let made_again = made_again.ok_or_else(|| Problem::new(404, "this service keeps no operations and decisions"))?;
    Ok(json_of(&report::json(&made_again)))
}
