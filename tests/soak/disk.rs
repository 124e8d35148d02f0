//! A disk in memory that fails when it is told to, and the service on it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use kuzet::adapters::store::{Store, StoreError};
use kuzet::operation::Time;
use kuzet::operation::time::DAY;
use kuzet::rules::program::RuleSet;
use kuzet::service::{
    Answers, ItemAnswer, RulesRefused, Service, ServiceSettings, StartError, Unavailable, Unobserved,
};
use kuzet::simulate::DEFAULT_START;

use super::traffic::{Customer, lines, simulation};
use super::truth;
use crate::random::Random;

pub(crate) const CACHE_BYTES: usize = 4 << 20;
/// After everything that is simulated.
pub(crate) const NOW: Time = DEFAULT_START.plus(DAY.times(300));

/// A disk: what was written since the last sync may be lost with the power.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// As it is read.
    bytes: Vec<u8>,
    /// As it was synced last.
    durable: Vec<u8>,
    /// What happened since.
    pending: Vec<Change>,
    room: Room,
    /// After so many more changes and syncs the power is gone.
    steps_left: Option<u64>,
}

/// What a write finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Room {
    #[default]
    Enough,
    /// What is there can be overwritten.
    NoMore,
    /// Every write fails, as where files are never overwritten in place.
    None,
    /// Every write ends the thread.
    Fault,
}

#[derive(Debug, Clone)]
enum Change {
    Length(u64),
    Write(u64, Vec<u8>),
}

const SECTOR: usize = 512;

impl Disk {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let durable = bytes.clone();
        Self(Arc::new(Mutex::new(Platter { bytes, durable, ..Platter::default() })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_room(&self, room: Room) {
        self.platter().room = room;
    }

    /// Takes the power away after so many changes and syncs.
    pub(crate) fn cut_after(&self, steps: u64) {
        self.platter().steps_left = Some(steps);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.platter().steps_left == Some(0)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.platter().bytes.clone()
    }

    /// What a machine finds after the power came back: what was synced, and of what was written since
    /// nothing, all, the beginning, anything, or anything in pieces of a sector.
    pub(crate) fn after_the_cut(&self, random: &mut Random) -> Self {
        let platter = self.platter();
        let mut bytes = platter.durable.clone();
        let way = random.below(5);
        let beginning = random.below(platter.pending.len() + 1);
        for (index, change) in platter.pending.iter().enumerate() {
            let is_kept = match way {
                0 => false,
                1 => index < beginning,
                4 => true,
                _ => random.below(2) == 0,
            };
            match change {
                Change::Write(offset, data) if way == 3 => {
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        if random.below(2) == 0 {
                            apply(&mut bytes, &Change::Write(offset + (number * SECTOR) as u64, sector.to_vec()));
                        }
                    }
                }
                change if is_kept => apply(&mut bytes, change),
                Change::Length(_) | Change::Write(..) => {}
            }
        }
        Self::of(bytes)
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(index(*length), 0),
        Change::Write(offset, data) => {
            let start = index(*offset);
            if bytes.len() < start + data.len() {
                bytes.resize(start + data.len(), 0);
            }
            bytes[start..start + data.len()].copy_from_slice(data);
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset")
}

impl Platter {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.steps_left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.step()?;
        assert!(self.room != Room::Fault, "a planted fault");
        let grows = match &change {
            Change::Length(length) => index(*length) > self.bytes.len(),
            Change::Write(offset, data) => index(*offset) + data.len() > self.bytes.len(),
        };
        if self.room == Room::None || (self.room == Room::NoMore && grows) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        apply(&mut self.bytes, &change);
        self.pending.push(change);
        Ok(())
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter();
        let found = platter.bytes.get(index(offset)..index(offset) + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.platter().change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter();
        platter.step()?;
        let pending = std::mem::take(&mut platter.pending);
        pending.iter().for_each(|change| apply(&mut platter.durable, change));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.platter().change(Change::Write(offset, data.to_vec()))
    }
}

/// The service in this process.
pub(crate) struct Local {
    pub(crate) service: Service,
    runtime: tokio::runtime::Runtime,
}

fn rules() -> RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(truth::rules).clone()
}

/// So small that the state is written again and again.
pub(crate) fn settings() -> ServiceSettings {
    ServiceSettings { engine: truth::settings(), journal_bytes_min: 20_000, ..ServiceSettings::default() }
}

impl Local {
    pub(crate) fn start(store: Store, settings: ServiceSettings) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let load = Arc::new(|_| Err(RulesRefused::default()));
        let service = Service::start(store, (rules(), load), truth::geo(), settings, (NOW, Box::new(Unobserved)))?;
        Ok(Self { service, runtime })
    }

    pub(crate) fn submit(&self, lines: &[Vec<u8>], at: Time) -> Result<Answers, Unavailable> {
        self.runtime.block_on(self.service.submit(lines.to_vec(), at))
    }

    /// Submits what a client sends; it hears the decisions.
    pub(crate) fn serve(&self, customer: &mut Customer, request: Vec<Vec<u8>>, at: Time) -> Result<(), Unavailable> {
        let answers = match self.submit(&request, at) {
            Ok(answers) => answers,
            Err(error) => {
                customer.unsettled.push(request);
                return Err(error);
            }
        };
        let decision = |item: &ItemAnswer| {
            let (ItemAnswer::Decided(seq) | ItemAnswer::Duplicate(seq)) = item else { panic!("{item:?}") };
            let found = answers.decision(*seq).map(<[u8]>::to_vec);
            found.unwrap_or_else(|| self.decision(*seq))
        };
        let decisions: Vec<Vec<u8>> = answers.items.iter().map(decision).collect();
        customer.hear(request, &[b"[", &decisions.join(&b","[..])[..], b"]"].concat());
        Ok(())
    }

    fn decision(&self, seq: u64) -> Vec<u8> {
        let found = self.service.decisions(seq - 1, 1, usize::MAX).expect("a store that can be read");
        found.into_iter().next().expect("the first decision").1
    }
}

/// Fills the disk, frees it again, and loses nothing.
fn fill(room: Room) {
    let (disk, mut supply) = (Disk::default(), simulation(super::seed(), 100_000));
    let mut customer = Customer::new(super::seed());
    let store = Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store");
    let local = Local::start(store, settings()).expect("it starts");
    for _ in 0..20 {
        local.serve(&mut customer, lines(&mut supply, 50), NOW).expect("decisions");
    }
    disk.set_room(room);
    let refused = (0..1_000).find_map(|_| local.serve(&mut customer, lines(&mut supply, 50), NOW).err());
    let expected = "the store cannot commit: failed to commit: the disk is full";
    assert_eq!(refused.expect("a full disk").to_string(), expected);
    let told = customer.told.len();
    // Longer than it takes to try again.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_800) {
        let refused = local.serve(&mut customer, lines(&mut supply, 5), NOW).err();
        // Pages that were given up make room for a while.
        if room == Room::None || refused.is_some() {
            assert!(matches!(refused, Some(Unavailable::Store(_))), "{refused:?}");
            let trouble = local.service.trouble();
            assert!(room == Room::NoMore || trouble.as_deref() == Some(expected), "{trouble:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    disk.set_room(Room::Enough);
    let begun = Instant::now();
    while local.service.trouble().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it does not recover");
        std::thread::sleep(Duration::from_millis(10));
    }
    for request in std::mem::take(&mut customer.unsettled) {
        local.serve(&mut customer, request, NOW).expect("decisions");
    }
    local.service.stop();
    drop(local);
    let found = truth::check(&Store::with_backend(disk, CACHE_BYTES).expect("a store"));
    truth::check_told(&found, &customer.told);
    assert_eq!(found.len(), customer.told.len());
    println!("{room:?}: {told} acknowledged before the disk was full, {} in the end", customer.told.len());
}

#[test]
fn a_full_disk() {
    fill(Room::NoMore);
    fill(Room::None);
}

#[test]
fn stopped_while_the_disk_is_full() {
    let (disk, mut supply) = (Disk::default(), simulation(super::seed(), 10_000));
    let mut customer = Customer::new(super::seed());
    let store = Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store");
    let local = Local::start(store, settings()).expect("it starts");
    local.serve(&mut customer, lines(&mut supply, 100), NOW).expect("decisions");
    disk.set_room(Room::None);
    local.serve(&mut customer, lines(&mut supply, 100), NOW).expect_err("a full disk");
    disk.set_room(Room::Enough);
    local.service.stop();
    drop(local);
    let found = truth::check(&Store::with_backend(disk, CACHE_BYTES).expect("a store"));
    truth::check_told(&found, &customer.told);
    assert!(customer.told.len() == 100 && matches!(found.len(), 100 | 200), "{}", found.len());
}

#[test]
fn a_store_that_cannot_be_made() {
    let disk = Disk::default();
    disk.set_room(Room::NoMore);
    assert!(matches!(Store::with_backend(disk, CACHE_BYTES), Err(StoreError::DiskFull)));
}

/// A worker that ended by a fault is no service that waits: whoever runs it hears of it.
#[test]
fn a_worker_that_ends_is_told() {
    let (disk, mut supply) = (Disk::default(), simulation(super::seed(), 10_000));
    let store = Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store");
    let local = Local::start(store, settings()).expect("it starts");
    disk.set_room(Room::Fault);
    let refused = local.submit(&lines(&mut supply, 10), NOW).expect_err("nobody decides");
    assert_eq!(refused, Unavailable::Stopping);
    let ended = async { tokio::time::timeout(Duration::from_secs(5), local.service.ended()).await };
    local.runtime.block_on(ended).expect("it is told");
    assert!(local.service.trouble().is_some());
    // The database's own locks are poisoned: closing it in order is past.
    std::mem::forget(local);
}
