//! Repaired records go where all operations of a fleet come from.

use std::io::Write;
use std::time::Duration;

use super::{Repaired, Tally, Target};
use crate::adapters::kafka::producer::Sender;
use crate::app::fleet::kafka_settings;
use crate::cli::exit::ConfigurationError;
use crate::config::Config;
use crate::operation::partition::Partitioner;

/// How long Kafka may take to have one record.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The topic of operations.
pub(super) struct Topic {
    sender: Sender,
    partitioner: Partitioner,
}

impl Topic {
    /// Makes a producer; it connects when it is used.
    ///
    /// # Errors
    /// The configuration names no brokers, or a setting is wrong.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let mut kafka = config.kafka.clone();
        // Nothing here is done in an instance's name.
        kafka.instance.get_or_insert_with(|| String::from("kafka-command"));
        Ok(Self { sender: Sender::new(&kafka_settings(&kafka)?)?, partitioner: kafka.partitioner })
    }
}

impl Target for Topic {
    fn send(&self, records: &[Repaired], tally: &mut Tally, _: &mut dyn Write) -> anyhow::Result<()> {
        for record in records {
            let sent = self.sender.send(self.partitioner, &record.wallet_id, &record.bytes, TIMEOUT);
            sent.map_err(|failure| ConfigurationError(format!("record {}: {failure}", record.number)))?;
            tally.taken += 1;
        }
        Ok(())
    }

    fn taken(&self) -> &'static str {
        "sent to the topic"
    }
}
