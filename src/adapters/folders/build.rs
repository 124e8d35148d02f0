//! Asks cargo to embed the folders anew when a file in them appears or goes: the macro that embeds
//! them only notices changes of files it has already seen.

use std::io::{self, Write};
use std::path::Path;

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "cargo::rerun-if-changed=src/adapters/folders/build.rs")?;
    for folder in ["rules", "geoip"] {
        if Path::new(folder).is_dir() {
            writeln!(out, "cargo::rerun-if-changed={folder}")?;
        }
    }
    Ok(())
}
