//! From what fired to what the ledger is told: restrictions placed and lifted, operations that wait,
//! are released or cancelled, and the verdict between them.

pub(super) mod in_force;

use crate::engine::context::Context;
use crate::engine::enrich::{Enriched, shared_op};
use crate::engine::lifecycle::in_force::{InForce, applies};
use crate::engine::matching::evaluate;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::mutant::EngineMutant;
use crate::engine::state::changes::{Changes, SharedChanges};
use crate::engine::state::restriction::{Cause, PinChallenge, Restriction, RestrictionKind, Waiting, terms};
use crate::engine::state::shared::change::{Party, SharedChange, SharedKey};
use crate::engine::state::wallet::row::{FLAG_CANCELLED, FLAG_MONEY, FLAG_REFUSED, Row, key_word};
use crate::engine::window::Entry;
use crate::operation::decision::{
    Clauses, Command, CommandKind, Detail, EvidenceValue, Match, RestrictionTerms, Subject, Verdict, restriction_id,
    sort_commands,
};
use crate::operation::time::{plus_days, plus_months};
use crate::operation::{AttemptOutcome, OperationType, Order, Proof, Time};
use crate::rules::program::{Action, Block, BlockTerm, Lifter, Lifters, Rule};
use smallvec::SmallVec;
use std::sync::Arc;
use uuid::Uuid;

/// The built-in rule that refuses what would wait beyond the limit.
pub(super) const WAITING_LIMIT: &str = "waiting-limit";

/// The bearer of a command: a rule and its clauses.
type Bearer = (Arc<str>, Clauses);

/// One rule or restriction that asks for a hold or a refusal of the operation.
struct Ask {
    bearer: Bearer,
    restriction: Option<RestrictionTerms>,
    /// Set where the operation's own hold asks: who lifts it.
    own: Option<Lifters>,
}

/// What is being decided about one operation, step by step.
pub(super) struct Lifecycle<'c, 'e, 'o> {
    context: &'c Context<'e>,
    operation: &'c Enriched<'o>,
    in_force: &'c InForce<'e>,
    refuses: Vec<Ask>,
    holds: Vec<Ask>,
    pins: Vec<PinChallenge>,
    captchas: Vec<Bearer>,
    cancels_waiting: Option<Bearer>,
    cancels_referenced: Option<Bearer>,
    placed: Vec<Restriction>,
    commands: Vec<Command>,
    lifted: Vec<Uuid>,
    waiting: Option<Vec<Waiting>>,
    changes: Changes,
    shared: SharedChanges,
}

fn bearer(rule: &Rule) -> Bearer {
    (rule.id.clone(), rule.clauses.clone())
}

impl<'c, 'e, 'o> Lifecycle<'c, 'e, 'o> {
    /// Starts from the restrictions in force.
    #[must_use]
    pub(super) fn new(context: &'c Context<'e>, operation: &'c Enriched<'o>, in_force: &'c InForce<'e>) -> Self {
        let ask = |restriction: &&Restriction| Ask {
            bearer: (restriction.rule.clone(), restriction.clauses.clone()),
            restriction: Some(restriction.terms()),
            own: None,
        };
        Self {
            context,
            operation,
            in_force,
            refuses: in_force.refusing.iter().map(ask).collect(),
            holds: in_force.holding.iter().map(ask).collect(),
            pins: Vec::new(),
            captchas: Vec::new(),
            cancels_waiting: None,
            cancels_referenced: None,
            placed: Vec::new(),
            commands: Vec::new(),
            lifted: Vec::new(),
            waiting: None,
            changes: Changes::default(),
            shared: SharedChanges::new(),
        }
    }

    fn at(&self) -> Time {
        self.operation.operation.occurred_at
    }

    /// Takes in what the enforced matches ask for.
    pub(super) fn place(&mut self, evaluation: &mut Evaluation<'_, '_>) {
        for fired in &evaluation.fired {
            if !fired.enforced {
                continue;
            }
            let rule = &evaluation.plan.rules.rules[fired.rule];
            for action in &rule.actions {
                self.take_in(rule, action);
            }
        }
    }

    fn take_in(&mut self, rule: &Rule, action: &Action) {
        let operation = &self.operation.operation;
        match action {
            Action::Refuse => self.refuses.push(Ask { bearer: bearer(rule), restriction: None, own: None }),
            Action::Hold { lifted_by } => {
                let (wallet, op) = (&operation.wallet_id, &operation.op_id);
                let id = restriction_id(wallet, op, &rule.id, "hold", op, "");
                let restriction = Some(terms(id, self.at(), None, *lifted_by));
                self.holds.push(Ask { bearer: bearer(rule), restriction, own: Some(*lifted_by) });
            }
            Action::ChallengePin => {
                self.pins.push(PinChallenge { rule: rule.id.clone(), clauses: rule.clauses.clone() });
            }
            Action::ChallengeCaptcha => self.captchas.push(bearer(rule)),
            Action::Monitor { lifted_by } => {
                self.place_restriction(rule, RestrictionKind::Monitor, None, *lifted_by);
            }
            Action::Block { what, term, lifted_by } => {
                let until = self.end_of(*term);
                self.place_restriction(rule, RestrictionKind::Block(*what), until, *lifted_by);
            }
            Action::CancelWaiting => {
                self.cancels_waiting.get_or_insert_with(|| bearer(rule));
            }
            Action::CancelReferenced => {
                self.cancels_referenced.get_or_insert_with(|| bearer(rule));
            }
            Action::Report { .. } => {}
        }
    }

    fn end_of(&self, term: BlockTerm) -> Option<Time> {
        match term {
            BlockTerm::Exact(nanos) => Some(self.at().plus(nanos)),
            BlockTerm::Days(days) => Some(plus_days(self.at(), days)),
            BlockTerm::Months(months) => Some(plus_months(self.at(), months)),
            BlockTerm::UntilLifted => None,
        }
    }

    /// PositionTable a restriction unless one of the same rule, kind and subject lasts as long already.
    fn place_restriction(&mut self, rule: &Rule, kind: RestrictionKind, until: Option<Time>, lifted_by: Lifters) {
        let operation = &self.operation.operation;
        let (subject, party) = match kind {
            RestrictionKind::Block(Block::AddressLogin) => {
                let Some(address) = operation.ip else { return };
                (Subject::Ip(address.to_string().into()), Some(Party::Address(address)))
            }
            RestrictionKind::Block(Block::WalletBoth) => {
                (Subject::Wallet((*operation.wallet_id).into()), Some(Party::Wallet(self.operation.wallet)))
            }
            RestrictionKind::Block(Block::WalletDebit) | RestrictionKind::Monitor => {
                (Subject::Wallet((*operation.wallet_id).into()), None)
            }
        };
        if self.is_outlasted(rule, kind, party, until) {
            return;
        }
        let subject_text = match &subject {
            Subject::Ip(text) | Subject::Wallet(text) | Subject::Operation(text, _) => text,
        };
        let (wallet, op) = (&operation.wallet_id, &operation.op_id);
        let id = restriction_id(wallet, op, &rule.id, kind.name(), subject_text, kind.direction());
        let (clauses, from) = (rule.clauses.clone(), self.at());
        let restriction = Restriction { id, rule: rule.id.clone(), clauses, kind, from, until, lifted_by };
        let (command, detail) = match kind {
            RestrictionKind::Monitor => (CommandKind::Monitor, Detail::Nothing),
            RestrictionKind::Block(_) => (CommandKind::Block, Detail::Direction(kind.direction())),
        };
        self.command(command, &bearer(rule), subject, Some(restriction.terms()), detail);
        if applies(kind, operation.kind) {
            let ask = Ask { bearer: bearer(rule), restriction: Some(restriction.terms()), own: None };
            match kind {
                RestrictionKind::Monitor => self.holds.push(ask),
                RestrictionKind::Block(_) => self.refuses.push(ask),
            }
        }
        if let Some(party) = party {
            self.shared.push(SharedChange::Place { party, restriction: Box::new(restriction.clone()) });
        }
        if kind != RestrictionKind::Block(Block::AddressLogin) {
            self.placed.push(restriction);
        }
    }

    fn is_outlasted(&self, rule: &Rule, kind: RestrictionKind, party: Option<Party>, until: Option<Time>) -> bool {
        let at = self.at();
        let outlasts = |known: &Restriction| {
            known.rule == rule.id
                && known.kind == kind
                && known.covers(at)
                && match (known.until, until) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(known), Some(new)) => known >= new,
                }
        };
        let of_address = match party {
            Some(address @ Party::Address(_)) => self.context.view.blocks(address),
            Some(Party::Wallet(_)) | None => &[],
        };
        self.in_force.wallet.iter().any(|known| outlasts(known))
            || self.placed.iter().any(outlasts)
            || of_address.iter().any(outlasts)
    }

    /// Finds the verdict: the strongest that any enforced match or restriction asks for.
    pub(super) fn verdict(&mut self, matches: &mut Vec<Match>) -> Verdict {
        let kind = self.operation.operation.kind;
        if !self.refuses.is_empty() {
            return Verdict::Refuse;
        }
        let would_wait = kind.is_debit() && !(self.holds.is_empty() && self.pins.is_empty());
        let waiting = self.context.wallet.waiting().len();
        if would_wait && waiting >= self.context.plan.settings.waiting_max {
            let rule: Arc<str> = WAITING_LIMIT.into();
            let clauses: Clauses = Arc::from([Arc::from("7.13")]);
            let count = i128::try_from(waiting).unwrap_or(i128::MAX);
            let evidence = vec![("waiting".into(), EvidenceValue::Int(count))];
            matches.push(Match { rule: rule.clone(), clauses: clauses.clone(), enforced: true, evidence });
            self.refuses.push(Ask { bearer: (rule, clauses), restriction: None, own: None });
            return Verdict::Refuse;
        }
        if !self.holds.is_empty() {
            return Verdict::Hold;
        }
        if self.pins.is_empty() && self.captchas.is_empty() && self.failed_challenge().is_none() {
            Verdict::Allow
        } else {
            Verdict::Challenge
        }
    }

    /// Returns the operation that a failed PIN leaves waiting for the PIN.
    fn failed_challenge(&self) -> Option<&'e Waiting> {
        let operation = &self.operation.operation;
        if operation.kind != OperationType::Pin || operation.outcome != Some(AttemptOutcome::Failure) {
            return None;
        }
        let ref_op_id = operation.ref_op_id.as_deref()?;
        self.context.wallet.waiting().iter().find(|waiting| *waiting.op_id == *ref_op_id && !waiting.pins.is_empty())
    }

    fn command(
        &mut self,
        kind: CommandKind,
        (rule, clauses): &Bearer,
        subject: Subject,
        restriction: Option<RestrictionTerms>,
        detail: Detail,
    ) {
        let operation = &self.operation.operation;
        let of = (&*operation.wallet_id, &*operation.op_id);
        self.commands.push(Command::new(of, kind, (rule, clauses), subject, restriction, detail));
    }

    fn this_operation(&self) -> Subject {
        Subject::Operation((*self.operation.operation.op_id).into(), self.context.wallet.arrivals())
    }

    /// Commands what becomes of the operation itself, and lets it wait where it must.
    pub(super) fn command_operation(&mut self, verdict: Verdict) {
        if verdict == Verdict::Allow {
            return;
        }
        let subject = self.this_operation();
        for captcha in std::mem::take(&mut self.captchas) {
            let wallet = Subject::Wallet((*self.operation.operation.wallet_id).into());
            self.command(CommandKind::Challenge, &captcha, wallet, None, Detail::Challenge("captcha"));
        }
        if verdict == Verdict::Refuse {
            for ask in std::mem::take(&mut self.refuses) {
                self.command(CommandKind::Refuse, &ask.bearer, subject.clone(), ask.restriction, Detail::Nothing);
            }
            return;
        }
        let (holds, pins) = (std::mem::take(&mut self.holds), std::mem::take(&mut self.pins));
        for pin in &pins {
            let bearer = (pin.rule.clone(), pin.clauses.clone());
            self.command(CommandKind::Challenge, &bearer, subject.clone(), None, Detail::Challenge("pin"));
        }
        for ask in &holds {
            let restriction = ask.restriction.clone();
            self.command(CommandKind::Hold, &ask.bearer, subject.clone(), restriction, Detail::Nothing);
        }
        if let Some(waiting) = self.failed_challenge() {
            let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
            for pin in &waiting.pins {
                let bearer = (pin.rule.clone(), pin.clauses.clone());
                self.command(CommandKind::Challenge, &bearer, subject.clone(), None, Detail::Challenge("pin"));
            }
        }
        if self.operation.operation.kind.is_debit() && !(holds.is_empty() && pins.is_empty()) {
            self.start_waiting(holds, pins);
        }
    }

    fn start_waiting(&mut self, holds: Vec<Ask>, pins: Vec<PinChallenge>) {
        let cause = |ask: Ask| {
            let restriction = ask.restriction.map_or(Uuid::nil(), |terms| terms.id);
            Cause { restriction, rule: ask.bearer.0, clauses: ask.bearer.1, own: ask.own }
        };
        self.changes.cold().starts_waiting = Some(Waiting {
            op_id: (*self.operation.operation.op_id).into(),
            id: self.operation.id,
            arrival: self.context.wallet.arrivals(),
            since: self.at(),
            holds: holds.into_iter().map(cause).collect(),
            pins,
        });
    }

    /// Carries out what the matches ask of operations that wait already, then what the operation
    /// itself does by its type. A refused operation does nothing by itself.
    pub(super) fn carry_out(&mut self, verdict: Verdict) {
        self.add_causes();
        self.cancel_waiting();
        self.cancel_referenced();
        if verdict == Verdict::Refuse {
            return;
        }
        let operation = &self.operation.operation;
        match operation.kind {
            OperationType::IdentityConfirmed => {
                if let Some(proof) = operation.proof {
                    let cancels = operation.order == Some(Order::Cancel);
                    self.lift(lifter_of(proof), proof.name(), cancels);
                }
            }
            OperationType::WalletUnblockRequested => self.lift(Lifter::Client, "client", false),
            OperationType::SeizureLifted => self.lift(Lifter::Court, "court", false),
            OperationType::IpUnblockRequested => self.lift_address(),
            OperationType::Pin => self.answer_challenge(),
            OperationType::Cancelled => self.cancel_operation(),
            OperationType::Transfer
            | OperationType::Payment
            | OperationType::CashOut
            | OperationType::Redemption
            | OperationType::TopUp
            | OperationType::Refund
            | OperationType::Login
            | OperationType::SecretAnswer
            | OperationType::WalletBlockRequested
            | OperationType::OwnershipDisputed
            | OperationType::CashOutDetailsWrong
            | OperationType::FraudReported
            | OperationType::DocumentsRefused
            | OperationType::TamperingDetected
            | OperationType::SuspicionConfirmed
            | OperationType::OperationDisputed
            | OperationType::ComplaintReceived
            | OperationType::SeizureOrdered => {}
        }
    }

    /// A monitoring that is placed while operations wait becomes a further cause of each.
    fn add_causes(&mut self) {
        let is_monitor = |restriction: &&Restriction| restriction.kind == RestrictionKind::Monitor;
        let causes: Vec<Cause> = self
            .placed
            .iter()
            .filter(is_monitor)
            .map(|r| Cause { restriction: r.id, rule: r.rule.clone(), clauses: r.clauses.clone(), own: None })
            .collect();
        if causes.is_empty() || self.context.wallet.waiting().is_empty() {
            return;
        }
        for waiting in self.waiting_mut() {
            waiting.holds.extend(causes.iter().cloned());
        }
    }

    fn waiting_mut(&mut self) -> &mut Vec<Waiting> {
        self.waiting.get_or_insert_with(|| self.context.wallet.waiting().to_vec())
    }

    fn cancel_waiting(&mut self) {
        let Some(bearer) = self.cancels_waiting.take() else { return };
        if self.context.wallet.waiting().is_empty() {
            return;
        }
        for waiting in std::mem::take(self.waiting_mut()) {
            let subject = Subject::Operation(waiting.op_id, waiting.arrival);
            self.command(CommandKind::Cancel, &bearer, subject, None, Detail::Nothing);
        }
    }

    /// Cancels the operation that `ref_op_id` names, if it waits.
    fn cancel_referenced(&mut self) {
        let Some(bearer) = self.cancels_referenced.take() else { return };
        let Some(ref_op_id) = self.operation.operation.ref_op_id.as_deref() else { return };
        let Some(position) = self.waiting_or_known().iter().position(|waiting| *waiting.op_id == *ref_op_id) else {
            return;
        };
        let waiting = self.waiting_mut().remove(position);
        let subject = Subject::Operation(waiting.op_id, waiting.arrival);
        self.command(CommandKind::Cancel, &bearer, subject, None, Detail::Nothing);
    }

    /// Lifts every restriction of the wallet, single holds included, that this lifter may lift.
    fn lift(&mut self, lifter: Lifter, reason: &'static str, cancels: bool) {
        let context = self.context;
        let wallet = Subject::Wallet((*self.operation.operation.wallet_id).into());
        for restriction in &self.in_force.wallet {
            if !restriction.lifted_by.contains(lifter) && !context.plan.settings.has(EngineMutant::LiftTooMuch) {
                continue;
            }
            let bearer = (restriction.rule.clone(), restriction.clauses.clone());
            let terms = Some(restriction.terms());
            self.command(CommandKind::Lift, &bearer, wallet.clone(), terms, Detail::Reason(reason));
            self.lifted.push(restriction.id);
            if restriction.kind == RestrictionKind::Block(Block::WalletBoth) {
                let party = Party::Wallet(self.operation.wallet);
                self.shared.push(SharedChange::Lift { party, restriction: restriction.id });
            }
        }
        if context.wallet.waiting().is_empty() {
            return;
        }
        let mut left = Vec::new();
        for mut waiting in std::mem::take(self.waiting_mut()) {
            match self.clear_causes(&mut waiting, lifter, reason) {
                Some(bearer) if cancels || waiting.is_free() => self.release_or_cancel(&waiting, &bearer, cancels),
                Some(_) | None => left.push(waiting),
            }
        }
        self.waiting = Some(left);
    }

    /// Takes away the causes that are lifted now and returns the rule that bore the last of them.
    fn clear_causes(&mut self, waiting: &mut Waiting, lifter: Lifter, reason: &'static str) -> Option<Bearer> {
        let (cleared, kept): (Vec<Cause>, Vec<Cause>) =
            std::mem::take(&mut waiting.holds).into_iter().partition(|cause| match cause.own {
                Some(lifted_by) => lifted_by.contains(lifter),
                None => self.lifted.contains(&cause.restriction),
            });
        waiting.holds = kept;
        for cause in &cleared {
            if let Some(lifted_by) = cause.own {
                let bearer = (cause.rule.clone(), cause.clauses.clone());
                let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
                let terms = Some(terms(cause.restriction, waiting.since, None, lifted_by));
                self.command(CommandKind::Lift, &bearer, subject, terms, Detail::Reason(reason));
            }
        }
        cleared.into_iter().map(|cause| (cause.rule, cause.clauses)).min_by(|a, b| a.0.cmp(&b.0))
    }

    /// Releases a waiting operation, or cancels it: by the owner's order, or because a block of the
    /// wallet's debits is in force.
    fn release_or_cancel(&mut self, waiting: &Waiting, bearer: &Bearer, cancels: bool) {
        let kind = if cancels || self.debits_are_blocked() { CommandKind::Cancel } else { CommandKind::Release };
        let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
        self.command(kind, bearer, subject, None, Detail::Nothing);
    }

    fn debits_are_blocked(&self) -> bool {
        if self.context.plan.settings.has(EngineMutant::ReleaseDespiteBlock) {
            return false;
        }
        let at = self.at();
        let blocks = |restriction: &Restriction| {
            matches!(restriction.kind, RestrictionKind::Block(Block::WalletDebit | Block::WalletBoth))
                && restriction.covers(at)
                && !self.lifted.contains(&restriction.id)
        };
        self.in_force.wallet.iter().any(|restriction| blocks(restriction)) || self.placed.iter().any(blocks)
    }

    /// Lifts all active blocks of the address (7.18).
    fn lift_address(&mut self) {
        let Some(address) = self.operation.operation.ip else { return };
        let (context, at) = (self.context, self.at());
        let party = Party::Address(address);
        for block in context.view.blocks(party).iter().filter(|block| block.covers(at)) {
            let bearer = (block.rule.clone(), block.clauses.clone());
            let subject = Subject::Ip(address.to_string().into());
            self.command(CommandKind::Lift, &bearer, subject, Some(block.terms()), Detail::Reason("support"));
            self.shared.push(SharedChange::Lift { party, restriction: block.id });
        }
    }

    /// A right PIN that names a challenged operation clears its challenge.
    fn answer_challenge(&mut self) {
        let operation = &self.operation.operation;
        if operation.outcome != Some(AttemptOutcome::Success) {
            return;
        }
        let Some(ref_op_id) = operation.ref_op_id.as_deref() else { return };
        let challenged = |waiting: &Waiting| *waiting.op_id == *ref_op_id && !waiting.pins.is_empty();
        let Some(position) = self.waiting_or_known().iter().position(challenged) else { return };
        let waiting = &mut self.waiting_mut()[position];
        let pins = std::mem::take(&mut waiting.pins);
        if !waiting.is_free() {
            return;
        }
        let waiting = self.waiting_mut().remove(position);
        let first = pins.into_iter().min_by(|a, b| a.rule.cmp(&b.rule));
        if let Some(PinChallenge { rule, clauses }) = first {
            self.release_or_cancel(&waiting, &(rule, clauses), false);
        }
    }

    fn waiting_or_known(&self) -> &[Waiting] {
        self.waiting.as_deref().unwrap_or_else(|| self.context.wallet.waiting())
    }

    /// An operation that did not happen after all leaves every window, and its own hold with it.
    fn cancel_operation(&mut self) {
        let context = self.context;
        if context.plan.settings.has(EngineMutant::CancelIgnored) {
            return;
        }
        let Some(ref_op_id) = self.operation.operation.ref_op_id.as_deref() else { return };
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
        let (plan, symbol) = (self.context.plan, self.operation.wallet);
        let word = |at: usize| if at == usize::MAX { symbol } else { row.word(at) };
        for id in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[id];
            if aggregate.owned {
                continue;
            }
            let words: SmallVec<[u64; 4]> = aggregate.key_words.iter().map(|at| word(*at)).collect();
            let value = aggregate.value_word.map_or(1, |at| word(at).cast_signed());
            let entry = Entry { at: row.at().nanos(), op: shared_op(row.id(), symbol), value };
            let key = SharedKey { aggregate: id, key: key_word(words.into_iter()) };
            self.shared.push(SharedChange::Remove { key, entry });
        }
    }

    /// Reports at every match of an enforced rule that reports.
    pub(super) fn report(&mut self, evaluation: &mut Evaluation<'_, '_>) {
        let plan = evaluation.plan;
        evaluation.for_enforced = true;
        for position in 0..evaluation.fired.len() {
            let fired = evaluation.fired[position];
            let rule = &plan.rules.rules[fired.rule];
            for action in rule.actions.iter().filter(|_| fired.enforced) {
                let Action::Report { to, when } = action else { continue };
                let applies = when.as_ref().is_none_or(|when| evaluate::condition(evaluation, when) == Some(true));
                if applies {
                    let operation = &self.operation.operation;
                    let subject = if operation.kind.is_money() {
                        self.this_operation()
                    } else {
                        Subject::Wallet((*operation.wallet_id).into())
                    };
                    self.command(CommandKind::Report, &bearer(rule), subject, None, Detail::To(to.name()));
                }
            }
        }
    }

    /// Ends: the commands in order, and the changes.
    #[must_use]
    pub(super) fn finish(mut self) -> (Vec<Command>, Changes, SharedChanges) {
        sort_commands(&mut self.commands);
        if !self.placed.is_empty() {
            self.changes.cold().placed = self.placed;
        }
        if !self.lifted.is_empty() {
            self.changes.cold().lifted = self.lifted;
        }
        if let Some(after) = self.waiting {
            let cold = self.changes.cold();
            for before in self.context.wallet.waiting() {
                // Both are in the order of arrival.
                match after.binary_search_by_key(&before.arrival, |waiting| waiting.arrival) {
                    Err(_) => cold.no_longer_waiting.push(before.arrival),
                    Ok(position) if after[position] != *before => cold.waits_otherwise.push(after[position].clone()),
                    Ok(_) => {}
                }
            }
        }
        (self.commands, self.changes, self.shared)
    }
}

const fn lifter_of(proof: Proof) -> Lifter {
    match proof {
        Proof::Pin => Lifter::Pin,
        Proof::SecretAnswer => Lifter::SecretAnswer,
        Proof::IdentityDocument => Lifter::IdentityDocument,
        Proof::MobileContract => Lifter::MobileContract,
        Proof::Agreed => Lifter::Agreed,
        Proof::Explanations => Lifter::Explanations,
        Proof::FactsEstablished => Lifter::FactsEstablished,
    }
}
