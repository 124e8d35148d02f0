//! What a caller and the server know of each other.

use uuid::Uuid;

use super::gateway::DirectoryUpdate;
use crate::engine::restriction::Restriction;
use crate::engine::shared::Party;
use crate::operation::Time;

/// What the store knows of the server's sentinel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Epoch {
    /// The server has not answered yet.
    Unknown,
    /// The server lost something, or another one fills it again: [`RedisStore::rebuild`](super::RedisStore::rebuild) is due.
    RebuildDue,
    /// The server holds what the caller gave it. The caller keeps the token with its state, for
    /// [`RedisStore::new`](super::RedisStore::new); it gives the state of a shard that comes with another token by a rebuild.
    Current { token: String },
}

/// What a shard gives a server that lost something.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// Blocks in force.
    pub blocks: Vec<(Party, Vec<Restriction>)>,
    /// Blocks that were lifted before their end.
    pub tombstones: Vec<(Party, Uuid)>,
    /// The newest operation decided; `None` when there was none.
    pub newest: Option<Time>,
    /// What gateways read: see [`DirectoryUpdate::of_restriction`].
    pub shown: Vec<DirectoryUpdate>,
}
