//! The PIN: which day it confirms, and what it lets go.

use super::names::DAILY;
use super::waiting::{Cause, Cleared};
use super::{Command, Fault, LATENESS, Naive, Now, Op, calendar, of_operation};

impl Naive<'_> {
    /// Has a PIN confirmed the Almaty day of this operation? It is known as long as the day's sum is.
    pub(super) fn is_confirmed(&self, now: Now<'_>) -> bool {
        let day = self.day(now.op.at);
        let since = self.confirmed.get(&(now.op.wallet.clone(), day));
        let end = calendar::day_end(day) + LATENESS;
        since.is_some_and(|&since| !self.has_passed(&now.op.wallet, since, end))
    }

    /// A right PIN confirms the Almaty day of the operation that it answers and clears the challenges of all
    /// waiting operations of that day; a wrong one is asked for again. What answers nothing changes nothing.
    pub(super) fn answer_pin(&mut self, op: &Op, commands: &mut Vec<Command>) {
        let asked = |cause: &Cause| matches!(cause, Cause::Pin(_));
        let waiting = self.waiting_operation(&op.wallet, op.reference.as_ref());
        let Some(waiting) = waiting.filter(|w| w.causes.iter().any(asked)) else {
            self.tally.see("pin that answers nothing");
            if op.success == Some(true) && self.has(Fault::PinWithoutReferenceConfirms) {
                self.confirmed.insert((op.wallet.clone(), self.day(op.at)), self.deciding);
            }
            return;
        };
        let entry = waiting.entry;
        if op.success != Some(true) {
            self.tally.see("pin asked again");
            let subject = of_operation(&self.entries[entry].op.id);
            commands.push(Command::new("challenge", DAILY, subject).detail("pin"));
            return;
        }
        let day = self.day(self.entries[entry].op.at);
        if day != self.day(op.at) {
            self.tally.see("pin confirms another day than its own");
        }
        let confirmed = if self.has(Fault::PinConfirmsEventDay) { self.day(op.at) } else { day };
        self.confirmed.insert((op.wallet.clone(), confirmed), self.deciding);
        let mut cleared = Vec::new();
        for w in &self.waiting {
            let other = &self.entries[w.entry].op;
            let named = w.entry == entry;
            if other.wallet == op.wallet && self.day(other.at) == day && (named || !self.has(Fault::PinClearsNamedOnly))
            {
                let pins = w.causes.iter().copied().filter(asked);
                cleared.extend(pins.map(|cause| Cleared { entry: w.entry, cause }));
            }
        }
        self.clear(op, &cleared, commands);
    }
}
