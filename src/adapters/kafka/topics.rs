//! Makes the topics, and says what is wrong with those that are there.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::client::{Said, ask};
use super::port::Isolation;
use super::{Failure, KafkaSettings};

const PATIENCE: Duration = Duration::from_secs(30);
/// How long one question may take.
const OFFSET_QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// For so long not every broker may know of a topic that was made.
const SETTLING_MAX: Duration = Duration::from_secs(20);
/// Between two looks at it.
const SETTLING_LOOK_EVERY: Duration = Duration::from_millis(250);
/// What kuzet writes is at most [`super::state::PART_BYTES_MAX`] long, with a key, headers and a batch around it.
const MESSAGE_BYTES_MIN: u32 = 1_000_000;

/// What a topic is for: its settings follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Operations,
    Decisions,
    Rejected,
    State,
}

/// How long records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicRetention {
    pub operations: Duration,
    pub decisions: Duration,
    pub rejected: Duration,
}

impl TopicRetention {
    /// The state is kept for ever: only compaction makes it smaller.
    const fn of(&self, purpose: Use) -> Option<Duration> {
        match purpose {
            Use::Operations => Some(self.operations),
            Use::Decisions => Some(self.decisions),
            Use::Rejected => Some(self.rejected),
            Use::State => None,
        }
    }
}

/// A topic that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub topic: String,
    /// False when it was there already.
    pub is_new: bool,
}

impl KafkaSettings {
    fn uses(&self) -> [(&str, Use); 4] {
        [
            (&self.topics.operations, Use::Operations),
            (&self.topics.decisions, Use::Decisions),
            (&self.topics.rejected, Use::Rejected),
            (&self.topics.state, Use::State),
        ]
    }

    fn admin(&self) -> Result<AdminClient<Said>, Failure> {
        let mut config = self.client();
        config.remove("group.instance.id");
        config.create_with_context(Said::default()).map_err(|error| Failure::of("make a client", &error))
    }
}

/// Waits for an answer; librdkafka has threads of its own.
fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let failed = |error: std::io::Error| Failure::Kafka {
        what: "wait for an answer".to_owned(),
        reason: error.to_string(),
        is_fenced: false,
        is_unknown: false,
    };
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?.block_on(future))
}

/// Asks for all brokers and topics, by a client that hears why it is refused.
fn metadata(settings: &KafkaSettings) -> Result<Metadata, Failure> {
    let consumer = settings.asking(Isolation::Committed)?;
    ask(&consumer, "ask for the topics", PATIENCE, || consumer.fetch_metadata(None, OFFSET_QUERY_TIMEOUT))
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// Makes the topics that are missing, with so many copies of each record; else with a copy on each broker, at
/// most three. The state is compacted and never deleted by age.
///
/// # Errors
/// Kafka does not answer, or refuses.
pub fn create(
    settings: &KafkaSettings,
    retention: &TopicRetention,
    partitions: i32,
    replication: Option<i32>,
) -> Result<Vec<Made>, Failure> {
    let brokers = metadata(settings)?.brokers().len();
    let admin = settings.admin()?;
    let replication = replication.unwrap_or_else(|| i32::try_from(brokers.clamp(1, 3)).unwrap_or(1));
    let in_sync = replication.min(2).to_string();
    let uses = settings.uses();
    let kept = uses.map(|(_, purpose)| retention.of(purpose).map(|kept| kept.as_millis().to_string()));
    let topics: Vec<NewTopic<'_>> = uses
        .iter()
        .zip(&kept)
        .map(|((name, _), kept)| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
            let topic = topic.set("min.insync.replicas", &in_sync);
            match kept {
                Some(kept) => topic.set("cleanup.policy", "delete").set("retention.ms", kept),
                None => topic.set("cleanup.policy", "compact"),
            }
        })
        .collect();
    let results = wait(admin.create_topics(&topics, &options()))?;
    let results = results.map_err(|error| Failure::of("make topics", &error))?;
    let made = results.into_iter().map(|result| match result {
        Ok(topic) => Ok(Made { topic, is_new: true }),
        Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Made { topic, is_new: false }),
        Err((topic, code)) => Err(Failure::Kafka {
            what: format!("make the topic {topic}"),
            reason: code.to_string(),
            is_fenced: false,
            is_unknown: false,
        }),
    });
    made.collect()
}

/// Checks topics of which some have just been made: for a while not every broker knows of those. What is wrong with
/// them is told only if it still is after that while.
///
/// # Errors
/// Kafka does not answer.
pub fn check_made(settings: &KafkaSettings, retention: &TopicRetention, made: &[Made]) -> Result<Vec<String>, Failure> {
    let until = Instant::now() + SETTLING_MAX;
    loop {
        let complaints = check(settings, retention)?;
        if Instant::now() >= until || !complaints.iter().any(|complaint| is_of_new(complaint, made)) {
            return Ok(complaints);
        }
        std::thread::sleep(SETTLING_LOOK_EVERY);
    }
}

/// Tells whether a complaint is about a topic that has just been made.
fn is_of_new(complaint: &str, made: &[Made]) -> bool {
    let about = |topic: &str| complaint.strip_prefix(topic).is_some_and(|rest| rest.starts_with(": "));
    made.iter()
        .any(|made| made.is_new && (about(&made.topic) || complaint.contains(&format!("but {} has", made.topic))))
}

/// Lists what is wrong with the topics, each with what is accepted; nothing when all is well.
///
/// # Errors
/// Kafka does not answer.
pub fn check(settings: &KafkaSettings, retention: &TopicRetention) -> Result<Vec<String>, Failure> {
    let metadata = metadata(settings)?;
    let admin = settings.admin()?;
    let partitions_of = |name: &str| {
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        found.map(rdkafka::metadata::MetadataTopic::partitions).filter(|partitions| !partitions.is_empty())
    };
    let mut complaints = Vec::new();
    let mut present = Vec::new();
    let operations = partitions_of(&settings.topics.operations).map(<[_]>::len);
    for (name, purpose) in settings.uses() {
        let Some(partitions) = partitions_of(name) else {
            complaints.push(format!("{name}: there is no such topic; --create makes it"));
            continue;
        };
        let copies = partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        present.push((name, purpose, copies));
        if let Some(operations) = operations.filter(|operations| *operations != partitions.len()) {
            let found = partitions.len();
            complaints.push(format!(
                "{name}: found {found} partitions, but {} has {operations}, and all topics need the same number",
                settings.topics.operations
            ));
        }
    }
    if present.is_empty() {
        return Ok(complaints);
    }
    let resources: Vec<ResourceSpecifier<'_>> =
        present.iter().map(|(name, ..)| ResourceSpecifier::Topic(name)).collect();
    let described = wait(admin.describe_configs(&resources, &options()))?;
    let described = described.map_err(|error| Failure::of("ask for the topics' settings", &error))?;
    for ((name, purpose, copies), resource) in present.iter().zip(described) {
        match resource {
            Ok(resource) => {
                let found = complaints_of(&resource, *purpose, *copies, retention.of(*purpose));
                complaints.extend(found.into_iter().map(|complaint| format!("{name}: found {complaint}")));
            }
            Err(code) => complaints.push(format!("{name}: its settings cannot be read: {code}")),
        }
    }
    Ok(complaints)
}

fn complaints_of(resource: &ConfigResource, purpose: Use, copies: usize, kept: Option<Duration>) -> Vec<String> {
    let value = |key: &str| {
        let found = resource.entries.iter().find(|entry| entry.name == key);
        found.and_then(|entry| entry.value.clone()).unwrap_or_default()
    };
    let mut complaints = Vec::new();
    let policy = value("cleanup.policy");
    let wanted = if purpose == Use::State { "compact" } else { "delete" };
    if policy != wanted {
        complaints.push(format!("cleanup.policy={policy}, but only {wanted} loses nothing here"));
    }
    if let Some(kept) = kept {
        let (age, wanted) = (value("retention.ms"), kept.as_millis());
        // A negative one is for ever.
        if age.parse::<u128>().is_ok_and(|age| age < wanted) {
            complaints.push(format!("retention.ms={age}, but kuzet.toml asks for {wanted} or more"));
        }
        let size = value("retention.bytes");
        if size.parse::<u64>().is_ok() {
            complaints.push(format!("retention.bytes={size}, but only -1 keeps records for as long as is asked for"));
        }
    }
    let in_sync = value("min.insync.replicas");
    if copies > 1 && in_sync.parse::<usize>().is_ok_and(|in_sync| in_sync < 2) {
        complaints
            .push(format!("min.insync.replicas={in_sync} with {copies} copies, but at least 2 outlive a broken disk"));
    }
    if value("unclean.leader.election.enable") == "true" {
        complaints.push("unclean.leader.election.enable=true, but only false loses nothing".to_owned());
    }
    let largest = value("max.message.bytes");
    if purpose != Use::Operations && largest.parse::<u32>().is_ok_and(|bytes| bytes < MESSAGE_BYTES_MIN) {
        complaints.push(format!("max.message.bytes={largest}, but records have up to {MESSAGE_BYTES_MIN} bytes"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_new_topics_may_pass() {
        let made = |topic: &str, is_new| Made { topic: topic.to_owned(), is_new };
        let made = [made("wallet.operations", true), made("wallet.decisions", false), made("kuzet.state", true)];
        for (complaint, expected) in [
            ("wallet.operations: there is no such topic; --create makes it", true),
            ("kuzet.state: its settings cannot be read: UnknownTopicOrPartition", true),
            (
                "wallet.decisions: found 3 partitions, but wallet.operations has 12, and all topics need the same number",
                true,
            ),
            ("wallet.decisions: found cleanup.policy=compact, but only delete loses nothing here", false),
            ("wallet.operations.rejected: there is no such topic; --create makes it", false),
        ] {
            assert_eq!(is_of_new(complaint, &made), expected, "{complaint}");
        }
    }
}
