//! Who is connected: how many, from where, and who has to make room for others.
//!
//! Connections have seats. Most seats are for everybody, each client address only so many of them; a share of the
//! seats is kept for requests of the ledger and for `/healthz`. A connection that has shown no right yet, by a
//! request with a known token, loses its seat to a newcomer when seats are short: silent connections can never keep
//! anybody else out.

pub(super) mod activity;
pub(super) mod stream;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use activity::Activity;

/// Of so many seats one is reserved.
const RESERVED_OF: usize = 8;

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Seats in all, the reserved ones among them; at least 1.
    pub max: usize,
    /// Seats of one client address, or of one network of 64 bits in IPv6; at least 1. Reserved seats do not count.
    pub per_address: usize,
    pub deadlines: Deadlines,
}

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From being accepted to the end of the head of the first request, TLS included; later from the first byte of
    /// a head to its end.
    pub head: Duration,
    /// Without a request in hand, after the first one.
    pub keep_alive: Duration,
    /// Without taking a byte of what is written to it.
    pub stalled: Duration,
    /// A response in hand without any part of it taken. Longer than a long poll waits.
    pub response: Duration,
}

/// Why a connection was closed or not taken. The names are label values of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It sent no whole request in time.
    Silent,
    /// No request came for the time of keep-alive. This is no refusal of anybody.
    Idle,
    /// It does not read what it asked for.
    Stalled,
    /// A newcomer got its seat.
    MadeRoom,
    /// There was no seat.
    Full,
}

impl Refusal {
    /// Returns its name in metrics; `None` for the ordinary end of a connection.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Silent => Some("silent"),
            Self::Idle => None,
            Self::Stalled => Some("stalled"),
            Self::MadeRoom => Some("made_room"),
            Self::Full => Some("full"),
        }
    }
}

/// What a seat is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Everybody,
    /// The ledger and `/healthz`.
    Reserved,
}

/// All seats.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// In the order of arrival.
    seats: BTreeMap<u64, Taker>,
    everybody: usize,
    reserved: usize,
    /// Of the seats for everybody.
    by_network: HashMap<IpAddr, usize>,
    arrived: u64,
}

#[derive(Debug)]
struct Taker {
    network: IpAddr,
    place: Place,
    activity: Arc<Activity>,
}

/// A seat, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    connections: Arc<Connections>,
    pub(super) activity: Arc<Activity>,
}

impl Connections {
    /// Makes the seats, all free.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// Gives a newcomer a seat. Where there is none, the oldest connection that has shown no right makes room: one
    /// from the same address if that has too many.
    ///
    /// # Errors
    /// Every seat it could have is held by who has a right to it.
    pub fn take(self: &Arc<Self>, address: SocketAddr, now: Instant) -> Result<Seat, Refusal> {
        let network = network_of(address.ip());
        let reserved_max = self.limits.max / RESERVED_OF;
        let mut taken = self.lock();
        let of_network = taken.by_network.get(&network).copied().unwrap_or_default();
        let place = if of_network >= self.limits.per_address {
            taken.room_for(|taker| taker.place == Place::Everybody && taker.network == network)
        } else if taken.everybody >= self.limits.max - reserved_max {
            taken.room_for(|taker| taker.place == Place::Everybody)
        } else {
            Some(Place::Everybody)
        };
        let place = match place {
            Some(place) => place,
            None if taken.reserved < reserved_max => Place::Reserved,
            None => taken.room_for(|taker| taker.place == Place::Reserved).ok_or(Refusal::Full)?,
        };
        let activity = Arc::new(Activity::new(place, self.limits.deadlines, now));
        Ok(Seat {
            number: taken.add(Taker { network, place, activity: Arc::clone(&activity) }),
            connections: Arc::clone(self),
            activity,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn add(&mut self, taker: Taker) -> u64 {
        match taker.place {
            Place::Everybody => {
                self.everybody += 1;
                *self.by_network.entry(taker.network).or_default() += 1;
            }
            Place::Reserved => self.reserved += 1,
        }
        self.arrived += 1;
        self.seats.insert(self.arrived, taker);
        self.arrived
    }

    fn remove(&mut self, number: u64) -> Option<Taker> {
        let taker = self.seats.remove(&number)?;
        match taker.place {
            Place::Everybody => {
                self.everybody -= 1;
                if let Some(count) = self.by_network.get_mut(&taker.network) {
                    *count -= 1;
                    if *count == 0 {
                        self.by_network.remove(&taker.network);
                    }
                }
            }
            Place::Reserved => self.reserved -= 1,
        }
        Some(taker)
    }

    /// Takes the seat of the oldest connection among these that has shown no right; returns the place of the seat.
    fn room_for(&mut self, is_of: impl Fn(&Taker) -> bool) -> Option<Place> {
        let mut seats = self.seats.iter();
        let (number, _) = seats.find(|(_, taker)| is_of(taker) && taker.activity.may_make_room())?;
        let taker = self.remove(*number)?;
        taker.activity.close(Refusal::MadeRoom);
        Some(taker.place)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Whoever made room has none to give back.
        drop(self.connections.lock().remove(self.number));
    }
}

/// Returns what counts as one client: an IPv4 address, or the network that one client of IPv6 is usually given.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn connections(max: usize, per_address: usize) -> Arc<Connections> {
        let deadlines = Deadlines { head: SECOND, keep_alive: SECOND, stalled: SECOND, response: SECOND };
        Connections::new(ConnectionLimits { max, per_address, deadlines })
    }

    fn from(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 1_000).into()
    }

    /// Takes a seat and shows a right to it.
    fn known(connections: &Arc<Connections>, address: SocketAddr) -> Seat {
        let seat = connections.take(address, Instant::now()).expect("a seat");
        seat.activity.show_right();
        seat
    }

    #[test]
    fn silent_connections_make_room_for_newcomers() {
        let all = connections(16, 14);
        let silent: Vec<Seat> = (0..14).map(|_| all.take(from(1), Instant::now()).expect("a seat")).collect();
        let newcomers: Vec<Seat> = (0..14).map(|_| known(&all, from(2))).collect();
        assert!(newcomers.iter().all(|seat| seat.activity.place() == Place::Everybody));
        assert!(silent.iter().all(|seat| seat.activity.closed() == Some(Refusal::MadeRoom)));
        drop(silent);
        assert_eq!(all.lock().everybody, 14, "who made room gives nothing back");
        drop(newcomers);
        let taken = all.lock();
        assert_eq!((taken.everybody, taken.by_network.len(), taken.seats.len()), (0, 0, 0));
    }

    #[test]
    fn an_address_has_only_so_many_seats_and_takes_none_from_others() {
        let all = connections(16, 4);
        let other = all.take(from(2), Instant::now()).expect("a seat");
        let seats: Vec<Seat> = (0..4).map(|_| known(&all, from(1))).collect();
        let beyond = all.take(from(1), Instant::now()).expect("a seat");
        assert_eq!(beyond.activity.place(), Place::Reserved);
        assert_eq!(other.activity.closed(), None);
        drop(seats);
        assert_eq!(known(&all, from(1)).activity.place(), Place::Everybody);
    }

    #[test]
    fn a_share_stays_free_and_is_refused_only_when_it_is_used_rightly() {
        let all = connections(16, 100);
        let seats: Vec<Seat> = (0..14).map(|_| known(&all, from(1))).collect();
        let reserved: Vec<Seat> = (0..2).map(|_| all.take(from(1), Instant::now()).expect("a seat")).collect();
        assert!(reserved.iter().all(|seat| seat.activity.place() == Place::Reserved));
        let ledger = known(&all, from(3));
        assert_eq!(ledger.activity.place(), Place::Reserved);
        assert_eq!(reserved[0].activity.closed(), Some(Refusal::MadeRoom));
        reserved[1].activity.show_right();
        assert_eq!(all.take(from(4), Instant::now()).expect_err("no seat"), Refusal::Full);
        drop(seats);
    }

    #[test]
    fn one_connection_is_the_least_there_is() {
        let all = connections(1, 1);
        let seat = known(&all, from(1));
        assert!(all.take(from(2), Instant::now()).is_err());
        drop(seat);
        assert!(all.take(from(2), Instant::now()).is_ok());
    }

    #[test]
    fn a_client_of_ipv6_is_its_network() {
        let network = |text: &str| network_of(text.parse().expect("an address"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
