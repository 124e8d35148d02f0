//! Whether a decision agrees with itself.

use crate::operation::decision::{CommandKind, Verdict};

use super::read::{Command, Decision, Detail, Subject};
use super::{Finding, Here};

/// Checks verdict, subjects, causes and the order of the commands of one decision.
pub(super) fn check(decision: &Decision<'_>, here: &Here<'_>, found: &mut Vec<Finding>) {
    let mut tell = |code, message: String| found.push(here.finding(code, message));
    let own = |command: &Command<'_>| matches!(&command.subject, Subject::Operation(op) if *op == decision.op_id);
    let has = |kind: CommandKind| decision.commands.iter().any(|command| command.kind == kind);
    let asks_pin = decision.commands.iter().any(|command| command.detail == Detail::Pin && own(command));
    let (refuses, holds, challenges) = (has(CommandKind::Refuse), has(CommandKind::Hold), has(CommandKind::Challenge));
    match decision.verdict {
        Verdict::Refuse if !refuses => tell("verdict", "refuse without a refuse command".to_owned()),
        Verdict::Refuse if holds => tell("verdict", "refused, and told to wait".to_owned()),
        Verdict::Refuse if asks_pin => tell("verdict", "refused, and challenged with the PIN".to_owned()),
        Verdict::Hold if !holds => tell("verdict", "hold without a hold command".to_owned()),
        Verdict::Challenge if !challenges => tell("verdict", "challenge without a challenge command".to_owned()),
        Verdict::Allow if challenges => tell("verdict", "allow with a challenge command".to_owned()),
        Verdict::Refuse | Verdict::Hold | Verdict::Challenge | Verdict::Allow => {}
    }
    if decision.verdict != Verdict::Refuse && refuses {
        tell("verdict", format!("{} with a refuse command", decision.verdict.name()));
    }
    if matches!(decision.verdict, Verdict::Allow | Verdict::Challenge) && holds {
        tell("verdict", format!("{} with a hold command", decision.verdict.name()));
    }
    if (holds || asks_pin) && !decision.kind.is_debit() {
        tell("verdict", format!("a {} waits; only debits do", decision.kind.name()));
    }
    for command in &decision.commands {
        let (kind, name) = (command.kind, command.kind.name());
        let is_about = match (kind, command.detail) {
            (CommandKind::Refuse | CommandKind::Hold, _) => own(command),
            (CommandKind::Challenge, Detail::Captcha) | (CommandKind::Monitor, _) => own_wallet(command, decision),
            (CommandKind::Challenge | CommandKind::Release | CommandKind::Cancel, _) => {
                matches!(command.subject, Subject::Operation(_))
            }
            (CommandKind::Block, Detail::Login) => command.subject == Subject::Ip,
            (CommandKind::Block, _) => own_wallet(command, decision),
            (CommandKind::Lift, _) => !matches!(command.subject, Subject::Wallet(_)) || own_wallet(command, decision),
            (CommandKind::Report, _) if decision.kind.is_money() => own(command),
            (CommandKind::Report, _) => own_wallet(command, decision),
        };
        if !is_about {
            tell("subject", format!("a {name} is about something that this decision cannot command"));
        }
        let places = matches!(kind, CommandKind::Monitor | CommandKind::Block | CommandKind::Report);
        let is_caused = decision.enforced.contains(&command.rule);
        let asks_now =
            places || (kind == CommandKind::Challenge && (own(command) || command.detail == Detail::Captcha));
        if asks_now && !is_caused {
            tell("cause", format!("a {name} of {}, which is not among the enforced matches", command.rule));
        }
        let restricts = matches!(kind, CommandKind::Monitor | CommandKind::Block | CommandKind::Hold);
        if restricts && command.until.is_none() && command.lifted_by == 0 {
            tell("no-way-out", format!("a {name} of {} has no end, and nobody lifts it", command.rule));
        }
    }
    for pair in decision.commands.windows(2) {
        if (pair[0].kind, &pair[0].rule) > (pair[1].kind, &pair[1].rule) {
            let (one, other) = (pair[0].kind.name(), pair[1].kind.name());
            tell("command-order", format!("{one} of {} before {other} of {}", pair[0].rule, pair[1].rule));
        }
    }
}

fn own_wallet(command: &Command<'_>, decision: &Decision<'_>) -> bool {
    matches!(&command.subject, Subject::Wallet(wallet) if *wallet == decision.wallet_id)
}
