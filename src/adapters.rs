//! Where the outside meets the pipeline: files, stores, folders.

pub mod memory;
