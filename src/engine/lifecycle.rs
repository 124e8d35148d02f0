//! From what fired to what the ledger is told: restrictions placed and lifted, operations that wait,
//! are released or cancelled, and the verdict between them.

pub(super) mod in_force;
mod lifting;
mod restricting;
mod waiting;

use crate::engine::context::Context;
use crate::engine::enrich::Enriched;
use crate::engine::lifecycle::in_force::InForce;
use crate::engine::lifecycle::restricting::Placed;
use crate::engine::matching::evaluate;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::state::changes::{Changes, SharedChanges};
use crate::engine::state::restriction::{Cause, PinChallenge, Restriction, RestrictionKind, Waiting, terms};
use crate::operation::decision::{
    Clauses, Command, CommandKind, Detail, EvidenceValue, Match, OPERATORS, RestrictionTerms, Subject, Verdict,
    restriction_id, sort_commands,
};
use crate::operation::{OperationType, Time};
use crate::rules::program::{Action, Block, Lifter, Lifters, Rule};
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
    enriched: &'c Enriched<'o>,
    in_force: &'c InForce<'e>,
    refuses: Vec<Ask>,
    holds: Vec<Ask>,
    pins: Vec<PinChallenge>,
    captchas: Vec<Bearer>,
    cancels_waiting: Option<Bearer>,
    cancels_referenced: Option<Bearer>,
    placed: Vec<Placed>,
    commands: Vec<Command>,
    lifted: Vec<Uuid>,
    waiting: Option<Vec<Waiting>>,
    changes: Changes,
    shared: SharedChanges,
    /// Blocks of other wallets were asked for, and the directory is away: the last known ones counted.
    lacks_directory: bool,
}

fn bearer(rule: &Rule) -> Bearer {
    (rule.id.clone(), rule.clauses.clone())
}

/// Keeps the rule of the lowest id.
fn keep_lowest(kept: &mut Option<Bearer>, rule: &Rule) {
    if kept.as_ref().is_none_or(|(known, _)| rule.id < *known) {
        *kept = Some(bearer(rule));
    }
}

impl<'c, 'e, 'o> Lifecycle<'c, 'e, 'o> {
    /// Starts from the restrictions in force.
    #[must_use]
    pub(super) fn new(context: &'c Context<'e>, enriched: &'c Enriched<'o>, in_force: &'c InForce<'e>) -> Self {
        let ask = |restriction: &&Restriction| Ask {
            bearer: (restriction.rule.clone(), restriction.clauses.clone()),
            restriction: Some(restriction.terms()),
            own: None,
        };
        Self {
            context,
            enriched,
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
            lacks_directory: false,
        }
    }

    fn at(&self) -> Time {
        self.enriched.operation.occurred_at
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
        self.announce_placed();
    }

    fn take_in(&mut self, rule: &Rule, action: &Action) {
        let operation = &self.enriched.operation;
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
                keep_lowest(&mut self.cancels_waiting, rule);
            }
            Action::CancelReferenced => {
                keep_lowest(&mut self.cancels_referenced, rule);
            }
            Action::Report { .. } => {}
        }
    }

    /// Finds the verdict: the strongest that any enforced match or restriction asks for.
    pub(super) fn verdict(&mut self, matches: &mut Vec<Match>) -> Verdict {
        let kind = self.enriched.operation.kind;
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
            matches.push(Match {
                rule: rule.clone(),
                clauses: clauses.clone(),
                enforced: true,
                evidence,
                message: None,
            });
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

    fn command(
        &mut self,
        kind: CommandKind,
        (rule, clauses): &Bearer,
        subject: Subject,
        restriction: Option<RestrictionTerms>,
        detail: Detail,
    ) {
        let operation = &self.enriched.operation;
        let of = (&*operation.wallet_id, &*operation.op_id);
        self.commands.push(Command::new(of, kind, (rule, clauses), subject, restriction, detail));
    }

    fn this_operation(&self) -> Subject {
        Subject::Operation((*self.enriched.operation.op_id).into(), self.context.wallet.arrivals())
    }

    /// Commands what becomes of the operation itself, and lets it wait where it must.
    pub(super) fn command_operation(&mut self, verdict: Verdict) {
        if verdict == Verdict::Allow {
            return;
        }
        let subject = self.this_operation();
        for captcha in std::mem::take(&mut self.captchas) {
            let wallet = Subject::Wallet((*self.enriched.operation.wallet_id).into());
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
        if let Some(waiting) = self.failed_challenge().cloned() {
            let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
            for pin in &waiting.pins {
                let bearer = (pin.rule.clone(), pin.clauses.clone());
                self.command(CommandKind::Challenge, &bearer, subject.clone(), None, Detail::Challenge("pin"));
            }
        }
        if self.enriched.operation.kind.is_debit() && !(holds.is_empty() && pins.is_empty()) {
            self.start_waiting(holds, pins);
        }
    }

    fn start_waiting(&mut self, holds: Vec<Ask>, pins: Vec<PinChallenge>) {
        let cause = |ask: Ask| {
            let restriction = ask.restriction.map_or(Uuid::nil(), |terms| terms.id);
            Cause { restriction, rule: ask.bearer.0, clauses: ask.bearer.1, own: ask.own }
        };
        self.changes.cold().starts_waiting = Some(Waiting {
            op_id: (*self.enriched.operation.op_id).into(),
            id: self.enriched.id,
            arrival: self.context.wallet.arrivals(),
            since: self.at(),
            holds: holds.into_iter().map(cause).collect(),
            pins,
            recipient: self.recipient(),
        });
    }

    /// Returns the wallet that a transfer goes to, unless it is the acting one.
    fn recipient(&self) -> Option<u64> {
        let is_transfer = self.enriched.operation.kind == OperationType::Transfer;
        self.enriched.counterparty.filter(|symbol| is_transfer && *symbol != self.enriched.wallet)
    }

    /// Carries out what the matches ask of operations that wait already, then what the operation
    /// itself does by its type. A refused operation does nothing by itself.
    pub(super) fn carry_out(&mut self, verdict: Verdict) {
        self.add_causes();
        self.cancel_as_asked();
        if verdict == Verdict::Refuse {
            return;
        }
        let operation = &self.enriched.operation;
        match operation.kind {
            OperationType::IdentityConfirmed => self.confirm_identity(),
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
            | OperationType::SeizureOrdered
            | OperationType::RuleRearmed => {}
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
                    self.command(CommandKind::Report, &bearer(rule), self.reported(), None, Detail::To(to.name()));
                }
            }
        }
        for (rule, _) in evaluation.spends.iter().flat_map(|spends| &spends.breached) {
            let rule = bearer(&plan.rules.rules[*rule]);
            self.command(CommandKind::Report, &rule, self.reported(), None, Detail::To(OPERATORS));
        }
    }

    /// Returns what a report is about.
    fn reported(&self) -> Subject {
        let operation = &self.enriched.operation;
        if operation.kind.is_money() { self.this_operation() } else { Subject::Wallet((*operation.wallet_id).into()) }
    }

    /// Tells whether blocks that the directory could not tell of were asked for.
    #[must_use]
    pub(super) const fn lacks_directory(&self) -> bool {
        self.lacks_directory
    }

    /// Ends: the commands in order, and the changes.
    #[must_use]
    pub(super) fn finish(mut self) -> (Vec<Command>, Changes, SharedChanges) {
        sort_commands(&mut self.commands);
        let of_wallet = |restriction: &Restriction| {
            restriction.kind != RestrictionKind::Block(Block::AddressLogin) && !self.lifted.contains(&restriction.id)
        };
        let placed: Vec<Restriction> =
            self.placed.into_iter().map(|placed| placed.restriction).filter(of_wallet).collect();
        if !placed.is_empty() {
            self.changes.cold().placed = placed;
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
