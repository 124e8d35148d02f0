//! Who may do what, and how often.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::AUTHORIZATION;

use crate::config::{Role, TokenHash};

use super::Api;
use super::connections::Place;
use super::connections::activity::Activity;
use super::endpoints::Endpoint;
use super::problem::Problem;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name of the token.
    pub name: String,
    pub roles: Vec<Role>,
}

/// Who everybody is when no tokens are configured.
const LOCAL: &str = "local";

/// Finds out who asks, and whether they may.
///
/// # Errors
/// 401 without a known token, 403 without the role, 429 when asked too often.
pub fn admit(api: &Api, endpoint: &Endpoint, request: &Request) -> Result<Caller, Problem> {
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        api.rates.take(address.ip(), Instant::now())?;
    }
    if api.tokens.is_empty() {
        refuse_other_sites(request)?;
        return Ok(Caller { name: LOCAL.to_owned(), roles: Role::ALL.to_vec() });
    }
    if endpoint.roles.is_empty() {
        return Ok(Caller { name: String::new(), roles: Vec::new() });
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let Some(token) = token else {
        return Err(Problem::new(401, "no token was found, but `authorization: Bearer TOKEN` is required here"));
    };
    let hash = TokenHash::of(token);
    // Every hash is looked at, each compared in constant time: how long it takes tells nothing.
    let known = api.tokens.iter().fold(None, |known, token| if token.hash == hash { Some(token) } else { known });
    let Some(known) = known else { return Err(Problem::new(401, "the token is not one of those configured")) };
    if !endpoint.roles.iter().any(|role| known.may(*role)) {
        let roles: Vec<&str> = endpoint.roles.iter().map(|role| role.name()).collect();
        let needed = roles.join(" or ");
        return Err(Problem::new(403, format!("the token has not the role that this needs: {needed}")));
    }
    Ok(Caller { name: known.name.clone(), roles: known.roles.clone() })
}

/// Keeps the reserved connections for whom they are. A caller that has shown a right keeps the connection.
///
/// # Errors
/// 503: the connection has one of the reserved seats, and the request is neither the ledger's nor `/healthz`.
pub fn take_place(endpoint: &Endpoint, request: &Request, caller: Caller) -> Result<Caller, Problem> {
    let Some(activity) = request.extensions().get::<Arc<Activity>>() else { return Ok(caller) };
    let is_for_all = endpoint.roles.is_empty();
    if activity.place() == Place::Reserved && !is_for_all && !caller.roles.contains(&Role::Ledger) {
        let detail = "found as many connections as are accepted; the rest are for the ledger and for /healthz";
        return Err(Problem::new(503, detail));
    }
    if !is_for_all {
        activity.show_right();
    }
    Ok(caller)
}

/// Without tokens a page of another site in the same person's browser must not act through it.
fn refuse_other_sites(request: &Request) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header("host").unwrap_or_default();
    if !host.is_empty() && !is_local_name(host) {
        return Err(Problem::new(421, "without tokens only requests to this machine's own address are answered"));
    }
    let origin = header("origin").filter(|origin| *origin != "null");
    let from = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    match (from, header("sec-fetch-site")) {
        (Some(from), _) if !is_local_name(from) => {
            Err(Problem::new(403, "without tokens pages of other sites are not answered"))
        }
        (_, Some("cross-site")) => Err(Problem::new(403, "without tokens pages of other sites are not answered")),
        _ => Ok(()),
    }
}

/// Tells whether a host, with or without its port, is this machine.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How many addresses are counted at a time.
const ADDRESSES_MAX: usize = 100_000;

/// Counts requests by client address.
#[derive(Debug)]
pub struct Rates {
    per_second: u64,
    second: Mutex<(Instant, HashMap<IpAddr, u64>)>,
}

impl Rates {
    /// Allows so many requests a second from each address; 0 allows any number.
    #[must_use]
    pub fn new(per_second: u64, now: Instant) -> Self {
        Self { per_second, second: Mutex::new((now, HashMap::new())) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 when the address has asked too often in this second.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Problem> {
        if self.per_second == 0 {
            return Ok(());
        }
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(second.0) >= Duration::from_secs(1) || second.1.len() >= ADDRESSES_MAX {
            *second = (now, HashMap::new());
        }
        let count = second.1.entry(address).or_default();
        *count += 1;
        if *count > self.per_second {
            let detail = format!("found more than {} requests from this address in a second", self.per_second);
            return Err(Problem::new(429, detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_ask_so_often_a_second() {
        let start = Instant::now();
        let rates = Rates::new(2, start);
        let (one, other): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        assert!(rates.take(one, start).is_ok() && rates.take(one, start).is_ok());
        assert_eq!(rates.take(one, start).unwrap_err().status, 429);
        assert!(rates.take(other, start).is_ok());
        assert!(rates.take(one, start + Duration::from_secs(1)).is_ok());
        let unlimited = Rates::new(0, start);
        assert!((0..1_000).all(|_| unlimited.take(one, start).is_ok()));
    }

    #[test]
    fn other_sites_are_told_from_this_machine() {
        let check = |headers: &[(&str, &str)], ok: bool| {
            let mut request = Request::builder();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            assert_eq!(refuse_other_sites(&request).is_ok(), ok, "{headers:?}");
        };
        check(&[], true);
        for host in ["localhost:8480", "127.0.0.1:8480", "127.0.0.1", "[::1]:8480", "[::1]", "localhost"] {
            check(&[("host", host)], true);
        }
        check(&[("host", "kuzet.example:8480")], false);
        check(&[("host", "localhost:8480"), ("origin", "http://127.0.0.1:8480")], true);
        check(&[("host", "localhost:8480"), ("origin", "https://evil.example")], false);
        check(&[("host", "localhost:8480"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "localhost:8480"), ("sec-fetch-site", "same-origin")], true);
    }
}
