//! `kuzet completions`: what a shell needs to complete commands and options.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, generate};

use crate::cli::exit;

/// Print what a shell needs to complete commands and options
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kuzet completions bash > /etc/bash_completion.d/kuzet
  kuzet completions zsh > ~/.zfunc/_kuzet
  kuzet completions fish > ~/.config/fish/completions/kuzet.fish")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Writes the script of the shell for the command line; returns the exit code.
///
/// # Errors
/// It cannot be written.
pub fn run(arguments: &CompletionsArguments, command: &mut clap::Command, out: &mut dyn Write) -> anyhow::Result<i32> {
    // Made whole before it is written: the generator does not return errors.
    let mut script = Vec::new();
    generate(arguments.shell, command, "kuzet", &mut script);
    out.write_all(&script)?;
    out.flush()?;
    Ok(exit::OK)
}
