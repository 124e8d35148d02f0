//! What the shared store of a fleet is owed: changes of committed batches, until it has taken them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::adapters::redis::gateway::{DirectoryUpdate, Shown as Change};
use crate::adapters::redis::{Epoch, Rebuild, RedisSettings, RedisStore, SettingsError, WindowSizes};
use crate::adapters::runtime;
use crate::engine::plan::Plan;
use crate::engine::shared::{SharedChange, SharedRequest, SharedView};
use crate::pipeline::{SharedStore as _, SharedStoreError};

use super::shard::{Shard, Shared};

/// So often the server is asked whether it still has all, whether or not there are operations.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The shared part of one committed batch.
struct PendingBatch {
    shard: i32,
    batch: u64,
    /// The changes name windows by their place in this plan.
    plan: Arc<Plan>,
    changes: Vec<SharedChange>,
    updates: Vec<DirectoryUpdate>,
}

impl PendingBatch {
    fn size(&self) -> usize {
        self.changes.len() + self.updates.len()
    }
}

/// The shared store, and what it is owed in the order of commits.
pub(super) struct Outbox {
    settings: Option<RedisSettings>,
    redis: Option<Arc<RedisStore>>,
    /// The token that the present store was made with or has told since.
    token: Option<String>,
    pending: VecDeque<PendingBatch>,
    /// How many changes and updates are owed.
    count: usize,
    /// More is not kept.
    max: usize,
    /// Changes were given up: the server has to learn that its windows lack them.
    has_forgotten: bool,
    /// A call failed since everything was last taken.
    is_behind: bool,
    /// When the server was last asked whether it still has all.
    looked_at: Option<Instant>,
    /// The last shard that asked again for what it saw of others.
    looked: Option<i32>,
    sizes: WindowSizes,
    /// How many changes of windows found no room for their key.
    turned_away: u64,
}

impl Outbox {
    /// Makes a ledger for a server, or for none. `max` is how many changes are kept at most for a server that
    /// is away.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(super) fn new(settings: Option<RedisSettings>, max: usize) -> Result<Self, SettingsError> {
        if let Some(settings) = &settings {
            RedisStore::new(settings, None)?;
        }
        Ok(Self {
            settings,
            redis: None,
            token: None,
            pending: VecDeque::new(),
            count: 0,
            max,
            has_forgotten: false,
            is_behind: false,
            looked_at: None,
            looked: None,
            sizes: WindowSizes::default(),
            turned_away: 0,
        })
    }

    /// Returns the store for shards that come with these tokens and positions, if there is one, and whether it is
    /// another than before. Where their state was not given to the server under one token, a new store asks
    /// for a rebuild.
    pub(super) fn store_for<'t>(
        &mut self,
        shards: impl Iterator<Item = (Option<&'t str>, u64)>,
    ) -> (Option<Shared>, bool) {
        let Some(settings) = &self.settings else { return (None, false) };
        let mut tokens: Vec<Option<&str>> = shards.filter(|(_, batch)| *batch > 0).map(|(token, _)| token).collect();
        tokens.dedup();
        let is_fit = tokens.iter().all(|token| token.is_some() && *token == self.token.as_deref());
        if let (Some(redis), true) = (&self.redis, is_fit) {
            return (Some(Arc::clone(redis) as Shared), false);
        }
        let token = match (&self.redis, tokens.as_slice()) {
            (None, [Some(token)]) => Some((*token).to_owned()),
            _ => None,
        };
        match RedisStore::new(settings, token.clone()) {
            Ok(store) => {
                let store = Arc::new(store);
                (self.token, self.is_behind) = (token, true);
                self.redis = Some(Arc::clone(&store));
                (Some(store), true)
            }
            // The settings could be used when the service began; a file of certificates may be gone since.
            Err(error) => {
                warn!(%error, "the shared store cannot be used");
                (None, true)
            }
        }
    }

    /// Notes what a committed batch changes.
    pub(super) fn add(
        &mut self,
        (shard, batch): (i32, u64),
        plan: &Arc<Plan>,
        changes: &[SharedChange],
        updates: Vec<DirectoryUpdate>,
    ) {
        if self.settings.is_none() || (changes.is_empty() && updates.is_empty()) {
            return;
        }
        if let Some(redis) = &self.redis {
            redis.learn(plan, changes);
        }
        self.push(PendingBatch { shard, batch, plan: Arc::clone(plan), changes: changes.to_vec(), updates });
    }

    fn push(&mut self, batch: PendingBatch) {
        self.count += batch.size();
        self.pending.push_back(batch);
        if self.count > self.max {
            self.forget();
        }
    }

    /// Gives up what a rebuild makes good: of windows it tells from when on they are whole, and blocks it
    /// writes again. Liftings it does not know; they are kept for gateways.
    fn forget(&mut self) {
        let before = self.count;
        for batch in &mut self.pending {
            batch.changes = Vec::new();
            batch.updates.retain(|update| update.change == Change::Lifted);
            batch.updates.shrink_to_fit();
        }
        self.recount();
        // Nobody may take the server for whole before the rebuild, nor another process after this one.
        (self.has_forgotten, self.token) = (true, None);
        warn!(
            given_up = before - self.count,
            "the shared store was away for too long: changes of its windows are given up, they will fill anew"
        );
    }

    fn recount(&mut self) {
        self.pending.retain(|batch| batch.size() > 0);
        self.count = self.pending.iter().map(PendingBatch::size).sum();
    }

    /// Takes in what a shard knows of blocks, its own and others', for as long as the server does not tell more.
    /// Without a server to tell it, what it knows of others is nothing to go by.
    pub(super) fn learn_blocks(&self, shard: &Shard) {
        if self.settings.is_none() {
            shard.forget_seen();
        }
        let Some(redis) = &self.redis else { return };
        let place = |(party, block)| SharedChange::Place { party, restriction: Box::new(block) };
        let places: Vec<SharedChange> = shard.known_blocks().into_iter().map(place).collect();
        redis.learn(shard.pipeline.engine.plan(), &places);
    }

    /// Forgets what is owed of shards that are not this process's any more: whoever restores them repeats it.
    pub(super) fn keep(&mut self, is_ours: impl Fn(i32) -> bool) {
        self.pending.retain(|batch| is_ours(batch.shard));
        self.recount();
    }

    /// Returns the last batch of a shard whose changes need not be kept: the store has taken them with all
    /// before them, or they were given up.
    pub(super) fn acknowledged(&self, shard: &Shard) -> u64 {
        self.before_first(shard, |batch| !batch.changes.is_empty())
    }

    /// Returns the last batch of a shard whose updates gateways can read, with all before them.
    pub(super) fn published(&self, shard: &Shard) -> u64 {
        self.before_first(shard, |batch| !batch.updates.is_empty())
    }

    fn before_first(&self, shard: &Shard, is_open: impl Fn(&PendingBatch) -> bool) -> u64 {
        let first = self.pending.iter().find(|batch| batch.shard == shard.number && is_open(batch));
        first.map_or(shard.position.batch, |batch| batch.batch - 1)
    }

    /// Returns how many changes are owed, and how many calls failed so far.
    pub(super) fn figures(&self) -> (usize, u64) {
        (self.count, self.redis.as_ref().map_or(0, |redis| redis.errors()))
    }

    /// Returns what the windows in the server came to when that was last asked, and how many changes of this process
    /// found no room for their key.
    pub(super) const fn window_figures(&self) -> (WindowSizes, u64) {
        (self.sizes, self.turned_away)
    }

    /// Returns the token under which the server holds what it was given, if it does.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Gives the store what it is owed, and all that these shards hold where it lost something. What it does
    /// not take is given again the next time.
    pub(super) fn settle<'s>(&mut self, shards: impl Iterator<Item = &'s Shard> + Clone) {
        let Some(redis) = self.redis.clone() else { return };
        if let Err(error) = self.give(&redis, shards) {
            if !self.is_behind {
                warn!(%error, owed = self.pending.len(), "the shared store does not take changes; they are kept");
            }
            self.is_behind = true;
        } else if self.is_behind {
            self.is_behind = false;
            redis.caught_up();
        }
        if let (Epoch::Current { token }, false) = (redis.epoch(), self.has_forgotten) {
            self.token = Some(token);
        }
    }

    fn give<'s>(
        &mut self,
        redis: &RedisStore,
        shards: impl Iterator<Item = &'s Shard> + Clone,
    ) -> Result<(), SharedStoreError> {
        if !self.has_forgotten {
            self.pay(redis)?;
        }
        let Some(plan) = shards.clone().next().map(|shard| Arc::clone(shard.pipeline.engine.plan())) else {
            return Ok(());
        };
        if redis.epoch() == Epoch::Unknown || self.looked_at.is_none_or(|at| runtime::elapsed(at) >= LOOK_EVERY) {
            self.looked_at = Some(runtime::now());
            // Asks for nothing but the sentinel: a server that lost its blocks must not wait for an operation.
            redis.fetch(&plan, &SharedRequest::default(), &mut SharedView::default());
            self.look_at_sizes(redis, &plan);
            self.look_at_seen(shards.clone());
        }
        if redis.epoch() == Epoch::RebuildDue || self.has_forgotten {
            let mut rebuild = Rebuild::default();
            for shard in shards {
                rebuild.blocks.extend(shard.own_blocks());
                rebuild.tombstones.extend(shard.tombstones.iter().map(|(party, id, _)| (*party, *id)));
                rebuild.newest = rebuild.newest.max(shard.newest);
                rebuild.shown.extend(shard.shown());
            }
            redis.rebuild(&plan, &rebuild)?;
            info!(blocks = rebuild.blocks.len(), "the shared store was given its blocks");
            if std::mem::take(&mut self.has_forgotten) {
                self.pay(redis)?;
            }
        }
        Ok(())
    }

    /// Lets one shard after the other ask again for what it saw of others.
    fn look_at_seen<'s>(&mut self, shards: impl Iterator<Item = &'s Shard> + Clone) {
        let next = shards.clone().find(|shard| self.looked.is_none_or(|looked| shard.number > looked));
        let next = next.or_else(|| shards.clone().next());
        self.looked = next.map(|shard| shard.number);
        next.into_iter().for_each(Shard::look_at_seen);
    }

    /// Asks what the windows come to. A server that does not tell is asked again the next time.
    fn look_at_sizes(&mut self, redis: &RedisStore, plan: &Plan) {
        if let Ok(sizes) = redis.sizes(plan) {
            self.sizes = sizes;
        }
        let turned_away = redis.take_turned_away();
        if turned_away > 0 && self.turned_away == 0 {
            warn!("a shared window takes in no more keys: rules that read those without room follow on_missing");
        }
        self.turned_away += turned_away;
    }

    /// Gives what is owed, in the order of commits.
    fn pay(&mut self, redis: &RedisStore) -> Result<(), SharedStoreError> {
        while let Some(batch) = self.pending.front() {
            redis.apply(&batch.plan, &batch.changes)?;
            redis.publish(&batch.updates)?;
            self.count -= batch.size();
            self.pending.pop_front();
        }
        Ok(())
    }
}
