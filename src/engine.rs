//! The engine: decides operations against rules and state. Pure and synchronous.
//!
//! It knows no Kafka, Redis, HTTP, file, thread or clock. [`Engine::prepare_windows`] and its sibling name
//! the shared keys a batch needs, [`Engine::decide`] decides one operation over the wallet's record and the
//! fetched [`SharedView`], [`Engine::apply`] makes the outcome's changes count. An operation is decided in one
//! place, [`decide::decide`], whoever runs it.

pub mod backfill;
mod context;
pub mod decide;
pub mod enrich;
pub mod examine;
mod lifecycle;
pub mod matching;
pub mod mutant;
pub mod outcome;
pub mod plan;
pub mod state;
pub mod stored;
pub mod value;
pub mod window;
mod window_mask;

pub use state::{idle, keyed, reach, restriction, shared, wallet, wallets};
pub use wallets::{position_table, slab};

use std::sync::Arc;

use crate::operation::OperationType;
use crate::operation::Time;
use crate::operation::time::{Span, almaty_day};
use crate::rules::program::Rule;

use context::Context;
use enrich::Enriched;
use examine::Examined;
use matching::evaluation::Evaluation;
use matching::memo::Memo;
use outcome::Disposition;
use plan::Plan;
use state::budgets::{Budgets, Known};
use state::changes::Changes;
use state::idle::StreamClock;
use state::layout::LayoutMigration;
use state::reach::{Reach, StreamReach};
use state::shared::{Party, SharedKey, SharedRequest, SharedView};
use state::wallet::Wallet;
use state::wallets::Wallets;

/// The wallets of one shard and the plan that decides their operations.
pub struct Engine {
    plan: Arc<Plan>,
    wallets: Wallets,
    nobody: Wallet,
    memo: Memo,
    /// The last calendar day looked up: operations mostly come day by day.
    day: Span,
    /// The MRP of that day in tiyn.
    mrp: Option<i64>,
    /// What time has passed for all of them together.
    clock: StreamClock,
    /// How far the stream has come; `None` after a restart, until it is asked for.
    stream: Option<StreamReach>,
    /// What rules have spent of their budgets.
    budgets: Budgets,
    /// The sequence number of the latest decision, 0 before the first: gapless, in the order of arrival.
    seq: u64,
}

impl Engine {
    /// Makes an engine that knows no wallet.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let day = almaty_day(Time::ACCEPTED_FROM);
        let mrp = plan.rules.mrp.at(day.start);
        Self {
            budgets: Budgets::new(&plan),
            plan,
            wallets: Wallets::default(),
            nobody: Wallet::default(),
            memo: Memo::default(),
            mrp,
            day,
            clock: StreamClock::default(),
            stream: Some(StreamReach::default()),
            seq: 0,
        }
    }

    /// Returns the plan in use.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Returns the wallets.
    #[must_use]
    pub const fn wallets(&self) -> &Wallets {
        &self.wallets
    }

    /// Returns the sequence number of the latest decision.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns what the rules have spent of their budgets.
    #[must_use]
    pub const fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Puts what is known of each rule's budget at the next operation in the place of what was counted; see
    /// [`Budgets::presume`].
    pub fn presume_budgets(&mut self, known: impl Fn(&Rule) -> Known) {
        let rules = &self.plan.rules.rules;
        self.budgets.presume(|rule| rules.get(rule).map_or(Known::Within, &known));
    }

    /// Returns what changed of budgets since the last call, for a store; see [`stored::budgets`].
    pub fn take_budget_notes(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        stored::budgets::take_notes(&mut self.budgets, &self.plan)
    }

    /// Takes stored budgets back in; see [`stored::budgets::restore`].
    ///
    /// # Errors
    /// A note cannot be read, or is damaged.
    pub fn restore_budgets<E>(
        &mut self,
        read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
        failed: impl Fn(stored::StoredError) -> E,
    ) -> Result<(), E> {
        stored::budgets::restore(&mut self.budgets, &self.plan, read, failed)
    }

    /// Returns the wallets, to restore their records.
    pub const fn wallets_mut(&mut self) -> &mut Wallets {
        &mut self.wallets
    }

    /// Goes on after the decision with this sequence number.
    pub const fn resume_after(&mut self, seq: u64) {
        self.seq = seq;
        self.stream = None;
    }

    /// Tells what counts for the age of what is remembered, when an operation is decided.
    fn reach(&mut self, enriched: &Enriched<'_>) -> Reach {
        if enriched.has_arrived {
            return Reach::Unlimited;
        }
        let Self { plan, wallets, stream, .. } = self;
        let decided = || wallets.iter().flat_map(|wallet| wallet.rows(plan)).map(|row| (row.seq(), row.at())).collect();
        let stream = stream.get_or_insert_with(|| StreamReach::of_decided(decided()));
        Reach::Stream(stream.with(enriched.operation.occurred_at))
    }

    /// Decides by other rules from now on. What the windows of both hold is kept.
    pub fn switch(&mut self, plan: Arc<Plan>, way: &LayoutMigration) {
        if !way.is_identity() {
            self.wallets.translate(&plan, way);
        }
        self.budgets.switch(&self.plan, &plan);
        self.mrp = plan.rules.mrp.at(self.day.start);
        self.plan = plan;
    }

    /// Adds the shared windows that deciding the operation may read.
    pub fn prepare_windows(&self, enriched: &Enriched<'_>, request: &mut SharedRequest) {
        let reads = &self.plan.of(enriched.operation.kind).shared_reads;
        if !reads.is_empty() {
            let (view, mut memo) = (SharedView::default(), Memo::default());
            let evaluation = self.plain_evaluation(enriched, &view, &mut memo);
            for id in reads {
                let key = evaluation.reading_key(&self.plan.aggregates[*id]);
                request.windows.extend(key.map(|key| SharedKey { aggregate: *id, key }));
            }
        }
    }

    /// Lists the keys of shared windows that deciding the operations will most likely read.
    pub fn near_keys<'o>(&self, operations: impl Iterator<Item = &'o Enriched<'o>>) -> Vec<u64> {
        let keys_of = |enriched: &'o Enriched<'o>| {
            let fields = self.plan.of(enriched.operation.kind).near_reads.iter();
            fields.filter_map(|field| enriched.symbol(field))
        };
        operations.flat_map(keys_of).collect()
    }

    /// Adds the parties whose blocks deciding the operation will read.
    pub fn prepare_parties(&self, enriched: &Enriched<'_>, request: &mut SharedRequest) {
        request.parties.extend(enriched.operation.ip.map(Party::Address));
        if enriched.operation.kind == OperationType::Transfer {
            request.parties.extend(enriched.counterparty.map(Party::Wallet));
        }
        if decide::may_release(enriched.operation.kind)
            && let Some(wallet) = self.wallets.get(enriched.wallet, &enriched.operation.wallet_id)
        {
            let recipients = wallet.waiting().iter().filter_map(|waiting| waiting.recipient);
            request.parties.extend(recipients.map(Party::Wallet));
        }
    }

    fn plain_evaluation<'e, 'o>(
        &'e self,
        enriched: &'e Enriched<'o>,
        view: &'e SharedView,
        memo: &'e mut Memo,
    ) -> Evaluation<'e, 'o> {
        Evaluation {
            plan: &self.plan,
            enriched,
            wallet: &self.nobody,
            view,
            day: self.day,
            mrp: None,
            is_blocked: false,
            is_monitored: false,
            feeds: smallvec::SmallVec::new(),
            fired: Vec::new(),
            for_enforced: false,
            reach: Reach::Unlimited,
            budgets: &self.budgets,
            spends: None,
            is_stopped: false,
            seq: 0,
            memo,
        }
    }

    /// Decides one operation; changes nothing but the sequence number.
    pub fn decide(&mut self, enriched: &Enriched<'_>, view: &SharedView) -> Disposition {
        let at = enriched.operation.occurred_at;
        if !self.day.contains(at) {
            self.day = self.plan.settings.day_of(at);
            self.mrp = self.plan.rules.mrp.at(self.day.start);
        }
        let mut memo = std::mem::take(&mut self.memo);
        let reach = self.reach(enriched);
        let wallet = self.wallets.get(enriched.wallet, &enriched.operation.wallet_id).unwrap_or(&self.nobody);
        let caught_up = wallet.caught_up(&self.plan, reach);
        let wallet = caught_up.as_ref().unwrap_or(wallet);
        let seq = self.seq + 1;
        let (day, mrp, budgets) = (self.day, self.mrp, &self.budgets);
        let context = Context { plan: &self.plan, wallet, view, day, mrp, seq, reach, budgets };
        let mut step = decide::decide(&context, enriched, &mut memo);
        self.memo = memo;
        if let Disposition::Decided(outcome) = &mut step {
            self.seq = seq;
            let caught_up = caught_up.as_ref().and_then(Wallet::newest);
            outcome.changes.newest = outcome.changes.newest.max(caught_up);
        }
        step
    }

    /// Tells what [`Self::decide`] would decide now; changes nothing.
    pub fn foresee(&mut self, enriched: &Enriched<'_>, view: &SharedView) -> Disposition {
        let seq = self.seq;
        let foreseen = self.decide(enriched, view);
        self.seq = seq;
        foreseen
    }

    /// Takes apart how the rules judge an operation that has not been decided yet; changes nothing.
    pub fn examine(&mut self, enriched: &Enriched<'_>, view: &SharedView) -> Vec<Examined> {
        self.in_context(enriched, view, |context, memo| examine::examine(context, enriched, memo))
    }

    /// Tells what a rule, by its position, would find at a later time if this decided operation were the last one:
    /// `enriched` is it, with its time set to then. Changes nothing.
    pub fn examine_later(&mut self, enriched: &Enriched<'_>, view: &SharedView, rule: usize) -> Option<Examined> {
        self.in_context(enriched, view, |context, memo| examine::examine_later(context, enriched, memo, rule))
    }

    fn in_context<R>(
        &mut self,
        enriched: &Enriched<'_>,
        view: &SharedView,
        look: impl FnOnce(&Context<'_>, &mut Memo) -> R,
    ) -> R {
        let day = self.plan.settings.day_of(enriched.operation.occurred_at);
        let mrp = self.plan.rules.mrp.at(day.start);
        let reach = self.reach(enriched);
        let wallet = self.wallets.get(enriched.wallet, &enriched.operation.wallet_id).unwrap_or(&self.nobody);
        let caught_up = wallet.caught_up(&self.plan, reach);
        let wallet = caught_up.as_ref().unwrap_or(wallet);
        let (seq, budgets) = (self.seq + 1, &self.budgets);
        let context = Context { plan: &self.plan, wallet, view, day, mrp, seq, reach, budgets };
        look(&context, &mut Memo::default())
    }

    /// Makes an outcome's changes to the acting wallet's record, and to the budgets of rules, count.
    pub fn apply(&mut self, enriched: &Enriched<'_>, changes: &mut Changes) {
        if let Some(spent) = changes.budgets.take() {
            self.budgets.apply(enriched.operation.kind, *spent);
        }
        let wallet = self.wallets.get_or_insert(enriched.wallet, &enriched.operation.wallet_id);
        wallet.apply(&self.plan, changes);
        if let Some(stream) = &mut self.stream {
            stream.take(enriched.operation.occurred_at);
        }
        if let Some(passed) = self.clock.take(enriched.operation.occurred_at) {
            self.wallets.forget_idle(&self.plan, passed.minus(self.plan.idle_after));
        }
    }
}

#[cfg(test)]
mod tests;
