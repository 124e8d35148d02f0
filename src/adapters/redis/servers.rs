//! One server or a cluster, and a connection to either.

use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterConnection, cluster_pipe};
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Client, Connection, ConnectionAddr, ConnectionInfo, Pipeline, RedisResult, TlsCertificates, Value};

use super::answers::items;

/// On a cluster a command whose slot has moved is tried again so often.
const RETRIES: u32 = 2;
/// Between such tries, in milliseconds: who asks waits for the answer.
const RETRY_WAIT: u64 = 20;

/// What is connected to.
pub(super) enum Servers {
    One(Client),
    Cluster(Nodes),
}

/// The nodes of a cluster, as far as they are known.
pub(super) struct Nodes {
    /// The node that the settings name; all others are reached in the same way.
    named: ConnectionInfo,
    certificates: Option<TlsCertificates>,
    /// Nodes that the cluster told of: one of them may be there when the named one is not.
    told: Vec<ConnectionInfo>,
}

/// A connection to one server, or to the primaries of a cluster.
pub(super) enum Connected {
    One(Box<Connection>),
    Cluster(Box<ClusterConnection>),
}

impl Servers {
    /// Connects; each wait lasts no longer than the timeout.
    pub(super) fn connect(&mut self, timeout: Duration) -> RedisResult<Connected> {
        match self {
            Self::One(client) => {
                let connection = client.get_connection_with_timeout(timeout)?;
                connection.set_read_timeout(Some(timeout))?;
                connection.set_write_timeout(Some(timeout))?;
                Ok(Connected::One(Box::new(connection)))
            }
            Self::Cluster(nodes) => nodes.connect(timeout).map(|connection| Connected::Cluster(Box::new(connection))),
        }
    }
}

impl Nodes {
    /// Begins with the node that the settings name. The check of the settings is the client's.
    ///
    /// # Errors
    /// The node cannot be one of a cluster.
    pub(super) fn new(named: ConnectionInfo, certificates: Option<TlsCertificates>) -> RedisResult<Self> {
        let nodes = Self { named, certificates, told: Vec::new() };
        nodes.client(Duration::from_secs(1)).map(|_| nodes)
    }

    fn client(&self, timeout: Duration) -> RedisResult<ClusterClient> {
        let nodes = [&self.named].into_iter().chain(&self.told).cloned();
        let builder = ClusterClient::builder(nodes).connection_timeout(timeout).response_timeout(timeout);
        let builder = builder.retries(RETRIES).min_retry_wait(RETRY_WAIT).max_retry_wait(RETRY_WAIT);
        match &self.certificates {
            Some(certificates) => builder.certs(certificates.clone()).build(),
            None => builder.build(),
        }
    }

    fn connect(&mut self, timeout: Duration) -> RedisResult<ClusterConnection> {
        let mut connection = self.client(timeout)?.get_connection()?;
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        let slots = connection.route_command(&command, routing)?;
        let addresses = addresses_of(&slots).into_iter().filter_map(|(host, port)| self.info(host, port));
        self.told = addresses.collect();
        Ok(connection)
    }

    /// Tells how to reach a node: as the named one, at another address.
    fn info(&self, node: String, at: u16) -> Option<ConnectionInfo> {
        let addr = match self.named.addr() {
            ConnectionAddr::Tcp(..) => ConnectionAddr::Tcp(node, at),
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                let (insecure, tls_params) = (*insecure, tls_params.clone());
                ConnectionAddr::TcpTls { host: node, port: at, insecure, tls_params }
            }
            _ => return None,
        };
        Some(self.named.clone().set_addr(addr))
    }
}

/// Lists the nodes in an answer to `CLUSTER SLOTS`: of each range of slots the primary and its replicas.
fn addresses_of(slots: &Value) -> Vec<(String, u16)> {
    let ranges = items(slots).unwrap_or_default().iter().filter_map(items);
    let nodes = ranges.flat_map(|range| range.iter().skip(2)).filter_map(items);
    let mut addresses: Vec<(String, u16)> = nodes
        .filter_map(|node| match node {
            [host, Value::Int(port), ..] => Some((super::answers::text(host)?, u16::try_from(*port).ok()?)),
            _ => None,
        })
        // A node that does not know its own address tells none.
        .filter(|(host, _)| !host.is_empty() && host != "?")
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

impl Connected {
    /// Runs commands and returns their answers in order. On a cluster those for one node go together, and all nodes
    /// work at once.
    pub(super) fn query(&mut self, pipe: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(connection) => pipe.query(connection),
            Self::Cluster(connection) => {
                let mut commands = cluster_pipe();
                pipe.cmd_iter().for_each(|command| _ = commands.add_command(command.clone()));
                commands.query(connection)
            }
        }
    }

    /// Loads scripts, on every node of a cluster.
    pub(super) fn load(&mut self, scripts: &[&str]) -> RedisResult<()> {
        for text in scripts {
            let mut command = redis::cmd("SCRIPT");
            command.arg("LOAD").arg(text);
            match self {
                Self::One(connection) => command.exec(connection)?,
                Self::Cluster(connection) => command.exec(connection)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_from_the_slots() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: &str, port| Value::Array(vec![text(host), Value::Int(port), text("id")]);
        let range = |nodes: &[Value]| Value::Array([&[Value::Int(0), Value::Int(9)], nodes].concat());
        let slots = Value::Array(vec![
            range(&[node("10.0.0.1", 7000), node("10.0.0.2", 7000)]),
            range(&[node("10.0.0.1", 7000), node("", 7001), node("?", 7002), node("10.0.0.3", -1)]),
        ]);
        assert_eq!(addresses_of(&slots), [("10.0.0.1".into(), 7000), ("10.0.0.2".into(), 7000)]);
        assert!(addresses_of(&Value::Nil).is_empty());
    }
}
