//! One text for each meaning: what aggregates are shared by and what the rule set's hash is made of.
//!
//! Comments, white space, brackets and the order of files leave no trace here; every change of
//! meaning does. The texts key stored state, so a change of this file's output is a change of format.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::fields::path;
use super::program::{
    Action, Aggregate, AttributeType, Condition, Field, KeyPart, List, MrpTable, Number, Operand, Rule, Scope, Stream,
    Symbol, TypeSet, Window,
};
use crate::operation::OperationType;

/// What canonical texts refer to by position.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) lists: &'a [String],
    pub(crate) aggregates: &'a [Aggregate],
}

/// Writes the definition of an aggregate.
pub(crate) fn aggregate(aggregate: &Aggregate, names: Names<'_>) -> String {
    let mut out = format!("{:?}(", aggregate.function).to_lowercase();
    match aggregate.stream {
        Stream::Operations(types) => out.push_str(&type_set(types)),
        Stream::Matches => out.push_str("match"),
    }
    if let Some(value) = &aggregate.value {
        let _ok = write!(out, " of {}", field(value));
    }
    for (word, part) in [("where", &aggregate.filter), ("and this", &aggregate.residual)] {
        if let Some(part) = part {
            let _ok = write!(out, " {word} {}", condition(part, names));
        }
    }
    let parts: Vec<String> = aggregate.key.iter().map(key_part).collect();
    let _ok = write!(out, " by {} ", parts.join(", "));
    let _ok = match aggregate.window {
        Window::Within(nanos) => write!(out, "within {}ns", nanos.get()),
        Window::Today => write!(out, "today"),
        Window::ThisMonth => write!(out, "this month"),
        Window::Quiet(nanos) => write!(out, "quiet {}ns", nanos.get()),
    };
    out.push_str(if aggregate.excluding_this { " excluding this)" } else { ")" });
    out
}

fn key_part(part: &KeyPart) -> String {
    if part.past == part.this { field(&part.past) } else { format!("{} = {}", field(&part.past), field(&part.this)) }
}

fn type_set(types: TypeSet) -> String {
    let names: Vec<&str> =
        OperationType::ALL.iter().filter(|kind| types.contains(**kind)).map(|kind| kind.name()).collect();
    if names.len() == OperationType::ALL.len() { "any".to_owned() } else { names.join("|") }
}

fn field(field: &Field) -> String {
    let mut out = path(field);
    if let Field::Attribute(_, attribute_type) = field {
        out.push_str(match attribute_type {
            AttributeType::Text => ":text",
            AttributeType::Int => ":int",
            AttributeType::Money => ":money",
            AttributeType::Bool => ":bool",
            AttributeType::Number => ":number",
            AttributeType::Any => ":any",
        });
    }
    out
}

fn scoped(scope: Scope, what: &Field) -> String {
    match scope {
        Scope::This => format!("this.{}", field(what)),
        Scope::Past => field(what),
    }
}

/// Writes a condition; aggregates by their own canonical text, lists by name.
pub(crate) fn condition(what: &Condition, names: Names<'_>) -> String {
    let not = |negated: bool| if negated { "not " } else { "" };
    match what {
        Condition::Literal(value) => value.to_string(),
        Condition::Not(inner) => format!("not {}", condition(inner, names)),
        Condition::All(parts) => joined(parts, " and ", names),
        Condition::Any(parts) => joined(parts, " or ", names),
        Condition::Compare { left, comparison, right } => {
            format!("({} {} {})", number(left, names), comparison.sign(), number(right, names))
        }
        Condition::Same { left, right, negated } => {
            let sign = if *negated { "!=" } else { "=" };
            format!("({} {sign} {})", symbol(left, names), symbol(right, names))
        }
        Condition::Flag(scope, what) => scoped(*scope, what),
        Condition::FlagAggregate(id) => by_id(*id, names),
        Condition::InList { scope, field, list, negated } => {
            let list = names.lists.get(*list).map_or("?", String::as_str);
            format!("({} {}in {list})", scoped(*scope, field), not(*negated))
        }
        Condition::Missing { what, negated } => {
            format!("({} is {}missing)", operand(what, names), not(*negated))
        }
        Condition::ClausesHas(clause) => format!("(clauses has {clause:?})"),
        Condition::Matched(clause) => format!("(matched {clause:?})"),
    }
}

fn joined(parts: &[Condition], joint: &str, names: Names<'_>) -> String {
    let parts: Vec<String> = parts.iter().map(|part| condition(part, names)).collect();
    format!("({})", parts.join(joint))
}

fn operand(what: &Operand, names: Names<'_>) -> String {
    match what {
        Operand::Field(scope, field) => scoped(*scope, field),
        Operand::Aggregate(id) => by_id(*id, names),
    }
}

fn by_id(id: usize, names: Names<'_>) -> String {
    names.aggregates.get(id).map_or_else(String::new, |aggregate| aggregate.canonical.clone())
}

fn number(what: &Number, names: Names<'_>) -> String {
    let pair = |left: &Number, sign: &str, right: &Number| {
        format!("({} {sign} {})", number(left, names), number(right, names))
    };
    match what {
        Number::Literal(value) => value.to_string(),
        Number::Mrp { hundredths } => format!("{hundredths} MRP/100"),
        Number::Field(scope, field) => scoped(*scope, field),
        Number::Aggregate(id) => by_id(*id, names),
        Number::Add(left, right) => pair(left, "+", right),
        Number::Subtract(left, right) => pair(left, "-", right),
        Number::Multiply(left, right) => pair(left, "*", right),
        Number::Divide(left, right) => pair(left, "/", right),
        Number::Remainder(left, right) => pair(left, "%", right),
    }
}

fn symbol(what: &Symbol, names: Names<'_>) -> String {
    match what {
        Symbol::Literal(bits) => format!("#{bits:x}"),
        Symbol::Field(scope, field) => scoped(*scope, field),
        Symbol::Aggregate(id) => by_id(*id, names),
    }
}

/// Returns the first 12 hex digits of the SHA-256 over everything that can change a decision or the
/// words around it.
pub(crate) fn rule_set_hash(rules: &[Rule], lists: &[List], mrp: &MrpTable, names: Names<'_>) -> String {
    let mut hasher = Sha256::new();
    // Every part ends with a byte that no text holds, so that no two sets share one byte string.
    let mut put = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update([0xff]);
    };
    for rule in rules {
        let message = rule.message.as_ref().map(|message| &*message.text);
        put("rule");
        put(&rule.id);
        put(&format!("{:?}", rule.clauses));
        put(&format!("{:?} {:?} {:?} {:?}", rule.title, message, rule.owner, rule.severity));
        put(&format!("{:?} {:?} {}", rule.notes, rule.mode, type_set(rule.on)));
        put(&format!("{:?} {:?} {:?}", rule.from, rule.until, rule.on_missing));
        // Sets without a budget keep the hash they had before there were any.
        if let Some(budget) = rule.budget {
            put(&format!("{budget:?}"));
        }
        put(&condition(&rule.when, names));
        for action in &rule.actions {
            put(&action_text(action, names));
        }
    }
    let mut sorted: Vec<&List> = lists.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for list in sorted {
        put(&format!("list {} {:?}", list.name, list.list_type));
        // Where values come from decides nothing, not knowing them does.
        if !list.is_read() {
            put("unread");
        }
        for (value, rows) in &list.values {
            put(&format!("{value:?} {rows:?}"));
        }
        for (network, row) in &list.networks {
            put(&format!("{network} {row:?}"));
        }
    }
    for (from, tiyn) in &mrp.rows {
        put(&format!("mrp {} {tiyn}", from.nanos()));
    }
    let mut out = String::new();
    for byte in hasher.finalize().iter().take(6) {
        let _ok = write!(out, "{byte:02x}");
    }
    out
}

/// What a rule's condition and each of its actions mean: equal texts mean the same.
pub(crate) fn meaning(rule: &Rule, names: Names<'_>) -> (String, Vec<String>) {
    (condition(&rule.when, names), rule.actions.iter().map(|action| action_text(action, names)).collect())
}

fn action_text(action: &Action, names: Names<'_>) -> String {
    if let Action::Report { to, when } = action {
        let when = when.as_ref().map(|when| condition(when, names)).unwrap_or_default();
        return format!("report {} when {when}", to.name());
    }
    format!("{action:?}")
}

#[cfg(test)]
mod tests {
    use super::super::program::{Block, BlockTerm, Lifters};
    use super::*;
    use crate::operation::time::HOUR;

    /// The hash of every rule set with a block is made of this text.
    #[test]
    fn the_text_of_a_block_is_a_format() {
        let block = |term| Action::Block { what: Block::WalletDebit, term, lifted_by: Lifters(3) };
        let text = |term| action_text(&block(term), Names { lists: &[], aggregates: &[] });
        let exact = "Block { what: WalletDebit, term: Exact(7200000000000), lifted_by: Lifters(3) }";
        assert_eq!(text(BlockTerm::Exact(2 * HOUR)), exact);
        assert_eq!(text(BlockTerm::Days(3)), exact.replace("Exact(7200000000000)", "Days(3)"));
    }
}
