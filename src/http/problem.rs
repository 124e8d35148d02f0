//! Problem details (RFC 9457): what is wrong, in a sentence, and a code for programs.

use std::ops::{Deref, DerefMut};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::store::StoreError;
use crate::operation::decode::Rejection;
use crate::service::Unavailable;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub struct Problem(Box<Details>);

/// What a problem says.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Details {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    pub status: u16,
    /// One sentence: what was found, and what is accepted.
    pub detail: String,
    /// The contract's code of a record that was refused; `other-history` where a position belongs to another one,
    /// `wallet-changed` where an event was sent for a state of its wallet that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The field that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A text of several lines, with carets under the words that are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Every error with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub errors: Vec<serde_json::Value>,
}

impl Problem {
    /// Makes a problem of a status and a sentence.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
        let detail = detail.into();
        let errors = Vec::new();
        let details =
            Details { kind: "about:blank", title, status, detail, code: None, field: None, text: None, errors };
        Self(Box::new(details))
    }

    /// A position in a history that is not this one's.
    #[must_use]
    pub fn other_history(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(409, detail);
        problem.code = Some("other-history");
        problem
    }

    /// A record that cannot be understood.
    #[must_use]
    pub fn of_rejection(rejection: &Rejection) -> Self {
        let status = if rejection.code.name() == "conflicting_duplicate" { 409 } else { 400 };
        let mut problem = Self::new(status, rejection.message.clone());
        problem.code = Some(rejection.code.name());
        problem.field.clone_from(&rejection.field);
        problem
    }
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        let status = match error {
            Unavailable::Changed => 409,
            Unavailable::Elsewhere => 404,
            Unavailable::Stopping | Unavailable::Busy | Unavailable::Store(_) | Unavailable::FromKafka => 503,
        };
        let mut problem = Self::new(status, error.to_string());
        problem.code = (error == Unavailable::Changed).then_some("wallet-changed");
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = if matches!(error, StoreError::Closed) { 503 } else { 500 };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.0).unwrap_or_default();
        let mut response =
            (status, [("content-type", "application/problem+json"), ("cache-control", "no-store")], body)
                .into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert("www-authenticate", axum::http::HeaderValue::from_static("Bearer realm=\"kuzet\""));
        }
        if matches!(self.status, 429 | 503) {
            headers.insert("retry-after", axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}
