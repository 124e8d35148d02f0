//! Simulated operations, dealt out to clients that remember what they were told.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use kuzet::simulate::{DEFAULT_START, Parameters, Simulation};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::http::Client;
use crate::random::Random;
use crate::wait;

/// A day-to-day traffic in which every rule fires.
pub(crate) fn simulation(seed: u64, operations: u64) -> Simulation {
    let parameters =
        Parameters { wallets: 400, operations, seed, start: DEFAULT_START, days: None, fraud_per_mille: 150 };
    Simulation::new(parameters).expect("parameters within their limits")
}

/// Up to this many operations.
pub(crate) fn lines(simulation: &mut Simulation, count: usize) -> Vec<Vec<u8>> {
    let one = || {
        let mut line = Vec::with_capacity(512);
        let is_some = simulation.next_into(&mut line);
        line.pop();
        is_some.then_some(line)
    };
    std::iter::from_fn(one).take(count).collect()
}

/// The id in a line of the simulation.
pub(crate) fn op_id(line: &[u8]) -> Box<str> {
    let text = line.get(10..36).expect("an id is the first field");
    std::str::from_utf8(text).expect("ASCII").into()
}

/// What stands in for the bytes of a decision.
pub(crate) fn print_of(decision: &[u8]) -> u128 {
    xxh3_128(decision)
}

/// One client: what it was told, and what it must send again.
#[derive(Debug)]
pub(crate) struct Customer {
    random: Random,
    /// The decision on every acknowledged operation.
    pub(crate) told: HashMap<Box<str>, u128>,
    /// Requests without an answer.
    pub(crate) unsettled: Vec<Vec<Vec<u8>>>,
    /// Some of the acknowledged operations.
    kept: Vec<Vec<u8>>,
    pub(crate) repeated: u64,
    /// What was acknowledged since this was emptied last.
    pub(crate) fresh: Vec<(Box<str>, u128)>,
}

/// How many acknowledged operations a client keeps to send again.
const KEPT_MAX: usize = 500;

impl Customer {
    pub(crate) fn new(seed: u64) -> Self {
        let (told, unsettled, kept) = (HashMap::new(), Vec::new(), Vec::new());
        Self { random: Random(seed), told, unsettled, kept, repeated: 0, fresh: Vec::new() }
    }

    /// Sends until the connection breaks or the service refuses.
    ///
    /// # Errors
    /// How it ended.
    pub(crate) fn work(&mut self, client: &mut Client, supply: &Mutex<Simulation>) -> io::Result<u16> {
        loop {
            let request = match self.unsettled.pop() {
                Some(request) => request,
                None => self.request(supply),
            };
            if request.is_empty() {
                return Ok(200);
            }
            let answer = client.post(&body_of(&request));
            match answer {
                Ok(answer) if answer.status == 200 => self.hear(request, &answer.body),
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    self.unsettled.push(request);
                    return Ok(503);
                }
                Err(error) => {
                    self.unsettled.push(request);
                    return Err(error);
                }
            }
        }
    }

    fn request(&mut self, supply: &Mutex<Simulation>) -> Vec<Vec<u8>> {
        let count = if self.random.below(4) == 0 { 1 } else { 2 + self.random.below(60) };
        let mut request = lines(&mut supply.lock().expect("no panic"), count);
        if count > 1 && !self.kept.is_empty() {
            for _ in 0..self.random.below(4) {
                let again = self.kept[self.random.below(self.kept.len())].clone();
                let at = self.random.below(request.len() + 1);
                request.insert(at, again);
            }
        }
        request
    }

    /// Has the kept operations decided again, and what was never answered.
    pub(crate) fn repeat(&mut self, client: &mut Client) {
        let kept =
            self.kept.chunks(100).map(<[_]>::to_vec).chain(self.kept.iter().take(20).map(|one| vec![one.clone()]));
        let requests: Vec<Vec<Vec<u8>>> = kept.chain(std::mem::take(&mut self.unsettled)).collect();
        for request in requests {
            // A machine with other work may be late with an answer; whoever has none asks again.
            let answer = wait::until("the repeated request is answered", || {
                let answer = client.post(&body_of(&request)).expect("an answer");
                assert!(matches!(answer.status, 200 | 503), "{}: {}", answer.status, answer.text());
                (answer.status == 200).then_some(answer)
            });
            self.hear(request, &answer.body);
        }
    }

    /// Remembers an answer; whoever was told already must be told the same.
    pub(crate) fn hear(&mut self, request: Vec<Vec<u8>>, body: &[u8]) {
        let decisions = decisions_of(body);
        assert_eq!(decisions.len(), request.len(), "one answer for each operation");
        for (line, decision) in request.into_iter().zip(decisions) {
            let (id, print) = (op_id(&line), print_of(decision.get().as_bytes()));
            let expected = format!("\"op_id\":\"{id}\"");
            assert!(decision.get().contains(&expected), "{decision} on {id}");
            self.fresh.push((id.clone(), print));
            if let Some(before) = self.told.insert(id, print) {
                assert_eq!(before, print, "another decision than at first: {decision}");
                self.repeated += 1;
            }
            if self.kept.len() < KEPT_MAX {
                self.kept.push(line);
            } else {
                let at = self.random.below(KEPT_MAX);
                self.kept[at] = line;
            }
        }
    }
}

/// One operation as itself, several as an array.
pub(crate) fn body_of(request: &[Vec<u8>]) -> Vec<u8> {
    match request {
        [one] => one.clone(),
        many => [b"[".as_slice(), &many.join(&b","[..]), b"]"].concat(),
    }
}

/// The decisions in an answer, byte for byte.
pub(crate) fn decisions_of(body: &[u8]) -> Vec<&RawValue> {
    if body.starts_with(b"[") {
        return serde_json::from_slice(body).expect("an array of decisions");
    }
    vec![serde_json::from_slice(body).expect("a decision")]
}
