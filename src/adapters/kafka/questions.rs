//! Questions to Kafka by librdkafka: offsets, members, and what lies in a topic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Said, ask, is_passing};
use super::port::{Isolation, Questions, StoredRecord, Told};
use super::{Failure, KafkaSettings};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long no record may come while some are missing: a leader may have to be elected meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long one question may take.
const OFFSET_QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Mostly the first question of a client: a broker that refuses it answers nothing.
const FIRST_QUESTION: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(100);

/// Two consumers that are members of no group: one sees committed records only.
pub(super) struct Asking {
    committed: BaseConsumer<Said>,
    uncommitted: BaseConsumer<Said>,
}

impl Asking {
    /// Connects.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, Failure> {
        let committed = settings.asking(Isolation::Committed)?;
        let uncommitted = settings.asking(Isolation::Uncommitted)?;
        Ok(Self { committed, uncommitted })
    }

    const fn consumer(&self, isolation: Isolation) -> &BaseConsumer<Said> {
        match isolation {
            Isolation::Committed => &self.committed,
            Isolation::Uncommitted => &self.uncommitted,
        }
    }
}

impl StoredRecord for BorrowedMessage<'_> {
    fn partition(&self) -> i32 {
        rdkafka::Message::partition(self)
    }

    fn offset(&self) -> i64 {
        rdkafka::Message::offset(self)
    }

    fn key(&self) -> Option<&[u8]> {
        rdkafka::Message::key(self)
    }

    fn value(&self) -> Option<&[u8]> {
        self.payload()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()?.iter().find(|header| header.key == name)?.value
    }
}

impl Questions for Asking {
    fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        let question = || self.committed.fetch_metadata(Some(topic), FIRST_QUESTION);
        let metadata = ask(&self.committed, &format!("find the topic {topic}"), PATIENCE, question)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found {
            Some(found) if found.error().is_none() && !found.partitions().is_empty() => {
                Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))
            }
            _ => Err(Failure::Kafka {
                what: format!("find the topic {topic}"),
                reason: "Kafka does not know it; `kuzet kafka topics --create` makes it".to_owned(),
                is_fenced: false,
                is_unknown: false,
            }),
        }
    }

    fn marks(&self, isolation: Isolation, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        let (what, consumer) = (format!("ask for the offsets of {topic}"), self.consumer(isolation));
        ask(consumer, &what, PATIENCE, || consumer.fetch_watermarks(topic, partition, OFFSET_QUERY_TIMEOUT))
    }

    fn offsets(
        &self,
        isolation: Isolation,
        topic: &str,
        partitions: &[i32],
        wait: Duration,
    ) -> Result<Told<BTreeMap<i32, i64>>, Failure> {
        let consumer = self.consumer(isolation);
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(topic, *partition);
        }
        let answer = consumer.committed_offsets(list, wait).and_then(|answer| {
            answer.elements().iter().try_for_each(|element| element.error())?;
            Ok(answer)
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let failed = Failure::of("ask for the group's offsets", &error).explained_by(consumer.context());
                let may_pass = is_passing(&error) && !consumer.context().is_refused();
                return if may_pass { Ok(Told::NotYet(failed)) } else { Err(failed) };
            }
        };
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        let elements = answer.elements();
        let told = elements.iter().filter_map(|found| Some((found.partition(), offset(found.offset())?)));
        Ok(Told::Now(told.collect()))
    }

    fn read(
        &self,
        isolation: Isolation,
        topic: &str,
        offsets: &[(i32, i64)],
        each: &mut dyn FnMut(&dyn StoredRecord),
    ) -> Result<(), Failure> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (what, consumer) = (format!("read {topic}"), self.consumer(isolation));
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            added.map_err(|error| Failure::of(what.as_str(), &error))?;
        }
        consumer.assign(&list).map_err(|error| Failure::of(what.as_str(), &error))?;
        let mut open: BTreeSet<i32> = offsets.iter().map(|(partition, _)| *partition).collect();
        let mut heard_at = Instant::now();
        let mut outcome = Ok(());
        while !open.is_empty() {
            match consumer.poll(POLL) {
                None if heard_at.elapsed() > SILENCE_MAX => {
                    outcome = Err(Failure::Silent { what: what.clone(), waited: SILENCE_MAX });
                    break;
                }
                None => {}
                Some(Ok(message)) => {
                    heard_at = Instant::now();
                    each(&message);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                // Connections come back by themselves; whoever stays silent is given up above.
                Some(Err(error)) if is_passing(&error) && heard_at.elapsed() <= SILENCE_MAX => {}
                Some(Err(error)) => {
                    outcome = Err(Failure::of(what.as_str(), &error));
                    break;
                }
            }
        }
        drop(consumer.unassign());
        outcome
    }

    fn members(&self, group: &str) -> Result<Vec<String>, Failure> {
        let listed = self.committed.client().fetch_group_list(Some(group), FIRST_QUESTION);
        let listed = listed.map_err(|error| Failure::of("ask for the group's members", &error))?;
        let members = listed.groups().iter().filter(|found| found.name() == group).flat_map(|group| group.members());
        Ok(members.map(|member| member.client_id().to_owned()).collect())
    }

    fn wait(&self, time: Duration) {
        // Nothing is assigned: only time passes, and errors come.
        drop(self.committed.poll(time));
    }
}
