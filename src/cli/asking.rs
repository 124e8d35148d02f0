//! What commands that ask a running service have in common: where it is, by whose token, and who asks.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::config::environment;
use super::exit::{ConfigurationError, UsageError};
use crate::adapters::service_client::ServiceClient;
use crate::config;

/// The variable with the token, where none is given.
const TOKEN_VARIABLE: &str = "KUZET_TOKEN";

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
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let http = config::load(None, environment().filter(|(name, _)| name != TOKEN_VARIABLE))?.http;
                let scheme = if http.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{}", http.listen)
            }
        };
        let token = self.token.clone().or_else(from_environment).filter(|token| !token.is_empty());
        ServiceClient::new(&url, token).map_err(|error| UsageError(error.to_string()).into())
    }
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
    let (status, body) = client.post(path, query).map_err(|error| ConfigurationError(error.to_string()))?;
    let body: Value = serde_json::from_slice(&body)
        .with_context(|| format!("the service answered with status {status}, and not with JSON"))?;
    let detail = body["detail"].as_str().unwrap_or_default();
    match status {
        200 | 202 => Ok(Ok(body)),
        400..500 => Ok(Err(detail.to_owned())),
        _ => Err(ConfigurationError(format!("the service answered with status {status}: {detail}")).into()),
    }
}

/// Reads the token from the environment.
fn from_environment() -> Option<String> {
    environment().find(|(name, _)| name == TOKEN_VARIABLE).map(|(_, token)| token)
}
