//! Which partition a wallet's operations lie in: the producers choose it by a hash of the record's key.

use super::words;

words! {
    /// How producers choose the partition of a key.
    Partitioner {
        /// Java's producers.
        Murmur2 = "murmur2",
        /// librdkafka's `consistent` and `consistent_random`.
        Crc32 = "crc32",
        /// Anything else: records are taken wherever they lie.
        Unchecked = "unchecked",
    }
}

/// Where a record was found, and how its producer should have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    pub partition: i32,
    /// How many partitions the topic has.
    pub partitions: i32,
    pub partitioner: Partitioner,
}

impl Home {
    /// Returns the partition of a wallet if that is another one.
    #[must_use]
    pub fn elsewhere(&self, wallet_id: &str) -> Option<i32> {
        let expected = self.partitioner.partition(wallet_id.as_bytes(), self.partitions)?;
        (expected != self.partition).then_some(expected)
    }
}

impl Partitioner {
    /// Returns the partition of a key, where that is known.
    #[must_use]
    pub fn partition(self, key: &[u8], partitions: i32) -> Option<i32> {
        let count = u32::try_from(partitions).ok().filter(|count| *count > 0)?;
        let hash = match self {
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Crc32 => crc32fast::hash(key),
            Self::Unchecked => return None,
        };
        i32::try_from(hash % count).ok()
    }
}

/// Makes a key that lies in each partition, in the order of the partitions: the prefix with the least number after it
/// that leads there. Where records are taken wherever they lie, Java's way is as good as any.
#[must_use]
pub fn keys_of_partitions(partitioner: Partitioner, prefix: &str, partitions: i32) -> Vec<String> {
    let partitioner = if partitioner == Partitioner::Unchecked { Partitioner::Murmur2 } else { partitioner };
    let key_in = |partition: i32| {
        let keys = (0_u32..).map(|number| format!("{prefix}{number}"));
        keys.into_iter().find(|key| partitioner.partition(key.as_bytes(), partitions) == Some(partition))
    };
    (0..partitions).filter_map(key_in).collect()
}

/// The hash of `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Keys are short; of a longer one Java takes the low 32 bits too.
    let length = u32::try_from(key.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes(chunk.try_into().unwrap_or_default()).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (index, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_that_of_java() {
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn crc32_is_that_of_librdkafka() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(Partitioner::Crc32.partition(b"123456789", 1_000), Some(262));
    }

    #[test]
    fn a_record_is_at_home_in_one_partition_only() {
        for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
            let homes: Vec<i32> = (0..12)
                .filter(|partition| {
                    let home = Home { partition: *partition, partitions: 12, partitioner };
                    home.elsewhere("77010000001").is_none()
                })
                .collect();
            assert_eq!(homes.len(), 1);
        }
        let home = Home { partition: 3, partitions: 12, partitioner: Partitioner::Unchecked };
        assert_eq!(home.elsewhere("77010000001"), None);
    }

    #[test]
    fn a_key_is_found_for_each_partition() {
        for (partitioner, partitions) in [(Partitioner::Murmur2, 12), (Partitioner::Crc32, 5)] {
            let keys = keys_of_partitions(partitioner, "kuzet:rules:", partitions);
            let found: Vec<_> = keys.iter().map(|key| partitioner.partition(key.as_bytes(), partitions)).collect();
            assert_eq!(found, (0..partitions).map(Some).collect::<Vec<_>>(), "{keys:?}");
        }
        assert_eq!(keys_of_partitions(Partitioner::Unchecked, "k", 1), ["k0"]);
    }
}
