//! Files and stored bytes that are damaged in ways nobody thought of: refused or read, never a fault.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::store::block::{Block, BlockWriter, fold, unfold};
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::stored::wallets::{decode_group, encode_group};
use kuzet::engine::stored::{GROUPS, JournalReader, Layouts, StateLayout, windows};
use kuzet::geo::{DatabaseKind, Geo, GeoDatabase};
use kuzet::operation::Time;
use kuzet::pipeline::Record;
use kuzet::rules::program::symbol_of_text;
use kuzet::rules::{SourceFile, compile, render_json, render_text};
use kuzet::simulate::{Parameters, Simulation};

use super::{Random, run};

/// What rule files, tests and lists are made of.
const WORDS: &[&str] = &[
    "when: ",
    "then:\n  - hold\n",
    "rule: x\n",
    "\t",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "|\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "# ",
    "\u{feff}",
    "\u{0}",
    "\u{202e}",
    "а",
    "amount > 100_000 KZT",
    "count(transfer by wallet within 1h) > ",
    "sum(debit.amount by wallet today)",
    "not ",
    " and ",
    " or ",
    "((((((((",
    "99999999999999999999",
    "-1",
    "1e9",
    "400d",
    "0s",
    "1_000 KZT",
    "in list",
    "match",
    "this.",
    "value,from,until,reason\n",
    "77010000001,,2026-01-01,x\n",
    "::/0\n",
    "10.0.0.0/33\n",
    "- test: x\n",
    "expect: {}",
    "data/",
    "../",
    "\r\n",
    "---\n",
    "!!binary ",
];

fn folder(name: &str) -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

/// Changes some bytes: flips, cuts, doublings, and pieces put in.
fn damaged(rng: &mut Random, bytes: &[u8], pieces: &[&str]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(rng.below(256)).expect("a byte"),
            2 => bytes.truncate(at),
            3 => {
                let until = at + rng.below(bytes.len() - at + 1).min(200);
                bytes.drain(at..until);
            }
            4 => {
                let until = at + rng.below(bytes.len() - at + 1).min(200);
                let piece = bytes[at..until].to_vec();
                let to = rng.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => {
                let piece = if pieces.is_empty() { rng.next().to_le_bytes().to_vec() } else { rng.pick(pieces).into() };
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// Compiles, and shows what is wrong as people and programs read it; returns how it ended.
fn compiled(files: &[SourceFile]) -> String {
    match compile(files) {
        Ok(compiled) => {
            drop(render_text(&compiled.warnings, files));
            String::from("compiled")
        }
        Err(found) => {
            assert!(!found.is_empty(), "refused without a word");
            assert!(!render_text(&found, files).is_empty());
            let json: serde_json::Value = serde_json::from_str(&render_json(&found, files)).expect("JSON");
            json["diagnostics"][0]["code"].as_str().expect("a code").to_owned()
        }
    }
}

/// One case over some files of the shipped folder, of which one or two are damaged, renamed or doubled.
fn rule_case(rng: &mut Random, files: &[SourceFile], damages: &dyn Fn(&SourceFile) -> bool) -> String {
    let mut files: Vec<SourceFile> = files.to_vec();
    let candidates: Vec<usize> = (0..files.len()).filter(|at| damages(&files[*at])).collect();
    for _ in 0..=rng.below(2) {
        let at = candidates[rng.below(candidates.len())];
        let bytes = damaged(rng, &files[at].bytes, WORDS);
        files[at] = SourceFile::new(files[at].path.clone(), bytes);
    }
    let at = candidates[rng.below(candidates.len())];
    match rng.below(8) {
        0 => drop(files.remove(at)),
        1 => files.push(files[at].clone()),
        2 => {
            let path = String::from_utf8_lossy(&damaged(
                rng,
                files[at].path.as_bytes(),
                &[".yaml", ".test.yaml", "/", "data/"],
            ))
            .into_owned();
            files[at] = SourceFile::new(path, files[at].bytes.clone());
        }
        _ => {}
    }
    compiled(&files)
}

#[test]
fn rule_folders() {
    let files = app::rule_sources(&folder("rules")).expect("the shipped rules");
    run("rule folders", |rng| rule_case(rng, &files, &|_| true));
}

#[test]
fn lists() {
    let files = app::rule_sources(&folder("rules")).expect("the shipped rules");
    let is_data = |file: &SourceFile| file.path.contains("data/");
    assert!(files.iter().any(is_data), "lists among the shipped files");
    run("lists", |rng| rule_case(rng, &files, &is_data));
}

#[test]
fn databases() {
    let read = |path: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a database");
    let sound = [
        (DatabaseKind::Anonymizer, read("geoip/anonymizer.mmdb")),
        (DatabaseKind::Anonymizer, read("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb")),
        (DatabaseKind::Country, read("tests/geo/GeoIP2-Country-Test.mmdb")),
    ];
    run("databases", |rng| {
        let (kind, bytes) = &sound[rng.below(sound.len())];
        // Half of the cases damage a few bytes without moving any.
        let bytes = if rng.below(2) == 0 {
            let mut bytes = bytes.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len());
                bytes[at] = u8::try_from(rng.below(256)).expect("a byte");
            }
            bytes
        } else {
            damaged(rng, bytes, &[])
        };
        let Ok(database) = GeoDatabase::from_bytes(*kind, bytes) else { return String::from("refused") };
        let geo = match kind {
            DatabaseKind::Country => Geo::new(Some(database), None),
            DatabaseKind::Anonymizer => Geo::new(None, Some(database)),
        };
        for _ in 0..50 {
            let (low, high) = (u128::from(rng.next()), u128::from(rng.next()) << 64);
            let four = IpAddr::V4(Ipv4Addr::from(u32::try_from(low & 0xffff_ffff).expect("32 bits")));
            for address in [four, IpAddr::V6(Ipv6Addr::from(high | low))] {
                std::hint::black_box((geo.country(address), geo.anonymizer(address)));
            }
        }
        String::from("loaded")
    });
}

/// Blocks with a right checksum and anything in them, and with a wrong one.
#[test]
fn blocks() {
    let mut writer = BlockWriter::default();
    for length in [0, 1, 7, 300, 2] {
        writer.push(|out| out.extend(std::iter::repeat_n(b'x', length)));
    }
    let sound = writer.finish(Time::from_nanos(7));
    let payload = unfold(&sound).expect("a block");
    run("blocks", |rng| {
        let bytes = if rng.below(2) == 0 {
            damaged(rng, &sound, &[])
        } else {
            fold(&damaged(rng, &payload, &[]), Time::from_nanos(7))
        };
        let Ok(block) = Block::read(&bytes) else { return String::from("refused") };
        for index in 0..=block.len() {
            assert_eq!(block.get(index).is_some(), index < block.len());
        }
        String::from("read")
    });
}

/// Records of wallets, shared windows, journals and layouts that say anything at all.
#[test]
fn records() {
    let mut pipeline = app::pipeline(app::load_rules(&folder("rules")).expect("rules"), Geo::new(None, None));
    let start = Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let parameters = Parameters { wallets: 30, operations: 1_500, seed: 3, start, days: Some(5), fraud_per_mille: 300 };
    let (mut simulation, mut lines) = (Simulation::new(parameters).expect("parameters"), Vec::new());
    while simulation.next_into(&mut lines) {}
    let layout = StateLayout::of(pipeline.engine.plan());
    let mut journals = Vec::new();
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for batch in lines.chunks(100) {
        let records: Vec<_> = batch.iter().map(|bytes| Record { bytes, arrived_at: None }).collect();
        journals.push(pipeline.decide(&records).journal(layout.id()));
    }
    let plan = Arc::clone(pipeline.engine.plan());
    let layouts = Layouts::new(&plan);
    let longest = |of: &dyn Fn(usize) -> Vec<u8>| (0..GROUPS).map(of).max_by_key(Vec::len).expect("groups");
    let wallets = longest(&|group| encode_group(pipeline.engine.wallets(), group, layout.id()));
    let shared = longest(&|group| pipeline.store.encode_group(&plan, group, layout.id()));
    let of_layout = layout.encode();
    let mut kinds = BTreeSet::new();
    run("records", |rng| {
        let mut engine = Engine::new(Arc::clone(&plan));
        let (kind, is_read) = match rng.below(4) {
            0 => ("wallets", decode_group(&damaged(rng, &wallets, &[]), &plan, &layouts, engine.wallets_mut()).is_ok()),
            1 => ("windows", windows::decode_group(&damaged(rng, &shared, &[]), &plan, &layouts).is_ok()),
            2 => ("layout", StateLayout::decode(&damaged(rng, &of_layout, &[])).is_ok()),
            _ => {
                let at = rng.below(journals.len());
                let journal = damaged(rng, &journals[at], &[]);
                ("journal", JournalReader::new(&journal, &layouts).is_ok_and(|reader| enter(reader, &mut engine)))
            }
        };
        kinds.insert(kind);
        format!("{kind} {}", if is_read { "read" } else { "refused" })
    });
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

/// Lets wallets take in what a journal says; returns whether it was read to its end.
fn enter(mut reader: JournalReader<'_>, engine: &mut Engine) -> bool {
    let plan = Arc::clone(engine.plan());
    loop {
        match reader.next_wallet() {
            Ok(Some((id, mut changes))) => {
                engine.wallets_mut().get_or_insert(symbol_of_text(id), id).apply(&plan, &mut changes);
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
