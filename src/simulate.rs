//! Simulated operations: realistic, seeded, of any size, with labelled fraud patterns for every rule.
//!
//! Everything follows from [`Parameters`]; there is no clock and no float. Operations come in the order of
//! their time, and only what has begun and is not yet over is kept. This module knows the contract, and the
//! rules only by their ids and boundaries.

mod encode;
mod event;
pub mod patterns;
mod pending;
mod population;
mod random;
mod rhythm;
mod traffic;

use std::sync::mpsc;

use crate::operation::Time;
use crate::operation::time::DAY;

use encode::Encoder;
use event::{Event, WALLETS_MAX};
use patterns::{Patterns, Tag, WALLETS_EACH, cases};
use rhythm::Rhythm;
use traffic::Traffic;

/// 2026-03-02T00:00:00+05:00, where a simulation begins unless told otherwise.
pub const DEFAULT_START: Time = Time::from_nanos(1_772_391_600_000_000_000);
/// Days that a simulation lasts at least unless told otherwise: the youngest rule applies from 18 March 2026.
const DAYS_MIN: u64 = 21;
const DAYS_MAX: u64 = 36_500;
/// Operations of a wallet on a day, where the number of days is ours to choose.
const DAILY_OPERATIONS: u64 = 4;
/// Operations that are drawn before they are handed over to be written: they fit the processor's caches.
const PIECE: usize = 1_024;
/// So many pieces may wait to be written.
const PIECES_AHEAD: usize = 4;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// How many ordinary wallets there are.
    pub wallets: u64,
    /// How many operations come, those of the patterns included.
    pub operations: u64,
    pub seed: u64,
    pub start: Time,
    /// Over how many days; chosen so that a wallet does some four operations a day when absent.
    pub days: Option<u64>,
    /// How many of a thousand operations belong to labelled patterns; a fraud and a near miss of every
    /// rule come at least once unless this is zero or there is no room for them.
    pub fraud_per_mille: u64,
}

/// Why the parameters describe nothing that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    #[error("wallets must be between 1 and 500000000")]
    Wallets,
    #[error("operations must be at most 1000000000000")]
    Operations,
    #[error("fraud must be at most 1000 of a thousand operations")]
    Fraud,
    #[error("the simulated days must be at least one and lie between 2020-01-01 and 2100-01-01")]
    Days,
    #[error("so many patterns need more wallets than there can be")]
    Patterns,
}

/// What an operation is an example of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub op_id: String,
    pub wallet_id: String,
    /// The id of the rule.
    pub rule: &'static str,
    /// Whether the rule must match the operation; if not, it must not.
    pub fraud: bool,
    pub pattern: &'static str,
}

impl Label {
    /// Appends the label as one line of JSON with its newline.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        let label = if self.fraud { "fraud" } else { "near_miss" };
        let fields = [
            ("{\"op_id\":\"", self.op_id.as_str()),
            ("\",\"wallet_id\":\"", &self.wallet_id),
            ("\",\"rule\":\"", self.rule),
            ("\",\"label\":\"", label),
            ("\",\"pattern\":\"", self.pattern),
        ];
        for (opening, value) in fields {
            out.extend_from_slice(opening.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\"}\n");
    }
}

/// A running simulation.
#[derive(Debug, Clone)]
pub struct Simulation {
    traffic: Traffic,
    patterns: Patterns,
    /// The patterns as they were at the start.
    planned: Patterns,
    encoder: Encoder,
}

impl Simulation {
    /// Begins the simulation that these parameters describe.
    ///
    /// # Errors
    /// When a number is outside its limits.
    pub fn new(parameters: Parameters) -> Result<Self, ParametersError> {
        let Parameters { wallets, operations, seed, start, .. } = parameters;
        let days = check(parameters)?;
        let instances = instances(parameters)?;
        let mut planned = Patterns::new(seed, wallets, start, days, instances);
        let mut of_patterns = planned.clone().count() as u64;
        if of_patterns > operations {
            planned = Patterns::new(seed, wallets, start, days, 0);
            of_patterns = 0;
        }
        let rhythm = Rhythm::new(start, days, operations - of_patterns);
        let traffic = Traffic::new(seed, wallets, rhythm);
        Ok(Self { traffic, patterns: planned.clone(), planned, encoder: Encoder::default() })
    }

    /// Appends the next operation as one line of JSON with its newline; `false` when there are no more.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(event) = self.next_event() else { return false };
        self.encoder.encode(&event, out);
        true
    }

    /// Writes all that is left, in pieces of whole lines. The next operations are drawn on another thread while
    /// these are written: each takes about as long as the other.
    ///
    /// # Errors
    /// The first of `take`, which is not called again.
    pub fn write_all<E>(&mut self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        std::thread::scope(|scope| {
            let (drawn, written) = mpsc::sync_channel::<Unwritten>(PIECES_AHEAD);
            let (emptied, empty) = mpsc::channel::<Unwritten>();
            scope.spawn(move || {
                loop {
                    let mut piece = empty.try_recv().unwrap_or_else(|_| Unwritten(Vec::with_capacity(PIECE)));
                    piece.redraw(self, PIECE);
                    // Nobody takes any more after an error.
                    if piece.0.is_empty() || drawn.send(piece).is_err() {
                        return;
                    }
                }
            });
            let mut text = Vec::new();
            for piece in written {
                text.clear();
                piece.write(&mut text, |_| {});
                take(&text)?;
                // The other thread may have ended: then nobody needs the piece.
                emptied.send(piece).unwrap_or_default();
            }
            Ok(())
        })
    }

    /// Returns every label in the order of the operations, whatever has been written so far.
    pub fn labels(&self) -> impl Iterator<Item = Label> + use<> {
        self.planned.clone().filter_map(|(event, tag)| tag.map(|tag| label(&event, tag)))
    }

    /// Returns how many operations have ever been planned ahead at once: the memory that is held.
    #[must_use]
    pub fn planned_most(&self) -> usize {
        self.traffic.pending.most() + self.patterns.pending.most()
    }

    fn next_event(&mut self) -> Option<Event> {
        match (self.traffic.peek_ms(), self.patterns.peek_ms()) {
            (Some(traffic), Some(patterns)) if patterns < traffic => self.patterns.next().map(|(event, _)| event),
            (Some(_), _) => self.traffic.next(),
            (None, _) => self.patterns.next().map(|(event, _)| event),
        }
    }
}

/// Operations drawn from a simulation but not yet written.
#[derive(Debug, Clone)]
pub struct Unwritten(Vec<Event>);

impl Unwritten {
    /// Draws up to this many operations.
    #[must_use]
    pub fn draw(simulation: &mut Simulation, count: usize) -> Self {
        let mut drawn = Self(Vec::with_capacity(count));
        drawn.redraw(simulation, count);
        drawn
    }

    fn redraw(&mut self, simulation: &mut Simulation, count: usize) {
        self.0.clear();
        self.0.extend(std::iter::from_fn(|| simulation.next_event()).take(count));
    }

    /// Appends them all as lines of JSON, calling `after` behind each.
    pub fn write(&self, out: &mut Vec<u8>, mut after: impl FnMut(&mut Vec<u8>)) {
        let mut encoder = Encoder::default();
        for event in &self.0 {
            encoder.encode(event, out);
            after(out);
        }
    }
}

/// Checks the parameters and returns the number of days.
fn check(parameters: Parameters) -> Result<u64, ParametersError> {
    let Parameters { wallets, operations, start, days, fraud_per_mille, .. } = parameters;
    if wallets == 0 || wallets > WALLETS_MAX / 2 {
        return Err(ParametersError::Wallets);
    }
    if operations > 1_000_000_000_000 {
        return Err(ParametersError::Operations);
    }
    if fraud_per_mille > 1000 {
        return Err(ParametersError::Fraud);
    }
    let days = days.unwrap_or_else(|| operations.div_ceil(wallets * DAILY_OPERATIONS).clamp(DAYS_MIN, DAYS_MAX));
    let first = Time::from_nanos(1_577_818_800_000_000_000);
    let last = Time::ACCEPTED_UNTIL.minus(4 * DAY);
    let end = start.plus(DAY.saturating_mul(days.min(DAYS_MAX).cast_signed()));
    if days == 0 || days > DAYS_MAX || start < first || end > last {
        return Err(ParametersError::Days);
    }
    Ok(days)
}

/// Returns how many instances of patterns there shall be: whole rounds of all cases.
fn instances(parameters: Parameters) -> Result<u64, ParametersError> {
    if parameters.fraud_per_mille == 0 {
        return Ok(0);
    }
    // All cases together take some 190 operations, three each.
    let round = cases() * 3;
    let rounds = (parameters.operations * parameters.fraud_per_mille / 1000 / round).max(1);
    let instances = rounds * cases();
    if parameters.wallets + (instances + 1) * WALLETS_EACH > WALLETS_MAX {
        return Err(ParametersError::Patterns);
    }
    Ok(instances)
}

fn label(event: &Event, tag: Tag) -> Label {
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::with_capacity(32);
        write(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Label {
        op_id: text(&|out| encode::op_id(event.id, out)),
        wallet_id: text(&|out| encode::wallet(event.wallet, out)),
        rule: tag.rule.name(),
        fraud: tag.fraud,
        pattern: tag.pattern,
    }
}
