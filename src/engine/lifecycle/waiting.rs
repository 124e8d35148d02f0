//! Operations that wait: further causes, cancellations that rules ask for, answers to a PIN challenge, and
//! what the ledger says did not happen.

use crate::engine::enrich::shared_op;
use crate::engine::lifecycle::{Bearer, Lifecycle};
use crate::engine::mutant::EngineMutant;
use crate::engine::state::restriction::{Cause, PinChallenge, RestrictionKind, Waiting};
use crate::engine::state::shared::change::{SharedChange, SharedKey};
use crate::engine::state::wallet::row::{FLAG_CANCELLED, FLAG_MONEY, FLAG_REFUSED, Row, key_word};
use crate::engine::window::Entry;
use crate::operation::AttemptOutcome;
use smallvec::SmallVec;

impl Lifecycle<'_, '_, '_> {
    /// A monitoring that is placed while operations wait becomes a further cause of each.
    pub(super) fn add_causes(&mut self) {
        let placed = self.placed.iter().filter(|placed| placed.is_new).map(|placed| &placed.restriction);
        let monitors = placed.filter(|restriction| restriction.kind == RestrictionKind::Monitor);
        let causes: Vec<Cause> = monitors.map(|restriction| restriction.as_cause()).collect();
        if causes.is_empty() || self.context.wallet.waiting().is_empty() {
            return;
        }
        for waiting in self.waiting_mut() {
            waiting.holds.extend(causes.iter().cloned());
        }
    }

    pub(super) fn waiting_mut(&mut self) -> &mut Vec<Waiting> {
        self.waiting.get_or_insert_with(|| self.context.wallet.waiting().to_vec())
    }

    pub(super) fn waiting_or_known(&self) -> &[Waiting] {
        self.waiting.as_deref().unwrap_or_else(|| self.context.wallet.waiting())
    }

    /// Cancels what rules ask to cancel: everything that waits, or the operation that `ref_op_id` names.
    pub(super) fn cancel_as_asked(&mut self) {
        let (all, referenced) = (self.cancels_waiting.take(), self.cancels_referenced.take());
        let named = self.enriched.operation.ref_op_id.as_deref().filter(|_| referenced.is_some());
        let position =
            named.and_then(|named| self.waiting_or_known().iter().position(|waiting| *waiting.op_id == *named));
        if self.context.wallet.waiting().is_empty() || (all.is_none() && position.is_none()) {
            return;
        }
        let mut left = Vec::new();
        for (number, waiting) in std::mem::take(self.waiting_mut()).into_iter().enumerate() {
            let by_name = referenced.as_ref().filter(|_| position == Some(number));
            let bearers = all.iter().chain(by_name);
            match bearers.min_by(|one, other| one.0.cmp(&other.0)) {
                Some(bearer) => self.cancel(&waiting, bearer),
                None => left.push(waiting),
            }
        }
        self.waiting = Some(left);
    }

    /// Returns the operation that a PIN names and that still waits for the PIN. What a rule cancels on this PIN waits
    /// no longer: the PIN then answers nothing.
    fn challenged(&self) -> Option<&Waiting> {
        if self.cancels_waiting.is_some() || self.cancels_referenced.is_some() {
            return None;
        }
        let ref_op_id = self.enriched.operation.ref_op_id.as_deref()?;
        self.waiting_or_known().iter().find(|waiting| *waiting.op_id == *ref_op_id && !waiting.pins.is_empty())
    }

    /// Returns the operation that a failed PIN leaves waiting for the PIN.
    pub(super) fn failed_challenge(&self) -> Option<&Waiting> {
        self.is_pin(AttemptOutcome::Failure).then(|| self.challenged()).flatten()
    }

    fn is_pin(&self, outcome: AttemptOutcome) -> bool {
        let operation = &self.enriched.operation;
        operation.kind == crate::operation::OperationType::Pin && operation.outcome == Some(outcome)
    }

    /// A right PIN that names an operation waiting for it confirms that operation's Almaty day: it clears the
    /// challenges of all that waits of this day, and later operations of the day need none (7.17).
    pub(super) fn answer_challenge(&mut self) {
        if !self.is_pin(AttemptOutcome::Success) {
            return;
        }
        let (plan, at) = (self.context.plan, self.at());
        let Some((since, arrival)) = self.challenged().map(|named| (named.since, named.arrival)) else {
            if plan.settings.has(EngineMutant::PinWithoutReferenceConfirms) {
                self.changes.cold().confirmed_day = Some(plan.settings.day_of(at).start);
            }
            return;
        };
        let day = plan.settings.day_of(since);
        let confirms_event_day = plan.settings.has(EngineMutant::PinConfirmsEventDay);
        let confirmed = if confirms_event_day { plan.settings.day_of(at) } else { day };
        self.changes.cold().confirmed_day = Some(confirmed.start);
        let named_only = plan.settings.has(EngineMutant::PinClearsNamedOnly);
        let mut left = Vec::new();
        for mut waiting in std::mem::take(self.waiting_mut()) {
            let clears = if named_only { waiting.arrival == arrival } else { day.contains(waiting.since) };
            let first = waiting.pins.iter().min_by(|one, other| one.rule.cmp(&other.rule)).filter(|_| clears);
            let Some(PinChallenge { rule, clauses }) = first.cloned() else {
                left.push(waiting);
                continue;
            };
            waiting.pins.clear();
            if waiting.is_free() {
                let bearer: Bearer = (rule, clauses);
                left.extend(self.end_waiting(waiting, &bearer));
            } else {
                left.push(waiting);
            }
        }
        self.waiting = Some(left);
    }

    /// An operation that did not happen after all leaves every window, and its own hold with it.
    pub(super) fn cancel_operation(&mut self) {
        let context = self.context;
        if context.plan.settings.has(EngineMutant::CancelIgnored) {
            return;
        }
        let Some(ref_op_id) = self.enriched.operation.ref_op_id.as_deref() else { return };
        let id = crate::operation::content::id_hash(ref_op_id);
        // Whatever waits is a debit; it may have waited longer than the log remembers.
        if self.waiting_or_known().iter().any(|waiting| waiting.id == id) {
            self.waiting_mut().retain(|waiting| waiting.id != id);
        }
        let Some(row) = context.wallet.find(context.plan, id) else { return };
        if row.has(FLAG_MONEY) && !row.has(FLAG_REFUSED | FLAG_CANCELLED) {
            self.changes.cancelled = Some(id);
            self.leave_shared_windows(row);
        }
    }

    fn leave_shared_windows(&mut self, row: Row<'_>) {
        let (plan, symbol) = (self.context.plan, self.enriched.wallet);
        let word = |at: usize| if at == usize::MAX { symbol } else { row.word(at) };
        for id in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[id];
            if aggregate.owned {
                continue;
            }
            let words: SmallVec<[u64; 4]> = aggregate.key_words.iter().map(|at| word(*at)).collect();
            let value = aggregate.value_word.map_or(1, |at| word(at).cast_signed());
            let entry = Entry { at: row.at(), op: shared_op(row.id(), symbol), value };
            let key = SharedKey { aggregate: id, key: key_word(words.into_iter()) };
            self.shared.push(SharedChange::Remove { key, entry });
        }
    }
}
