//! Restrictions: what is in force, what it stops, and what becomes of one whose rule fires again.

use super::names::OWNERSHIP;
use super::{Fault, Kind, LATENESS, Naive, Op, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The operation's own hold: its entry.
    Hold(usize),
    Monitor,
    Block(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Lifted, or gone with the operation that it held.
    Lifted,
    /// Over, and the same rule has placed another.
    Replaced,
}

#[derive(Debug)]
pub(super) struct Restriction {
    pub(super) key: String,
    pub(super) wallet: String,
    pub(super) rule: &'static str,
    pub(super) shape: Shape,
    /// Only on an address block.
    pub(super) ip: Option<String>,
    /// The entry of the operation that placed it.
    placed_by: usize,
    pub(super) from: Time,
    pub(super) until: Option<Time>,
    pub(super) lifters: &'static [&'static str],
    /// The greatest time of the operations that placed or extended it, or fired its rule again meanwhile.
    fired_last: Time,
    /// The greatest time of those that placed or extended it.
    moved_last: Time,
    pub(super) end: Option<End>,
}

impl Restriction {
    /// Did the rule fire, on this subject, not later than this? Only then does a lifting of that time count.
    pub(super) fn yields_to(&self, at: Time) -> bool {
        self.fired_last <= at
    }

    pub(super) fn is_lifted_exactly(&self, at: Time) -> bool {
        self.fired_last == at
    }

    /// Is it a firing that changed nothing which a lifting of this time comes too early for?
    pub(super) fn fired_silently_after(&self, at: Time) -> bool {
        self.moved_last <= at && self.fired_last > at
    }

    /// Is it an extension which a lifting of this time comes too early for?
    pub(super) fn was_extended_after(&self, at: Time) -> bool {
        self.from <= at && self.moved_last > at
    }

    /// Without an end, on the wallet's own debits.
    pub(super) fn is_endless_block(&self) -> bool {
        self.until.is_none() && self.blocks_debits()
    }

    pub(super) fn blocks_debits(&self) -> bool {
        self.ip.is_none() && matches!(self.shape, Shape::Block(_))
    }
}

/// What a rule asks for when it fires.
pub(super) struct Wanted {
    pub(super) rule: &'static str,
    pub(super) shape: Shape,
    pub(super) ip: Option<String>,
    pub(super) until: Option<Time>,
    pub(super) lifters: &'static [&'static str],
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Placed(usize),
    Extended(usize),
    /// One that ends no earlier is in force.
    Silent,
}

/// Does the first end before the second? No end is later than any instant, and not later than no end.
fn ends_before(one: Option<Time>, other: Option<Time>) -> bool {
    match (one, other) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(one), Some(other)) => one < other,
    }
}

impl Naive<'_> {
    /// Not lifted, not replaced, not gone by eviction, and not over for an operation at `at`.
    pub(super) fn in_force(&self, restriction: &Restriction, at: Time) -> bool {
        let stays = restriction.end == Some(End::Replaced) && self.has(Fault::ReplacedBlockStays);
        (restriction.end.is_none() || stays) && self.covers(restriction, at)
    }

    fn covers(&self, restriction: &Restriction, at: Time) -> bool {
        self.ends_after(restriction, at) && !restriction.until.is_some_and(|until| self.is_evicted(restriction, until))
    }

    fn ends_after(&self, restriction: &Restriction, at: Time) -> bool {
        let closed = Time::from(self.has(Fault::EndInstantBlocked));
        restriction.until.is_none_or(|until| at < until + closed)
    }

    /// The same for others' money to the wallet, which may be on time where the wallet itself has gone on.
    fn in_force_for_others(&self, restriction: &Restriction, at: Time) -> bool {
        let stays = restriction.end == Some(End::Replaced) && self.has(Fault::ReplacedBlockStays);
        (restriction.end.is_none() || stays) && self.ends_after(restriction, at)
    }

    /// Was what the wallet holds since this entry held against an instant or a later one?
    pub(super) fn has_passed(&self, wallet: &str, since: usize, instant: Time) -> bool {
        let decided = self.entries.iter().take(self.deciding).skip(since + 1).filter(|e| e.op.wallet == wallet);
        let caught_up = self.caught_up.filter(|_| since < self.deciding);
        decided.map(|e| e.passed).max().flatten().max(caught_up).is_some_and(|passed| passed >= instant)
    }

    fn is_evicted(&self, restriction: &Restriction, until: Time) -> bool {
        match &restriction.ip {
            None => self.has_passed(&restriction.wallet, restriction.placed_by, until + LATENESS),
            Some(ip) => self.entries[restriction.placed_by..].iter().any(|e| {
                e.op.kind == Kind::Login && !e.refused && e.op.ip.as_ref() == Some(ip) && e.counted >= until + LATENESS
            }),
        }
    }

    /// The active blocks that refuse this operation. `both` stops money that comes from others too; of a
    /// transfer to itself a wallet's block is its own and counts once.
    pub(super) fn blocks_against(&mut self, op: &Op) -> Vec<usize> {
        let mut stops = Vec::new();
        let mut touched = Vec::new();
        let mut met = Vec::new();
        for (index, r) in self.restrictions.iter().enumerate() {
            let Shape::Block(direction) = r.shape else {
                continue;
            };
            let own = r.wallet == op.wallet;
            let recipient = op.kind == Kind::Transfer && op.recipient() == Some(&r.wallet);
            let concerns = match direction {
                "login" => op.kind == Kind::Login && op.ip == r.ip,
                "debit" => own && op.kind.is_debit(),
                _ if own => op.kind.is_money(),
                _ => recipient,
            };
            if !concerns {
                continue;
            }
            if r.end == Some(End::Replaced) && self.covers(r, op.at) {
                met.push("late between the end of one and its successor");
            }
            if r.end.is_none() && (op.at == r.from || Some(op.at) == r.until) {
                touched.push(r.rule);
            }
            let met_from_outside = direction == "both" && !own;
            if self.in_force(r, op.at) || (met_from_outside && self.in_force_for_others(r, op.at)) {
                stops.push(index);
                match (direction, own, recipient, r.until) {
                    ("both", true, true, _) => met.push("transfer to itself under its own block"),
                    ("both", false, _, Some(_)) => met.push("refused by another's block of fraud"),
                    ("both", false, _, None) => met.push("refused by another's own block"),
                    _ => {}
                }
            }
        }
        for rule in touched {
            self.tally.hit(rule, true);
        }
        for what in met {
            self.tally.see(what);
        }
        stops
    }

    /// The active monitorings that hold this debit.
    pub(super) fn monitors_of(&mut self, op: &Op) -> Vec<usize> {
        if !op.kind.is_debit() {
            return Vec::new();
        }
        let active: Vec<usize> = (0..self.restrictions.len())
            .filter(|&index| {
                let r = &self.restrictions[index];
                r.shape == Shape::Monitor && r.wallet == op.wallet && self.in_force(r, op.at)
            })
            .collect();
        for &index in &active {
            let Restriction { rule, from, .. } = self.restrictions[index];
            self.tally.hit(rule, from == op.at && rule == OWNERSHIP);
        }
        active
    }

    /// The blocks of the wallet's debits that are in force.
    pub(super) fn debit_blocks(&self, wallet: &str, at: Time) -> Vec<usize> {
        let found = self.restrictions.iter().enumerate();
        let found = found.filter(|(_, r)| r.blocks_debits() && r.wallet == wallet && self.in_force(r, at));
        found.map(|(index, _)| index).collect()
    }

    /// Is a block in force that keeps money of others from the wallet?
    pub(super) fn takes_no_money(&self, wallet: &str, at: Time) -> bool {
        let blocks = |r: &&Restriction| r.shape == Shape::Block("both") && r.wallet == wallet;
        self.restrictions.iter().filter(blocks).any(|r| self.in_force_for_others(r, at))
    }

    /// Whether the wallet is blocked or monitored, and whether just then one of these ends.
    pub(super) fn is_restricted(&self, op: &Op) -> (bool, bool) {
        let own = |r: &&Restriction| r.wallet == op.wallet && r.ip.is_none() && !matches!(r.shape, Shape::Hold(_));
        let ends = |r: &Restriction| r.until == Some(op.at) && r.end.is_none();
        let exact = self.restrictions.iter().filter(own).any(ends);
        (self.restrictions.iter().filter(own).any(|r| self.in_force(r, op.at)), exact)
    }

    /// A rule fires and asks for a restriction. One of the same rule, kind, direction and subject that is in
    /// force is extended if the new one would end later; one that has ended is replaced.
    pub(super) fn restrict(&mut self, op: &Op, wanted: Wanted) -> Outcome {
        let same: Vec<usize> = (0..self.restrictions.len())
            .filter(|&index| {
                let r = &self.restrictions[index];
                let same_subject = match &wanted.ip {
                    Some(ip) => r.ip.as_ref() == Some(ip),
                    None => r.ip.is_none() && r.wallet == op.wallet,
                };
                r.end.is_none() && r.rule == wanted.rule && r.shape == wanted.shape && same_subject
            })
            .collect();
        let (active, over): (Vec<usize>, Vec<usize>) =
            same.into_iter().partition(|&index| self.in_force(&self.restrictions[index], op.at));
        for index in over {
            self.tally.see("ended one replaced");
            self.restrictions[index].end = Some(End::Replaced);
        }
        let Some(&index) = active.last() else {
            return Outcome::Placed(self.place(op, wanted));
        };
        let outlasted = active.iter().any(|&index| !ends_before(self.restrictions[index].until, wanted.until));
        let shortens = self.has(Fault::ExtensionShortens) && self.restrictions[index].until != wanted.until;
        if !outlasted && self.has(Fault::ExtensionAsSecondBlock) {
            return Outcome::Placed(self.place(op, wanted));
        }
        self.fire_again(op, index, !outlasted);
        if ends_before(wanted.until, self.restrictions[index].until) {
            self.tally.see("fired again, would end earlier");
        }
        if outlasted && !shortens {
            self.tally.see("fired again, ends no later");
            return Outcome::Silent;
        }
        self.tally.see("extended");
        self.restrictions[index].until = wanted.until;
        Outcome::Extended(index)
    }

    fn fire_again(&mut self, op: &Op, index: usize, moves: bool) {
        let forgets = !moves && self.has(Fault::SilentFiringForgotten);
        let r = &mut self.restrictions[index];
        if op.at < r.fired_last {
            self.tally.see("fired late, fired last stays");
        } else if !forgets {
            r.fired_last = op.at;
        }
        if moves {
            r.moved_last = r.moved_last.max(op.at);
        }
    }

    fn place(&mut self, op: &Op, wanted: Wanted) -> usize {
        self.tally.see("placed");
        let Wanted { rule, shape, ip, until, lifters } = wanted;
        let name = match shape {
            Shape::Hold(_) => "hold".to_owned(),
            Shape::Monitor => "monitor".to_owned(),
            Shape::Block(direction) => format!("block/{direction}"),
        };
        self.restrictions.push(Restriction {
            key: format!("{}/{}/{rule}/{name}", op.wallet, op.id),
            wallet: op.wallet.clone(),
            rule,
            shape,
            ip,
            placed_by: self.entries.len() - 1,
            from: op.at,
            until,
            lifters,
            fired_last: op.at,
            moved_last: op.at,
            end: None,
        });
        self.restrictions.len() - 1
    }
}
