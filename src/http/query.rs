//! What stands in a request's query, read strictly: a typo must not be taken for "everything".

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::Problem;

const LIMIT: usize = 100;
/// The most that one page lists.
pub(super) const LIMIT_MAX: usize = 1_000;
/// Of what was found so much is shown.
const SHOWN_MAX: usize = 64;

/// The values of a query by their names, each name once.
#[derive(Debug, Default)]
pub(super) struct Parameters(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await else {
            return Err(Problem::new(400, "found a query that cannot be read, but NAME=VALUE&NAME=VALUE is accepted"));
        };
        let mut parameters = HashMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                let shown = shown(&name);
                let detail = format!("found the parameter \"{shown}\" more than once, but it is accepted once");
                return Err(Problem::new(400, detail));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }
}

impl Parameters {
    /// Returns what was given under a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Refuses names that the endpoint does not know.
    ///
    /// # Errors
    /// 400: there is one.
    pub(super) fn known<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
        let names: Vec<&str> = names.into_iter().collect();
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let (shown, accepted) = (shown(name), names.join(", "));
                Err(Problem::new(400, format!("found the parameter \"{shown}\", but only {accepted} are known")))
            }
        }
    }

    /// Reads `limit`.
    ///
    /// # Errors
    /// 400: it is no number, or not one that is accepted.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else { return Ok(LIMIT) };
        let found = number(text, "limit")?;
        match usize::try_from(found) {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Ok(_) | Err(_) => {
                Err(Problem::new(400, format!("found {found} as limit, but 1 to {LIMIT_MAX} is accepted")))
            }
        }
    }

    /// Reads a switch that is off where it is not named.
    ///
    /// # Errors
    /// 400: it is neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(refused(other, name, "true or false")),
        }
    }
}

/// Shows so much of a text that a request brought.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// Says what was found under a name, and what is accepted.
pub(super) fn refused(found: &str, name: &str, accepted: &str) -> Problem {
    Problem::new(400, format!("found \"{}\" as {name}, but {accepted} is accepted", shown(found)))
}

/// Reads a number from a path or query.
///
/// # Errors
/// 400: it is no whole number.
pub(super) fn number(text: &str, name: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| refused(text, name, "a whole number"))
}

/// Reads a duration such as `30s`, `5m` or `2h`; a bare number is seconds.
///
/// # Errors
/// 400: it is none.
pub(super) fn duration(text: &str, name: &str) -> Result<Duration, Problem> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_lowercase());
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => Some(1_000),
        Some("ms") => Some(1),
        Some("m") => Some(60_000),
        Some("h") => Some(3_600_000),
        Some("d") => Some(86_400_000),
        _ => None,
    };
    let millis = unit.and_then(|unit: u64| digits.parse::<u64>().ok()?.checked_mul(unit));
    millis.map(Duration::from_millis).ok_or_else(|| refused(text, name, "a duration such as 30s, 5m or 2h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("7", 7_000)] {
            assert_eq!(duration(text, "wait").unwrap(), Duration::from_millis(millis));
        }
        for text in ["", "s", "1w", "-1s", "1.5h", "99999999999999999999d", "30 s"] {
            assert_eq!(duration(text, "wait").unwrap_err().status, 400, "{text}");
        }
    }
}
