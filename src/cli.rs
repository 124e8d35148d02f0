//! The commands, a file each.

pub mod geoip;
pub mod schema;
