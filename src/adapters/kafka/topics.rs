//! Makes the topics, and says what is wrong with those that are there.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use super::{Failure, KafkaSettings};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a topic is for: its settings follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Operations,
    Decisions,
    Rejected,
    State,
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

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Failure> {
        let mut config = self.client();
        config.remove("group.instance.id");
        config.create().map_err(|error| Failure::of("make a client", &error))
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

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// Makes the topics that are missing, with so many copies of each record; else with a copy on each broker, at
/// most three. The state is compacted and never deleted by age; decisions are kept for
/// five years, operations and refused records for three months, like the embedded store does.
///
/// # Errors
/// Kafka does not answer, or refuses.
pub fn create(settings: &KafkaSettings, partitions: i32, replication: Option<i32>) -> Result<Vec<Made>, Failure> {
    let admin = settings.admin()?;
    let replication = match replication {
        Some(replication) => replication,
        None => {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE);
            let metadata = metadata.map_err(|error| Failure::of("ask for the brokers", &error))?;
            i32::try_from(metadata.brokers().len().clamp(1, 3)).unwrap_or(1)
        }
    };
    let days = |days: u64| (days * 24 * 3_600_000).to_string();
    let (months, years, in_sync) = (days(90), days(1_826), replication.min(2).to_string());
    let topics: Vec<NewTopic<'_>> = settings
        .uses()
        .into_iter()
        .map(|(name, purpose)| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication))
                .set("min.insync.replicas", &in_sync);
            match purpose {
                Use::Operations | Use::Rejected => topic.set("cleanup.policy", "delete").set("retention.ms", &months),
                Use::Decisions => topic.set("cleanup.policy", "delete").set("retention.ms", &years),
                Use::State => topic.set("cleanup.policy", "compact"),
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

/// Lists what is wrong with the topics, each with what is accepted; nothing when all is well.
///
/// # Errors
/// Kafka does not answer.
pub fn check(settings: &KafkaSettings) -> Result<Vec<String>, Failure> {
    let admin = settings.admin()?;
    let metadata = admin.inner().fetch_metadata(None, PATIENCE);
    let metadata = metadata.map_err(|error| Failure::of("ask for the topics", &error))?;
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
    let resources: Vec<ResourceSpecifier<'_>> =
        present.iter().map(|(name, ..)| ResourceSpecifier::Topic(name)).collect();
    let described = wait(admin.describe_configs(&resources, &options()))?;
    let described = described.map_err(|error| Failure::of("ask for the topics' settings", &error))?;
    for ((name, purpose, copies), resource) in present.iter().zip(described) {
        match resource {
            Ok(resource) => complaints.extend(complaints_of(name, *purpose, *copies, &resource)),
            Err(code) => complaints.push(format!("{name}: its settings cannot be read: {code}")),
        }
    }
    Ok(complaints)
}

fn complaints_of(name: &str, purpose: Use, copies: usize, resource: &ConfigResource) -> Vec<String> {
    let value = |key: &str| {
        let found = resource.entries.iter().find(|entry| entry.name == key);
        found.and_then(|entry| entry.value.clone()).unwrap_or_default()
    };
    let mut complaints = Vec::new();
    let policy = value("cleanup.policy");
    let wanted = if purpose == Use::State { "compact" } else { "delete" };
    if policy != wanted {
        complaints.push(format!("{name}: found cleanup.policy={policy}, but only {wanted} loses nothing here"));
    }
    let in_sync = value("min.insync.replicas");
    if copies > 1 && in_sync.parse::<usize>().is_ok_and(|in_sync| in_sync < 2) {
        complaints.push(format!(
            "{name}: found min.insync.replicas={in_sync} with {copies} copies, but at least 2 outlive a broken disk"
        ));
    }
    if value("unclean.leader.election.enable") == "true" {
        complaints.push(format!("{name}: found unclean.leader.election.enable=true, but only false loses nothing"));
    }
    complaints
}
