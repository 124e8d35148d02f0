//! A cluster as librdkafka reaches it: what runs outside of tests.

use std::sync::Arc;

use super::consumer::Member;
use super::port::{Cluster, Group, GroupMember, Isolation, Questions, Transactions};
use super::producer::Producer;
use super::questions::Asking;
use super::{Failure, KafkaSettings};

/// The brokers that the settings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Librdkafka;

impl Cluster for Librdkafka {
    fn join(&self, settings: &KafkaSettings, isolation: Isolation) -> Result<Arc<dyn GroupMember>, Failure> {
        Ok(Arc::new(Member::join(settings, isolation)?))
    }

    fn take_over(&self, settings: &KafkaSettings, owner: &str) -> Result<[Box<dyn Transactions>; 2], Failure> {
        let [first, second] = Producer::take_over_both(settings, owner)?;
        Ok([Box::new(first), Box::new(second)])
    }

    fn questions(&self, settings: &KafkaSettings) -> Result<Box<dyn Questions>, Failure> {
        Ok(Box::new(Asking::new(settings)?))
    }

    fn group_of_nobody(&self, settings: &KafkaSettings) -> Result<Option<Group>, Failure> {
        Ok(settings.group_of_nobody()?.map(|group| Box::new(group) as Group))
    }
}
