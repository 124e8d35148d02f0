//! Wrong variants of a fleet's commit and restoration, chosen at run time, for the tests that prove the tests:
//! `KUZET_TEST_FAULT=name` makes one deliberate mistake. Only with the feature `faults`; otherwise nothing is
//! read and no mistake can be made.

/// One deliberate mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetMutant {
    /// After a failed transaction shards go on with what they decided in it.
    StateKept,
    /// After a failed transaction records come from where the consumer stood.
    SeekSkipped,
    /// A shard is not dropped when its partition is another process's.
    ShardKept,
    /// A commit of which it is not known whether it happened is made again.
    CommitRepeated,
    /// `meta` is that of the batch before.
    StaleMeta,
    /// Offsets are committed after the transaction instead of in it.
    OffsetsAfter,
    /// Offsets are committed before the transaction instead of in it.
    OffsetsBefore,
    /// Offsets are sent without the group's generation.
    GenerationSkipped,
    /// A restoration does not wait for transactions that are still open.
    OpenTransactionsIgnored,
    /// A restoration reads records of aborted transactions too.
    StateUncommitted,
    /// The shared store and gateways learn of a batch before it is committed.
    SharedBeforeCommit,
    /// Decisions are numbered from one again after a restoration.
    SequenceNotRestored,
    /// Journals are removed although no group holds their changes.
    JournalsForgotten,
    /// A round of the checkpoint removes the journals up to its end instead of its beginning.
    RoundForgotten,
    /// Journals are read from the last group of a round on instead of from its first.
    OverlapDropped,
    /// State, offset and last decision are not held against each other.
    ChecksSkipped,
    /// A batch that was decided on one whose commit failed is committed all the same.
    AfterFailureKept,
    /// The group's generation is asked for when offsets are sent, not when the transaction is handed over.
    GenerationLate,
    /// Of an aborted transaction that is sent again, batches of shards that are another's go along.
    ReturnedWhole,
    /// An aborted transaction is sent again behind what was decided after it.
    ReturnedLast,
    /// What was decided of a shard stays in the next transaction when the shard goes to another process.
    DecidedKept,
    /// What was read of a shard is used although the shard went and came back meanwhile.
    OldRestoration,
}

impl FleetMutant {
    /// Every variant with its name in the tests.
    pub const ALL: [(&'static str, Self); 22] = [
        ("state-kept", Self::StateKept),
        ("seek-skipped", Self::SeekSkipped),
        ("shard-kept", Self::ShardKept),
        ("commit-repeated", Self::CommitRepeated),
        ("stale-meta", Self::StaleMeta),
        ("offsets-after", Self::OffsetsAfter),
        ("offsets-before", Self::OffsetsBefore),
        ("generation-skipped", Self::GenerationSkipped),
        ("open-transactions-ignored", Self::OpenTransactionsIgnored),
        ("state-uncommitted", Self::StateUncommitted),
        ("shared-before-commit", Self::SharedBeforeCommit),
        ("sequence-not-restored", Self::SequenceNotRestored),
        ("journals-forgotten", Self::JournalsForgotten),
        ("round-forgotten", Self::RoundForgotten),
        ("overlap-dropped", Self::OverlapDropped),
        ("checks-skipped", Self::ChecksSkipped),
        ("after-failure-kept", Self::AfterFailureKept),
        ("generation-late", Self::GenerationLate),
        ("returned-whole", Self::ReturnedWhole),
        ("returned-last", Self::ReturnedLast),
        ("decided-kept", Self::DecidedKept),
        ("old-restoration", Self::OldRestoration),
    ];

    /// Tells whether this process makes this mistake.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn is_made(self) -> bool {
        use std::sync::OnceLock;

        use super::runtime;

        static ASKED: OnceLock<Option<FleetMutant>> = OnceLock::new();
        if let Some(simulation) = runtime::simulation() {
            return Self::ALL.iter().any(|(name, mistake)| *mistake == self && simulation.mistake() == Some(*name));
        }
        let asked = ASKED.get_or_init(|| {
            #[expect(clippy::disallowed_methods, reason = "only a test's build reads this")]
            let name = std::env::var("KUZET_TEST_FAULT").ok()?;
            let found = Self::ALL.iter().find(|(known, _)| *known == name);
            tracing::warn!(%name, is_known = found.is_some(), "a test makes this process err");
            found.map(|(_, fault)| *fault)
        });
        *asked == Some(self)
    }

    /// Tells whether this process makes this mistake.
    #[cfg(not(feature = "faults"))]
    #[must_use]
    pub const fn is_made(self) -> bool {
        false
    }
}
