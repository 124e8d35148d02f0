//! Where the operations of a backtest come from.

use crate::adapters::files::RecordReader;
use crate::operation::Time;
use crate::pipeline::Record;

/// A batch ends early when its records hold this many bytes.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// Records of one batch, one behind the other in one buffer.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where each ends, and when it arrived, where that is known.
    ends: Vec<(usize, Option<Time>)>,
}

impl Records {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8], arrived_at: Option<Time>) {
        self.bytes.extend_from_slice(record);
        self.ends.push((self.bytes.len(), arrived_at));
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Tells whether the batch has as much as it may have.
    #[must_use]
    pub const fn is_full(&self, records_max: usize) -> bool {
        self.ends.len() >= records_max || self.bytes.len() >= BATCH_BYTES_MAX
    }

    /// Lists them in their order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, arrived_at))| Record {
            bytes: self.bytes.get(start..*end).unwrap_or_default(),
            arrived_at: *arrived_at,
        })
    }
}

/// Operations of the past in the order in which they came.
pub trait History {
    /// Adds the next records to an empty batch; it stays empty at the end only.
    ///
    /// # Errors
    /// The history cannot be read on.
    fn fill(&mut self, batch: &mut Records, records_max: usize) -> anyhow::Result<()>;
}

impl History for RecordReader {
    fn fill(&mut self, batch: &mut Records, records_max: usize) -> anyhow::Result<()> {
        while !batch.is_full(records_max) {
            let Some(record) = self.next_record()? else { break };
            batch.push(record.bytes, None);
        }
        Ok(())
    }
}
