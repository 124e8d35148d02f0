//! Restrictions that nothing can end: who is named cannot lift them, or they come back at once.

use super::logic::is_possible;
use super::places::Places;
use super::reader::Reader;
use crate::operation::{ClientStatus, OperationType};
use crate::rules::Diagnostic;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{
    Action, Block, BlockTerm, Condition, Field, Lifter, Lifters, Mode, Rule, RuleSet, Scope, Symbol, TypeSet,
    symbol_of_word,
};

/// Looks at every restriction of every rule that is not off.
pub(super) fn findings(rules: &RuleSet, places: &[Places]) -> Vec<Diagnostic> {
    let refused: Vec<(OperationType, &Rule)> = always_refused(rules);
    let mut found = Vec::new();
    for (rule, places) in rules.rules.iter().zip(places).filter(|(rule, _)| rule.mode != Mode::Off) {
        let mut findings = Findings::new(&rule.path);
        for (position, action) in rule.actions.iter().enumerate() {
            let reason = has_no_pin(rules, rule, action)
                .or_else(|| nobody_is_heard(action, &refused))
                .or_else(|| comes_back(rules, rule, action));
            if let Some((message, help)) = reason {
                findings
                    .warning(Code::NoWayOut, &places.action(position), message)
                    .label("no way out of this")
                    .help(help);
            }
        }
        found.append(&mut findings.list);
    }
    found
}

/// What is wrong, and what to do instead.
type Reason = Option<(String, String)>;

/// Says who lifts what an action places and nothing else ends; `None` where time ends it, or nothing is placed.
const fn lifters(action: &Action) -> Option<Lifters> {
    match action {
        Action::Hold { lifted_by }
        | Action::Monitor { lifted_by }
        | Action::Block { lifted_by, term: BlockTerm::UntilLifted, .. } => Some(*lifted_by),
        _ => None,
    }
}

/// An unregistered client has no PIN, and so cannot lift by one.
fn has_no_pin(rules: &RuleSet, rule: &Rule, action: &Action) -> Reason {
    let by_pin = *action == Action::ChallengePin || lifters(action) == Some(Lifters::default().with(Lifter::Pin));
    if !by_pin {
        return None;
    }
    let status = symbol_of_word(ClientStatus::Unregistered.code());
    let is_unregistered = Condition::Same {
        left: Symbol::Field(Scope::This, Field::ClientStatus),
        right: Symbol::Literal(status),
        negated: false,
    };
    let mut reader = Reader::new(&rules.aggregates, rule.on);
    let (fires, another) = (reader.fires(rule), reader.is(&is_unregistered, true).opposite());
    let only_unregistered =
        is_possible(&[&fires], &reader.domains) && !is_possible(&[&fires, &another], &reader.domains);
    only_unregistered.then(|| {
        let message = String::from("only unregistered clients get this, and they have no PIN");
        (message, String::from("name somebody else in `lifted_by`, or refuse the operation"))
    })
}

/// Lists the types of operations that an enforced rule refuses whatever they hold.
fn always_refused(rules: &RuleSet) -> Vec<(OperationType, &Rule)> {
    let refuses = |rule: &&Rule| {
        let always = rule.from.is_none() && rule.until.is_none() && rule.mode == Mode::Enforce;
        always && rule.actions.contains(&Action::Refuse)
    };
    let types = |rule: &'_ Rule| rule.on.iter().filter(|kind| always_fires(rules, rule, *kind)).collect::<Vec<_>>();
    let rules = rules.rules.iter().filter(refuses);
    rules.flat_map(|rule| types(rule).into_iter().map(move |kind| (kind, rule))).collect()
}

fn always_fires(rules: &RuleSet, rule: &Rule, kind: OperationType) -> bool {
    let mut reader = Reader::new(&rules.aggregates, TypeSet::of(|other| other == kind));
    let silent = reader.fires(rule).opposite();
    !is_possible(&[&silent], &reader.domains)
}

/// The operations by which it is lifted are refused, and so do nothing.
fn nobody_is_heard(action: &Action, refused: &[(OperationType, &Rule)]) -> Reason {
    let lifters = lifters(action)?;
    let by =
        |lifter: Lifter| refused.iter().find(|(kind, _)| *kind == told_by(lifter)).map(|(kind, rule)| (kind, *rule));
    let deaf: Option<Vec<_>> = lifters.iter().map(by).collect();
    let (kind, rule) = deaf?.first().copied()?;
    let message = format!("`{}` refuses every {}, by which this would be lifted", rule.id, kind.name());
    Some((message, format!("let `{}` not refuse {}", rule.id, kind.name())))
}

/// Returns the type of operation by which somebody lifts.
const fn told_by(lifter: Lifter) -> OperationType {
    match lifter {
        Lifter::Pin
        | Lifter::SecretAnswer
        | Lifter::IdentityDocument
        | Lifter::MobileContract
        | Lifter::Agreed
        | Lifter::Explanations
        | Lifter::FactsEstablished => OperationType::IdentityConfirmed,
        Lifter::Client => OperationType::WalletUnblockRequested,
        Lifter::Support => OperationType::IpUnblockRequested,
        Lifter::Court => OperationType::SeizureLifted,
    }
}

/// Every debit places it anew, so that none gets through after it is lifted.
fn comes_back(rules: &RuleSet, rule: &Rule, action: &Action) -> Reason {
    let stops_debits = match action {
        Action::Monitor { .. } | Action::Refuse => true,
        Action::Block { what, .. } => *what != Block::AddressLogin,
        _ => false,
    };
    let debits = || OperationType::ALL.iter().filter(|kind| kind.is_debit());
    let everywhere = || debits().all(|kind| rule.on.contains(*kind) && always_fires(rules, rule, *kind));
    (stops_debits && everywhere()).then(|| {
        let message = String::from("every debit brings this on again, whoever lifted it before");
        (message, String::from("add a condition (`when`) that not every debit satisfies"))
    })
}
