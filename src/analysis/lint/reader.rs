//! Conditions read as formulas: when is one true, when is it false, and what can the things it reads be?
//!
//! Conditions are three-valued and formulas are not: that a condition is unknown means that it is neither true nor
//! false. Each comparison says that what it reads is there, and how large it is.

use std::collections::BTreeSet;

use super::logic::{Domains, Formula};
use super::sets::{Domain, Fact, Numbers, Words};
use crate::operation::OperationType;
use crate::rules::program::{
    Aggregate, AttributeType, Comparison, Condition, Field, Function, Number, OnMissing, Operand, Rule, Scope, Stream,
    Symbol, TypeSet, symbol_of_word,
};
use crate::rules::{field_is_always_present, path_of_field, words_of};

/// Reads the conditions of rules that run on operations of certain types.
pub(super) struct Reader<'r> {
    aggregates: &'r [Aggregate],
    /// The types of the operation that is judged.
    this: TypeSet,
    /// The types of the past operation that `where` is asked about; none where it is a match.
    past: TypeSet,
    /// Matches are seen otherwise by each stage and each mode.
    matches: String,
    pub domains: Domains,
}

impl<'r> Reader<'r> {
    /// Makes a reader of conditions about operations of these types.
    pub(super) fn new(aggregates: &'r [Aggregate], this: TypeSet) -> Self {
        Self::with_past(aggregates, this, TypeSet::default())
    }

    /// Makes a reader of what an aggregate asks of past operations of these types.
    pub(super) fn with_past(aggregates: &'r [Aggregate], this: TypeSet, past: TypeSet) -> Self {
        let mut domains = Domains::new();
        for (scope, types) in [(Scope::This, this), (Scope::Past, past)] {
            let words = types.iter().map(|kind| symbol_of_word(kind.code())).collect();
            let domain = Domain { may_miss: false, numbers: Numbers::all(), words: Words::These(words) };
            domains.insert(name_of_field(scope, &Field::Type), domain);
        }
        Self { aggregates, this, past, matches: String::new(), domains }
    }

    /// Says that a rule fires.
    pub(super) fn fires(&mut self, rule: &Rule) -> Formula {
        self.matches = format!("{} {:?}", rule.stage, rule.mode);
        match rule.on_missing {
            OnMissing::Skip => self.is(&rule.when, true),
            OnMissing::Fire => self.is(&rule.when, false).opposite(),
        }
    }

    /// Says that a condition is true (`wanted`), or that it is false.
    pub(super) fn is(&mut self, condition: &Condition, wanted: bool) -> Formula {
        match condition {
            Condition::Literal(value) => Formula::Constant(*value == wanted),
            Condition::Not(inner) => self.is(inner, !wanted),
            Condition::All(parts) | Condition::Any(parts) => {
                let of_all = matches!(condition, Condition::All(_));
                let parts = parts.iter().map(|part| self.is(part, wanted)).collect();
                if of_all == wanted { Formula::All(parts) } else { Formula::Any(parts) }
            }
            Condition::Compare { left, comparison, right } => {
                let comparison = if wanted { *comparison } else { comparison.opposite() };
                self.compare(left, comparison, right)
            }
            Condition::Same { left, right, negated } => self.same(left, right, *negated != wanted),
            Condition::Flag(scope, field) => {
                let name = self.field(*scope, field);
                flag(name, wanted)
            }
            Condition::FlagAggregate(id) => {
                let name = self.aggregate(*id);
                flag(name, wanted)
            }
            Condition::InList { scope, field, list, negated } => {
                let name = self.field(*scope, field);
                let is_on_it = flag(format!("{name} in {list}"), *negated != wanted);
                Formula::All(vec![is_on_it, is_there(name)])
            }
            Condition::Missing { what, negated } => {
                let name = match what {
                    Operand::Field(scope, field) => self.field(*scope, field),
                    Operand::Aggregate(id) => self.aggregate(*id),
                };
                Formula::Fact(name, Fact::Missing(*negated != wanted))
            }
            Condition::ClausesHas(clause) => self.certain(format!("clauses has {clause}"), wanted),
            Condition::Matched(clause) => {
                let name = format!("matched {} {clause}", self.matches);
                self.certain(name, wanted)
            }
        }
    }

    /// Says that something holds that is never unknown.
    fn certain(&mut self, name: String, wanted: bool) -> Formula {
        self.domains.entry(name.clone()).or_insert_with(Domain::all).may_miss = false;
        flag(name, wanted)
    }

    fn compare(&mut self, left: &Number, comparison: Comparison, right: &Number) -> Formula {
        let mut parts: Vec<Formula> =
            [left, right].into_iter().flat_map(|side| self.parts_of(side)).map(is_there).collect();
        let (name, comparison, bound, whole) = match (left, right) {
            (Number::Literal(left), Number::Literal(right)) => {
                let value = left.cmp(right);
                return Formula::Constant(holds(value, comparison));
            }
            (what, Number::Literal(bound)) => (self.number(what), comparison, *bound, self.is_whole(what)),
            (Number::Literal(bound), what) => (self.number(what), turned(comparison), *bound, self.is_whole(what)),
            (what, Number::Mrp { hundredths }) => (of_mrp(what), comparison, i128::from(*hundredths), false),
            (Number::Mrp { hundredths }, what) => (of_mrp(what), turned(comparison), i128::from(*hundredths), false),
            (one, other) => {
                let (left, right) = (format!("{one:?}"), format!("{other:?}"));
                if left == right {
                    parts.push(Formula::Constant(holds(std::cmp::Ordering::Equal, comparison)));
                    return Formula::All(parts);
                }
                let comparison = if left < right { comparison } else { turned(comparison) };
                (format!("{} - {}", (&left).min(&right), (&left).max(&right)), comparison, 0, false)
            }
        };
        let numbers = Numbers::where_it_holds(comparison, bound, whole);
        parts.push(Formula::Fact(name, Fact::Number { numbers, missing: false }));
        Formula::All(parts)
    }

    /// Says that both are there, and are the same (`equal`) or are not.
    fn same(&mut self, left: &Symbol, right: &Symbol, equal: bool) -> Formula {
        match (left, right) {
            (Symbol::Literal(one), Symbol::Literal(other)) => Formula::Constant((one == other) == equal),
            (what, Symbol::Literal(word)) | (Symbol::Literal(word), what) => {
                let name = self.symbol(what);
                Formula::Fact(name, Fact::Word { words: Words::one(*word, !equal), missing: false })
            }
            (one, other) => {
                let names = [self.symbol(one), self.symbol(other)];
                let mut parts: Vec<Formula> = names.iter().cloned().map(is_there).collect();
                if one == other {
                    parts.push(Formula::Constant(equal));
                } else {
                    let name = format!("{} = {}", (&names[0]).min(&names[1]), (&names[0]).max(&names[1]));
                    parts.push(flag(name, equal));
                }
                Formula::All(parts)
            }
        }
    }

    fn symbol(&mut self, symbol: &Symbol) -> String {
        match symbol {
            Symbol::Literal(word) => format!("word {word}"),
            Symbol::Field(scope, field) => self.field(*scope, field),
            Symbol::Aggregate(id) => self.aggregate(*id),
        }
    }

    fn number(&mut self, number: &Number) -> String {
        match number {
            Number::Field(scope, field) => self.field(*scope, field),
            Number::Aggregate(id) => self.aggregate(*id),
            _ => format!("{number:?}"),
        }
    }

    /// Names the fields and aggregates that a number is made of: where one is missing, so is the number.
    fn parts_of(&mut self, number: &Number) -> Vec<String> {
        match number {
            Number::Literal(_) | Number::Mrp { .. } => Vec::new(),
            Number::Field(scope, field) => vec![self.field(*scope, field)],
            Number::Aggregate(id) => vec![self.aggregate(*id)],
            Number::Add(left, right)
            | Number::Subtract(left, right)
            | Number::Multiply(left, right)
            | Number::Divide(left, right)
            | Number::Remainder(left, right) => {
                let mut parts = self.parts_of(left);
                parts.extend(self.parts_of(right));
                parts
            }
        }
    }

    /// Tells whether a number has no values between the whole ones.
    fn is_whole(&self, number: &Number) -> bool {
        match number {
            Number::Literal(_) => true,
            Number::Field(_, field) => !matches!(field, Field::Attribute(_, AttributeType::Number)),
            Number::Aggregate(id) => self
                .aggregates
                .get(*id)
                .is_some_and(|aggregate| aggregate.function != Function::Avg && !aggregate.is_of_decimals()),
            Number::Add(left, right) | Number::Subtract(left, right) | Number::Multiply(left, right) => {
                self.is_whole(left) && self.is_whole(right)
            }
            Number::Mrp { .. } | Number::Divide(..) | Number::Remainder(..) => false,
        }
    }

    /// Names a field, and notes what it can be.
    fn field(&mut self, scope: Scope, field: &Field) -> String {
        let name = name_of_field(scope, field);
        if !self.domains.contains_key(&name) {
            let types = if scope == Scope::This { self.this } else { self.past };
            let is_there = types != TypeSet::default() && types.iter().all(|kind| field_is_always_present(field, kind));
            let closed = words_of(&path_of_field(field)).filter(|words| !words.is_empty());
            let words = closed.map_or_else(Words::all, |words| {
                let codes = (0..words.len()).filter_map(|code| u8::try_from(code).ok());
                Words::These(codes.map(symbol_of_word).collect::<BTreeSet<u64>>())
            });
            let numbers = match field {
                Field::Amount => Numbers::where_it_holds(Comparison::Greater, 0, true),
                Field::RefAge => Numbers::where_it_holds(Comparison::GreaterOrEqual, 0, true),
                _ => Numbers::all(),
            };
            self.domains.insert(name.clone(), Domain { may_miss: !is_there, numbers, words });
        }
        name
    }

    /// Names an aggregate, and notes what it can be.
    fn aggregate(&mut self, id: usize) -> String {
        let Some(aggregate) = self.aggregates.get(id) else { return format!("aggregate {id}") };
        let name = match aggregate.stream {
            Stream::Operations(_) => format!("aggregate {id}"),
            Stream::Matches => format!("aggregate {id} {}", self.matches),
        };
        if !self.domains.contains_key(&name) {
            let domain = self.domain_of(aggregate);
            self.domains.insert(name.clone(), domain);
        }
        name
    }

    fn domain_of(&self, aggregate: &Aggregate) -> Domain {
        let counts = matches!(aggregate.function, Function::Count | Function::Distinct | Function::Streak);
        let is_never_below = counts || aggregate.function == Function::Age;
        let is_always_there = |field: &Field| self.this.iter().all(|kind| field_is_always_present(field, kind));
        // The windows of the wallet itself are always known; those that wallets share may be out of reach.
        let is_known = aggregate.is_owned() && aggregate.key.iter().all(|part| is_always_there(&part.this));
        let has_value = counts || matches!(aggregate.function, Function::Any | Function::None);
        let numbers = if self.counts_this(aggregate) {
            Numbers::where_it_holds(Comparison::Greater, 0, true)
        } else if is_never_below {
            Numbers::where_it_holds(Comparison::GreaterOrEqual, 0, true)
        } else {
            Numbers::all()
        };
        let words = match aggregate.function {
            Function::Any if self.holds_this(aggregate) => Words::one(0, true),
            Function::None if self.holds_this(aggregate) => Words::one(0, false),
            _ => Words::all(),
        };
        Domain { may_miss: !(is_known && has_value), numbers, words }
    }

    fn counts_this(&self, aggregate: &Aggregate) -> bool {
        aggregate.function == Function::Count && self.holds_this(aggregate)
    }

    /// Tells whether the operation that is judged is always among those that the aggregate runs over.
    fn holds_this(&self, aggregate: &Aggregate) -> bool {
        let Stream::Operations(types) = aggregate.stream else { return false };
        let is_of_them = self.this.iter().all(|kind: OperationType| types.contains(kind));
        let asks_nothing = aggregate.filter.is_none() && aggregate.residual.is_none();
        is_of_them
            && asks_nothing
            && !aggregate.excluding_this
            && aggregate.key.iter().all(|part| part.past == part.this)
    }
}

fn name_of_field(scope: Scope, field: &Field) -> String {
    format!("{scope:?} {field:?}")
}

/// Names a number as so many MRP.
fn of_mrp(number: &Number) -> String {
    format!("{number:?} in MRP")
}

fn is_there(name: String) -> Formula {
    Formula::Fact(name, Fact::Missing(false))
}

fn flag(name: String, wanted: bool) -> Formula {
    Formula::Fact(name, Fact::Word { words: Words::one(0, wanted), missing: false })
}

/// Returns the comparison that says the same with its sides exchanged.
const fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::Equal,
        Comparison::NotEqual => Comparison::NotEqual,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}

fn holds(ordering: std::cmp::Ordering, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}
