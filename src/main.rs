//! Starts the command named by the arguments and ends with its exit code.

use std::process::ExitCode;

/// Operations, decisions and window entries are small and short-lived: the allocator is a large part of
/// what an operation costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kuzet::cli::main(std::env::args_os())
}
