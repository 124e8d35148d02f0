//! The pure core: windows, decisions and state changes.

pub mod window;
