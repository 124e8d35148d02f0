//! Apache Kafka as it is published, on loopback ports of this machine, for tests.
//!
//! A cluster has one broker or three; each is a process of its own, broker and controller at once, in a
//! folder that goes with the cluster. Brokers can be killed, stopped, paused and started again; ports and
//! data stay. Whatever goes wrong here panics with the end of the broker's log: a test never passes
//! because there was no Kafka.
//!
//! A cluster ends when it is dropped. One kept in a static, which is never dropped, and one whose test was
//! killed end too: a watching shell sees the pipe to this process close.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

/// A start takes a tenth of this, unless the machine is very busy.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// A broker that is asked to stop hands over its partitions first.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whose answer was "not yet".
const PACE: Duration = Duration::from_millis(20);
/// How much of a log is shown.
const TAIL_LINES: usize = 60;

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
    brokers: Vec<Broker>,
    /// Closing it makes the watching shell kill what is left of the cluster and remove the folder.
    watch: Option<ChildStdin>,
    watcher: Child,
}

struct Broker {
    node: usize,
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Cluster {
    /// Brings up a cluster of one or three brokers and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up, with the end of a broker's log.
    pub(crate) fn start(brokers: usize) -> Self {
        Self::start_with(brokers, &[])
    }

    /// The same with further settings of the brokers, which win over those of the tests.
    pub(crate) fn start_with(brokers: usize, settings: &[(&str, &str)]) -> Self {
        Self::start_formatted(brokers, settings, &[])
    }

    /// The same with further arguments of Kafka's formatting of the storage. In a setting `{port}` stands for
    /// the broker's port, `{controller}` for that of its controller.
    pub(crate) fn start_formatted(brokers: usize, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        assert!(matches!(brokers, 1 | 3), "a cluster has 1 broker or 3, not {brokers}");
        let jars = jars();
        let folder = tempfile::Builder::new().prefix("kuzet-kafka-").tempdir().expect("a folder").keep();
        let (watcher, watch) = start_watcher(&folder);
        let ports = free_ports(2 * brokers);
        let voters: Vec<String> = (0..brokers).map(|i| format!("{}@127.0.0.1:{}", i + 1, ports[2 * i + 1])).collect();
        let id = cluster_id(&folder);
        let brokers: Vec<Broker> = (0..brokers)
            .map(|i| {
                let own = folder.join(format!("broker-{}", i + 1));
                fs::create_dir(&own).expect("a folder for a broker");
                let broker = Broker { node: i + 1, port: ports[2 * i], folder: own, child: None };
                let text = broker.properties(brokers, &voters.join(","), ports[2 * i + 1], settings);
                fs::write(broker.file("server.properties"), text).expect("settings of a broker");
                broker
            })
            .collect();
        let mut cluster = Self { folder, brokers, watch: Some(watch), watcher };
        // Formatting is a process of the Java machine too: all at once take hardly longer than one.
        let formatting: Vec<Child> =
            cluster.brokers.iter().map(|broker| broker.format(&jars, &id, arguments)).collect();
        for (child, broker) in formatting.into_iter().zip(&cluster.brokers) {
            let status = wait_for(child, START_PATIENCE);
            assert!(status.is_some_and(|status| status.success()), "no storage was formatted\n{}", broker.tail());
        }
        for i in 0..cluster.brokers.len() {
            cluster.launch(i);
        }
        cluster.wait_until_whole();
        cluster
    }

    /// Returns the addresses for `bootstrap.servers`, of the brokers that are down too.
    pub(crate) fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
        addresses.join(",")
    }

    /// Returns settings of a client: the addresses, and waits that suit a test.
    pub(crate) fn client(&self) -> ClientConfig {
        client(&self.bootstrap())
    }

    /// Returns the resident memory of a broker in bytes.
    pub(crate) fn memory(&self, i: usize) -> u64 {
        let pid = self.brokers[i].pid().expect("a broker that runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the status of a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB")
    }

    /// Kills a broker (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self, i: usize) {
        let mut child = self.brokers[i].child.take().expect("a broker that runs");
        child.kill().expect("the broker is killed");
        child.wait().expect("the broker ends");
    }

    /// Asks a broker to end (SIGTERM) and waits until it has.
    pub(crate) fn stop(&mut self, i: usize) {
        let broker = &mut self.brokers[i];
        let child = broker.child.take().expect("a broker that runs");
        signal(child.id(), "TERM");
        assert!(wait_for(child, STOP_PATIENCE).is_some(), "broker {} does not end\n{}", broker.node, broker.tail());
    }

    /// Halts a broker where it stands (SIGSTOP): its connections stay, it answers nothing.
    pub(crate) fn pause(&self, i: usize) {
        signal(self.brokers[i].pid().expect("a broker that runs"), "STOP");
    }

    /// Lets a paused broker go on (SIGCONT).
    pub(crate) fn resume(&self, i: usize) {
        signal(self.brokers[i].pid().expect("a broker that runs"), "CONT");
    }

    /// Starts a broker again and waits until it answers. With most of the others down it would wait for
    /// them: then [`launch`](Self::launch) them all first.
    pub(crate) fn start_again(&mut self, i: usize) {
        self.launch(i);
        self.wait_until(i, |_| true);
    }

    /// Starts a broker and does not wait.
    pub(crate) fn launch(&mut self, i: usize) {
        let broker = &mut self.brokers[i];
        assert!(broker.child.is_none(), "broker {} runs already", broker.node);
        let log = broker.file("out.log");
        let child = java(&jars(), &broker.folder)
            .args(["kafka.Kafka", "server.properties"])
            .stdout(append(&log))
            .stderr(append(&log))
            .spawn()
            .expect("java starts");
        // The watcher reads as long as it lives.
        writeln!(self.watch.as_ref().expect("a watcher"), "{}", child.id()).expect("the watcher reads");
        broker.child = Some(child);
    }

    /// Waits until every broker that was started knows all that were started.
    pub(crate) fn wait_until_whole(&mut self) {
        let running: Vec<usize> = (0..self.brokers.len()).filter(|i| self.brokers[*i].child.is_some()).collect();
        for i in &running {
            self.wait_until(*i, |known| known >= running.len());
        }
    }

    /// Waits until broker `i` answers a metadata request and knows as many brokers as asked.
    fn wait_until(&mut self, i: usize, is_enough: impl Fn(usize) -> bool) {
        let begun = Instant::now();
        let broker = &mut self.brokers[i];
        let consumer: BaseConsumer = client(&format!("127.0.0.1:{}", broker.port)).create().expect("a client");
        loop {
            // Tries to connect until the time is over.
            let known = consumer.fetch_metadata(None, Duration::from_secs(1)).map_or(0, |found| found.brokers().len());
            if known > 0 && is_enough(known) {
                return;
            }
            let ended = broker.child.as_mut().and_then(|child| child.try_wait().expect("the state of a broker"));
            assert!(ended.is_none(), "broker {} ended: {ended:?}\n{}", broker.node, broker.tail());
            let is_patient = begun.elapsed() < START_PATIENCE;
            assert!(is_patient, "broker {} is not ready, it knows {known}\n{}", broker.node, broker.tail());
            sleep(PACE);
        }
    }

    /// Creates a topic with a copy on each broker, at most three, and waits until it can be written.
    pub(crate) fn create_topic(&self, name: &str, partitions: usize, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let count = i32::try_from(partitions).expect("a number of partitions");
        let copies = i32::try_from(self.brokers.len()).expect("a few brokers");
        let mut topic = NewTopic::new(name, count, TopicReplication::Fixed(copies));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let results = block_on(admin.create_topics([&topic], &options)).expect("an answer of the controller");
        assert!(results.iter().all(Result::is_ok), "no topic {name}: {results:?}");
        let begun = Instant::now();
        loop {
            let found = admin.inner().fetch_metadata(Some(name), Duration::from_secs(5));
            let has_leaders = found.as_ref().is_ok_and(|metadata| {
                metadata.topics().iter().any(|topic| {
                    topic.partitions().len() == partitions && topic.partitions().iter().all(|p| p.leader() >= 0)
                })
            });
            if has_leaders {
                return;
            }
            let error = found.err();
            assert!(begun.elapsed() < START_PATIENCE, "{name} has no leaders: {error:?}\n{}", self.brokers[0].tail());
            sleep(PACE);
        }
    }

    /// Removes the records of partitions before offsets, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, before: &[(i32, i64)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let mut list = TopicPartitionList::new();
        for (partition, offset) in before {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("an offset");
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let left = block_on(admin.delete_records(&list, &options)).expect("an answer of the leaders");
        for element in left.elements() {
            element.error().expect("the records are removed");
        }
    }

    /// Waits until every running broker has a copy of every partition that is in step.
    pub(crate) fn wait_until_copied(&self, topic: &str) {
        let consumer: BaseConsumer = self.client().create().expect("a client");
        let running = self.brokers.iter().filter(|broker| broker.child.is_some()).count();
        let begun = Instant::now();
        loop {
            let found = consumer.fetch_metadata(Some(topic), Duration::from_secs(5));
            let is_copied = found.as_ref().is_ok_and(|metadata| {
                let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
                partitions.all(|p| p.leader() >= 0 && p.isr().len() == running)
            });
            if is_copied {
                return;
            }
            let error = found.err();
            assert!(begun.elapsed() < START_PATIENCE, "{topic} is not copied: {error:?}\n{}", self.brokers[0].tail());
            sleep(PACE);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for broker in &mut self.brokers {
            if let Some(mut child) = broker.child.take() {
                // It may have ended by itself.
                child.kill().ok();
                child.wait().ok();
            }
        }
        drop(self.watch.take());
        self.watcher.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Broker {
    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Small, quick to notice that something is gone, and as careful as a production cluster of its size.
    fn properties(&self, brokers: usize, voters: &str, controller: u16, settings: &[(&str, &str)]) -> String {
        let (node, port, data) = (self.node, self.port, self.file("data").display().to_string());
        let (copies, in_sync) = (brokers.to_string(), if brokers == 3 { "2" } else { "1" });
        let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}");
        let advertised = format!("PLAINTEXT://127.0.0.1:{port}");
        let node = node.to_string();
        let ours = [
            ("process.roles", "broker,controller"),
            ("node.id", &node),
            ("controller.quorum.voters", voters),
            ("listeners", &listeners),
            ("advertised.listeners", &advertised),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "PLAINTEXT"),
            ("log.dirs", &data),
            ("default.replication.factor", &copies),
            ("min.insync.replicas", in_sync),
            ("offsets.topic.replication.factor", &copies),
            ("offsets.topic.num.partitions", "8"),
            ("transaction.state.log.replication.factor", &copies),
            ("transaction.state.log.min.isr", in_sync),
            ("transaction.state.log.num.partitions", "8"),
            ("share.coordinator.state.topic.replication.factor", &copies),
            ("share.coordinator.state.topic.min.isr", in_sync),
            ("share.coordinator.state.topic.num.partitions", "1"),
            ("auto.create.topics.enable", "false"),
            ("unclean.leader.election.enable", "false"),
            ("group.initial.rebalance.delay.ms", "0"),
            // Tests give their consumers short sessions, so that the dead are missed soon.
            ("group.min.session.timeout.ms", "500"),
            // How often the coordinator looks for transactions whose time is over.
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "250"),
            ("broker.heartbeat.interval.ms", "500"),
            ("broker.session.timeout.ms", "4000"),
            ("log.retention.check.interval.ms", "1000"),
            ("log.initial.task.delay.ms", "500"),
            // A process of a test, not of a data centre.
            ("log.cleaner.dedupe.buffer.size", "4194304"),
            ("log.cleaner.backoff.ms", "1000"),
            ("log.index.size.max.bytes", "1048576"),
            ("num.network.threads", "2"),
            ("num.io.threads", "4"),
            ("background.threads", "2"),
            ("num.recovery.threads.per.data.dir", "1"),
        ];
        let is_ours = |key: &str| !settings.iter().any(|(theirs, _)| *theirs == key);
        let lines = ours.iter().filter(|(key, _)| is_ours(key)).chain(settings);
        let text: String = lines.map(|(key, value)| format!("{key}={value}\n")).collect();
        text.replace("{port}", &port.to_string()).replace("{controller}", &controller.to_string())
    }

    fn format(&self, jars: &Path, id: &str, arguments: &[&str]) -> Child {
        let log = self.file("out.log");
        java(jars, &self.folder)
            .args(["kafka.tools.StorageTool", "format", &format!("--cluster-id={id}"), "-c", "server.properties"])
            .args(arguments)
            .stdout(append(&log))
            .stderr(append(&log))
            .spawn()
            .expect("java starts")
    }

    fn tail(&self) -> String {
        let mut text = String::new();
        for name in ["out.log", "server.log"] {
            let Ok(bytes) = fs::read(self.file(name)) else { continue };
            let log = String::from_utf8_lossy(&bytes).into_owned();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
            text.push_str(&format!("--- end of {name} of broker {}\n{shown}\n", self.node));
        }
        text
    }
}

/// Settings of a client of these addresses, with waits that suit a test.
fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        // A paused broker keeps its connections: its requests are given up after this instead of a minute.
        .set("socket.timeout.ms", "8000")
        .set("log_level", "2");
    config
}

/// The Java machine with Kafka's classes, working in a folder.
fn java(jars: &Path, folder: &Path) -> Command {
    let log = folder.join("server.log");
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/log4j2.properties");
    let mut command = Command::new("java");
    command
        // What a short life needs: no second compiler, one collector thread.
        .args(["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"])
        .arg(format!("-Dkafka.log.file={}", log.display()))
        .arg(format!("-Dlog4j2.configurationFile={}", settings.display()))
        .arg("-cp")
        .arg(jars.join("*"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

fn append(path: &Path) -> File {
    File::options().create(true).append(true).open(path).expect("a log file")
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "no signal {name} to process {pid}");
}

/// Waits for the end of a process, and kills it when it takes too long.
fn wait_for(mut child: Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the state of a process") {
            return Some(status);
        }
        if begun.elapsed() > patience {
            child.kill().ok();
            child.wait().ok();
            return None;
        }
        sleep(PACE);
    }
}

/// Starts the shell that outlives this process and ends what it left. It reads the ids of the brokers; at
/// the end of its input it kills those that still are processes of this cluster.
fn start_watcher(folder: &Path) -> (Child, ChildStdin) {
    let script = r#"pids=""
        while read -r pid; do pids="$pids $pid"; done
        for pid in $pids; do
            if tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF "$0/"; then kill -9 "$pid"; fi
        done
        rm -rf "$0""#;
    let mut watcher = Command::new("sh")
        .args(["-c", script])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of what the terminal sends to this process.
        .process_group(0)
        .spawn()
        .expect("a shell");
    let watch = watcher.stdin.take().expect("a pipe");
    (watcher, watch)
}

/// Finds ports that nobody listens on, below those the system gives to outgoing connections: a broker that
/// is down for a moment finds its port free when it comes back.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    const RANGE: std::ops::Range<u16> = 15_000..32_000;
    let any = RandomState::new().build_hasher().finish() % u64::from(RANGE.end - RANGE.start);
    let first = RANGE.start + u16::try_from(any).expect("a number below the length of the range");
    let mut listeners = Vec::new();
    for port in (first..RANGE.end).chain(RANGE.start..first) {
        // All are held until all are found.
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            listeners.push((port, listener));
        }
        if listeners.len() == count {
            break;
        }
    }
    assert_eq!(listeners.len(), count, "no free ports");
    listeners.into_iter().map(|(port, _)| port).collect()
}

/// 16 bytes in URL-safe base64, as Kafka wants them.
fn cluster_id(folder: &Path) -> String {
    use base64::Engine as _;
    let hash = blake3::hash(folder.as_os_str().as_encoded_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..16])
}

/// Returns the folder of Kafka's jars; Maven fills it once.
fn jars() -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pom = home.join("tests/kafka/pom.xml");
    let text = fs::read_to_string(&pom).expect("the list of jars");
    let (_, rest) = text.split_once("<kafka.version>").expect("a version of Kafka");
    let (version, _) = rest.split_once('<').expect("the end of a version");
    let tools = home.join("target/tools");
    let folder = tools.join(format!("kafka-{version}"));
    if folder.is_dir() {
        return folder;
    }
    fs::create_dir_all(&tools).expect("a folder for tools");
    let lock = append(&tools.join("kafka.lock"));
    lock.lock().expect("a lock");
    if folder.is_dir() {
        return folder;
    }
    let partial = tools.join(format!("kafka-{version}.partial"));
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .output()
        .expect("maven, which `make tools FOR_TESTS=1` installs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "Maven does not bring Kafka {version}\n{out}{err}");
    fs::rename(&partial, &folder).expect("the jars in their place");
    folder
}

/// Waits for an answer of an admin client, which has a thread of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
