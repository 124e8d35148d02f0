//! The `kuzet` that is tested.

use std::process::Command;

/// Returns a command that runs it.
pub(crate) fn kuzet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    without_ours(&mut command);
    command
}

/// Takes away the variables of this test run: kuzet refuses `KUZET_…` that it does not know.
pub(crate) fn without_ours(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KUZET_")) {
        command.env_remove(name);
    }
}
