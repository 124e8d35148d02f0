//! What becomes of each wallet's restrictions and waiting operations, as the commands tell it.
//!
//! Three things happen without a command, and a decision does not say of which operation: a right PIN clears
//! the PIN challenge of an operation that still waits for something else, a `cancelled` from the ledger takes
//! an operation away, and an owner who speaks of one operation takes a monitoring from what it waits for.
//! After such a decision the wallet's waiting operations, or their causes, are in doubt, and what depends on
//! the doubt is not held against the stream.
//!
//! An operation that nothing holds any more under a block without an end goes on waiting for that block,
//! without a command too; this can be told from the block.

mod lift;
mod stream;
#[cfg(test)]
mod tests;
mod wallet;

use std::collections::BTreeMap;

use crate::operation::decision::{CommandKind, Verdict};
use crate::operation::time::{HOUR, Nanos};
use crate::operation::{OperationType, Time};

use super::read::{Command, Decision, Detail, Subject};
use super::{ById, Finding, Here, Totals, id, id_hash, operation_key};
use lift::Lifted;
use stream::Stream;
use wallet::{Cause, Kind, Pin, Restriction, Waiting, Wallet};

/// An ended block is forgotten after this: it may refuse what occurred before its end and arrives later.
const FORGET_AFTER: Nanos = HOUR.times(48);

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
    /// Restrictions of wallets and addresses by id.
    placed: ById<Scope>,
    /// Operations that were released or cancelled, by wallet and id.
    let_go: ById<(CommandKind, Option<u64>)>,
    /// Restrictions of other wallets or of addresses that were named and were not known yet.
    awaited: ById<Finding>,
    from_before: u64,
    /// By shard.
    streams: BTreeMap<u32, Stream>,
}

/// Whose restriction it is, and who meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Wallet,
    /// Of a wallet; other wallets' transfers to it are refused too.
    Both,
    Address,
}

impl Lifecycles {
    /// Follows one decision and appends what does not fit.
    pub(super) fn decision(&mut self, decision: &Decision<'_>, context: &Context<'_>, found: &mut Vec<Finding>) {
        let counted = self.streams.entry(context.shard).or_default().take(decision.occurred_at);
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
            lifted: Lifted::default(),
            lost_cause: Vec::new(),
        };
        step.place();
        step.fire();
        step.let_through();
        step.refused_and_held();
        step.lift();
        step.release_and_cancel();
        step.settled();
        step.left_waiting();
        step.in_doubt();
        step.start_waiting();
        step.forget(counted);
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
    placed: &'a mut ById<Scope>,
    let_go: &'a mut ById<(CommandKind, Option<u64>)>,
    awaited: &'a mut ById<Finding>,
    from_before: &'a mut u64,
    now_placed: Vec<u128>,
    lifted: Lifted,
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

    /// Restrictions that are placed, and those that are extended: commanded again with a later end.
    fn place(&mut self) {
        let decision = self.decision;
        for command in &decision.commands {
            let (Some(restriction), true) =
                (command.restriction, matches!(command.kind, CommandKind::Monitor | CommandKind::Block))
            else {
                continue;
            };
            let (scope, kind) = match command.detail {
                Detail::Login => (Scope::Address, None),
                Detail::Debit => (Scope::Wallet, Some(Kind::BlockDebit)),
                Detail::Both => (Scope::Both, Some(Kind::BlockBoth)),
                _ => (Scope::Wallet, Some(Kind::Monitor)),
            };
            let before = self.placed.insert(restriction, scope);
            let Some(kind) = kind else {
                // Another wallet, in another partition, may extend the block of an address: which came first
                // cannot be told.
                if before.is_some_and(|before| before != scope) {
                    self.placed_twice(restriction);
                }
                continue;
            };
            let (until, lifted_by, rule) = (command.until, command.lifted_by, id_hash(&command.rule));
            let fired_last = decision.occurred_at;
            let new = Restriction { id: restriction, kind, until, lifted_by, rule, fired_last };
            if before.is_none() {
                self.place_new(new);
            } else if let Some(at) = self.wallet.restrictions.iter().position(|known| known.id == restriction) {
                self.extend(at, &new);
            } else {
                self.placed_twice(restriction);
            }
        }
    }

    fn placed_twice(&mut self, restriction: u128) {
        self.tell("placed-twice", format!("restriction {} was placed before", id(restriction)));
    }

    /// A rule has at most one restriction of a kind on a wallet; one that has ended is replaced.
    fn place_new(&mut self, new: Restriction) {
        let (at, is_late) = (self.decision.occurred_at, self.decision.is_late);
        self.wallet.restrictions.retain(|known| !known.is_kin_of(&new) || known.covers(at));
        // What comes later than the allowed lateness may find an ended one forgotten.
        let is_sure = |known: &&Restriction| known.is_kin_of(&new) && (known.until.is_none() || !is_late);
        if let Some(known) = self.wallet.restrictions.iter().find(is_sure).map(|known| known.id) {
            let message = format!("restriction {} is placed beside {} of the same rule", id(new.id), id(known));
            self.tell("placed-beside", message);
        }
        if new.kind == Kind::Monitor {
            for waiting in &mut self.wallet.waiting {
                waiting.causes.push(Cause::of_wallet(new.id));
            }
        }
        self.now_placed.push(new.id);
        self.wallet.restrictions.push(new);
    }

    fn extend(&mut self, at: usize, new: &Restriction) {
        let known = &mut self.wallet.restrictions[at];
        let wrong = if !known.is_kin_of(new) || known.lifted_by != new.lifted_by {
            Some("as another one")
        } else if !known.covers(self.decision.occurred_at) {
            Some("although it has ended")
        } else if !known.ends_before(new.until) {
            Some("with an end that is no later")
        } else {
            None
        };
        known.until = new.until;
        if let Some(wrong) = wrong {
            self.tell("extension", format!("restriction {} is commanded again, {wrong}", id(new.id)));
        }
    }

    /// Notes that the rules of restrictions in force have fired: what lies before that lifts them no more.
    fn fire(&mut self) {
        let at = self.decision.occurred_at;
        for rule in &self.decision.enforced {
            let rule = id_hash(rule);
            let of_rule = |known: &&mut Restriction| known.rule == rule && known.covers(at);
            for known in self.wallet.restrictions.iter_mut().filter(of_rule) {
                known.fired_last = known.fired_last.max(at);
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
            match self.wallet.restriction(restriction) {
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
            Some(Scope::Both | Scope::Address) => {}
            Some(Scope::Wallet) => {
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

    fn release_and_cancel(&mut self) {
        let decision = self.decision;
        for command in &decision.commands {
            let Subject::Operation(op_id) = &command.subject else { continue };
            let is_repeated_challenge = command.detail == Detail::Pin && **op_id != *decision.op_id;
            if !matches!(command.kind, CommandKind::Release | CommandKind::Cancel) {
                if is_repeated_challenge && self.wallet.position(op_id).is_none() {
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
            match self.wallet.position(op_id) {
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
        let holds = |cause: &&Cause| !cause.is_in_doubt && !self.may_settle(waiting, cause);
        if let Some(cause) = waiting.causes.iter().find(holds) {
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

    /// What lost its last cause and is still there goes on waiting for the blocks without an end, or was
    /// forgotten.
    fn left_waiting(&mut self) {
        for op_id in std::mem::take(&mut self.lost_cause) {
            let Some(position) = self.wallet.position(&op_id) else { continue };
            let waiting = &self.wallet.waiting[position];
            if !waiting.causes.is_empty() || waiting.pin != Pin::No {
                continue;
            }
            let is_endless = |known: &&Restriction| known.blocks_debits() && known.until.is_none();
            let endless = self.wallet.restrictions.iter().filter(is_endless);
            let causes: Vec<Cause> = endless.map(|known| Cause::of_wallet(known.id)).collect();
            if !causes.is_empty() {
                self.wallet.waiting[position].causes = causes;
                continue;
            }
            let is_in_doubt = waiting.is_in_doubt;
            self.wallet.waiting.remove(position);
            if !is_in_doubt {
                let message =
                    format!("nothing holds operation {op_id} any more, and it is neither released nor cancelled");
                self.tell_unless_cut("left-waiting", message);
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
            let is_of_wallet = self.wallet.restriction(restriction).is_some();
            // Before a cut, a hold by a monitoring and an operation's own are told apart by the matches.
            let is_own = !is_of_wallet && decision.enforced.contains(&command.rule);
            Some(Cause { restriction, own: is_own.then_some(command.lifted_by), is_in_doubt: false })
        };
        let causes: Vec<Cause> = self.commands(CommandKind::Hold).filter(is_own).filter_map(cause).collect();
        if decision.verdict == Verdict::Refuse || (causes.is_empty() && !asks_pin) {
            return;
        }
        let pin = if asks_pin { Pin::Asked } else { Pin::No };
        let (op_id, occurred_at) = ((*decision.op_id).into(), decision.occurred_at);
        self.wallet.waiting.push(Waiting { op_id, occurred_at, causes, pin, is_in_doubt: false });
    }

    /// Forgets what ended long before `at`.
    fn forget(&mut self, at: Time) {
        let is_over = |until: Time| at >= until.plus(FORGET_AFTER);
        self.wallet.restrictions.retain(|restriction| !restriction.until.is_some_and(is_over));
    }
}
