//! One stream of decisions made again: the engine, and instead of a shared store what each decision itself
//! says that it saw of other wallets.
//!
//! A decision shows the blocks of others that refused it (their ids stand in its commands) and the values of
//! shared windows that a rule fired on (they stand in the evidence). Given these, and the wallet's own
//! operations, the engine can come to one answer only. So a stream that is made again byte for byte differs
//! from another one in nothing but what it saw of others, and in what follows from that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kuzet::engine::Engine;
use kuzet::engine::enrich::{AddressFacts, Enriched};
use kuzet::engine::outcome::{Disposition, Outcome};
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::restriction::{Restriction, RestrictionKind};
use kuzet::engine::shared::{Party, SharedChange, SharedKey, SharedRequest, SharedView, SharedWindow};
use kuzet::engine::window::Entry;
use kuzet::geo::Geo;
use kuzet::operation::decode::decode;
use kuzet::operation::{OperationType, Time};
use kuzet::rules::program::{AggregateId, Block, Function, Lifter, Lifters, Operand, RuleSet};
use serde_json::Value;
use uuid::Uuid;

/// The values of shared windows that a rule fired on.
pub(crate) type Seen = BTreeMap<AggregateId, i128>;

/// What a decision shows of other wallets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Witness {
    /// Blocks of the address, or of the wallet that money goes to.
    pub(crate) blocks: BTreeSet<Uuid>,
    /// Until when those of them that refuse were in force: they may have been extended since, or later.
    until: BTreeMap<Uuid, Option<Time>>,
    /// What rules fired on, by rule.
    pub(crate) shared: BTreeMap<String, Seen>,
}

/// A block that others see, and who placed it.
#[derive(Debug, Clone)]
struct Placed {
    wallet: String,
    restriction: Restriction,
}

/// What the rules say about shared windows.
pub(crate) struct Lens {
    pub(crate) plan: Arc<Plan>,
    geo: Arc<Geo>,
    /// Rules that read shared windows: the name of each in the evidence, and its window.
    rules: Vec<(usize, Vec<(String, AggregateId)>)>,
}

impl Lens {
    pub(crate) fn new(rules: &Arc<RuleSet>, geo: Arc<Geo>) -> Self {
        let plan = Arc::new(Plan::new(Arc::clone(rules), Settings::default()));
        let mut readers = Vec::new();
        for (index, rule) in rules.rules.iter().enumerate() {
            let shared = rule.evidence.iter().filter_map(|item| match item.what {
                Operand::Aggregate(id) if !plan.aggregates[id].owned => Some((item.name.clone(), id)),
                Operand::Aggregate(_) | Operand::Field(..) => None,
            });
            let shared: Vec<(String, AggregateId)> = shared.collect();
            for (_, id) in &shared {
                let definition = &plan.aggregates[*id].definition;
                let is_known = matches!(definition.function, Function::Count | Function::Sum | Function::Distinct);
                assert!(
                    is_known && !definition.excluding_this && definition.residual.is_none(),
                    "the checker does not know shared windows like {}",
                    definition.canonical
                );
            }
            if !shared.is_empty() {
                readers.push((index, shared));
            }
        }
        assert!(!readers.is_empty(), "no rule reads a shared window");
        Self { plan, geo, rules: readers }
    }

    /// Lists the rules that read shared windows, each with its windows.
    pub(crate) fn shared_rules(&self) -> impl Iterator<Item = (&str, Vec<AggregateId>)> {
        self.rules.iter().map(|(index, shared)| {
            let windows = shared.iter().map(|(_, id)| *id).collect();
            (&*self.plan.rules.rules[*index].id, windows)
        })
    }

    pub(crate) fn enrich<'a>(&self, record: &'a [u8]) -> Option<Enriched<'a>> {
        let operation = decode(record).ok()?;
        let asks = self.plan.of(operation.kind).asks;
        let facts = AddressFacts::of(&self.geo, operation.ip, asks);
        Some(Enriched::new(operation, facts))
    }
}

/// Whose blocks bear on an operation besides the wallet's own.
pub(crate) fn party_of(enriched: &Enriched<'_>) -> Option<Party> {
    match enriched.operation.kind {
        OperationType::Login | OperationType::IpUnblockRequested => enriched.operation.ip.map(Party::Address),
        OperationType::Transfer if enriched.counterparty != Some(enriched.wallet) => {
            enriched.counterparty.map(Party::Wallet)
        }
        _ => None,
    }
}

/// What was decided about one operation, made again.
pub(crate) struct Again {
    pub(crate) bytes: Vec<u8>,
    pub(crate) shared: Vec<SharedChange>,
    pub(crate) witness: Witness,
}

/// A stream that is made again.
pub(crate) struct Derivation<'l> {
    lens: &'l Lens,
    engine: Engine,
    placed: HashMap<Uuid, Placed>,
}

impl<'l> Derivation<'l> {
    /// Begins; `decisions` are all of the stream, for the blocks that they place.
    pub(crate) fn new<'d>(lens: &'l Lens, decisions: impl Iterator<Item = &'d [u8]>) -> Self {
        let mut placed = HashMap::new();
        for bytes in decisions.filter(|bytes| holds(bytes, b"\"command\":\"block\"")) {
            let Ok(decision) = serde_json::from_slice::<Value>(bytes) else { continue };
            placed.extend(blocks_placed(&decision).map(|block| (block.restriction.id, block)));
        }
        Self { lens, engine: Engine::new(Arc::clone(&lens.plan)), placed }
    }

    /// Reads what a decision shows of others.
    pub(crate) fn witness(&self, bytes: &[u8]) -> Result<Witness, String> {
        let mut witness = Witness::default();
        let names_rule = |(index, _): &(usize, _)| {
            holds(bytes, format!("{{\"rule\":\"{}\"", self.lens.plan.rules.rules[*index].id).as_bytes())
        };
        if !holds(bytes, b"\"restriction_id\"") && !self.lens.rules.iter().any(names_rule) {
            return Ok(witness);
        }
        let decision: Value = serde_json::from_slice(bytes).map_err(|error| format!("no JSON: {error}"))?;
        let wallet = decision["wallet_id"].as_str().unwrap_or_default();
        for command in decision["commands"].as_array().into_iter().flatten() {
            let is_told = matches!(command["command"].as_str(), Some("refuse" | "lift"));
            let Some(id) = command["restriction_id"].as_str().and_then(|text| text.parse().ok()) else { continue };
            let others = self.placed.get(&id).filter(|block| {
                block.restriction.kind == RestrictionKind::Block(Block::AddressLogin) || block.wallet != wallet
            });
            if is_told && others.is_some() {
                witness.blocks.insert(id);
                if command["command"] == "refuse" {
                    witness.until.insert(id, time(&command["until"]));
                }
            }
        }
        for (index, shared) in &self.lens.rules {
            let id = &*self.lens.plan.rules.rules[*index].id;
            let matches = decision["matches"].as_array().into_iter().flatten();
            let Some(found) = matches.into_iter().find(|found| found["rule"] == id) else { continue };
            let value = |name: &str| number(&found["evidence"][name]).ok_or_else(|| format!("{id}: no {name}"));
            let seen: Result<Seen, String> = shared.iter().map(|(name, id)| Ok((*id, value(name)?))).collect();
            witness.shared.insert(id.to_owned(), seen?);
        }
        Ok(witness)
    }

    /// Decides an operation as the stream's decision on it, if it has one, says that it saw others. Returns
    /// nothing where nothing is decided: of a duplicate, and of what is refused.
    pub(crate) fn step(&mut self, record: &[u8], decision: Option<&[u8]>) -> Result<Option<Again>, String> {
        let lens = self.lens;
        let Some(enriched) = lens.enrich(record) else { return Ok(None) };
        let witness = decision.map(|bytes| self.witness(bytes)).transpose()?.unwrap_or_default();
        let as_seen = |id: &Uuid| {
            let block = self.placed.get(id)?.restriction.clone();
            let until = witness.until.get(id).copied().unwrap_or(block.until);
            Some(Restriction { until, ..block })
        };
        let blocks: Vec<Restriction> = witness.blocks.iter().filter_map(as_seen).collect();
        let mut best = None;
        for windows in self.fits(&enriched, &blocks, &witness) {
            match self.decide(&enriched, &blocks, &windows) {
                Disposition::Decided(outcome) => {
                    let mut bytes = Vec::new();
                    outcome.decision.encode(&mut bytes);
                    let is_same = decision == Some(bytes.as_slice());
                    if best.is_none() || is_same {
                        best = Some((bytes, outcome));
                    }
                    if is_same {
                        break;
                    }
                }
                Disposition::Duplicate { .. } | Disposition::Conflict => return Ok(None),
            }
        }
        let Some((bytes, mut outcome)) = best else { return Ok(None) };
        self.engine.apply(&enriched, &mut outcome.changes);
        Ok(Some(Again { bytes, shared: outcome.shared.into_vec(), witness }))
    }

    /// Tells whether a rule fires on an operation when shared windows have these values, its own part in them
    /// included. Changes nothing.
    pub(crate) fn fires(&mut self, enriched: &Enriched<'_>, blocks: &[Uuid], seen: &Seen, rule: &str) -> bool {
        let blocks: Vec<Restriction> =
            blocks.iter().filter_map(|id| Some(self.placed.get(id)?.restriction.clone())).collect();
        let own = self.own_parts(enriched, &blocks);
        let keys = self.keys(enriched);
        let windows: Vec<_> = seen
            .iter()
            .filter_map(|(id, value)| Some((*keys.get(id)?, value - own.get(id).copied().unwrap_or(0))))
            .collect();
        match self.decide(enriched, &blocks, &windows) {
            Disposition::Decided(Outcome { decision, .. }) => decision.matches.iter().any(|found| &*found.rule == rule),
            Disposition::Duplicate { .. } | Disposition::Conflict => false,
        }
    }

    pub(crate) fn plan(&self) -> &'l Arc<Plan> {
        &self.lens.plan
    }

    pub(crate) const fn lens(&self) -> &'l Lens {
        self.lens
    }

    fn decide(
        &mut self,
        enriched: &Enriched<'_>,
        blocks: &[Restriction],
        windows: &[(SharedKey, i128)],
    ) -> Disposition {
        let plan = Arc::clone(&self.lens.plan);
        let mut view = SharedView::default();
        view.available = true;
        if let Some(party) = party_of(enriched) {
            view.add_blocks(&plan, party, || blocks.to_vec());
        }
        for (key, value) in windows {
            view.add_window(&plan, *key, || window_of(&plan, *key, enriched.operation.occurred_at, *value));
        }
        self.engine.decide(enriched, &view)
    }

    pub(crate) fn keys(&self, enriched: &Enriched<'_>) -> BTreeMap<AggregateId, SharedKey> {
        let mut request = SharedRequest::default();
        self.engine.prepare_windows(enriched, &mut request);
        request.windows.into_iter().map(|key| (key.aggregate, key)).collect()
    }

    /// Returns what the operation itself adds to shared windows that it reads.
    fn own_parts(&mut self, enriched: &Enriched<'_>, blocks: &[Restriction]) -> Seen {
        let keys = self.keys(enriched);
        let Disposition::Decided(outcome) = self.decide(enriched, blocks, &[]) else { return Seen::default() };
        let part = |change: &SharedChange| match change {
            SharedChange::Insert { key, entry } if keys.get(&key.aggregate) == Some(key) => {
                Some((key.aggregate, part_of(&self.lens.plan, key.aggregate, *entry)))
            }
            _ => None,
        };
        outcome.shared.iter().filter_map(part).collect()
    }

    /// Lists what shared windows may have held of others: the values seen, less the operation's own part. One
    /// that was refused does not tell whether it had a part.
    fn fits(
        &mut self,
        enriched: &Enriched<'_>,
        blocks: &[Restriction],
        witness: &Witness,
    ) -> Vec<Vec<(SharedKey, i128)>> {
        let seen: Seen = witness.shared.values().flatten().map(|(id, value)| (*id, *value)).collect();
        if seen.is_empty() {
            return vec![Vec::new()];
        }
        let keys = self.keys(enriched);
        let own = self.own_parts(enriched, blocks);
        let amount = enriched.operation.amount.map_or(0, |amount| i128::from(amount.tiyn()));
        let mut fits = vec![Vec::new()];
        for (id, value) in seen {
            let Some(key) = keys.get(&id) else { continue };
            let is_sum = self.lens.plan.aggregates[id].definition.function == Function::Sum;
            let mut parts = vec![own.get(&id).copied().unwrap_or(0)];
            parts.extend([0, if is_sum { amount } else { 1 }]);
            parts.dedup();
            fits = fits
                .into_iter()
                .flat_map(|fit| {
                    parts.iter().map(move |part| {
                        let mut fit: Vec<(SharedKey, i128)> = fit.clone();
                        fit.push((*key, value - part));
                        fit
                    })
                })
                .collect();
        }
        fits
    }
}

/// What an entry adds to a window that holds nothing like it.
pub(crate) fn part_of(plan: &Plan, id: AggregateId, entry: Entry) -> i128 {
    match plan.aggregates[id].definition.function {
        Function::Sum => i128::from(entry.value),
        _ => 1,
    }
}

/// Makes a window of others' entries whose value is the one given.
fn window_of(plan: &Plan, key: SharedKey, at: Time, value: i128) -> SharedWindow {
    let mut window = SharedWindow::new(plan, key);
    let mut insert = |op: u64, value: i64| {
        let entry = Entry { at, op, value };
        window.apply(plan, &SharedChange::Insert { key, entry });
    };
    match plan.aggregates[key.aggregate].definition.function {
        Function::Sum if value > 0 => insert(1, i64::try_from(value).unwrap_or(i64::MAX)),
        Function::Sum => {}
        // Values of their own: no hash of a wallet is so small.
        _ => (1..=u64::try_from(value).unwrap_or(0)).for_each(|n| insert(n, n.cast_signed())),
    }
    window
}

fn blocks_placed(decision: &Value) -> impl Iterator<Item = Placed> {
    let wallet = decision["wallet_id"].as_str().unwrap_or_default();
    let commands = decision["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    commands.iter().filter(|command| command["command"] == "block").filter_map(move |command| {
        let block = match command["direction"].as_str()? {
            "login" => Block::AddressLogin,
            "both" => Block::WalletBoth,
            _ => return None,
        };
        let names: Vec<&str> = command["lifted_by"].as_array()?.iter().filter_map(Value::as_str).collect();
        let bits = Lifter::ALL.iter().filter(|lifter| names.contains(&lifter.name()));
        let clauses: Vec<Arc<str>> =
            command["clauses"].as_array()?.iter().filter_map(|c| c.as_str()).map(Arc::from).collect();
        let restriction = Restriction {
            id: command["restriction_id"].as_str()?.parse().ok()?,
            rule: command["rule"].as_str()?.into(),
            clauses: clauses.into(),
            kind: RestrictionKind::Block(block),
            from: time(&command["from"])?,
            until: time(&command["until"]),
            lifted_by: Lifters(bits.fold(0, |bits, lifter| bits | 1 << *lifter as u8)),
            fired_last: time(&decision["occurred_at"])?,
        };
        Some(Placed { wallet: wallet.to_owned(), restriction })
    })
}

fn time(value: &Value) -> Option<Time> {
    value.as_str().and_then(|text| Time::parse_rfc3339(text).ok())
}

/// Reads a number or an amount of money.
fn number(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| {
        let text = value.as_str()?;
        // Evidence may be 0.00, which is no amount of an operation.
        let (whole, part) = text.split_once('.')?;
        Some(whole.parse::<i128>().ok()? * 100 + part.parse::<i128>().ok()?)
    })
}

/// Tells whether a decision is that of an operation.
pub(crate) fn is_of(decision: &[u8], enriched: &Enriched<'_>) -> bool {
    #[derive(serde::Deserialize)]
    struct Ids<'a> {
        op_id: &'a str,
        #[serde(borrow)]
        wallet_id: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Ids<'_>>(decision)
        .is_ok_and(|ids| ids.op_id == enriched.operation.op_id && ids.wallet_id == enriched.operation.wallet_id)
}

pub(crate) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
