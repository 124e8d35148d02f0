//! Differences planted into a fleet's decisions: the checker must find each.

use kuzet::operation::Time;

use super::check::Found;
use super::derive::holds;

/// One way to spoil the decisions; returns false where they have nothing to spoil.
type Plant = fn(&mut Found) -> bool;

/// Every way, by name.
pub(crate) const PLANTS: &[(&str, Plant)] = &[
    ("a decision is lost", lose),
    ("the last decision of a shard is lost", lose_last),
    ("a decision comes twice", double),
    ("two decisions of a shard change places", swap),
    ("a decision lies in another shard", misplace),
    ("a verdict is another", |found| replace(found, b"\"verdict\":\"hold\"", b"\"verdict\":\"allow\"")),
    ("a match is left out", leave_out_match),
    ("the evidence of an owned window is another", owned_evidence),
    ("a command's id is another", |found| replace(found, b"\"command_id\":\"", b"\"command_id\":\"0")),
    ("late is said of an operation in time", |found| replace(found, b"\"late\":false", b"\"late\":true")),
    ("an input is said to be missing", |found| replace(found, b"\"degraded\":[]", b"\"degraded\":[\"shared_state\"]")),
    ("another rule set decided", |found| replace(found, b"\"ruleset\":\"", b"\"ruleset\":\"f")),
    ("a shared window held more than there is", shared_evidence),
    ("a shared window was not read", unread_window),
    ("the block of an address was not met", |found| unmet_block(found, "login")),
    ("the block of another wallet was not met", |found| unmet_block(found, "transfer")),
    ("a block was met that nobody placed", unknown_block),
];

fn each(found: &mut Found) -> impl Iterator<Item = &mut Vec<u8>> {
    found.values_mut().flatten()
}

fn longest(found: &mut Found) -> Option<&mut Vec<Vec<u8>>> {
    found.values_mut().max_by_key(|decisions| decisions.len())
}

fn lose(found: &mut Found) -> bool {
    longest(found).is_some_and(|decisions| {
        decisions.remove(decisions.len() / 2);
        true
    })
}

fn lose_last(found: &mut Found) -> bool {
    longest(found).is_some_and(|decisions| decisions.pop().is_some())
}

fn double(found: &mut Found) -> bool {
    longest(found).is_some_and(|decisions| {
        let at = decisions.len() / 2;
        decisions.insert(at, decisions[at].clone());
        true
    })
}

fn swap(found: &mut Found) -> bool {
    longest(found).is_some_and(|decisions| {
        let at = decisions.len() / 2;
        decisions.swap(at, at + 1);
        true
    })
}

fn misplace(found: &mut Found) -> bool {
    let other = found.keys().max().map_or(0, |shard| shard + 1);
    longest(found).and_then(Vec::pop).is_some_and(|decision| found.insert(other, vec![decision]).is_none())
}

fn replace_in(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) -> bool {
    let Some(at) = bytes.windows(old.len()).position(|part| part == old) else { return false };
    bytes.splice(at..at + old.len(), new.iter().copied());
    true
}

fn replace(found: &mut Found, old: &[u8], new: &[u8]) -> bool {
    each(found).any(|bytes| replace_in(bytes, old, new))
}

/// Takes one match of an owned rule out of a decision without commands: a shadow match.
fn leave_out_match(found: &mut Found) -> bool {
    let mut plain = each(found).filter(|bytes| {
        holds(bytes, b"\"matches\":[{\"rule\":\"new-device-large-transfer\"") && holds(bytes, b"\"commands\":[]")
    });
    plain.next().is_some_and(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (begin, end) = (text.find("\"matches\":["), text.find("],\"commands\""));
        let (Some(begin), Some(end)) = (begin, end) else { return false };
        *bytes = format!("{}\"matches\":[{}", &text[..begin], &text[end..]).into_bytes();
        true
    })
}

fn owned_evidence(found: &mut Found) -> bool {
    replace(found, b"\"sum(debit.amount by wallet today)\":\"", b"\"sum(debit.amount by wallet today)\":\"1")
}

fn shared_evidence(found: &mut Found) -> bool {
    let name = b"\"distinct(login.wallet_id where outcome = success by device_id within 24h)\":";
    let more = [name.as_slice(), b"9"].concat();
    replace(found, name, &more)
}

/// Takes the match of a rule away that reads a shared window alone.
fn unread_window(found: &mut Found) -> bool {
    let rule = "{\"rule\":\"one-device-many-wallets\"";
    let last = each(found).filter(|bytes| holds(bytes, rule.as_bytes())).last();
    last.is_some_and(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let Some(begin) = text.find(rule) else { return false };
        let Some(length) = text[begin..].find("}}") else { return false };
        let rest = text[begin + length + 2..].trim_start_matches(',');
        *bytes = format!("{}{rest}", &text[..begin]).replace(",],\"commands\"", "],\"commands\"").into_bytes();
        true
    })
}

/// Makes a decision of one that a block of others refused as if that block had not been there.
fn unmet_block(found: &mut Found, kind: &str) -> bool {
    let kind = format!("\"type\":\"{kind}\"");
    let refused = each(found).find(|bytes| {
        holds(bytes, kind.as_bytes())
            && holds(bytes, b"\"verdict\":\"refuse\",\"matches\":[]")
            && (holds(bytes, b"\"rule\":\"wrong-password-ip-block\"")
                || holds(bytes, b"\"rule\":\"client-voluntary-block\""))
    });
    refused.is_some_and(|bytes| {
        let text = String::from_utf8_lossy(bytes).replace("\"verdict\":\"refuse\"", "\"verdict\":\"allow\"");
        let (Some(begin), Some(end)) = (text.find("\"commands\":["), text.find("],\"late\"")) else { return false };
        *bytes = format!("{}\"commands\":[{}", &text[..begin], &text[end..]).into_bytes();
        true
    })
}

/// Gives a refusal by the block of an address another block.
fn unknown_block(found: &mut Found) -> bool {
    let refused = each(found).find(|bytes| {
        holds(bytes, b"\"type\":\"login\"")
            && holds(bytes, b"\"command\":\"refuse\"")
            && holds(bytes, b"\"restriction_id\":\"")
    });
    let unknown = Time::ACCEPTED_FROM.nanos().unsigned_abs();
    refused.is_some_and(|bytes| {
        let name = b"\"restriction_id\":\"";
        let Some(at) = bytes.windows(name.len()).position(|part| part == name) else { return false };
        let digits = format!("{:08x}", unknown & 0xffff_ffff);
        let from = at + name.len();
        bytes.splice(from..from + digits.len(), digits.into_bytes());
        true
    })
}
