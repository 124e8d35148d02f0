//! Shared state of a fleet, in Redis.
//!
//! | key | holds |
//! |---|---|
//! | `kuzet:w:{state}:{key}` | a window: a sorted set of its entries by event time |
//! | `kuzet:w:{state}:{key}:x` | entries that left it, so that none comes back |
//! | `kuzet:w:{state}:{key}:t` | texts behind the symbols of a `last` |
//! | `kuzet:w:{state}:{key}:r` | the run of a `streak`, a chain's folded beginning, what the key lacks, its log's end |
//! | `kuzet:w:{state}:{key}:l` | the last changes of a window with many entries, for who has a copy ([`copies`]) |
//! | `kuzet:w:{state}:n` | how many keys a window has and their bytes, the newest operation it turned away |
//! | `kuzet:d:ip:{address}`, `kuzet:d:w:{symbol}` | the directory: blocks, and tombstones of lifted ones |
//! | `kuzet:epoch` | the sentinel: a token, and the time from which windows are whole |
//! | `kuzet:epoch:{instance}` | how many batches an instance wrote: fewer than it knows of were lost |
//! | `kuzet:restriction:*` | what gateways read ([`gateway`]) |
//! | `kuzet:list:{name}` | lists for rules, as sets |
//!
//! Every write may be repeated, in any order with those of other instances. Nothing waits longer than the
//! timeout; while the server is away, calls fail at once and blocks are answered as they were seen last. On a cluster
//! all but what gateways read and the lists is spread over parts, each of which lies on one node ([`names`]); while a
//! node is away, the server counts as away.

mod answers;
mod codec;
mod copies;
mod epoch;
pub mod gateway;
mod known;
mod link;
mod names;
mod script_calls;
mod sentinel;
mod servers;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::{Pipeline, Script, Value};
use uuid::Uuid;

use crate::engine::plan::Plan;
use crate::engine::shared::{Party, SharedChange, SharedKey, SharedRequest, SharedView};
use crate::operation::Time;
use crate::operation::time::{MILLISECOND, SECOND};
use crate::pipeline::{SharedStore, SharedStoreError};

use answers::{Book, Read, Windows, bytes, items, read_blocks, text, unreadable};
use codec::Unreadable;
use copies::Copies;
pub use epoch::{Epoch, Rebuild};
use gateway::{DirectoryUpdate, Restricted, Shown};
use known::Known;
use link::Link;
use names::Names;
use script_calls::{KeyChanges, Written, add_calls, add_scripts, life};
use sentinel::Sentinels;
pub use settings::{RedisSettings, SettingsError, WindowLimits, WindowSizes};

/// Shared windows, the directory and the gateways' read model in Redis.
pub struct RedisStore {
    inner: Mutex<Inner>,
    scripts: Scripts,
    names: Names,
    limits: WindowLimits,
}

struct Inner {
    link: Link,
    known: Known,
    copies: Copies,
    sentinels: Sentinels,
    /// Changes are owed: windows lack them.
    is_behind: bool,
    /// The books of which it is known that they turned something away.
    lacking: HashSet<Book>,
    /// How many changes were turned away since that was last asked.
    turned_away: u64,
}

impl Inner {
    /// Notes which books have turned something away; tells whether one is new among them.
    fn note_lacking(&mut self, read: &Read) -> bool {
        let before = self.lacking.len();
        self.lacking.retain(|book| read.turned_away.get(book).is_none_or(Option::is_some));
        let gone = before - self.lacking.len();
        let lacking = read.turned_away.iter().filter(|(_, at)| at.is_some()).map(|(book, _)| *book);
        self.lacking.extend(lacking);
        self.lacking.len() > before - gone
    }
}

struct Scripts {
    windows: Script,
    read: Script,
    directory: Script,
    epoch: Script,
    gateway: Script,
}

const WINDOWS: &str = include_str!("redis/windows.lua");
const READ: &str = include_str!("redis/read.lua");
const DIRECTORY: &str = include_str!("redis/directory.lua");
const EPOCH: &str = include_str!("redis/epoch.lua");
const GATEWAY: &str = include_str!("redis/gateway.lua");

impl Scripts {
    /// Loaded where they are not known: the server forgets them when it starts again.
    const ALL: [&str; 5] = [WINDOWS, READ, DIRECTORY, EPOCH, GATEWAY];

    fn new() -> Self {
        let [windows, read, directory, epoch, gateway] = Self::ALL.map(Script::new);
        Self { windows, read, directory, epoch, gateway }
    }
}

impl RedisStore {
    /// Makes a store; connects when it is first asked. `token` is the one that [`Self::epoch`] told when the
    /// caller's state was last written down, `None` for a caller that has none.
    ///
    /// # Errors
    /// The settings cannot be used. A server that is away is no error.
    pub fn new(settings: &RedisSettings, token: Option<String>) -> Result<Self, SettingsError> {
        let names = Names::new(settings.cluster);
        let inner = Inner {
            link: Link::new(settings.servers()?, settings.timeout),
            known: Known::default(),
            copies: Copies::default(),
            sentinels: Sentinels::new(names, token),
            is_behind: false,
            lacking: HashSet::new(),
            turned_away: 0,
        };
        Ok(Self { inner: Mutex::new(inner), scripts: Scripts::new(), names, limits: settings.limits })
    }

    /// Returns what the latest answer said of the sentinel.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner().sentinels.epoch.clone()
    }

    /// Returns how many calls failed so far; those refused because one has just failed are not counted.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.inner().link.errors
    }

    /// Returns how many changes of windows found no room for their key since the last call.
    pub fn take_turned_away(&self) -> u64 {
        std::mem::take(&mut self.inner().turned_away)
    }

    /// Asks what the keys of the windows come to.
    ///
    /// # Errors
    /// The server is away or refused.
    pub fn sizes(&self, plan: &Plan) -> Result<WindowSizes, SharedStoreError> {
        let shared = plan.aggregates.iter().filter(|aggregate| !aggregate.owned);
        let states: HashMap<u64, i64> = shared.map(|aggregate| (aggregate.state_id, life(aggregate))).collect();
        let mut pipe = redis::pipe();
        if states.is_empty() {
            return Ok(WindowSizes::default());
        }
        for state in states.keys() {
            self.names.parts().for_each(|part| _ = pipe.cmd("HGETALL").arg(self.names.book(*state, part)));
        }
        let mut answers = self.run(&mut self.inner().link, &pipe)?.into_iter();
        let now = milliseconds(super::clock::now());
        let mut most = WindowSizes::default();
        for life in states.values() {
            let mut whole = WindowSizes::default();
            for answer in answers.by_ref().take(self.names.parts().count()) {
                let of_part = codec::read_book(items(&answer).unwrap_or_default().iter().filter_map(bytes), *life, now);
                let (keys, bytes) = of_part.map_err(|error| unreadable(&error))?;
                whole = WindowSizes { keys: whole.keys + keys, bytes: whole.bytes + bytes };
            }
            most = WindowSizes { keys: most.keys.max(whole.keys), bytes: most.bytes.max(whole.bytes) };
        }
        Ok(most)
    }

    /// Writes what the server lost back: the caller's blocks and the address blocks this process knows, never
    /// over a tombstone. Windows cannot be written back, so they are whole only after `newest`. A caller with
    /// several shards gives all of them, or calls for each.
    ///
    /// # Errors
    /// The server is away or refused; it has to be done again.
    pub fn rebuild(&self, plan: &Plan, rebuild: &Rebuild) -> Result<(), SharedStoreError> {
        let mut inner = self.inner();
        let mut written = Written::new(self.names);
        for (party, restriction) in &rebuild.tombstones {
            written.add_directory_change(*party, b"L", restriction.as_bytes());
        }
        let given = rebuild.blocks.iter().map(|(party, blocks)| (*party, blocks.as_slice()));
        // A wallet's own shard knows best whether it is blocked; no shard knows more of an address than this.
        let seen = inner.known.parties().filter(|(party, _)| matches!(party, Party::Address(_)));
        for (party, blocks) in given.chain(seen) {
            blocks.iter().for_each(|block| written.add_directory_change(party, b"P", &codec::block(block)));
        }
        let mut pipe = redis::pipe();
        self.add_directory(&mut pipe, plan, &written.directory);
        self.add_updates(&mut pipe, &rebuild.shown);
        if !pipe.is_empty() {
            self.run(&mut inner.link, &pipe)?;
        }
        // The sentinels last, by themselves: where they stand, the rest is written.
        let (seconds, nanos) = match rebuild.newest.map(|newest| codec::split(newest.since(Time::EPOCH))) {
            Some((seconds, nanos)) => (seconds.to_string(), nanos.to_string()),
            None => (String::new(), String::new()),
        };
        let token = Uuid::new_v4().simple().to_string();
        let mut pipe = redis::pipe();
        for part in self.names.parts() {
            let command = pipe.cmd("EVALSHA").arg(self.scripts.epoch.get_hash()).arg(1).arg(self.names.epoch(part));
            command.arg(&token).arg(&seconds).arg(&nanos);
        }
        let answers = self.run(&mut inner.link, &pipe)?;
        let tokens = answers.iter().map(|answer| items(answer).and_then(|items| text(items.first()?)));
        let Some(tokens) = tokens.collect::<Option<Vec<_>>>() else {
            return Err(unreadable(&Unreadable("the sentinel")));
        };
        inner.sentinels.take(tokens);
        Ok(())
    }

    /// Makes blocks and liftings of committed batches count for what this process answers while the server is
    /// away; [`SharedStore::apply`] still has to give them to the server.
    pub fn learn(&self, plan: &Plan, changes: &[SharedChange]) {
        let mut inner = self.inner();
        changes.iter().for_each(|change| inner.known.change(plan, change));
    }

    /// Writes for gateways what decisions placed and lifted, once they are committed.
    ///
    /// # Errors
    /// The server is away or refused; the caller keeps the updates and repeats them, in any order.
    pub fn publish(&self, updates: &[DirectoryUpdate]) -> Result<(), SharedStoreError> {
        if updates.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        self.add_updates(&mut pipe, updates);
        self.run(&mut self.inner().link, &pipe).map(drop)
    }

    /// Reads the values of the list `kuzet:list:{name}`, in ascending order; a set that is not there is empty.
    ///
    /// # Errors
    /// The server is away or refused, the key holds no set, or a value is no UTF-8.
    pub fn load_list(&self, name: &str) -> Result<Vec<String>, SharedStoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("SMEMBERS").arg(format!("kuzet:list:{name}"));
        let answers = self.run(&mut self.inner().link, &pipe)?;
        let values = answers.first().and_then(items).unwrap_or_default();
        let mut values: Vec<String> =
            values.iter().map(text).collect::<Option<_>>().ok_or_else(|| unreadable(&Unreadable("a list")))?;
        values.sort_unstable();
        Ok(values)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs commands in one round trip; in three when the server does not know the scripts.
    fn run(&self, link: &mut Link, pipe: &Pipeline) -> Result<Vec<Value>, SharedStoreError> {
        link.run(|connection| match connection.query(pipe) {
            Err(error) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript) => {
                connection.load(&Scripts::ALL)?;
                connection.query(pipe)
            }
            answer => answer,
        })
    }

    fn add_windows(&self, pipe: &mut Pipeline, windows: &BTreeMap<String, KeyChanges>) {
        let now = milliseconds(super::clock::now()).to_string();
        let (keys_max, bytes_max) = (self.names.share(self.limits.keys_max), self.names.share(self.limits.bytes_max));
        let word = Uuid::new_v4().simple().to_string();
        let head = [keys_max.to_string(), bytes_max.to_string(), now, word].map(String::into_bytes);
        add_scripts(
            pipe,
            (&self.scripts.windows, self.names),
            &head,
            windows.iter().map(|(key, changes)| (vec![key.clone()], changes)),
        );
    }

    fn add_directory(&self, pipe: &mut Pipeline, plan: &Plan, directory: &BTreeMap<String, KeyChanges>) {
        let now = super::clock::now().number_of(SECOND).to_string();
        let lateness = codec::split(plan.settings.lateness).0 + 1;
        let head = [now.into_bytes(), lateness.to_string().into_bytes()];
        let keys = directory.iter().map(|(key, changes)| (vec![key.clone()], changes));
        add_scripts(pipe, (&self.scripts.directory, self.names), &head, keys);
    }

    fn add_updates(&self, pipe: &mut Pipeline, updates: &[DirectoryUpdate]) {
        let mut by_key: BTreeMap<&Restricted, KeyChanges> = BTreeMap::new();
        for update in updates {
            let (kind, ends, shown) = match &update.change {
                Shown::Placed { until, text } => ("P", until.map(milliseconds), &**text),
                Shown::Lifted => ("L", None, ""),
            };
            let parts = [
                kind.into(),
                update.restriction.as_hyphenated().to_string(),
                update.shard.to_string(),
                update.seq.to_string(),
                ends.map(|ends| ends.to_string()).unwrap_or_default(),
                shown.into(),
            ];
            by_key.entry(&update.whom).or_default().changes.extend(parts.map(String::into_bytes));
        }
        let now = [milliseconds(super::clock::now()).to_string().into_bytes()];
        let changes: Vec<_> = by_key
            .into_iter()
            .map(|(whom, mut changes)| {
                // Each update is six arguments.
                changes.head = vec![(changes.changes.len() / 6).to_string().into_bytes()];
                (self.names.restricted(whom).to_vec(), changes)
            })
            .collect();
        let calls = changes.iter().map(|(keys, changes)| (keys.clone(), changes));
        add_calls(pipe, (&self.scripts.gateway, self.names), &now, calls);
    }
}

impl SharedStore for RedisStore {
    /// Others may not see yet what is not committed.
    fn decided(&self, _: &Plan, _: &[SharedChange]) {}

    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        view.available = false;
        let parties: HashSet<Party> = request.parties.iter().copied().collect();
        if !inner.is_behind {
            match self.ask(inner, plan, request, &parties, view) {
                Ok(is_whole) => view.available = is_whole,
                // The link counted it. Who wants to know why asks by applying.
                Err(SharedStoreError::Away(_) | SharedStoreError::Refused(_)) => {}
            }
        }
        for party in parties {
            if let Some(blocks) = inner.known.blocks(party) {
                view.add_blocks(plan, party, || blocks.clone());
            }
        }
    }

    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut inner = self.inner();
        let inner = &mut *inner;
        changes.iter().for_each(|change| inner.known.change(plan, change));
        let mut written = Written::new(self.names);
        written.add(plan, changes);
        let mut pipe = redis::pipe();
        self.add_windows(&mut pipe, &written.windows);
        self.add_directory(&mut pipe, plan, &written.directory);
        inner.sentinels.add_written(&mut pipe, &written.parts);
        if pipe.is_empty() {
            return Ok(());
        }
        let answers = self.run(&mut inner.link, &pipe).inspect_err(|_| inner.is_behind = true)?;
        // Of all that is called here, only the script of windows answers a number.
        let turned_away =
            answers.iter().filter_map(|answer| if let Value::Int(count) = answer { Some(*count) } else { None });
        inner.turned_away += turned_away.filter_map(|count| u64::try_from(count).ok()).sum::<u64>();
        inner.sentinels.note_written(&written.parts);
        inner.known.took(changes);
        Ok(())
    }

    fn caught_up(&self) {
        self.inner().is_behind = false;
    }
}

impl RedisStore {
    /// Asks for everything in one round trip; tells whether windows may be relied on.
    fn ask(
        &self,
        inner: &mut Inner,
        plan: &Plan,
        request: &SharedRequest,
        parties: &HashSet<Party>,
        view: &mut SharedView,
    ) -> Result<bool, SharedStoreError> {
        let keys: HashSet<SharedKey> = request.windows.iter().copied().collect();
        let windows = Windows::of(plan, self.names, keys, &inner.lacking);
        let of_parties = parties.iter().map(|party| self.names.part_of_party(*party));
        let parts = inner.sentinels.to_ask(windows.parts().chain(of_parties).collect::<BTreeSet<_>>());
        let mut pipe = redis::pipe();
        for party in parties {
            pipe.cmd("HGETALL").arg(self.names.party(*party));
        }
        windows.ask(&mut pipe, &self.scripts.read, &inner.copies);
        inner.sentinels.ask(&mut pipe, &parts);
        let mut answers = self.run(&mut inner.link, &pipe)?;
        let of_sentinels = answers.split_off(answers.len().saturating_sub(2 * parts.len()));
        let mut answers = answers.into_iter();
        let is_whole = inner.sentinels.read(&parts, &of_sentinels, view).map_err(|error| unreadable(&error))?;
        for party in parties {
            let (blocks, lifted) = read_blocks(answers.next().as_ref()).map_err(|error| unreadable(&error))?;
            if is_whole {
                inner.known.replace(*party, &blocks);
            } else {
                inner.known.merge(*party, blocks, &lifted);
            }
        }
        let read = windows.read(&mut answers, &mut inner.copies).map_err(|error| unreadable(&error))?;
        if inner.note_lacking(&read) {
            // Which of its keys lack something is still to be asked.
            return self.ask(inner, plan, request, parties, view);
        }
        if !is_whole {
            inner.copies.clear();
            return Ok(false);
        }
        for (key, window) in read.windows {
            view.add_window(plan, key, || window);
        }
        read.lacking.into_iter().for_each(|(key, until)| view.add_lacking(plan, key, until));
        if read.postponed.is_empty() {
            return Ok(true);
        }
        let rest = SharedRequest { windows: read.postponed, parties: Vec::new() };
        self.ask(inner, plan, &rest, &HashSet::new(), view)
    }
}

fn milliseconds(at: Time) -> i64 {
    at.number_of(MILLISECOND)
}
