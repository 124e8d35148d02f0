//! kuzet watches the operations of an e-money wallet system and decides each of them.
//!
//! The walk of one operation through this crate:
//!
//! 1. [`operation::decode`] turns the bytes of a record into an [`operation::Operation`] or a rejection.
//! 2. [`geo`] adds the country of its address and whether that address hides its user.
//! 3. [`engine`] names the shared keys the operation touches, is given their windows, and decides it:
//!    the outcome is a decision for the ledger and a list of state changes.
//! 4. [`pipeline`] does this for a batch, commits the batch, and only then lets the changes count.
//!
//! [`rules`] is the language of the rule files: text with spans in, a type-checked program out. One operation, decided by
//! one rule:
//!
//! ```
//! use kuzet::app;
//! use kuzet::geo::Geo;
//! use kuzet::operation::decision::Verdict;
//! use kuzet::pipeline::{Answer, Record};
//! use kuzet::rules::{SourceFile, compile};
//!
//! let rule = "
//! rule: large-transfer
//! clauses: ['7.15']
//! title: {kk: Ірі аударым, ru: Крупный перевод, en: A large transfer}
//! owner: risk
//! mode: enforce
//! on: transfer
//! when: amount > 100_000 KZT
//! then: [hold]
//! ";
//! let file = SourceFile::new("large-transfer.yaml", rule);
//! let compiled = compile(&[file]).expect("the rule makes sense");
//! let mut pipeline = app::pipeline(compiled.rule_set, Geo::default());
//!
//! let bytes = br#"{"op_id": "a1", "type": "transfer", "occurred_at": "2026-11-23T22:49:50Z",
//!     "wallet_id": "w1", "client_status": "identified", "amount": "150000.00",
//!     "counterparty": {"kind": "client", "wallet_id": "w2"}}"#;
//! let committed = pipeline.process(&[Record { bytes, arrived_at: None }]).expect("memory takes it");
//! let Answer::Decided(decision) = &committed.answers[0] else { panic!("the record was refused") };
//! assert_eq!(decision.verdict, Verdict::Hold);
//! assert_eq!(&*decision.matches[0].rule, "large-transfer");
//! ```
//!
//! Dependencies point one way:
//! `main → cli → app → http → service → config, metrics → analysis → adapters → pipeline → engine → rules → operation`.

pub mod adapters;
pub mod analysis;
pub mod app;
pub mod cli;
pub mod config;
pub mod engine;
pub mod geo;
pub mod http;
pub mod ledger;
pub mod metrics;
pub mod operation;
pub mod pipeline;
pub mod rules;
pub mod schema;
pub mod service;
pub mod simulate;
