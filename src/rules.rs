//! The rule language: files with spans in, a type-checked program out.
//!
//! Knows the operation's fields and types, nothing of state, transport or clocks. Reading files from
//! disk happens outside: this module is given paths and texts.

pub mod program;
