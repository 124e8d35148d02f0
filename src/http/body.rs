//! The bodies of requests: each of a limited size, all together in a limited memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;

use super::Api;
use super::connections::network_of;
use super::problem::Problem;

/// A body begins with room for so many bytes, which double as it grows.
const ROOM_MIN: usize = 4 * 1024;

/// The memory for all bodies in hand.
#[derive(Debug)]
pub struct Bodies {
    /// Of one body.
    each_max: usize,
    all_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A whole body. Its share of the memory is given back when this is dropped: when its request is answered.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    _share: Share,
}

/// What one body takes of the memory.
#[derive(Debug)]
struct Share {
    bytes: usize,
    network: IpAddr,
    of: Arc<Bodies>,
}

impl Bodies {
    /// Makes the memory for bodies of at most `each_max` bytes, together `all_max`; one of them always fits.
    #[must_use]
    pub fn new(each_max: usize, all_max: usize) -> Arc<Self> {
        // Half of it is one client's.
        Arc::new(Self { each_max, all_max: all_max.max(each_max.saturating_mul(2)), held: Mutex::default() })
    }
}

impl Share {
    fn new(of: &Arc<Bodies>, network: IpAddr) -> Self {
        Self { bytes: 0, network, of: Arc::clone(of) }
    }

    /// Takes more of the memory; tells whether there was so much.
    fn grow(&mut self, bytes: usize) -> bool {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = held.by_network.get(&self.network).copied().unwrap_or_default();
        if held.all + bytes > self.of.all_max || of_network + bytes > self.of.all_max / 2 {
            return false;
        }
        held.all += bytes;
        held.by_network.insert(self.network, of_network + bytes);
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= self.bytes;
        let of_network = held.by_network.get(&self.network).copied().unwrap_or_default();
        if of_network <= self.bytes {
            held.by_network.remove(&self.network);
        } else {
            held.by_network.insert(self.network, of_network - self.bytes);
        }
    }
}

/// Reads the body of a request whole.
///
/// # Errors
/// 413: it is larger than is accepted; 415: it is compressed; 503: the memory for bodies is taken, or the service
/// stops; 400: it broke off.
pub(super) async fn read(api: &Api, request: Request) -> Result<Whole, Problem> {
    refuse_encoded(request.headers())?;
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let mut share = Share::new(&api.bodies, network_of(address.unwrap_or(Ipv4Addr::LOCALHOST.into())));
    let mut stopping = api.stopping.clone();
    let mut body = request.into_body();
    let each_max = api.bodies.each_max;
    let too_large = || Problem::new(413, format!("the body has more than the {each_max} bytes that are accepted"));
    if body.size_hint().lower() > u64::try_from(each_max).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = next_frame(&mut body) => frame,
            // What has not come whole cannot be acknowledged any more.
            _ = stopping.wait_for(|stopping| *stopping) => return Err(Problem::new(503, "the service is stopping")),
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Problem::new(400, "the body could not be read whole"))?;
        let Ok(data) = frame.into_data() else { continue };
        let needed = bytes.len() + data.len();
        if needed > each_max {
            return Err(too_large());
        }
        if needed > bytes.capacity() {
            let room = needed.next_power_of_two().clamp(ROOM_MIN, each_max.max(ROOM_MIN));
            if !share.grow(room - share.bytes) {
                api.metrics.observe_refused("bodies");
                return Err(Problem::new(503, "the bodies of other requests take all memory that is for them"));
            }
            bytes.reserve_exact(room - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Whole { bytes, _share: share })
}

async fn next_frame(body: &mut Body) -> Option<Result<hyper::body::Frame<axum::body::Bytes>, axum::Error>> {
    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

/// Refuses what is compressed: taken as it is, it would be kept as a record that cannot be understood.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    for value in headers.get_all("content-encoding") {
        let found = value.to_str().unwrap_or("something else").trim();
        if !found.is_empty() && !found.eq_ignore_ascii_case("identity") {
            let shown: String = found.chars().take(32).collect();
            let detail = format!("found the content-encoding \"{shown}\", but bodies are accepted uncompressed only");
            return Err(Problem::new(415, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_share_a_memory_and_one_client_has_half_of_it() {
        let bodies = Bodies::new(10, 100);
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let (mut first, mut second, mut third) =
            (Share::new(&bodies, one), Share::new(&bodies, one), Share::new(&bodies, other));
        assert!(first.grow(30) && second.grow(20));
        assert!(!second.grow(1), "half of the memory");
        assert!(third.grow(50) && !third.grow(1));
        drop(first);
        assert!(second.grow(30));
        drop((second, third));
        let held = bodies.held.lock().expect("unharmed");
        assert_eq!((held.all, held.by_network.len()), (0, 0));
    }

    #[test]
    fn one_body_always_fits() {
        let bodies = Bodies::new(1_000, 10);
        assert!(Share::new(&bodies, Ipv4Addr::LOCALHOST.into()).grow(1_000));
    }
}
