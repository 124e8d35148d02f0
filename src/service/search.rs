//! Decisions looked for by what they and their operations say, newest or oldest first, page by page.
//!
//! A page costs a bounded amount of reading. Where nothing was found within it, the page is empty and says where to go
//! on. The index ([`indexing`]) names the decisions that may be meant; each is read and asked itself, so the answer is
//! that of reading everything, whether the index covers it or not.

pub mod indexing;

use std::net::IpAddr;
use std::ops::ControlFlow;

use smallvec::SmallVec;
use uuid::Uuid;

use crate::adapters::store::block::Block;
use crate::adapters::store::index::{Bounds, IndexedStreams, Seek, SegmentSummary};
use crate::adapters::store::{Store, StoreError, Stream};
use crate::operation::decision::read::DecisionRecord;
use crate::operation::decision::{Decision, Verdict, push_string};
use crate::operation::encode::encode_counterparty;
use crate::operation::time::Nanos;
use crate::operation::{Counterparty, Money, Operation, OperationType, Time, decode};

/// A page reads no further block once its blocks hold so many decisions,
pub(super) const DECISIONS_READ_MAX: u64 = 100_000;
/// or so many bytes of decisions.
const BYTES_READ_MAX: usize = 64 << 20;
/// A page looks at so many segments of the index at most.
const SEGMENTS_MAX: usize = 5_000;

/// What a decision and its operation must be like; everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The wallet that acted.
    pub wallet: Option<String>,
    pub op_id: Option<String>,
    pub decision_id: Option<Uuid>,
    /// A rule that matched, enforced or in shadow, or that a command bears.
    pub rule: Option<String>,
    pub verdict: Option<Verdict>,
    pub kind: Option<OperationType>,
    /// The operation occurred then or later.
    pub from: Option<Time>,
    /// The operation occurred before.
    pub to: Option<Time>,
    pub amount_min: Option<Money>,
    pub amount_max: Option<Money>,
    pub ip: Option<IpAddr>,
    pub device: Option<String>,
    /// The wallet, account or phone of the other side.
    pub counterparty: Option<String>,
    /// A restriction that a command places, extends or lifts.
    pub restriction: Option<Uuid>,
}

/// Which way the decisions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first, after a number.
    #[default]
    Ascending,
    /// Newest first, before a number.
    Descending,
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub filter: Filter,
    pub order: Order,
    /// The page holds what comes behind this number in its order.
    pub position: u64,
    /// At most so many decisions,
    pub limit: usize,
    /// and none more once they have so many bytes.
    pub bytes_max: usize,
}

/// A decision as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub seq: u64,
    /// Members of a JSON object, each with a comma behind it: the operation's amount and counterparty, as far as it
    /// has them and is still kept.
    pub beside: Vec<u8>,
    /// The decision, a JSON object.
    pub decision: Vec<u8>,
}

/// A page of decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub items: Vec<Item>,
    /// The position to go on from. Where it is the one that was asked for, there is nothing more.
    pub next: u64,
    /// How many decisions were read for it.
    pub scanned: u64,
}

/// What is looked at of a decision and its operation.
#[derive(Debug)]
pub struct Searchable<'a> {
    pub decision_id: Uuid,
    pub op_id: &'a str,
    pub wallet_id: &'a str,
    pub kind: Option<OperationType>,
    pub verdict: Option<Verdict>,
    pub occurred_at: Option<Time>,
    /// Of matches and commands; a rule may be named more than once.
    pub rules: SmallVec<[&'a str; 4]>,
    /// Of commands; a restriction may be named more than once.
    pub restrictions: SmallVec<[Uuid; 2]>,
    /// These four are unknown where the operation is no longer kept.
    pub amount: Option<Money>,
    pub ip: Option<IpAddr>,
    pub device: Option<&'a str>,
    pub counterparty: Option<&'a Counterparty<'a>>,
}

impl<'a> Searchable<'a> {
    /// Takes it from a decision that was just made.
    #[must_use]
    pub fn of(decision: &'a Decision, operation: Option<&'a Operation<'_>>) -> Self {
        let matched = decision.matches.iter().map(|found| &*found.rule);
        let commanded = decision.commands.iter().map(|command| &*command.rule);
        let placed = decision.commands.iter().filter_map(|command| command.restriction.as_ref());
        Self {
            decision_id: decision.decision_id,
            op_id: &decision.op_id,
            wallet_id: &decision.wallet_id,
            kind: Some(decision.kind),
            verdict: Some(decision.verdict),
            occurred_at: Some(decision.occurred_at),
            rules: matched.chain(commanded).collect(),
            restrictions: placed.map(|terms| terms.id).collect(),
            amount: operation.and_then(|operation| operation.amount),
            ip: operation.and_then(|operation| operation.ip),
            device: operation.and_then(|operation| operation.device_id.as_deref()),
            counterparty: operation.map(|operation| &operation.counterparty),
        }
    }

    /// Takes it from a decision that was read.
    #[must_use]
    pub fn of_record(decision: &'a DecisionRecord<'_>, operation: Option<&'a Operation<'_>>) -> Self {
        let matched = decision.matches.iter().map(|found| &*found.rule);
        let commanded = decision.commands.iter().map(|command| &*command.rule);
        Self {
            decision_id: decision.decision_id,
            op_id: &decision.op_id,
            wallet_id: &decision.wallet_id,
            kind: OperationType::from_name(&decision.kind),
            verdict: Verdict::from_name(&decision.verdict),
            occurred_at: Time::parse_rfc3339(&decision.occurred_at).ok(),
            rules: matched.chain(commanded).collect(),
            restrictions: decision.commands.iter().filter_map(|command| command.restriction_id).collect(),
            amount: operation.and_then(|operation| operation.amount),
            ip: operation.and_then(|operation| operation.ip),
            device: operation.and_then(|operation| operation.device_id.as_deref()),
            counterparty: operation.map(|operation| &operation.counterparty),
        }
    }
}

/// Names the other side of an operation: its wallet, account and phone.
fn ids_of<'a>(counterparty: &'a Counterparty<'_>) -> impl Iterator<Item = &'a str> {
    let Counterparty { wallet_id, account, phone, .. } = counterparty;
    [wallet_id, account, phone].into_iter().filter_map(|id| id.as_deref())
}

fn is_met<T>(asked: Option<T>, holds: impl FnOnce(T) -> bool) -> bool {
    asked.is_none_or(holds)
}

impl Filter {
    /// Tells whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether a decision is one of those that are meant, as far as it alone tells.
    #[must_use]
    pub fn accepts_decision(&self, found: &Searchable<'_>) -> bool {
        is_met(self.wallet.as_deref(), |wallet| found.wallet_id == wallet)
            && is_met(self.op_id.as_deref(), |id| found.op_id == id)
            && is_met(self.decision_id, |id| found.decision_id == id)
            && is_met(self.rule.as_deref(), |rule| found.rules.contains(&rule))
            && is_met(self.verdict, |verdict| found.verdict == Some(verdict))
            && is_met(self.kind, |kind| found.kind == Some(kind))
            && is_met(self.from, |from| found.occurred_at.is_some_and(|at| at >= from))
            && is_met(self.to, |to| found.occurred_at.is_some_and(|at| at < to))
            && is_met(self.restriction, |id| found.restrictions.contains(&id))
    }

    /// Tells whether an operation is one of those that are meant; one that is no longer kept is not where something is
    /// asked of it.
    #[must_use]
    pub fn accepts_operation(&self, operation: Option<&Operation<'_>>) -> bool {
        let amount = operation.and_then(|operation| operation.amount);
        is_met(self.amount_min, |least| amount.is_some_and(|amount| amount >= least))
            && is_met(self.amount_max, |most| amount.is_some_and(|amount| amount <= most))
            && is_met(self.ip, |ip| operation.is_some_and(|operation| operation.ip == Some(ip)))
            && is_met(self.device.as_deref(), |device| {
                operation.is_some_and(|operation| operation.device_id.as_deref() == Some(device))
            })
            && is_met(self.counterparty.as_deref(), |wanted| {
                operation.is_some_and(|operation| ids_of(&operation.counterparty).any(|id| id == wanted))
            })
    }

    /// Tells whether a segment may hold one of those that are meant.
    fn may_be_in(&self, segment: &SegmentSummary) -> bool {
        let times = Bounds {
            least: self.from.unwrap_or(Time::MIN),
            greatest: self.to.map_or(Time::MAX, |to| to.minus(Nanos::ONE)),
        };
        let asks_amount = self.amount_min.is_some() || self.amount_max.is_some();
        segment.times.meet(times) && (!asks_amount || segment.amounts.meet(self.amounts()))
    }

    /// Returns the least and the greatest amount that are meant.
    fn amounts(&self) -> Bounds<Money> {
        Bounds {
            least: self.amount_min.unwrap_or(Bounds::<Money>::ALL.least),
            greatest: self.amount_max.unwrap_or(Bounds::<Money>::ALL.greatest),
        }
    }
}

/// Reads a page. Reads the disk.
///
/// # Errors
/// The store cannot be read.
pub fn page(store: &Store, query: &Query) -> Result<Page, StoreError> {
    let streams = store.indexed()?;
    Search::new(&streams, query).run()
}

/// One page as it is being read.
struct Search<'a> {
    streams: &'a IndexedStreams,
    query: &'a Query,
    terms: indexing::FilterTerms,
    page: Page,
    bytes: usize,
    bytes_read: usize,
    /// The blocks in hand, with the numbers of their first items.
    decisions: Option<(u64, Block)>,
    operations: Option<(u64, Block)>,
}

/// Which decisions are looked at next: those that the index names, or all up to a number.
enum Candidates {
    Named(Vec<u64>),
    /// Of the block that holds the number, or of its neighbour.
    AllOfBlock,
}

/// The page is full, or has cost enough.
const ENOUGH: ControlFlow<()> = ControlFlow::Break(());

impl<'a> Search<'a> {
    fn new(streams: &'a IndexedStreams, query: &'a Query) -> Self {
        let next = match query.order {
            Order::Ascending => query.position,
            Order::Descending => query.position.min(streams.last().saturating_add(1)),
        };
        let page = Page { next, ..Page::default() };
        let terms = indexing::terms_of_filter(&query.filter);
        Self { streams, query, terms, page, bytes: 0, bytes_read: 0, decisions: None, operations: None }
    }

    fn is_ascending(&self) -> bool {
        self.query.order == Order::Ascending
    }

    /// Returns the number behind the position; `None` at the end of all numbers.
    fn ahead(&self) -> Option<u64> {
        if self.is_ascending() { self.page.next.checked_add(1) } else { self.page.next.checked_sub(1) }
    }

    fn run(mut self) -> Result<Page, StoreError> {
        let mut segments = 0;
        while let Some(number) = self.ahead() {
            if self.is_ascending() && number > self.streams.last() {
                break;
            }
            let covering = self.streams.segment_before(number)?.filter(|segment| number < segment.end);
            let candidates = match &covering {
                Some(segment) if !self.query.filter.is_empty() => {
                    segments += 1;
                    if segments > SEGMENTS_MAX {
                        break;
                    }
                    self.candidates(segment)?
                }
                Some(_) | None => Candidates::AllOfBlock,
            };
            let flow = match (candidates, covering) {
                (Candidates::Named(numbers), Some(segment)) => self.look_at_named(numbers, &segment)?,
                (Candidates::AllOfBlock, _) | (Candidates::Named(_), None) => self.look_at_block(number)?,
            };
            if flow == ENOUGH {
                break;
            }
        }
        Ok(self.page)
    }

    /// Finds out which decisions of a segment may be meant.
    fn candidates(&self, segment: &SegmentSummary) -> Result<Candidates, StoreError> {
        if !self.query.filter.may_be_in(segment) {
            return Ok(Candidates::Named(Vec::new()));
        }
        let mut named: Option<Vec<u64>> = None;
        for term in self.terms.known_to(self.streams, segment)? {
            let Some(bearing) = self.streams.bearing(segment, term)? else { return Ok(Candidates::AllOfBlock) };
            named = Some(match named {
                None => bearing,
                Some(named) => named.into_iter().filter(|number| bearing.binary_search(number).is_ok()).collect(),
            });
            if named.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        let named = self.terms.narrow_by_amount(self.streams, segment, named)?;
        Ok(named.map_or(Candidates::AllOfBlock, Candidates::Named))
    }

    /// Looks at those decisions of a segment that the index names.
    fn look_at_named(
        &mut self,
        mut numbers: Vec<u64>,
        segment: &SegmentSummary,
    ) -> Result<ControlFlow<()>, StoreError> {
        if !self.is_ascending() {
            numbers.reverse();
        }
        let position = self.page.next;
        let is_ahead = |number: &u64| if self.is_ascending() { *number > position } else { *number < position };
        let numbers: Vec<u64> = numbers.into_iter().filter(is_ahead).collect();
        for number in numbers {
            if self.load(number)?.is_break() || self.look_at(number)?.is_break() {
                return Ok(ENOUGH);
            }
        }
        self.page.next = if self.is_ascending() { segment.end - 1 } else { segment.first };
        Ok(ControlFlow::Continue(()))
    }

    /// Looks at all decisions from a number on that lie in its block, or in the next one.
    fn look_at_block(&mut self, number: u64) -> Result<ControlFlow<()>, StoreError> {
        if self.load(number)?.is_break() {
            return Ok(ENOUGH);
        }
        let Some((first, block)) = &self.decisions else { return Ok(ENOUGH) };
        let last = first + u64::try_from(block.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let (first, is_empty) = (*first, block.is_empty());
        if self.is_ascending() {
            if is_empty || last < number {
                return Ok(ENOUGH);
            }
            for number in number.max(first)..=last {
                if self.look_at(number)?.is_break() {
                    return Ok(ENOUGH);
                }
            }
        } else {
            if is_empty || first > number {
                return Ok(ENOUGH);
            }
            for number in (first..=last.min(number)).rev() {
                if self.look_at(number)?.is_break() {
                    return Ok(ENOUGH);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the block of decisions with this number into the hand, or its neighbour; none where there is neither.
    /// Ends the page before it costs too much.
    fn load(&mut self, number: u64) -> Result<ControlFlow<()>, StoreError> {
        if self.decisions.as_ref().is_some_and(|found| holds(found, number)) {
            return Ok(ControlFlow::Continue(()));
        }
        if self.page.scanned >= DECISIONS_READ_MAX || self.bytes_read >= BYTES_READ_MAX {
            return Ok(ENOUGH);
        }
        let seek = if self.is_ascending() { Seek::AtOrAfter(number) } else { Seek::AtOrBefore(number) };
        self.decisions = self.streams.block(Stream::Decisions, seek)?;
        if let Some((_, block)) = &self.decisions {
            self.page.scanned += u64::try_from(block.len()).unwrap_or(u64::MAX);
            self.bytes_read += block.bytes();
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Looks at one decision of the block in hand: takes it into the page if it is meant, and lets the position move on.
    fn look_at(&mut self, number: u64) -> Result<ControlFlow<()>, StoreError> {
        // A decision that the index names may be gone.
        let Some(decision) = item_of(self.decisions.as_ref(), number) else {
            self.page.next = number;
            return Ok(ControlFlow::Continue(()));
        };
        if self.page.items.len() >= self.query.limit
            || (self.bytes >= self.query.bytes_max && !self.page.items.is_empty())
        {
            return Ok(ENOUGH);
        }
        let (streams, operations) = (self.streams, &mut self.operations);
        let mut failed = None;
        let item = listed(&self.query.filter, (number, decision), || {
            if !operations.as_ref().is_some_and(|found| holds(found, number)) {
                match streams.block(Stream::Operations, Seek::AtOrBefore(number)) {
                    Ok(found) => *operations = found,
                    Err(error) => failed = Some(error),
                }
            }
            // In front of an operation stands when it arrived.
            item_of(operations.as_ref(), number).and_then(|item| item.get(8..))
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(item) = item {
            self.bytes += item.decision.len() + item.beside.len();
            self.page.items.push(item);
        }
        self.page.next = number;
        Ok(ControlFlow::Continue(()))
    }
}

/// Lists a decision if it is one of those that are meant. The record of its operation is only asked for where the
/// decision itself is.
pub(super) fn listed<'r>(
    filter: &Filter,
    (seq, decision): (u64, &[u8]),
    record: impl FnOnce() -> Option<&'r [u8]>,
) -> Option<Item> {
    let is_meant = filter.is_empty()
        || DecisionRecord::decode(decision)
            .is_ok_and(|read| filter.accepts_decision(&Searchable::of_record(&read, None)));
    if !is_meant {
        return None;
    }
    let operation = record().and_then(|record| decode::decode(record).ok());
    filter.accepts_operation(operation.as_ref()).then(|| Item {
        seq,
        beside: operation.as_ref().map(beside).unwrap_or_default(),
        decision: decision.to_vec(),
    })
}

fn holds((first, block): &(u64, Block), number: u64) -> bool {
    number.checked_sub(*first).is_some_and(|index| index < u64::try_from(block.len()).unwrap_or(u64::MAX))
}

fn item_of(found: Option<&(u64, Block)>, number: u64) -> Option<&[u8]> {
    let (first, block) = found?;
    block.get(usize::try_from(number.checked_sub(*first)?).ok()?)
}

/// Writes what is listed of an operation beside its decision.
#[must_use]
pub fn beside(operation: &Operation<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(amount) = operation.amount {
        out.extend_from_slice(b"\"amount\":");
        push_string(&mut out, &amount.to_string());
        out.push(b',');
    }
    if operation.counterparty != Counterparty::default() {
        out.extend_from_slice(b"\"counterparty\":");
        encode_counterparty(&mut out, &operation.counterparty);
        out.push(b',');
    }
    out
}
