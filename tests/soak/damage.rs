//! The store's file is cut short, overwritten and has bits flipped, then it is opened again.
//!
//! What is found out, and by what:
//!
//! - A file that was open when it was copied (as `kill -9` leaves it) is checked by redb as it is opened:
//!   every page of the newest commit has a checksum. If one does not fit, the commit before is taken, and
//!   if that is damaged too, the store does not open.
//! - A file that was closed in order is not checked as it is opened: damage shows when it is read.
//!   Everything the service reads back has a checksum of its own (`block::fold`), so a damaged block,
//!   journal or group is an error, never a wrong decision. Journals must follow each other without a gap.
//! - `Store::verify` reads all streams; `Store::check_pages` checks every page of the file, also those
//!   that nothing reads for now.
//! - Not found out: damage to unused pages, which changes nothing; and a whole store put back as it was
//!   earlier, which looks like any other.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use kuzet::adapters::store::{Position, Store, Stream};

use super::disk::{CACHE_BYTES, Disk, Local, NOW, settings};
use super::process;
use super::seed;
use super::traffic::{lines, simulation};
use crate::environment::number;
use crate::random::Random;

const BATCHES: u64 = 40;
const BATCH: usize = 30;

/// What was decided, and the position after each batch.
struct Whole {
    decisions: Vec<Vec<u8>>,
    positions: Vec<Position>,
    /// Lines that were not sent yet, and the decisions on them.
    next: Vec<Vec<u8>>,
    next_decisions: Vec<Vec<u8>>,
    /// The file as a kill leaves it, and as it is after a clean stop.
    open: Vec<u8>,
    closed: Vec<u8>,
}

fn whole() -> Whole {
    let (disk, mut supply) = (Disk::default(), simulation(seed(), 20_000));
    let store = Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store");
    let mut positions = vec![store.position().expect("a position")];
    let local = Local::start(store, settings()).expect("it starts");
    for _ in 0..BATCHES {
        local.submit(&lines(&mut supply, BATCH), NOW).expect("decisions");
        positions.push(local.service.store().expect("a store").position().expect("a position"));
    }
    let open = disk.bytes();
    let decisions = local.service.decisions(0, usize::MAX, usize::MAX).expect("decisions");
    local.service.stop();
    let decisions: Vec<Vec<u8>> = decisions.into_iter().map(|(_, decision)| decision).collect();
    drop(local);
    let closed = disk.bytes();
    let next = lines(&mut supply, 300);
    let next_decisions = serve_on(Store::with_backend(Disk::of(closed.clone()), CACHE_BYTES).expect("a store"), &next);
    Whole { decisions, positions, next, next_decisions: next_decisions.expect("decisions"), open, closed }
}

/// Starts over a store and decides; `None` if the service does not start, or refuses.
fn serve_on(store: Store, lines: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let local = Local::start(store, settings()).ok()?;
    let answers = local.submit(lines, NOW);
    local.service.stop();
    let answers = answers.ok()?;
    let decision = |index: usize| answers.decision(answers.first_seq + index as u64).map(<[u8]>::to_vec);
    (0..answers.items.len()).map(decision).collect()
}

/// What became of a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It does not open, with an error.
    NotOpened,
    /// It opens; reading it or starting on it is refused.
    Refused,
    /// It starts, and what it decides and shows is right; reading the damaged part is an error, and
    /// `Store::verify` tells.
    Partly,
    /// It starts, and is wrong; `Store::verify` tells.
    OnlyVerified,
    /// redb ended the thread. The worker's process would end with an internal fault.
    Panicked,
    /// It is as after an earlier batch.
    Earlier,
    /// It is as it was.
    Whole,
    /// It says something that was never decided, and nothing complains.
    Wrong,
}

fn fate(whole: &Whole, bytes: Vec<u8>) -> Fate {
    let outcome = catch_unwind(AssertUnwindSafe(|| fate_of_disk(whole, &Disk::of(bytes))));
    outcome.unwrap_or(Fate::Panicked)
}

fn fate_of_disk(whole: &Whole, disk: &Disk) -> Fate {
    let Ok(store) = Store::with_backend(disk.clone(), CACHE_BYTES) else { return Fate::NotOpened };
    let Ok(position) = store.position() else { return Fate::Refused };
    let Ok(decisions) = store.read(Stream::Decisions, 1, usize::MAX, usize::MAX) else { return Fate::Refused };
    let is_complained = store.verify().map_or(true, |verified| !verified.faults.is_empty());
    let wrong = if is_complained { Fate::OnlyVerified } else { Fate::Wrong };
    let count = decisions.len() as u64;
    let (numbers, decisions): (Vec<u64>, Vec<Vec<u8>>) = decisions.into_iter().unzip();
    let true_ones = numbers.into_iter().eq(1..=count) && whole.decisions.starts_with(&decisions);
    let is_known = whole.positions.contains(&position) && position.seq == count;
    if Some(&position) != whole.positions.last() && true_ones && is_known && !is_complained {
        return Fate::Earlier;
    }
    // The state must be the true one as well: what is decided next shows it.
    match serve_on(store, &whole.next) {
        None => Fate::Refused,
        Some(next) if next == whole.next_decisions && true_ones && is_known => {
            if is_complained {
                Fate::Partly
            } else {
                Fate::Whole
            }
        }
        Some(_) => wrong,
    }
}

/// Tells what the check of all pages says.
fn is_sound(bytes: Vec<u8>) -> bool {
    let check = || Store::with_backend(Disk::of(bytes), CACHE_BYTES).and_then(|store| store.check_pages());
    matches!(catch_unwind(AssertUnwindSafe(check)), Ok(Ok(true)))
}

/// One way to damage a file.
type Damage = fn(&mut Vec<u8>, &mut Random);

const DAMAGES: &[(&str, Damage)] = &[
    ("cut at a page", |bytes, random| {
        let pages = bytes.len() / 4_096;
        bytes.truncate((pages - 1 - random.below(pages / 2)) * 4_096);
    }),
    ("cut anywhere", |bytes, random| {
        let end = bytes.len() - 1 - random.below(bytes.len() / 2);
        bytes.truncate(end);
    }),
    ("last pages zero", |bytes, random| {
        let start = used(bytes) - (1 + random.below(16)) * 4_096;
        bytes[start..].fill(0);
    }),
    ("a page of noise", |bytes, random| {
        let start = random.below(used(bytes) / 4_096) * 4_096;
        bytes[start..start + 4_096].iter_mut().for_each(|byte| *byte = random.next().to_le_bytes()[0]);
    }),
    ("a bit flipped", |bytes, random| {
        let at = random.below(used(bytes));
        bytes[at] ^= 1 << random.below(8);
    }),
    ("a bit of the header flipped", |bytes, random| {
        let at = random.below(320);
        bytes[at] ^= 1 << random.below(8);
    }),
];

/// Where the file's last page with anything in it ends.
fn used(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("a file with something in it");
    (last / 4_096 + 1) * 4_096
}

#[test]
fn damage_never_makes_a_wrong_decision() {
    let whole = whole();
    let tries = number("KUZET_SOAK_DAMAGES").unwrap_or(40);
    let usual = Arc::new(std::panic::take_hook());
    let places: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let (counted, other_tests) = (Arc::clone(&places), Arc::clone(&usual));
    let own = std::thread::current().name().unwrap_or_default().to_owned();
    std::panic::set_hook(Box::new(move |info| {
        // Tests have threads of their names; what fails beside this one is told as ever.
        if std::thread::current().name().is_some_and(|name| name.contains("::") && name != own) {
            return other_tests(info);
        }
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let place = format!("{} in {thread}", place.rsplit("/redb-").next().unwrap_or(&place));
        *counted.lock().expect("no panic").entry(place).or_default() += 1;
    }));
    let mut fates: BTreeMap<(&str, &str), BTreeMap<Fate, u64>> = BTreeMap::new();
    let (mut wrong, mut missed) = (Vec::new(), Vec::new());
    for (state, file) in [("open", &whole.open), ("closed", &whole.closed)] {
        for (name, damage) in DAMAGES {
            for number in 0..tries {
                let mut bytes = file.clone();
                damage(&mut bytes, &mut Random(seed() ^ (number << 20)));
                let damaged = bytes.clone();
                let fate = fate(&whole, bytes);
                *fates.entry((state, name)).or_default().entry(fate).or_default() += 1;
                if fate == Fate::Wrong {
                    wrong.push((state, name, number));
                }
                if matches!(fate, Fate::Refused | Fate::Partly | Fate::OnlyVerified | Fate::Wrong) && is_sound(damaged)
                {
                    missed.push((state, name, number, fate));
                }
            }
        }
    }
    std::panic::set_hook(Box::new(move |info| usual(info)));
    println!("damage: {} bytes, used {}, KUZET_SOAK_SEED={}", whole.closed.len(), used(&whole.closed), seed());
    for ((state, name), fates) in &fates {
        println!("damage: {state}, {name}: {fates:?}");
    }
    println!("damage: panics at {:?}", places.lock().expect("no panic"));
    assert!(missed.is_empty(), "damage that the check of all pages does not see: {missed:?}");
    assert!(wrong.is_empty(), "served what was never decided: {wrong:?}");
}

/// The database ends by a panic where it meets pages that cannot be; a person must be told what that means.
#[test]
fn a_damaged_file_is_named() {
    let whole = whole();
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "text");
    let mut bytes = whole.closed;
    let start = used(&bytes) - 16 * 4_096;
    bytes[start..].fill(0);
    std::fs::create_dir(folder.path().join("store")).expect("a folder");
    std::fs::write(folder.path().join("store/kuzet.redb"), bytes).expect("a file");
    let output = process::serve(folder.path()).output().expect("kuzet runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{text}");
    assert!(text.contains("the store's file is damaged: `kuzet store verify`"), "{text}");
}

/// What a crash leaves of a store that was never finished is no reason not to start.
#[test]
fn a_file_half_made_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (half_made, file) = (folder.path().join("kuzet.half-made"), folder.path().join("kuzet.redb"));
    std::fs::write(&half_made, vec![0; 1 << 20]).expect("a file");
    assert!(Store::open(folder.path(), CACHE_BYTES).expect("a store").verify().is_ok());
    assert!(file.exists() && !half_made.exists());
    // Complete, but its name was not changed yet.
    std::fs::rename(&file, &half_made).expect("another name");
    assert!(Store::open(folder.path(), CACHE_BYTES).expect("a store").verify().is_ok());
    assert!(file.exists() && !half_made.exists());
}
