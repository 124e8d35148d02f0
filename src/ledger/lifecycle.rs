//! What becomes of each wallet's restrictions and waiting operations, as the commands tell it.
//!
//! Two things happen without a command, and a decision does not say of which operation: a right PIN clears
//! the PIN challenge of an operation that still waits for something else, and a `cancelled` from the ledger
//! takes an operation away. After such a decision the wallet's waiting operations are in doubt, and what
//! depends on the doubt is not held against the stream.

use crate::operation::decision::{CommandKind, Verdict};
use crate::operation::{OperationType, Time};

use super::read::{Command, Decision, Detail, Lifters, Subject};
use super::{ById, Finding, Here, Totals, id, id_hash, operation_key};

/// An ended block is forgotten after this: it may refuse what occurred before its end and arrives later.
const FORGET_AFTER_NANOS: i64 = 48 * 3_600 * 1_000_000_000;

/// The number of the shard of a record that names none.
pub(super) const UNKNOWN_SHARD: u32 = u32::MAX;

/// The decision that is being read.
pub(super) struct Context<'a> {
    pub(super) here: &'a Here<'a>,
    pub(super) shard: u32,
    /// Records of this shard are missing before the first one.
    pub(super) is_cut: bool,
    pub(super) is_settled: bool,
}

/// All wallets.
#[derive(Debug, Default)]
pub(super) struct Lifecycles {
    wallets: ById<Wallet>,
    /// Restrictions of wallets and addresses by id, and whether they refuse what other wallets do.
    placed: ById<bool>,
    /// Operations that were released or cancelled, by wallet and id.
    let_go: ById<(CommandKind, Option<u64>)>,
    /// Restrictions of other wallets or of addresses that were named and were not known yet.
    awaited: ById<Finding>,
    from_before: u64,
}

#[derive(Debug)]
struct Wallet {
    shard: u32,
    restrictions: Vec<Restriction>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Restriction {
    id: u128,
    kind: Kind,
    until: Option<Time>,
    lifted_by: Lifters,
    rule: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Monitor,
    BlockDebit,
    BlockBoth,
}

impl Restriction {
    fn covers(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    fn blocks_debits(&self) -> bool {
        matches!(self.kind, Kind::BlockDebit | Kind::BlockBoth)
    }
}

#[derive(Debug)]
struct Waiting {
    op_id: Box<str>,
    causes: Vec<Cause>,
    pin: Pin,
    /// The ledger may have taken it back.
    is_in_doubt: bool,
}

#[derive(Debug)]
struct Cause {
    restriction: u128,
    /// Set for the operation's own hold: who lifts it.
    own: Option<Lifters>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pin {
    No,
    Asked,
    /// Asked, and perhaps given.
    InDoubt,
}

impl Lifecycles {
    /// Follows one decision and appends what does not fit.
    pub(super) fn decision(&mut self, decision: &Decision<'_>, context: &Context<'_>, found: &mut Vec<Finding>) {
        let wallet_key = id_hash(&decision.wallet_id);
        let new = || Wallet { shard: context.shard, restrictions: Vec::new(), waiting: Vec::new() };
        let wallet = self.wallets.entry(wallet_key).or_insert_with(new);
        if wallet.shard != context.shard && context.shard != UNKNOWN_SHARD && wallet.shard != UNKNOWN_SHARD {
            let message = "earlier decisions of this wallet came from another shard".to_owned();
            found.push(context.here.finding("wallet-moved", message));
        }
        if context.shard != UNKNOWN_SHARD {
            wallet.shard = context.shard;
        }
        let mut step = Step {
            decision,
            context,
            found,
            wallet,
            wallet_key,
            placed: &mut self.placed,
            let_go: &mut self.let_go,
            awaited: &mut self.awaited,
            from_before: &mut self.from_before,
            now_placed: Vec::new(),
            lifted: Vec::new(),
            lost_cause: Vec::new(),
        };
        step.place();
        step.let_through();
        step.refused_and_held();
        step.lift();
        step.release_and_cancel();
        step.left_waiting();
        step.in_doubt();
        step.start_waiting();
        step.forget();
    }

    /// Ends: what other wallets' records should have told.
    pub(super) fn finish(self, is_cut: bool, totals: &mut Totals, found: &mut Vec<Finding>) {
        totals.wallets = self.wallets.len();
        totals.waiting = self.wallets.values().map(|wallet| wallet.waiting.len()).sum();
        totals.restrictions = self.wallets.values().map(|wallet| wallet.restrictions.len()).sum();
        totals.from_before = self.from_before;
        let mut never: Vec<Finding> =
            self.awaited.into_iter().filter(|(id, _)| !self.placed.contains_key(id)).map(|(_, f)| f).collect();
        if is_cut {
            totals.from_before += u64::try_from(never.len()).unwrap_or(u64::MAX);
            return;
        }
        never.sort_by(|one, other| (&one.shard, one.seq).cmp(&(&other.shard, other.seq)));
        found.append(&mut never);
    }
}

/// One decision on its way through its wallet.
struct Step<'a> {
    decision: &'a Decision<'a>,
    context: &'a Context<'a>,
    found: &'a mut Vec<Finding>,
    wallet: &'a mut Wallet,
    wallet_key: u128,
    placed: &'a mut ById<bool>,
    let_go: &'a mut ById<(CommandKind, Option<u64>)>,
    awaited: &'a mut ById<Finding>,
    from_before: &'a mut u64,
    now_placed: Vec<u128>,
    lifted: Vec<u128>,
    /// Waiting operations that lost a cause now.
    lost_cause: Vec<Box<str>>,
}

impl Step<'_> {
    fn tell(&mut self, code: &'static str, message: String) {
        self.found.push(self.context.here.finding(code, message));
    }

    /// The same, unless what is missing may have been before the first record.
    fn tell_unless_cut(&mut self, code: &'static str, message: String) {
        if self.context.is_cut {
            *self.from_before += 1;
        } else {
            self.tell(code, message);
        }
    }

    fn commands(&self, kind: CommandKind) -> impl Iterator<Item = &'_ Command<'_>> {
        self.decision.commands.iter().filter(move |command| command.kind == kind)
    }

    fn place(&mut self) {
        let decision = self.decision;
        for command in &decision.commands {
            let (Some(restriction), true) =
                (command.restriction, matches!(command.kind, CommandKind::Monitor | CommandKind::Block))
            else {
                continue;
            };
            let is_known_elsewhere = matches!(command.detail, Detail::Both | Detail::Login);
            if self.placed.insert(restriction, is_known_elsewhere).is_some() {
                self.tell("placed-twice", format!("restriction {} was placed before", id(restriction)));
                continue;
            }
            let kind = match command.detail {
                Detail::Login => continue,
                Detail::Debit => Kind::BlockDebit,
                Detail::Both => Kind::BlockBoth,
                _ => Kind::Monitor,
            };
            self.now_placed.push(restriction);
            let (until, lifted_by, rule) = (command.until, command.lifted_by, id_hash(&command.rule));
            self.wallet.restrictions.push(Restriction { id: restriction, kind, until, lifted_by, rule });
            if kind == Kind::Monitor {
                for waiting in &mut self.wallet.waiting {
                    waiting.causes.push(Cause { restriction, own: None });
                }
            }
        }
    }

    /// What is in force must show in the verdict.
    fn let_through(&mut self) {
        let (decision, kind) = (self.decision, self.decision.kind);
        let stops = |restriction: &&Restriction| {
            let wants = match restriction.kind {
                Kind::Monitor if kind.is_debit() => Verdict::Hold,
                Kind::BlockDebit if kind.is_debit() => Verdict::Refuse,
                Kind::BlockBoth if kind.is_money() => Verdict::Refuse,
                Kind::Monitor | Kind::BlockDebit | Kind::BlockBoth => return false,
            };
            // What comes later than the allowed lateness may find an ended block forgotten.
            let is_sure = restriction.until.is_none() || !decision.is_late;
            is_sure && restriction.covers(decision.occurred_at) && decision.verdict < wants
        };
        let passed: Vec<u128> =
            self.wallet.restrictions.iter().filter(stops).map(|restriction| restriction.id).collect();
        for restriction in passed {
            let verdict = decision.verdict.name();
            self.tell("let-through", format!("{verdict} although restriction {} is in force", id(restriction)));
        }
    }

    /// Refusals and holds name what they stand on.
    fn refused_and_held(&mut self) {
        let decision = self.decision;
        for command in decision.commands.iter().filter(|c| matches!(c.kind, CommandKind::Refuse | CommandKind::Hold)) {
            let name = command.kind.name();
            let is_enforced = decision.enforced.contains(&command.rule);
            let Some(restriction) = command.restriction else {
                if !is_enforced && &*command.rule != "waiting-limit" {
                    self.tell(
                        "cause",
                        format!("a {name} of {}, which is not among the enforced matches", command.rule),
                    );
                }
                continue;
            };
            let known = self.wallet.restrictions.iter().find(|known| known.id == restriction);
            match known {
                Some(known) => {
                    let fits = (known.kind == Kind::Monitor) == (command.kind == CommandKind::Hold);
                    let (covers, is_of_rule) =
                        (known.covers(decision.occurred_at), known.rule == id_hash(&command.rule));
                    if !fits || !covers || !is_of_rule {
                        let why = if !fits {
                            "does not ask for that"
                        } else if !covers {
                            "has ended"
                        } else {
                            "is of another rule"
                        };
                        self.tell(
                            "cause",
                            format!("a {name} of {} by restriction {}, which {why}", command.rule, id(restriction)),
                        );
                    }
                }
                // The operation's own hold.
                None if command.kind == CommandKind::Hold && is_enforced => {}
                None if command.kind == CommandKind::Hold => {
                    let message =
                        format!("a hold of {} by restriction {}, which is not in force", command.rule, id(restriction));
                    self.tell_unless_cut("cause", message);
                }
                None => self.refused_elsewhere(command, restriction),
            }
        }
    }

    /// A refusal by the block of an address, or of the wallet that would receive.
    fn refused_elsewhere(&mut self, command: &Command<'_>, restriction: u128) {
        let message = format!("a refuse of {} by restriction {}, which nobody placed", command.rule, id(restriction));
        match self.placed.get(&restriction) {
            Some(true) => {}
            Some(false) => {
                let message =
                    format!("a refuse of {} by restriction {}, which is not in force", command.rule, id(restriction));
                self.tell("cause", message);
            }
            None => self.await_it(restriction, "cause", message),
        }
    }

    fn await_it(&mut self, restriction: u128, code: &'static str, message: String) {
        if self.context.is_settled {
            let here = self.context.here;
            self.awaited.entry(restriction).or_insert_with(|| here.finding(code, message));
        }
    }

    fn lift(&mut self) {
        let decision = self.decision;
        let mut reasons: Lifters = 0;
        for command in decision.commands.iter().filter(|command| command.kind == CommandKind::Lift) {
            let (Some(restriction), Detail::Reason(reason)) = (command.restriction, command.detail) else { continue };
            match &command.subject {
                Subject::Ip => {
                    if !self.placed.contains_key(&restriction) {
                        let message =
                            format!("restriction {} of an address is lifted, which nobody placed", id(restriction));
                        self.await_it(restriction, "not-placed", message);
                    }
                }
                Subject::Wallet(_) => {
                    reasons |= reason;
                    self.lift_of_wallet(restriction, reason);
                }
                Subject::Operation(op_id) => {
                    reasons |= reason;
                    self.lift_own_hold(op_id, restriction, reason);
                }
            }
        }
        if reasons != 0 {
            self.left_in_force(reasons);
        }
    }

    fn lift_of_wallet(&mut self, restriction: u128, reason: Lifters) {
        let at = self.decision.occurred_at;
        match self.wallet.restrictions.iter().position(|known| known.id == restriction) {
            Some(position) => {
                let known = self.wallet.restrictions.remove(position);
                if known.lifted_by & reason == 0 {
                    self.tell(
                        "lifted-by-another",
                        format!("restriction {} may not be lifted by this", id(restriction)),
                    );
                }
                if !known.covers(at) {
                    self.tell("lifted-late", format!("restriction {} had ended by itself", id(restriction)));
                }
            }
            None => {
                let message = if self.placed.contains_key(&restriction) {
                    format!("restriction {} is lifted, which is not in force for this wallet", id(restriction))
                } else {
                    format!("restriction {} is lifted, which was not placed", id(restriction))
                };
                self.tell_unless_cut("not-placed", message);
            }
        }
        self.lifted.push(restriction);
        for waiting in &mut self.wallet.waiting {
            let before = waiting.causes.len();
            waiting.causes.retain(|cause| cause.restriction != restriction);
            if waiting.causes.len() < before {
                self.lost_cause.push(waiting.op_id.clone());
            }
        }
    }

    fn lift_own_hold(&mut self, op_id: &str, restriction: u128, reason: Lifters) {
        let Some(position) = self.position(op_id) else {
            let message = format!("the hold of operation {op_id} is lifted, which does not wait");
            self.tell_unless_cut("not-waiting", message);
            return;
        };
        let waiting = &mut self.wallet.waiting[position];
        let Some(at) = waiting.causes.iter().position(|cause| cause.restriction == restriction) else {
            let message = format!("hold {} of operation {op_id} is lifted, which was not placed", id(restriction));
            self.tell_unless_cut("not-placed", message);
            return;
        };
        let cause = waiting.causes.remove(at);
        self.lost_cause.push(waiting.op_id.clone());
        if cause.own.is_some_and(|lifted_by| lifted_by & reason == 0) {
            self.tell("lifted-by-another", format!("the hold of operation {op_id} may not be lifted by this"));
        }
    }

    /// Whoever lifts one restriction lifts all that he may.
    fn left_in_force(&mut self, reasons: Lifters) {
        let is_new = |restriction: &Restriction| self.now_placed.contains(&restriction.id);
        let left = self.wallet.restrictions.iter().find(|restriction| {
            restriction.until.is_none() && restriction.lifted_by & reasons != 0 && !is_new(restriction)
        });
        if let Some(restriction) = left.map(|restriction| restriction.id) {
            self.tell("left-in-force", format!("restriction {} should have been lifted too", id(restriction)));
        }
        let is_left = |cause: &Cause| cause.own.is_some_and(|lifted_by| lifted_by & reasons != 0);
        let left =
            self.wallet.waiting.iter().find(|waiting| !waiting.is_in_doubt && waiting.causes.iter().any(is_left));
        if let Some(op_id) = left.map(|waiting| waiting.op_id.clone()) {
            self.tell("left-in-force", format!("the hold of operation {op_id} should have been lifted too"));
        }
    }

    fn position(&self, op_id: &str) -> Option<usize> {
        self.wallet.waiting.iter().position(|waiting| &*waiting.op_id == op_id)
    }

    fn release_and_cancel(&mut self) {
        let decision = self.decision;
        for command in &decision.commands {
            let Subject::Operation(op_id) = &command.subject else { continue };
            let is_repeated_challenge = command.detail == Detail::Pin && **op_id != *decision.op_id;
            if !matches!(command.kind, CommandKind::Release | CommandKind::Cancel) {
                if is_repeated_challenge && self.position(op_id).is_none() {
                    let message = format!("operation {op_id} is challenged again, which does not wait");
                    self.tell_unless_cut("not-waiting", message);
                }
                continue;
            }
            let done = if command.kind == CommandKind::Release { "released" } else { "cancelled" };
            let key = operation_key(self.wallet_key, op_id);
            if let Some((kind, seq)) = self.let_go.get(&key) {
                let was = if *kind == CommandKind::Release { "released" } else { "cancelled" };
                let seq = seq.map_or(String::new(), |seq| format!(" by seq {seq}"));
                self.tell("let-go-twice", format!("operation {op_id} is {done}, and was {was}{seq}"));
                continue;
            }
            self.let_go.insert(key, (command.kind, self.context.here.seq));
            match self.position(op_id) {
                None => {
                    self.tell_unless_cut("not-waiting", format!("operation {op_id} is {done}, which does not wait"))
                }
                Some(position) => {
                    let waiting = self.wallet.waiting.remove(position);
                    if command.kind == CommandKind::Release {
                        self.released(&waiting);
                    }
                }
            }
        }
    }

    fn released(&mut self, waiting: &Waiting) {
        let op_id = &waiting.op_id;
        if let Some(cause) = waiting.causes.first() {
            let message = format!("operation {op_id} is released while restriction {} holds it", id(cause.restriction));
            self.tell("released-early", message);
        }
        if waiting.pin == Pin::Asked && self.decision.kind != OperationType::Pin {
            self.tell("released-early", format!("operation {op_id} is released while it waits for the PIN"));
        }
        let at = self.decision.occurred_at;
        let block = self.wallet.restrictions.iter().find(|known| known.blocks_debits() && known.covers(at));
        // See `let_through` about ended blocks.
        let block = block.filter(|block| block.until.is_none() || !self.decision.is_late).map(|block| block.id);
        if let Some(block) = block {
            let message = format!("operation {op_id} is released although block {} is in force", id(block));
            self.tell("released-early", message);
        }
    }

    /// What lost its last cause and is still there was forgotten.
    fn left_waiting(&mut self) {
        for op_id in std::mem::take(&mut self.lost_cause) {
            let Some(position) = self.position(&op_id) else { continue };
            let waiting = &self.wallet.waiting[position];
            if !waiting.causes.is_empty() || waiting.pin != Pin::No {
                continue;
            }
            let is_in_doubt = waiting.is_in_doubt;
            self.wallet.waiting.remove(position);
            if !is_in_doubt {
                let message =
                    format!("nothing holds operation {op_id} any more, and it is neither released nor cancelled");
                self.tell("left-waiting", message);
            }
        }
    }

    fn in_doubt(&mut self) {
        if self.decision.verdict == Verdict::Refuse {
            return;
        }
        match self.decision.kind {
            OperationType::Cancelled => {
                for waiting in &mut self.wallet.waiting {
                    waiting.is_in_doubt = true;
                }
            }
            OperationType::Pin if self.decision.verdict == Verdict::Allow => {
                for waiting in self.wallet.waiting.iter_mut().filter(|waiting| waiting.pin == Pin::Asked) {
                    waiting.pin = Pin::InDoubt;
                }
            }
            _ => {}
        }
    }

    fn start_waiting(&mut self) {
        let decision = self.decision;
        let is_own =
            |command: &&Command<'_>| matches!(&command.subject, Subject::Operation(op) if *op == decision.op_id);
        let asks_pin = self.commands(CommandKind::Challenge).filter(is_own).any(|c| c.detail == Detail::Pin);
        let cause = |command: &Command<'_>| {
            let restriction = command.restriction?;
            let is_of_wallet = self.wallet.restrictions.iter().any(|known| known.id == restriction);
            // Before a cut, a hold by a monitoring and an operation's own are told apart by the matches.
            let is_own = !is_of_wallet && decision.enforced.contains(&command.rule);
            Some(Cause { restriction, own: is_own.then_some(command.lifted_by) })
        };
        let causes: Vec<Cause> = self.commands(CommandKind::Hold).filter(is_own).filter_map(cause).collect();
        if decision.verdict == Verdict::Refuse || (causes.is_empty() && !asks_pin) {
            return;
        }
        let pin = if asks_pin { Pin::Asked } else { Pin::No };
        self.wallet.waiting.push(Waiting { op_id: (*decision.op_id).into(), causes, pin, is_in_doubt: false });
    }

    fn forget(&mut self) {
        let at = self.decision.occurred_at;
        let is_over = |until: Time| at >= until.plus(FORGET_AFTER_NANOS);
        self.wallet.restrictions.retain(|restriction| !restriction.until.is_some_and(is_over));
    }
}
