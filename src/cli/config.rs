//! `kuzet config`: checks and prints the configuration of `kuzet serve`, and makes access tokens.

mod files;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::exit::{self, UsageError};
use crate::config::{self, Role, TOKEN_BYTES, TokenConfig, TokenHash};

/// Check or print the configuration of the service, or make an access token
#[derive(Debug, Args)]
#[command(
    about = "Check or print the configuration of the service, or make an access token",
    after_help = "Examples:
  kuzet config check kuzet.toml
  kuzet config print
  kuzet config token --name support-desk --roles support >> kuzet.toml"
)]
pub struct ConfigArguments {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every error of the file and of the variables KUZET_*, and open the certificate, key and Kafka settings
    Check(CheckArguments),
    /// Print the effective configuration, each value with where it came from
    Print(PrintArguments),
    /// Make an access token: shown once on standard error, its [[token]] block on standard output
    Token(TokenArguments),
}

/// Check the configuration and show every mistake at once
#[derive(Debug, Args)]
#[command(after_help = "Relative paths in the file begin in the current folder.
Exit codes: 0 when the configuration can be used, 64 when there are errors.

Example:
  kuzet config check kuzet.toml")]
pub struct CheckArguments {
    /// The file; ./kuzet.toml when not given, which may be missing
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Print every key with its value and where it came from
#[derive(Debug, Args)]
#[command(after_help = "Hashes of tokens are shortened.

Example:
  KUZET_LOG_FORMAT=json kuzet config print kuzet.toml")]
pub struct PrintArguments {
    /// The file; ./kuzet.toml when not given, which may be missing
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Make an access token
#[derive(Debug, Args)]
#[command(after_help = "The token is shown once, on standard error; kuzet keeps its hash only.

Example:
  kuzet config token --name support-desk --roles support,analyst >> kuzet.toml")]
pub struct TokenArguments {
    /// Who will bear it: shown in logs and kept with what is done
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What its bearer may do: ledger, support, analyst, metrics
    #[arg(long, value_name = "ROLE", value_delimiter = ',', required = true, value_parser = role)]
    pub roles: Vec<Role>,
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| format!("accepted: {}", Role::NAMES.join(", ")))
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// The configuration cannot be used, the name cannot be a token's, or an output cannot be written.
pub fn run(arguments: &ConfigArguments, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<i32> {
    match &arguments.command {
        ConfigCommand::Check(arguments) => {
            let config = config::load(arguments.file.as_deref(), environment())?;
            let of_files = files::check(&config)?;
            let (in_file, in_variables) = config.origin_counts();
            let tokens = config.tokens.len();
            let name = config::file_name(arguments.file.as_deref());
            writeln!(
                out,
                "{}: can be used: set in the file {in_file}, by variables {in_variables}, tokens {tokens}",
                name.map_or_else(|| format!("no {} here", config::FILE_NAME), |path| path.display().to_string())
            )?;
            for warning in config.warnings().into_iter().chain(of_files) {
                writeln!(out, "warning: {warning}")?;
            }
            let built = [("kafka", cfg!(feature = "kafka")), ("redis", cfg!(feature = "redis"))];
            let built: Vec<&str> = built.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
            writeln!(
                out,
                "built with: {}",
                if built.is_empty() { "neither kafka nor redis".to_owned() } else { built.join(", ") }
            )?;
        }
        ConfigCommand::Print(arguments) => {
            let config = config::load(arguments.file.as_deref(), environment())?;
            out.write_all(config.print().as_bytes())?;
        }
        ConfigCommand::Token(arguments) => {
            let mut bytes = [0; TOKEN_BYTES];
            getrandom::fill(&mut bytes).context("failed to get random bytes from the system")?;
            make_token(arguments, &bytes, out, err)?;
        }
    }
    out.flush()?;
    Ok(exit::OK)
}

/// Reads the variables of kuzet for [`config::load`]; what is not Unicode is shown as U+FFFD.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let variables = std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let of_kuzet = variables.filter(|(name, _)| name.starts_with("KUZET_"));
    of_kuzet.map(|(name, value)| (name, value.to_string_lossy().into_owned()))
}

fn make_token(
    arguments: &TokenArguments,
    bytes: &[u8; TOKEN_BYTES],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    if !config::is_token_name(&arguments.name) {
        let message = "the name of a token has 1 to 64 characters and no white space at its ends";
        return Err(UsageError(message.to_owned()).into());
    }
    let mut roles = arguments.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    let token = config::token_of(bytes);
    let block = TokenConfig { name: arguments.name.clone(), hash: TokenHash::of(&token), roles };
    // The block first: a token that was shown and is not known to kuzet would be of no use.
    write!(out, "{}", config::token_block(&block))?;
    out.flush()?;
    writeln!(err, "{token}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(name: &str) -> TokenArguments {
        TokenArguments { name: name.to_owned(), roles: vec![Role::Analyst, Role::Support, Role::Analyst] }
    }

    #[test]
    fn a_block_knows_its_token() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        make_token(&arguments("касса \"1\""), &[1; TOKEN_BYTES], &mut out, &mut err).unwrap();
        let (block, token) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        let config = config::parse("kuzet.toml", &block, []).unwrap();
        let bearer = config.bearer(token.trim_end()).unwrap();
        assert_eq!(bearer.name, "касса \"1\"");
        assert_eq!(bearer.roles, [Role::Support, Role::Analyst]);
        assert!(config.bearer("kzt_other").is_none());
        assert!(!block.contains("kzt_"), "{block}");
    }

    #[test]
    fn a_name_must_be_one() {
        for name in ["", " x", "a\nb"] {
            let error = make_token(&arguments(name), &[1; TOKEN_BYTES], &mut Vec::new(), &mut Vec::new()).unwrap_err();
            assert_eq!(exit::code_of(&error), exit::USAGE);
        }
    }
}
