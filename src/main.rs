//! Starts the command named by the arguments and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    kuzet::cli::main(std::env::args_os())
}
