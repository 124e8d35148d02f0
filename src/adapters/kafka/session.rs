//! The session of a worker: two transactional producers that take turns.

use super::port::{Cluster, Transactions};
use super::{Failure, KafkaSettings};

/// The transactional producers of this process, which take turns: of the one that has just committed, Kafka would not
/// take the next transaction before the markers of the last are written, and the client would wait for that in
/// steps of 20 ms and more.
pub struct Session {
    producers: [Box<dyn Transactions>; 2],
    turn: usize,
}

impl Session {
    /// Makes the producers and takes over their transactional ids: a transaction that an earlier holder left open is
    /// aborted, and that holder can never commit again. Waits until that is done.
    ///
    /// # Errors
    /// A setting is wrong, or Kafka does not answer in time.
    pub fn begin(cluster: &dyn Cluster, settings: &KafkaSettings) -> Result<Self, Failure> {
        Ok(Self { producers: cluster.take_over(settings, &settings.owner())?, turn: 0 })
    }

    /// Returns the producer whose turn it is. Its last transaction is over; that of the other one is decided at least.
    pub fn next_producer(&mut self) -> &dyn Transactions {
        self.turn = 1 - self.turn;
        self.current()
    }

    /// Returns the producer of the last turn.
    #[must_use]
    pub fn current(&self) -> &dyn Transactions {
        let [first, second] = &self.producers;
        if self.turn == 0 { &**first } else { &**second }
    }
}
