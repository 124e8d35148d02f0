//! What the worker shows of its work: read models, figures, what observers count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::adapters::runtime;
use crate::engine::restriction::Restriction;
use crate::engine::shared::{Party, SharedChange};
use crate::operation::Time;
use crate::pipeline::{Answer, Record, Stages};
use crate::rules::program::symbol_of_text;

use super::super::shard::{CommittedShardBatch, Shard, decision_of};
use super::{FIGURES_EVERY, FleetWorker, SIZES_EVERY};
use crate::service::active_restrictions::{ActiveRestrictions, may_change};
use crate::service::rule_stats::{RuleStats, amount_in};
use crate::service::views::{Foreseen, WalletView};
use crate::service::worker::CommittedBatch;
use crate::service::{BudgetShown, Unavailable, read, write};

/// The book tells what is committed after so long at the latest, however much comes.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// What the book of restrictions does not tell yet.
#[derive(Default)]
pub(super) struct Unshown {
    wallets: BTreeSet<Box<str>>,
    blocks: Vec<SharedChange>,
    since: Option<Instant>,
}

impl Unshown {
    /// Tells whether it has waited for long enough that nothing more is decided before it is shown.
    pub(super) fn is_due(&self) -> bool {
        self.since.is_some_and(|since| runtime::elapsed(since) > SHOWN_WITHIN)
    }
}

impl FleetWorker {
    /// Lets readers see what is committed. Where more is decided than that, restrictions are noted as changed:
    /// wallets' records tell them as of the last decision.
    pub(super) fn show(&mut self, batches: &[CommittedShardBatch]) {
        let is_ahead = self.flow.has_decided() || self.committer.is_committing();
        let mut book = write(&self.outlets.part.book);
        let mut stats = write(&self.outlets.part.rule_stats);
        let mut figures = write(&self.outlets.part.figures);
        for batch in batches {
            let Some(shard) = self.shards.get(&batch.with.shard).filter(|shard| shard.gift == batch.with.gift) else {
                continue;
            };
            let answered = batch.answers.iter().zip(&batch.with.records);
            let decisions = answered.filter_map(|(answer, record)| Some((decision_of(answer)?, record)));
            for (seq, (decision, record)) in (batch.with.first_seq..).zip(decisions) {
                stats.add(seq, decision, || amount_in(record.value.as_deref()));
                let id = &*decision.wallet_id;
                if !is_ahead {
                    book.update(decision, shard.pipeline.engine.wallets().get(symbol_of_text(id), id));
                } else if may_change(decision) {
                    self.unshown.wallets.insert(id.into());
                }
            }
            figures.newest = figures.newest.max(batch.with.newest);
        }
        let changes = batches.iter().flat_map(|batch| &batch.shared).filter(|change| change.is_of_directory());
        if is_ahead {
            self.unshown.blocks.extend(changes.cloned());
            self.unshown.since = self.unshown.since.or_else(|| Some(runtime::now()));
        } else {
            book.update_addresses(changes, |party| self.blocks_of(party));
        }
    }

    /// Keeps the newest decisions, for people to look at.
    pub(super) fn keep(&self, batches: Vec<CommittedShardBatch>) {
        // Room for all of them at once: a list that grows to thousands is moved again and again to fresh pages.
        let mut kept = Vec::with_capacity(batches.iter().map(|batch| batch.with.decisions.len()).sum());
        for batch in batches {
            let writes = batch.with;
            let decided = batch.answers.iter().zip(writes.records);
            let records = decided.filter(|(answer, _)| decision_of(answer).is_some());
            kept.extend(records.map(|(_, record)| record.value.unwrap_or_default()).zip(writes.decisions));
        }
        // Told before another worker keeps more: the numbers go up.
        let mut recent = write(&self.outlets.shown.recent);
        self.outlets.seq.send_replace(recent.add(kept));
    }

    fn blocks_of(&self, party: Party) -> Vec<Restriction> {
        self.shards.values().flat_map(|shard| shard.own.blocks_of(party)).collect()
    }

    /// Shows restrictions that were noted as changed; everything decided must be committed.
    pub(super) fn show_changed(&mut self) {
        if self.unshown.since.is_none() {
            return;
        }
        let Unshown { wallets, blocks, since: _ } = std::mem::take(&mut self.unshown);
        let mut book = write(&self.outlets.part.book);
        for id in &wallets {
            let symbol = symbol_of_text(id);
            let wallet = self.shards.values().find_map(|shard| shard.pipeline.engine.wallets().get(symbol, id));
            book.renew(id, wallet);
        }
        book.update_addresses(&blocks, |party| self.blocks_of(party));
    }

    /// Makes the book of all restrictions anew, what rules matched, and what is shown of rules and times.
    pub(super) fn show_book(&self) {
        let (mut book, mut stats) = (ActiveRestrictions::default(), RuleStats::default());
        for shard in self.shards.values() {
            book.add_wallets(&shard.pipeline.engine);
            stats.merge(&shard.stats);
        }
        book.add_addresses(self.shards.values().flat_map(|shard| shard.own.blocks()));
        *write(&self.outlets.part.book) = book;
        *write(&self.outlets.part.rule_stats) = stats;
        self.show_young();
        self.outlets.shown.renew_plan(self.settings.engine);
        let newest = self.shards.values().filter_map(|shard| shard.newest).max();
        write(&self.outlets.part.figures).newest = newest;
    }

    /// Shows which windows are young in any of the shards.
    pub(super) fn show_young(&self) {
        let mut young: BTreeMap<u64, Time> = BTreeMap::new();
        for (state, until) in self.shards.values().flat_map(|shard| &shard.young) {
            let longest = young.entry(*state).or_insert(*until);
            *longest = (*longest).max(*until);
        }
        *write(&self.outlets.part.young) = young;
    }

    /// Looks at a wallet's record, if one of the shards has it.
    pub(super) fn wallet(&self, id: &str) -> Option<WalletView> {
        let (symbol, newest) = (symbol_of_text(id), self.outlets.shown.figures().newest);
        self.shards.values().find_map(|shard| {
            let engine = &shard.pipeline.engine;
            engine.wallets().get(symbol, id).map(|wallet| WalletView::of(engine.plan(), wallet, newest))
        })
    }

    /// Tells what an operation of a wallet would do, if one of the shards has it.
    pub(super) fn foresee(&mut self, id: &str, record: &[u8], arrived_at: Time) -> Result<Foreseen, Unavailable> {
        let symbol = symbol_of_text(id);
        let owner = self.shards.values_mut().find(|shard| shard.pipeline.engine.wallets().get(symbol, id).is_some());
        let shard = owner.ok_or(Unavailable::Elsewhere)?;
        let answer = shard.pipeline.foresee(Record { bytes: record, arrived_at: Some(arrived_at) });
        Ok(Foreseen { answer, wallet: self.wallet(id) })
    }

    pub(super) fn observe(&mut self, batches: &[CommittedShardBatch], committed_in: Duration) {
        let now = crate::adapters::clock::now();
        let count = batches.iter().map(|batch| batch.answers.len()).sum();
        let (mut decisions, mut rejections) = (Vec::with_capacity(count), Vec::new());
        let (mut duplicates, mut unknown_fields) = (0, 0);
        let (mut stages, mut requests) = (Stages::default(), Vec::with_capacity(count));
        for batch in batches {
            for answer in &batch.answers {
                match answer {
                    Answer::Decided(decision) => decisions.push(&**decision),
                    Answer::Rejected(rejection) => rejections.push(rejection),
                    Answer::Duplicate { .. } => duplicates += 1,
                }
            }
            unknown_fields += batch.unknown_fields;
            let of_batch = batch.stages;
            stages.decode += of_batch.decode;
            stages.enrich += of_batch.enrich;
            stages.fetch += of_batch.fetch;
            stages.decide += of_batch.decide;
            requests.extend(
                batch.with.records.iter().filter_map(|record| {
                    u64::try_from(now.since(record.arrived_at).get()).ok().map(Duration::from_nanos)
                }),
            );
        }
        self.outlets.observer.committed(&CommittedBatch {
            decisions: &decisions,
            rejections: &rejections,
            duplicates,
            unknown_fields,
            stages,
            requests: &requests,
            committed_in,
        });
    }

    pub(super) fn show_figures(&mut self) {
        if self.figures_at.is_some_and(|at| runtime::elapsed(at) < FIGURES_EVERY) {
            return;
        }
        self.figures_at = Some(runtime::now());
        self.look_for_steps();
        let lag = |shard: &Shard| {
            let end = self.member.end_of(shard.number)?;
            u64::try_from((end - shard.next_offset).max(0)).ok()
        };
        let mut shards: Vec<(i32, bool, Option<u64>)> =
            self.shards.values().map(|shard| (shard.number, false, lag(shard))).collect();
        shards.extend(self.mine.halted.keys().map(|shard| (*shard, true, None)));
        self.outlets.observer.shards(&shards);
        let budgets = self.shards.values().flat_map(|shard| BudgetShown::of(&shard.pipeline.engine, shard.number));
        *write(&self.outlets.part.budgets) = budgets.collect();
        let mut figures = *read(&self.outlets.part.figures);
        figures.wallets = self.shards.values().map(|shard| shard.pipeline.engine.wallets().len()).sum();
        let (sizes, turned_away) = self.ledger.window_figures();
        figures.shared_keys = usize::try_from(sizes.keys).unwrap_or(usize::MAX);
        (figures.shared_window_bytes, figures.shared_keys_refused) = (sizes.bytes, turned_away);
        if self.sizes_at.is_none_or(|at| runtime::elapsed(at) >= SIZES_EVERY) {
            self.sizes_at = Some(runtime::now());
            figures.state_bytes = self.shards.values().map(|shard| shard.pipeline.engine.wallets().bytes()).sum();
        }
        *write(&self.outlets.part.figures) = figures;
    }
}
