//! Asks a running service over HTTP, for the commands that talk to one.

use std::io::Read as _;
use std::time::Duration;

use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer that a command asks for is longer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("found \"{0}\" as the service's address, but http://HOST:PORT or https://HOST:PORT is accepted")]
    Address(String),
    #[error("failed to ask the service at {url}: {reason}")]
    Request { url: String, reason: String },
}

/// A running service, and the token that it is asked with.
pub struct ServiceClient {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient").field("url", &self.url).finish_non_exhaustive()
    }
}

impl ServiceClient {
    /// Gets ready to ask the service at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', ' ', '@'])) {
            return Err(ClientError::Address(url.chars().take(200).collect()));
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // A token goes to nobody else.
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .user_agent(concat!("kuzet/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: agent.into(), url: url.to_owned(), token })
    }

    /// Sends a POST request without a body, with these values in its query; returns the status and the answer.
    ///
    /// # Errors
    /// The service does not answer.
    pub fn post(&self, path: &str, query: &[(&str, &str)]) -> Result<(u16, Vec<u8>), ClientError> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        self.answer(self.with_token(request).send_empty())
    }

    /// Sends a POST request with a body of JSON; returns the status and the answer.
    ///
    /// # Errors
    /// The service does not answer.
    pub fn post_json(&self, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), ClientError> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        self.answer(self.with_token(request).send(body))
    }

    /// Sends a GET request with these values in its query; returns the status and the answer.
    ///
    /// # Errors
    /// The service does not answer.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<(u16, Vec<u8>), ClientError> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        self.answer(self.with_token(request).call())
    }

    fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<(u16, Vec<u8>), ClientError> {
        let failed = |reason: String| ClientError::Request { url: self.url.clone(), reason };
        let mut answer = answer.map_err(|error| failed(error.to_string()))?;
        let mut bytes = Vec::new();
        let reader = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).reader();
        reader.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
        Ok((answer.status().as_u16(), bytes))
    }
}

/// Writes a text so that it can stand between the slashes of a path.
#[must_use]
pub fn path_segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let write = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_nothing_more() {
        for url in ["http://127.0.0.1:8480", "https://kuzet.example/", "http://[::1]:1"] {
            assert!(ServiceClient::new(url, None).is_ok(), "{url}");
        }
        for url in ["", "127.0.0.1:8480", "http://", "ftp://x", "http://a/b", "http://user@host", "http://a b"] {
            assert!(ServiceClient::new(url, None).is_err(), "{url}");
        }
        assert_eq!(path_segment("a-b/ж?"), "a-b%2F%D0%B6%3F");
    }
}
