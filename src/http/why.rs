//! Why a decision was made, for one of three readers.

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::analysis::explain::report::{self, Languages, Reader};
use crate::analysis::explain::{self, PastRules, stored};
use crate::config::Role;
use crate::operation::localized::Language;
use crate::service::reproduction::why::{Basis, Hindsight};
use crate::service::rule_history;
use crate::service::search::{Filter, Item, Order, Query};

use super::access::Caller;
use super::operations::missing;
use super::problem::Problem;
use super::query::{Parameters, refused};
use super::{Shared, blocking, json_of};

/// `GET /v1/decisions/{id}/why`
pub(super) async fn why(
    State(api): State<Shared>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["lang", "for"])?;
    let (reader, language) = (reader(&parameters, &caller)?, language(&parameters)?);
    let item = find(&api, &id).await?;
    let hindsight = {
        // State of the past is made again for so many at a time only.
        let _turn = api.hindsights.acquire().await;
        let (service, seq) = (api.service.clone(), item.seq);
        blocking(move || service.why(seq)).await?
    };
    let hindsight = hindsight.map_err(|error| Problem::new(500, error.to_string()))?;
    let languages = language.map_or(Languages::All, Languages::One);
    let (mut told, basis) = match hindsight {
        Some(Hindsight::Known { examination, basis }) => {
            let mut told = report::json(&examination, reader, languages);
            if let Some(language) = language {
                told["text"] = report::text(&examination, language, reader).trim_end().into();
            }
            (told, known(basis))
        }
        unknown => {
            let reason = match unknown {
                Some(Hindsight::Unknown(unknown)) => unknown.to_string(),
                _ => "operations come from Kafka: the state of then is not kept".to_owned(),
            };
            let mut told = by_itself(&api, &item, reader, languages).await?;
            if let Some(language) = language {
                told["text"] = stored::text(&told, language).trim_end().into();
            }
            (told, json!({"kind": "stored", "reason": reason}))
        }
    };
    told["seq"] = item.seq.into();
    told["basis"] = if reader == Reader::Client { json!({"kind": basis["kind"]}) } else { basis };
    Ok(json_of(&told))
}

fn known(basis: Basis) -> Value {
    let Basis { operations, is_whole, missing, is_exact } = basis;
    json!({
        "kind": "decided_again", "operations": operations, "is_whole": is_whole, "missing": missing,
        "is_exact": is_exact,
    })
}

/// Tells what the decision itself tells.
async fn by_itself(api: &Shared, item: &Item, reader: Reader, languages: Languages) -> Result<Value, Problem> {
    let rules = api.service.rules();
    let then = rules_of(api, &item.decision).await?;
    let told = stored::json((&rules.plan.rules, then.as_ref()), &item.decision, reader, languages);
    told.ok_or_else(|| Problem::new(500, "the stored decision cannot be read"))
}

/// Returns the rules that made a decision, where they are in use no more and the store keeps their texts.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn rules_of(api: &Shared, decision: &[u8]) -> Result<Option<PastRules>, Problem> {
    let now = api.service.rules();
    let hash = explain::ruleset_of(decision).filter(|hash| *hash != now.plan.rules.hash);
    let (Some(hash), Some(store)) = (hash, api.service.store().cloned()) else { return Ok(None) };
    Ok(blocking(move || rule_history::read(&store, &hash)).await??)
}

/// Finds a decision by its number or its id.
///
/// # Errors
/// 400: it is neither; 404, 410: there is no such decision, or none any more.
pub(super) async fn find(api: &Shared, id: &str) -> Result<Item, Problem> {
    let (filter, seq) = match (id.parse::<u64>(), id.parse::<Uuid>()) {
        (Ok(seq), _) => (Filter::default(), Some(seq)),
        (Err(_), Ok(id)) => (Filter { decision_id: Some(id), ..Filter::default() }, None),
        (Err(_), Err(_)) => return Err(refused(id, "id", "a decision's number, or its id, a UUID,")),
    };
    let position = seq.map_or(0, |seq| seq.saturating_sub(1));
    let mut query = Query { filter, order: Order::Ascending, position, limit: 1, bytes_max: usize::MAX };
    loop {
        let (service, asked) = (api.service.clone(), query.clone());
        let page = blocking(move || service.search(&asked)).await??;
        let found = page.items.into_iter().next();
        match (seq, found) {
            (Some(seq), Some(item)) if item.seq == seq => return Ok(item),
            (Some(seq), _) => return Err(missing(api, seq)),
            (None, Some(item)) => return Ok(item),
            (None, None) if page.next == query.position => {
                return Err(Problem::new(404, "no decision that is kept has this id"));
            }
            (None, None) => query.position = page.next,
        }
    }
}

/// Reads for whom it is told; whoever asks hears no more than their role lets them.
fn reader(parameters: &Parameters, caller: &Caller) -> Result<Reader, Problem> {
    let is = |role| caller.roles.contains(&role);
    let (needed, reader) = match parameters.get("for") {
        None if is(Role::Analyst) => return Ok(Reader::Analyst),
        None if is(Role::Support) => return Ok(Reader::Support),
        None | Some("client") => return Ok(Reader::Client),
        Some("support") => (is(Role::Support) || is(Role::Analyst), Reader::Support),
        Some("analyst") => (is(Role::Analyst), Reader::Analyst),
        Some(other) => return Err(refused(other, "for", "analyst, support or client")),
    };
    if !needed {
        return Err(Problem::new(403, "the token has not the role of this reader"));
    }
    Ok(reader)
}

fn language(parameters: &Parameters) -> Result<Option<Language>, Problem> {
    match parameters.get("lang") {
        None => Ok(None),
        Some("kk") => Ok(Some(Language::Kazakh)),
        Some("ru") => Ok(Some(Language::Russian)),
        Some("en") => Ok(Some(Language::English)),
        Some(other) => Err(refused(other, "lang", "kk, ru or en")),
    }
}
