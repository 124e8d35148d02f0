//! What gateways read: one hash for each wallet or address under restriction.
//!
//! `kuzet:restriction:wallet:{id}` and `kuzet:restriction:ip:{address}` hold a field for each restriction in
//! force, named by its id, with `{"kind","direction","rule","clauses","from","until","lifted_by"}` as JSON. A
//! key lives until the latest end, without one while a restriction has none; a reader compares `until` of
//! each field, as one may end before another.

use uuid::Uuid;

use crate::engine::restriction::{Restriction, RestrictionKind};
use crate::operation::Time;
use crate::operation::decision::{
    Clauses, Command, CommandKind, Decision, Detail, RestrictionTerms, Subject, push_string,
};

/// Whom gateways ask about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Restricted {
    /// A wallet, by its id.
    Wallet(Box<str>),
    /// An address, as decisions write it.
    Ip(Box<str>),
}

/// One restriction that begins or ends, for gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUpdate {
    pub whom: Restricted,
    pub restriction: Uuid,
    /// The shard that decided it.
    pub shard: u32,
    /// The decision's sequence number in its shard.
    pub seq: u64,
    pub change: Shown,
}

/// What becomes of a restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// In force until the given instant, or until lifted; with what gateways read of it.
    Placed { until: Option<Time>, text: Box<str> },
    /// Not in force any more, for good.
    Lifted,
}

impl Restricted {
    #[cfg(feature = "redis")]
    /// The hash that a gateway reads, and the one with what is known of its fields, as one server has them.
    pub(super) fn keys(&self) -> [String; 2] {
        let (kind, id) = match self {
            Self::Wallet(id) => ("wallet", id),
            Self::Ip(address) => ("ip", address),
        };
        [format!("kuzet:restriction:{kind}:{id}"), format!("kuzet:restriction-known:{kind}:{id}")]
    }
}

impl DirectoryUpdate {
    /// Makes the update that shows a restriction again, when the store has lost it: `shard` and `seq` name
    /// the latest decision of the shard that holds it.
    #[must_use]
    pub fn of_restriction(whom: Restricted, restriction: &Restriction, (shard, seq): (u32, u64)) -> Self {
        let direction = match restriction.kind {
            RestrictionKind::Monitor => None,
            RestrictionKind::Block(_) => Some(restriction.kind.direction()),
        };
        let by = (&*restriction.rule, &restriction.clauses);
        let change = shown(restriction.kind.name(), direction, by, &restriction.terms());
        Self { whom, restriction: restriction.id, shard, seq, change }
    }
}

/// Lists what a committed decision changes for gateways: blocks and monitorings of wallets and addresses that
/// begin or are lifted. Holds of single operations are no business of theirs.
#[must_use]
pub fn updates_of(decision: &Decision, shard: u32, seq: u64) -> Vec<DirectoryUpdate> {
    decision.commands.iter().filter_map(|command| update_of(command, shard, seq)).collect()
}

fn update_of(command: &Command, shard: u32, seq: u64) -> Option<DirectoryUpdate> {
    let whom = match &command.subject {
        Subject::Wallet(id) => Restricted::Wallet(id.clone()),
        Subject::Ip(address) => Restricted::Ip(address.clone()),
        Subject::Operation(..) => return None,
    };
    let terms = command.restriction.as_ref()?;
    let direction = match command.detail {
        Detail::Direction(direction) => Some(direction),
        Detail::Nothing | Detail::Challenge(_) | Detail::Reason(_) | Detail::To(_) => None,
    };
    let change = match command.kind {
        CommandKind::Block | CommandKind::Monitor => {
            shown(command.kind.name(), direction, (&command.rule, &command.clauses), terms)
        }
        CommandKind::Lift => Shown::Lifted,
        CommandKind::Refuse
        | CommandKind::Hold
        | CommandKind::Challenge
        | CommandKind::Release
        | CommandKind::Cancel
        | CommandKind::Report => return None,
    };
    Some(DirectoryUpdate { whom, restriction: terms.id, shard, seq, change })
}

fn shown(kind: &str, direction: Option<&str>, (rule, clauses): (&str, &Clauses), terms: &RestrictionTerms) -> Shown {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"kind\":");
    push_string(&mut out, kind);
    out.extend_from_slice(b",\"direction\":");
    match direction {
        Some(direction) => push_string(&mut out, direction),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"rule\":");
    push_string(&mut out, rule);
    out.extend_from_slice(b",\"clauses\":");
    push_strings(&mut out, clauses.iter().map(|clause| &**clause));
    out.extend_from_slice(b",\"from\":\"");
    terms.from.push_text(&mut out);
    out.extend_from_slice(b"\",\"until\":");
    match terms.until {
        Some(until) => {
            out.push(b'"');
            until.push_text(&mut out);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"lifted_by\":");
    push_strings(&mut out, terms.lifted_by.iter().copied());
    out.push(b'}');
    Shown::Placed { until: terms.until, text: String::from_utf8_lossy(&out).into() }
}

fn push_strings<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::operation::OperationType;
    use crate::operation::decision::Verdict;

    use super::*;

    fn terms(until: Option<i64>) -> RestrictionTerms {
        RestrictionTerms {
            id: Uuid::from_u128(7),
            from: Time::from_nanos(1_700_000_000_000_000_000),
            until: until.map(Time::from_nanos),
            lifted_by: vec!["identity_document", "support"],
        }
    }

    fn decision(commands: Vec<(CommandKind, Subject, Option<RestrictionTerms>, Detail)>) -> Decision {
        let (rule, clauses): (Arc<str>, Clauses) = (Arc::from("r-\"1\""), Arc::new([Arc::from("7.20")]));
        let command = |(kind, subject, restriction, detail)| {
            Command::new(("w", "o"), kind, (&rule, &clauses), subject, restriction, detail)
        };
        Decision {
            decision_id: Uuid::nil(),
            op_id: "o".into(),
            wallet_id: "w".into(),
            kind: OperationType::Transfer,
            occurred_at: Time::from_nanos(0),
            verdict: Verdict::Refuse,
            matches: Vec::new(),
            commands: commands.into_iter().map(command).collect(),
            late: false,
            degraded: Vec::new(),
            ruleset: Arc::from("x"),
        }
    }

    #[test]
    fn blocks_monitorings_and_liftings_are_shown_and_nothing_else() {
        let wallet = || Subject::Wallet("w".into());
        let updates = updates_of(
            &decision(vec![
                (CommandKind::Refuse, Subject::Operation("o".into(), 1), Some(terms(None)), Detail::Nothing),
                (CommandKind::Hold, Subject::Operation("o".into(), 1), Some(terms(None)), Detail::Nothing),
                (CommandKind::Challenge, wallet(), None, Detail::Challenge("captcha")),
                (CommandKind::Monitor, wallet(), Some(terms(None)), Detail::Nothing),
                (CommandKind::Block, wallet(), Some(terms(Some(1_700_000_001_500_000_000))), Detail::Direction("both")),
                (CommandKind::Lift, Subject::Ip("::1".into()), Some(terms(None)), Detail::Reason("support")),
                (CommandKind::Lift, Subject::Operation("o".into(), 1), Some(terms(None)), Detail::Reason("pin")),
                (CommandKind::Report, wallet(), None, Detail::To("afm")),
            ]),
            3,
            9,
        );
        let of = |whom, change| DirectoryUpdate { whom, restriction: Uuid::from_u128(7), shard: 3, seq: 9, change };
        let placed =
            |until: Option<i64>, text: &str| Shown::Placed { until: until.map(Time::from_nanos), text: text.into() };
        let monitor = r#"{"kind":"monitor","direction":null,"rule":"r-\"1\"","clauses":["7.20"],"from":"2023-11-14T22:13:20Z","until":null,"lifted_by":["identity_document","support"]}"#;
        let block = r#"{"kind":"block","direction":"both","rule":"r-\"1\"","clauses":["7.20"],"from":"2023-11-14T22:13:20Z","until":"2023-11-14T22:13:21.500Z","lifted_by":["identity_document","support"]}"#;
        assert_eq!(
            updates,
            [
                of(Restricted::Wallet("w".into()), placed(None, monitor)),
                of(Restricted::Wallet("w".into()), placed(Some(1_700_000_001_500_000_000), block)),
                of(Restricted::Ip("::1".into()), Shown::Lifted),
            ]
        );
        assert!(serde_json::from_str::<serde_json::Value>(block).is_ok());
    }
}
