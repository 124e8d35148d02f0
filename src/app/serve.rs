//! Puts the embedded service together and runs it: store, worker, HTTP, watches, signals.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tracing::{error, info, warn};

use crate::adapters::clock;
use crate::adapters::folders::{self, Folder};
use crate::adapters::store::Store;
use crate::adapters::store::request::{self, BackupRequest, BackupResult};
use crate::adapters::tls::Certificate;
use crate::analysis::budget::Cost;
use crate::config::{Config, Source};
use crate::geo::{Geo, GeoDatabase};
use crate::http::access::Rates;
use crate::http::backtests::Backtests;
use crate::http::drafts::RuleFolder;
use crate::http::feed::Feed;
use crate::http::guesses::Guesses;
use crate::http::withdraw::Withdrawals;
use crate::http::{self, Api, DatabaseInfo, GeoInfo};
use crate::metrics::Metrics;
use crate::operation::Time;
use crate::operation::time::SECOND;
use crate::rules::program::RuleSet;
use crate::rules::{self, Compiled, Severity, SourceFile, Vanishing};
use crate::service::{LoadRules, RulesRefused, Service};

use super::certificate;
use super::geo_updates::GeoUpdates;
use super::observers::{Chain, Counting};
use super::redis_lists::{RedisLists, redis_settings};
use super::rule_files;
use super::settings::{bodies, server_limits, service_settings};
#[cfg(unix)]
use super::signals::Hangups;
use super::signals::Signals;
use super::watching::{Watches, on_change};
use super::{LoadError, load_geo, load_rules_with, root_of, rule_sources};

/// How long the end waits for questions to Kafka that nobody needs an answer to any more.
#[cfg(feature = "kafka")]
const QUESTIONS_PATIENCE: Duration = Duration::from_secs(2);

/// How often the service looks whether a backup is asked for.
const BACKUP_LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the service looks whether windows of removed rules were kept long enough.
const FORGET_LOOK_EVERY: Duration = Duration::from_secs(60);

/// So many decisions are explained at a time: each takes a thread, and memory for some thousand operations.
const HINDSIGHTS_MAX: usize = 2;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("failed to listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[cfg(not(feature = "kafka"))]
    #[error("this kuzet is built without Kafka (feature `kafka`)")]
    WithoutKafka,
}

/// The running service.
pub struct Running {
    pub service: Service,
    pub address: SocketAddr,
    api: Arc<Api>,
    runtime: Runtime,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    /// Heard since the start, for those who ask for that.
    signals: Option<Signals>,
}

/// From when on SIGTERM and SIGINT are heard. Before, they end the process as they do by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Before the log says that the service is ready: whoever reads that may send them.
    BeforeReady,
    /// From [`Running::wait`] on.
    OnceWaiting,
}

/// Starts the service that takes operations in requests.
fn embedded(
    config: &Config,
    loaded: (RuleSet, LoadRules),
    geo: Geo,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Service> {
    let cache_bytes = usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX);
    let store = Store::open(&config.store.path, cache_bytes)?;
    let observer = Box::new(Counting(Arc::clone(metrics)));
    Ok(Service::start(store, loaded, geo, service_settings(config), (clock::now(), observer))?)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

impl Running {
    /// Starts everything. The store's state is recovered before the first request is taken.
    ///
    /// # Errors
    /// Rules, databases, store, address or certificate cannot be used.
    pub fn start(config: &Config, hearing: Hearing) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let rules_folder = folders::rules_folder(config.rules.folder.as_deref())?;
        let geo_folder = folders::geoip_folder(config.geoip.folder.as_deref())?;
        let geo_updates = GeoUpdates::new(&config.geoip, &geo_folder)?;
        let lists = redis_lists(config)?;
        let watches = Watches::start(config, &rules_folder, &geo_folder);
        let vanishing = vanishing_of(config);
        let more =
            |files: &[SourceFile]| lists.as_deref().map(|lists| lists.sources(files, vanishing)).unwrap_or_default();
        let (rules, geo) = (load_rules_with(&rules_folder, vanishing, more)?, load_geo(&geo_folder)?);
        check_lists(&rules, &rules_folder, config.source)?;
        let rules = check_budget(rules, &rules_folder, config.rules.budget)?;
        lists.iter().for_each(|lists| lists.took());
        let metrics = Arc::new(Metrics::new());
        let certificate = config.http.tls.as_ref().map(|tls| certificate::start(tls, &metrics)).transpose()?;
        let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(listen(config.http.listen))?;
        metrics.set_ruleset(&rules);
        show_limits(config, &metrics);
        let geo_info = show_geo(&geo, &metrics);
        let loaded = (rules, loader(rules_folder.clone(), config, lists.clone()));
        let (service, fleet) = match config.source {
            Source::Http => (embedded(config, loaded, geo, &metrics)?, None),
            #[cfg(feature = "kafka")]
            Source::Kafka => super::fleet::start(config, loaded, geo, &metrics)?,
            // The check of the configuration refuses it with its place.
            #[cfg(not(feature = "kafka"))]
            Source::Kafka => return Err(ServeError::WithoutKafka.into()),
        };
        let (stop, stopping) = watch::channel(false);
        let api = Arc::new(Api {
            service: service.clone(),
            metrics,
            tokens: config.tokens.clone(),
            bodies: bodies(&config.http),
            request_timeout: config.http.request_timeout,
            rates: Rates::new(config.http.rate_per_second, Instant::now()),
            guesses: Guesses::default(),
            feed: Feed::default(),
            withdrawals: Withdrawals::default(),
            hindsights: Semaphore::new(HINDSIGHTS_MAX),
            drafts: Semaphore::new(1),
            write_rule: rule_files::writer(&rules_folder),
            rule_folder: folder_for_drafts(rules_folder, config),
            backtests: Backtests::default(),
            stopping: stopping.clone(),
            clock: clock::now,
            geo: RwLock::new(geo_info),
            fleet,
        });
        let signals = (hearing == Hearing::BeforeReady).then(|| Signals::hear(&runtime)).transpose()?;
        let served = (http::router(Arc::clone(&api)), Arc::clone(&api.metrics));
        let address = listener.local_addr()?;
        let server = runtime.spawn(http::serve::serve(listener, served, tls, server_limits(&config.http), stopping));
        let running = Self { service, address, api, runtime, stop, server, signals };
        running.reload_on_change(watches, &geo_folder, certificate);
        running.watch_lists(config, lists);
        if let Some(updates) = geo_updates {
            running.update_geo(updates, &geo_folder);
        }
        #[cfg(unix)]
        running.reload_on_hangup(&geo_folder)?;
        running.make_backups(&config.store.path);
        running.forget_windows();
        running.tell_ready(config, begun);
        Ok(running)
    }

    /// Says where the service is and what it decides by.
    fn tell_ready(&self, config: &Config, begun: Instant) {
        info!(
            address = %self.address, ruleset = %self.service.rules().plan.ruleset,
            source = config.source.name(), decisions = *self.service.last_seq().borrow(),
            started_in_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the service is ready"
        );
    }

    fn reload_on_change(&self, watches: Watches, geo_folder: &Folder, tls: Option<Arc<Certificate>>) {
        let api = Arc::clone(&self.api);
        on_change(self.runtime.handle(), watches.rules, move || reload_rules(&api));
        let (api, folder) = (Arc::clone(&self.api), geo_folder.clone());
        on_change(self.runtime.handle(), watches.geo, move || reload_geo(&api, &folder));
        if let Some(tls) = tls {
            let metrics = Arc::clone(&self.api.metrics);
            on_change(self.runtime.handle(), watches.tls, move || certificate::reload(&tls, &metrics));
        }
    }

    /// Loads the rules again when a list in Redis is another one.
    fn watch_lists(&self, config: &Config, lists: Option<Arc<RedisLists>>) {
        let (Some(lists), every) = (lists, config.redis.lists_every) else { return };
        let api = Arc::clone(&self.api);
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let (api, lists) = (Arc::clone(&api), Arc::clone(&lists));
                let look = move || {
                    if lists.have_changed(&api.service.rules().plan.rules) {
                        reload_rules(&api);
                    }
                };
                drop(tokio::task::spawn_blocking(look).await);
            }
        });
    }

    /// Makes the anonymizer database anew from its sources: at once, and then again and again.
    fn update_geo(&self, updates: GeoUpdates, folder: &Folder) {
        let (updates, folder, metrics) = (Arc::new(updates), folder.clone(), Arc::clone(&self.api.metrics));
        // A list that is on its way while the service ends must not keep the store open.
        let api = Arc::downgrade(&self.api);
        self.runtime.spawn(async move {
            loop {
                let (now, folder, metrics, api) =
                    (Arc::clone(&updates), folder.clone(), Arc::clone(&metrics), api.clone());
                let update = move || {
                    let made = now.update(&metrics);
                    if let (true, Some(api)) = (made, api.upgrade()) {
                        reload_geo(&api, &folder);
                    }
                    made
                };
                let made = tokio::task::spawn_blocking(update).await.unwrap_or(false);
                tokio::time::sleep(updates.pause(made)).await;
            }
        });
    }

    /// SIGHUP reads rules and databases again.
    #[cfg(unix)]
    fn reload_on_hangup(&self, geo_folder: &Folder) -> std::io::Result<()> {
        let (api, folder) = (Arc::clone(&self.api), geo_folder.clone());
        let mut hangups = Hangups::hear(&self.runtime)?;
        self.runtime.spawn(async move {
            while hangups.next().await.is_some() {
                let (api, folder) = (Arc::clone(&api), folder.clone());
                let reload = move || {
                    reload_rules(&api);
                    reload_geo(&api, &folder);
                };
                drop(tokio::task::spawn_blocking(reload).await);
            }
        });
        Ok(())
    }

    /// Drops windows of removed rules once nobody is expected to bring those back.
    fn forget_windows(&self) {
        let service = self.service.clone();
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(FORGET_LOOK_EVERY).await;
                let service = service.clone();
                // Where the service cannot switch now, it can later.
                drop(tokio::task::spawn_blocking(move || service.forget_windows(clock::now())).await);
            }
        });
    }

    /// Makes the backups that are asked for through the store's folder.
    fn make_backups(&self, folder: &std::path::Path) {
        let Some(store) = self.service.store().cloned() else { return };
        let folder = folder.to_path_buf();
        self.runtime.spawn(async move {
            let mut ticks = tokio::time::interval(BACKUP_LOOK_EVERY);
            loop {
                ticks.tick().await;
                let Some(asked) = request::take(&folder) else { continue };
                let (store, folder) = (Arc::clone(&store), folder.clone());
                drop(tokio::task::spawn_blocking(move || back_up(&store, &folder, asked)).await);
            }
        });
    }

    /// Waits for SIGTERM, SIGINT, or until `ended` is; tells whether the worker still works.
    ///
    /// # Errors
    /// The system refuses a handler of signals.
    pub fn wait(&mut self, ended: impl Future<Output = ()>) -> std::io::Result<bool> {
        let mut signals = self.signals.take().map_or_else(|| Signals::hear(&self.runtime), Ok)?;
        Ok(self.runtime.block_on(async {
            tokio::select! {
                () = signals.end() => true,
                () = ended => true,
                () = self.service.ended() => {
                    error!("the worker has ended by a fault: nothing can be decided, the service stops");
                    false
                }
            }
        }))
    }

    /// Returns a handle of the runtime, to run things beside the service.
    #[must_use]
    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// Takes no more requests, finishes those in hand, commits, and closes the store.
    pub fn stop(self) {
        let Self { service, api, runtime, stop, server, address: _, signals: _ } = self;
        stop.send_replace(true);
        // The server ends by itself within its grace.
        drop(runtime.block_on(server));
        if !service.stop() {
            warn!("Kafka does not answer: the process ends without it, another one finds out what it had in hand");
        }
        #[cfg(feature = "kafka")]
        if !crate::adapters::kafka::errand::wait_until_none(QUESTIONS_PATIENCE) {
            warn!("a question to Kafka is still open: the process ends without its answer");
        }
        drop(api);
        runtime.shutdown_timeout(Duration::from_secs(1));
        info!("the service has stopped");
    }
}

fn back_up(store: &Store, folder: &std::path::Path, asked: BackupRequest) {
    let begun = Instant::now();
    let error = store.backup(&asked.to).err().map(|error| Chain(&error).to_string());
    match &error {
        None => info!(to = %asked.to.display(), took = ?begun.elapsed(), "the store was backed up"),
        Some(error) => error!(to = %asked.to.display(), %error, "the store could not be backed up"),
    }
    if let Err(error) = request::answer(folder, &BackupResult { to: asked.to, error }) {
        error!(%error, "the result of the backup could not be written");
    }
}

/// Shows what windows that wallets share may grow to; without a shared store there is no limit to show.
fn show_limits(config: &Config, metrics: &Metrics) {
    let is_in_redis = config.source == Source::Kafka && config.redis.url.is_some();
    if config.source == Source::Http || is_in_redis {
        metrics.set_shared_keys_limit(config.limits.shared_keys_max);
    }
    if is_in_redis {
        metrics.set_shared_window_bytes_limit(config.limits.shared_window_bytes_max);
    }
}

/// Makes what reads lists from Redis, where there is one.
fn redis_lists(config: &Config) -> anyhow::Result<Option<Arc<RedisLists>>> {
    let Some(settings) = redis_settings(config) else { return Ok(None) };
    let lists =
        RedisLists::new(&settings).map_err(|error| anyhow::anyhow!("failed to use the settings of Redis: {error}"))?;
    Ok(Some(Arc::new(lists)))
}

/// Sees to it that lists from Redis can be read some day. A fleet without a Redis follows `on_missing`.
fn check_lists(rules: &RuleSet, folder: &Folder, source: Source) -> Result<(), LoadError> {
    let unread: Vec<&str> = rules.lists.iter().filter(|list| !list.is_read()).map(|list| list.name.as_str()).collect();
    if unread.is_empty() || source == Source::Kafka {
        return Ok(());
    }
    Err(LoadError::NoRedis { folder: folder.name(), lists: unread.join(", ") })
}

/// Refuses rules that would keep more of each operation than the configuration accepts.
fn check_budget(rules: RuleSet, folder: &Folder, budget: u64) -> Result<RuleSet, LoadError> {
    let rules = Arc::new(rules);
    match Cost::of(&rules).over(budget) {
        Some(cost) => Err(LoadError::Budget { folder: folder.name(), cost }),
        None => Ok(Arc::unwrap_or_clone(rules)),
    }
}

/// Tells whether a start without rules is meant.
const fn vanishing_of(config: &Config) -> Vanishing {
    if config.rules.allow_empty { Vanishing::Allowed } else { Vanishing::Refused }
}

/// Makes what loads the rules of a folder anew.
fn loader(folder: Folder, config: &Config, lists: Option<Arc<RedisLists>>) -> LoadRules {
    let (source, budget) = (config.source, config.rules.budget);
    Arc::new(move |vanishing| {
        let refused = |text: String| RulesRefused { text, errors: Vec::new() };
        let mut sources = rule_sources(&folder).map_err(|error| refused(Chain(&error).to_string()))?;
        if let Some(lists) = &lists {
            sources.extend(lists.sources(&sources, vanishing));
        }
        match rules::compile(&sources) {
            Ok(Compiled { rule_set, warnings: _ }) => {
                let checked = check_lists(&rule_set, &folder, source);
                let rules = checked
                    .and_then(|()| check_budget(rule_set, &folder, budget))
                    .map_err(|error| refused(error.to_string()))?;
                lists.iter().for_each(|lists| lists.took());
                Ok(rules)
            }
            Err(found) => {
                Err(RulesRefused { text: rules::render_refusal(&found, &sources), errors: errors_of(&found, &sources) })
            }
        }
    })
}

/// Makes what reads the files of a folder for those who change them.
fn folder_for_drafts(folder: Folder, config: &Config) -> RuleFolder {
    let (source, budget, of) = (config.source, config.rules.budget, folder.clone());
    let accepts = move |rules: &Arc<RuleSet>| {
        check_lists(rules, &of, source).map_err(|error| error.to_string())?;
        Cost::of(rules).over(budget).map_or(Ok(()), Err)
    };
    let root = root_of(&folder);
    let read = move || rule_sources(&folder).map_err(|error| Chain(&error).to_string());
    RuleFolder { root, read: Box::new(read), accepts: Box::new(accepts) }
}

/// Lists the errors with their places for programs.
fn errors_of(found: &[rules::Diagnostic], sources: &[SourceFile]) -> Vec<serde_json::Value> {
    let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).cloned().collect();
    let rendered: serde_json::Value = serde_json::from_str(&rules::render_json(&errors, sources)).unwrap_or_default();
    let error = |error: &serde_json::Value| {
        serde_json::json!({
            "code": error["code"], "message": error["message"], "file": error["path"],
            "line": error["start"]["line"], "column": error["start"]["column"], "help": error["help"],
        })
    };
    rendered["diagnostics"].as_array().into_iter().flatten().map(error).collect()
}

fn reload_rules(api: &Api) {
    let before = Arc::clone(&api.service.rules().plan.ruleset);
    match api.service.reload(Vanishing::Refused, clock::now()) {
        Ok(Ok(rules)) => {
            api.metrics.observe_reload(true);
            api.metrics.set_ruleset(&rules);
            info!(ruleset = rules.hash, before = %before, "the rules were loaded again");
        }
        Ok(Err(refused)) => {
            api.metrics.observe_reload(false);
            error!(ruleset = %before, "the rules were refused, those in use stay in use:\n{}", refused.text);
        }
        Err(error) => {
            api.metrics.observe_reload(false);
            error!(%error, "the rules could not be switched");
        }
    }
}

fn reload_geo(api: &Api, folder: &Folder) {
    match load_geo(folder) {
        Ok(geo) => {
            let info = show_geo(&geo, &api.metrics);
            if let Err(error) = api.service.switch_geo(geo) {
                error!(%error, "the geo databases could not be switched");
                return;
            }
            *api.geo.write().unwrap_or_else(PoisonError::into_inner) = info;
            info!("the geo databases were loaded again");
        }
        Err(error) => error!(error = %Chain(&error), "the geo databases cannot be used; those in use stay in use"),
    }
}

/// Tells the metrics, the log and people what the databases are.
fn show_geo(geo: &Geo, metrics: &Metrics) -> GeoInfo {
    let info = |name: &'static str, database: Option<&GeoDatabase>| {
        let built = database.map(GeoDatabase::build_epoch_seconds);
        metrics.set_geo_database(name, built);
        metrics.set_geo_sample(name, database.map(GeoDatabase::is_sample));
        let sample = database.is_some_and(GeoDatabase::is_sample);
        built.map(|seconds| {
            let since_epoch = SECOND.saturating_mul(i64::try_from(seconds).unwrap_or(0));
            DatabaseInfo { built: Time::EPOCH.plus(since_epoch), sample }
        })
    };
    let shown = GeoInfo {
        country: info("country", geo.country_database()),
        anonymizer: info("anonymizer", geo.anonymizer_database()),
    };
    for warning in shown.warnings() {
        warn!("{warning}");
    }
    shown
}
