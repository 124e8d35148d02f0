//! Where the outside meets the pipeline: files, stores, folders.

pub mod geo_files;
pub mod memory;
