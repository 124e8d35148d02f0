//! What commands that ask a running service have in common: where it is, by whose token, and who asks.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::config::environment;
use super::exit::{ConfigurationError, UsageError};
use crate::adapters::service_client::{ClientError, ServiceClient};
use crate::config;

/// The variable with the token, where none is given.
pub(super) const TOKEN_VARIABLE: &str = "KUZET_TOKEN";

/// The running service, and who asks it.
#[derive(Debug, Args)]
pub(super) struct AskingArguments {
    /// The running service [default: `listen` in [http] of ./kuzet.toml]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token whose role may do this [default: the variable KUZET_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Who does it, where the service has no tokens; otherwise it is the token's name
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
}

/// What the service refused, in its words.
pub(super) type Refusal = String;

impl AskingArguments {
    /// Returns who asks the service.
    ///
    /// # Errors
    /// The address or the configuration is not right.
    pub(super) fn client(&self) -> anyhow::Result<ServiceClient> {
        client(self.url.as_deref(), self.token.as_deref())
    }
}

/// Gets ready to ask the service at an address, or the one of `./kuzet.toml`, with a token or the one of the variable.
///
/// # Errors
/// The address is none, or the configuration cannot be read.
pub(super) fn client(url: Option<&str>, token: Option<&str>) -> anyhow::Result<ServiceClient> {
    match url {
        Some(url) => asking(url, token),
        None => client_of(None, token),
    }
}

/// Gets ready to ask the service of a configuration, or of `./kuzet.toml`.
///
/// # Errors
/// The configuration cannot be read.
pub(super) fn client_of(config: Option<&Path>, token: Option<&str>) -> anyhow::Result<ServiceClient> {
    let http = config::load(config, environment().filter(|(name, _)| name != TOKEN_VARIABLE))?.http;
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    asking(&format!("{scheme}://{}", http.listen), token)
}

fn asking(url: &str, token: Option<&str>) -> anyhow::Result<ServiceClient> {
    let token = token.map(str::to_owned).or_else(from_environment).filter(|token| !token.is_empty());
    ServiceClient::new(url, token).map_err(|error| UsageError(error.to_string()).into())
}

/// Asks the service to do something.
///
/// # Errors
/// The service does not answer, or cannot now.
pub(super) fn post(
    client: &ServiceClient,
    path: &str,
    query: &[(&str, &str)],
) -> anyhow::Result<Result<Value, Refusal>> {
    answered(client.post(path, query))
}

/// Takes an answer apart; a request that the service refuses is its answer too.
///
/// # Errors
/// There was no answer, it is not JSON, or the service cannot answer now.
pub(super) fn answered(found: Result<(u16, Vec<u8>), ClientError>) -> anyhow::Result<Result<Value, Refusal>> {
    let (status, body) = found.map_err(|error| ConfigurationError(error.to_string()))?;
    let body: Value = serde_json::from_slice(&body)
        .with_context(|| format!("the service answered with status {status}, and not with JSON"))?;
    let detail = body["detail"].as_str().unwrap_or_default();
    match status {
        200..300 => Ok(Ok(body)),
        400..500 => {
            let lines = body["text"].as_str().map(|text| format!("\n{text}")).unwrap_or_default();
            Ok(Err(format!("{detail}{lines}")))
        }
        _ => Err(ConfigurationError(format!("the service answered with status {status}: {detail}")).into()),
    }
}

/// Reads the token from the environment.
fn from_environment() -> Option<String> {
    environment().find(|(name, _)| name == TOKEN_VARIABLE).map(|(_, token)| token)
}
