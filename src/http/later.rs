//! What became of a decision: what later decisions on the same wallet did to its operation and its restrictions.

use serde_json::{Value, json};

use crate::adapters::store::{Store, StoreError, Stream};

use super::problem::Problem;
use super::{Shared, blocking};

/// What a decision says of itself, as far as later ones may speak of it.
struct Subjects {
    wallet_id: String,
    op_id: String,
    /// Of the restrictions that it placed.
    restrictions: Vec<String>,
}

impl Subjects {
    fn of(decision: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let commands = decision["commands"].as_array().into_iter().flatten();
        let placed = commands.filter(|command| command["command"] != "lift");
        Self {
            wallet_id: text(&decision["wallet_id"]),
            op_id: text(&decision["op_id"]),
            restrictions: placed.filter_map(|command| command["restriction_id"].as_str().map(str::to_owned)).collect(),
        }
    }

    /// Tells whether a later command ends what this decision began.
    fn are_ended_by(&self, command: &Value) -> bool {
        match command["command"].as_str() {
            Some("release" | "cancel") => command["subject"]["operation"].as_str() == Some(&self.op_id),
            Some("lift") => {
                command["restriction_id"].as_str().is_some_and(|id| self.restrictions.iter().any(|r| r == id))
            }
            _ => false,
        }
    }
}

/// Lists what later decisions did to the operation and the restrictions of a decision, oldest first, and tells whether
/// the operation waits now. Who did it is known for as long as operations are kept, and what became of a decision for
/// as long as its wallet remembers the later operations.
///
/// # Errors
/// The service stops, or the store cannot be read.
pub(super) async fn fate(api: &Shared, seq: u64, decision: &[u8]) -> Result<(Vec<Value>, bool), Problem> {
    let decision: Value = serde_json::from_slice(decision).unwrap_or_default();
    let subjects = Subjects::of(&decision);
    let Some(wallet) = api.service.wallet(&subjects.wallet_id).await? else { return Ok((Vec::new(), false)) };
    let waits = wallet.waiting.iter().any(|waiting| *waiting.waiting.op_id == *subjects.op_id);
    let began_something = !subjects.restrictions.is_empty() || decision["verdict"] != "allow";
    if !began_something {
        return Ok((Vec::new(), waits));
    }
    let store = api.store()?;
    let mut seqs: Vec<u64> = wallet.decisions.into_iter().filter(|later| *later > seq).collect();
    seqs.sort_unstable();
    let found = blocking(move || {
        let look = |seq: u64| ends(&store, seq, &subjects);
        seqs.into_iter().filter_map(|seq| look(seq).transpose()).collect::<Result<Vec<Value>, StoreError>>()
    });
    Ok((found.await??, waits))
}

/// Shows what one decision ended of these, if anything.
fn ends(store: &Store, seq: u64, subjects: &Subjects) -> Result<Option<Value>, StoreError> {
    let Some(decision) = store.item(Stream::Decisions, seq)? else { return Ok(None) };
    let decision: Value = serde_json::from_slice(&decision).unwrap_or_default();
    let commands = decision["commands"].as_array().into_iter().flatten();
    let commands: Vec<&Value> = commands.filter(|command| subjects.are_ended_by(command)).collect();
    if commands.is_empty() {
        return Ok(None);
    }
    let operation = store.item(Stream::Operations, seq)?;
    let operation: Value =
        operation.and_then(|item| serde_json::from_slice(item.get(8..)?).ok()).unwrap_or(Value::Null);
    Ok(Some(json!({
        "seq": seq, "at": decision["occurred_at"], "type": decision["type"], "commands": commands,
        "actor": operation["actor"], "proof": operation["proof"],
    })))
}
