//! Operations that wait, and what becomes of one that loses a cause.

use super::names::FRAUD;
use super::restrictions::{End, Shape};
use super::{Command, Fault, Kind, Naive, Op, of_operation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its own hold, a monitoring, or a block without an end that it goes on waiting for.
    Restriction(usize),
    /// The PIN, asked for by this rule.
    Pin(&'static str),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entry: usize,
    pub(super) causes: Vec<Cause>,
    /// It has gone on waiting for a block without an end.
    was_suspended: bool,
}

/// A cause that an operation loses.
pub(super) struct Cleared {
    pub(super) entry: usize,
    pub(super) cause: Cause,
}

/// What becomes of an operation that waits for nothing more.
enum Fate {
    WaitsForBlocks(Vec<usize>),
    Cancelled(&'static str),
    Released,
}

impl Naive<'_> {
    pub(super) fn start_waiting(&mut self, entry: usize, causes: Vec<Cause>) {
        if !causes.is_empty() {
            self.waiting.push(Waiting { entry, causes, was_suspended: false });
        }
    }

    /// A monitoring that is placed becomes a further cause of whatever waits already.
    pub(super) fn add_cause_to_all(&mut self, wallet: &str, monitoring: usize) {
        for waiting in &mut self.waiting {
            if self.entries[waiting.entry].op.wallet == wallet {
                waiting.causes.push(Cause::Restriction(monitoring));
            }
        }
    }

    /// The operation of this wallet and id, if it waits.
    pub(super) fn waiting_operation(&self, wallet: &str, id: Option<&String>) -> Option<&Waiting> {
        self.waiting.iter().find(|w| {
            let op = &self.entries[w.entry].op;
            op.wallet == wallet && Some(&op.id) == id
        })
    }

    pub(super) fn rule_of(&self, cause: Cause) -> &'static str {
        match cause {
            Cause::Restriction(index) => self.restrictions[index].rule,
            Cause::Pin(rule) => rule,
        }
    }

    /// Takes causes from waiting operations and lets go, or cancels, what waits no more. The commands bear the
    /// lowest rule among the causes that the operation loses.
    pub(super) fn clear(&mut self, op: &Op, cleared: &[Cleared], commands: &mut Vec<Command>) {
        let mut done = Vec::new();
        for index in 0..self.waiting.len() {
            let entry = self.waiting[index].entry;
            let mine: Vec<Cause> = cleared.iter().filter(|c| c.entry == entry).map(|c| c.cause).collect();
            let Some(rule) = mine.iter().map(|cause| self.rule_of(*cause)).min() else {
                continue;
            };
            self.waiting[index].causes.retain(|cause| !mine.contains(cause));
            let waits_on = !self.waiting[index].causes.is_empty();
            let kind = if op.cancel {
                self.tally.see(if waits_on { "cancelled by order, waiting for more" } else { "cancelled by order" });
                "cancel"
            } else if waits_on {
                self.tally.see("still waiting after a cause went");
                continue;
            } else {
                let Some(kind) = self.let_go(op, index) else { continue };
                kind
            };
            let subject = of_operation(&self.entries[entry].op.id);
            commands.push(Command::new(kind, rule, subject));
            done.push(entry);
        }
        for entry in done {
            self.stop_waiting(entry);
        }
    }

    /// The command for an operation that waits for nothing more; none if it goes on waiting for a block.
    fn let_go(&mut self, op: &Op, index: usize) -> Option<&'static str> {
        let (entry, was_suspended) = (self.waiting[index].entry, self.waiting[index].was_suspended);
        match self.fate(op, entry) {
            Fate::WaitsForBlocks(blocks) => {
                self.waiting[index].causes = blocks.into_iter().map(Cause::Restriction).collect();
                self.waiting[index].was_suspended = true;
                self.tally.see("goes on waiting for a block");
                if op.reference.is_some() && op.kind == Kind::IdentityConfirmed {
                    self.tally.see("settled: goes on waiting for a block");
                }
                None
            }
            Fate::Cancelled(why) => {
                self.tally.see(why);
                if was_suspended {
                    self.tally.see("cancelled after a block without an end");
                }
                if op.reference.is_some() && op.kind == Kind::IdentityConfirmed {
                    self.tally.see("settled: cancelled because blocked");
                }
                Some("cancel")
            }
            Fate::Released => {
                let answered = op.reference.as_ref() == Some(&self.entries[entry].op.id);
                self.tally.see(match op.kind {
                    Kind::Pin if answered => "released by pin",
                    Kind::Pin => "released by the pin of another operation",
                    _ if op.reference.is_some() => "settled: released",
                    _ if was_suspended => "released after a block without an end",
                    _ => "released by a lifting",
                });
                Some("release")
            }
        }
    }

    /// A block without an end is asked first; then one with an end; then the recipient's.
    fn fate(&mut self, op: &Op, entry: usize) -> Fate {
        let despite = self.has(Fault::ReleaseDespiteBlock);
        let blocks = if despite { Vec::new() } else { self.debit_blocks(&op.wallet, op.at) };
        let (endless, ending): (Vec<usize>, Vec<usize>) =
            blocks.into_iter().partition(|&index| self.restrictions[index].is_endless_block());
        if !endless.is_empty() && !self.has(Fault::EndlessBlockCancels) {
            if !ending.is_empty() {
                self.tally.see("goes on waiting, another block has an end");
            }
            return Fate::WaitsForBlocks(endless);
        }
        if !ending.is_empty() || !endless.is_empty() {
            return Fate::Cancelled("cancelled because blocked");
        }
        let waiting = &self.entries[entry].op;
        let recipient = waiting.recipient().filter(|to| waiting.kind == Kind::Transfer && **to != waiting.wallet);
        let refuses = recipient.is_some_and(|recipient| self.takes_no_money(recipient, op.at));
        if refuses && !self.has(Fault::RecipientBlockIgnored) {
            return Fate::Cancelled("cancelled because the recipient is blocked");
        }
        Fate::Released
    }

    /// What is released or cancelled loses its own holds without a word.
    pub(super) fn stop_waiting(&mut self, entry: usize) {
        self.waiting.retain(|w| w.entry != entry);
        for r in &mut self.restrictions {
            if r.shape == Shape::Hold(entry) {
                r.end = Some(End::Lifted);
            }
        }
    }

    /// A rule cancels what waits.
    fn cancel_waiting(&mut self, rule: &'static str, entry: usize, commands: &mut Vec<Command>) {
        let subject = of_operation(&self.entries[entry].op.id);
        commands.push(Command::new("cancel", rule, subject));
        self.stop_waiting(entry);
    }

    pub(super) fn cancel_all_waiting(&mut self, op: &Op, commands: &mut Vec<Command>) {
        let of_wallet = |w: &&Waiting| self.entries[w.entry].op.wallet == op.wallet;
        let all: Vec<usize> = self.waiting.iter().filter(of_wallet).map(|w| w.entry).collect();
        for entry in all {
            self.cancel_waiting(FRAUD, entry, commands);
        }
    }

    pub(super) fn cancel_referenced(&mut self, rule: &'static str, op: &Op, commands: &mut Vec<Command>) {
        match self.waiting_operation(&op.wallet, op.reference.as_ref()).map(|w| w.entry) {
            Some(entry) => {
                self.tally.see("cancelled because referred to");
                self.cancel_waiting(rule, entry, commands);
            }
            None if op.reference.is_some() => self.tally.see("reference that cancels nothing"),
            None => {}
        }
    }

    /// The ledger says that an operation did not happen after all: it leaves every window, and its hold goes
    /// without a command.
    pub(super) fn forget(&mut self, op: &Op) {
        let found = self.entries.iter().rposition(|e| {
            e.op.wallet == op.wallet && Some(&e.op.id) == op.reference.as_ref() && e.op.kind.is_money() && !e.refused
        });
        if let Some(entry) = found {
            self.entries[entry].cancelled = true;
            self.stop_waiting(entry);
        }
    }
}
