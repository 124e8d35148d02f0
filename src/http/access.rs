//! Who may do what, and how often.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;

use crate::config::{Role, TokenHash};

use super::Api;
use super::connections::activity::Activity;
use super::connections::{Place, network_of};
use super::endpoints::{Endpoint, Handler};
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
/// 401 without a known token, 403 without the role or from a page of another site, 429 when asked too often.
pub fn admit(api: &Api, endpoint: &Endpoint, request: &Request) -> Result<Caller, Problem> {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    // Whoever asks whether the process lives must never hear that they asked too often.
    if let Some(client) = client.filter(|_| endpoint.handler != Handler::Health) {
        api.rates.take(client, Instant::now())?;
    }
    refuse_other_pages(request)?;
    if api.tokens.is_empty() {
        refuse_other_sites(request)?;
        return Ok(Caller { name: LOCAL.to_owned(), roles: Role::ALL.to_vec() });
    }
    if endpoint.roles.is_empty() {
        return Ok(Caller { name: String::new(), roles: Vec::new() });
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(bearer) else {
        return Err(Problem::new(401, "no token was found, but `authorization: Bearer TOKEN` is required here"));
    };
    let hash = TokenHash::of(token);
    // Every hash is looked at, each compared in constant time: how long it takes tells nothing.
    let known = api.tokens.iter().fold(None, |known, token| if token.hash == hash { Some(token) } else { known });
    let noted = api.guesses.note(client.unwrap_or(Ipv4Addr::LOCALHOST.into()), hash, known.is_some(), Instant::now());
    if noted.is_err() {
        api.metrics.observe_refused("wrong_token");
    }
    noted?;
    let Some(known) = known else { return Err(Problem::new(401, "the token is not one of those configured")) };
    if !endpoint.roles.iter().any(|role| known.may(*role)) {
        let roles: Vec<&str> = endpoint.roles.iter().map(|role| role.name()).collect();
        let needed = roles.join(" or ");
        return Err(Problem::new(403, format!("the token has not the role that this needs: {needed}")));
    }
    Ok(Caller { name: known.name.clone(), roles: known.roles.clone() })
}

/// Reads the token after `Bearer`, a word in any case (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
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

/// Refuses changes that a page from elsewhere asks for: in a browser a person's rights, or the mere place on this
/// machine, would be that page's too. What changes something has no `Origin`, or that of the host it is sent to. A
/// page on another port is another one, and `null` is the origin of those that hide theirs.
///
/// # Errors
/// 403: another page asks.
fn refuse_other_pages(request: &Request) -> Result<(), Problem> {
    if request.method().is_safe() {
        return Ok(());
    }
    let refused = || {
        Err(Problem::new(403, "found a request that a page of another origin sends, but only the console's own may"))
    };
    let origins: Vec<_> = request.headers().get_all(ORIGIN).iter().collect();
    let host = host_of(request);
    if origins.iter().any(|origin| !origin.to_str().is_ok_and(|origin| is_origin_of(origin, host))) {
        return refused();
    }
    let site = request.headers().get("sec-fetch-site").map(|site| site.as_bytes());
    match site {
        // Of an equal `Origin` nothing more is asked.
        Some(site) if origins.is_empty() && site != b"same-origin" && site != b"none" => refused(),
        _ => Ok(()),
    }
}

/// Returns the host that a request is sent to, with the port if one is named. HTTP/2 has it in the address.
fn host_of(request: &Request) -> &str {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default()
}

/// Tells whether an origin, such as `https://kuzet.bank:8443`, is that of a host with or without its port.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Some((scheme, name)) = origin.split_once("://") else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let plain = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
    !host.is_empty() && plain(name) == plain(host)
}

/// Without tokens a page of another site in the same person's browser must not see anything through it.
fn refuse_other_sites(request: &Request) -> Result<(), Problem> {
    let host = host_of(request);
    if !host.is_empty() && !is_local_name(host) {
        return Err(Problem::new(421, "without tokens only requests to this machine's own address are answered"));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_elsewhere = |origin: &str| !origin.split_once("://").is_some_and(|(_, host)| is_local_name(host));
    if header("origin").is_some_and(is_elsewhere) || header("sec-fetch-site") == Some("cross-site") {
        return Err(Problem::new(403, "without tokens pages of other sites are not answered"));
    }
    Ok(())
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
        let count = second.1.entry(network_of(address)).or_default();
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
        check(&[("host", "localhost:8480"), ("origin", "null")], false);
        check(&[("host", "localhost:8480"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "localhost:8480"), ("sec-fetch-site", "same-origin")], true);
    }

    #[test]
    fn only_pages_of_the_same_origin_change_anything() {
        let may = |method: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().method(method).uri("/v1/operations");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            refuse_other_pages(&request).is_ok()
        };
        let post = |headers: &[(&str, &str)]| may("POST", headers);
        assert!(post(&[]) && post(&[("host", "kuzet.bank")]), "no browser");
        for (host, origin) in [
            ("127.0.0.1:8480", "http://127.0.0.1:8480"),
            ("kuzet.bank", "https://kuzet.bank"),
            ("kuzet.bank:443", "https://Kuzet.bank"),
            ("kuzet.bank", "http://kuzet.bank:80"),
            ("[::1]:8480", "http://[::1]:8480"),
        ] {
            assert!(post(&[("host", host), ("origin", origin)]), "{origin} at {host}");
        }
        for (host, origin) in [
            ("127.0.0.1:8480", "http://127.0.0.1:8481"),
            ("127.0.0.1:8480", "http://localhost:8480"),
            ("127.0.0.1:8480", "null"),
            ("127.0.0.1:8480", ""),
            ("kuzet.bank", "https://kuzet.bank:444"),
            ("kuzet.bank", "https://kuzet.bank.evil.example"),
            ("kuzet.bank", "file://kuzet.bank"),
            ("", "http://localhost"),
        ] {
            assert!(!post(&[("host", host), ("origin", origin)]), "{origin} at {host}");
        }
        for (site, ok) in [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)] {
            assert_eq!(post(&[("host", "localhost"), ("sec-fetch-site", site)]), ok, "{site}");
        }
        assert!(may("GET", &[("host", "kuzet.bank"), ("origin", "https://evil.example")]));
    }

    #[test]
    fn the_word_bearer_has_any_case() {
        for header in ["Bearer kzt_1", "bearer kzt_1", "BEARER  kzt_1 "] {
            assert_eq!(bearer(header), Some("kzt_1"), "{header}");
        }
        for header in ["kzt_1", "Basic kzt_1", "Bearerkzt_1", ""] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
