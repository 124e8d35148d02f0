//! Addresses against databases: MaxMind's test files, the shipped ones, and corrupt ones.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kuzet::adapters::geo_files;
use kuzet::cli::geoip::{BuildArgs, GeoipArgs, GeoipCommand, LookupArgs, run};
use kuzet::geo::{Geo, GeoDatabase, Lookup};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn database(path: &str) -> GeoDatabase {
    geo_files::load_file(&root().join(path)).expect("readable").expect("there")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn country(geo: &Geo, text: &str) -> String {
    match geo.country(address(text)) {
        Lookup::DatabaseMissing => "missing".to_owned(),
        Lookup::Unknown => "unknown".to_owned(),
        Lookup::Known(code) => code.map(char::from).iter().collect(),
    }
}

#[test]
fn maxmind_countries() {
    let geo = Geo::new(Some(database("tests/geo/GeoIP2-Country-Test.mmdb")), None);
    for (text, code) in [
        ("81.2.69.142", "GB"),
        ("::ffff:81.2.69.142", "GB"),
        ("2.125.160.216", "GB"),
        ("89.160.20.112", "SE"),
        ("216.160.83.56", "US"),
        ("67.43.156.1", "BT"),
        ("202.196.224.1", "PH"),
        ("111.235.160.1", "CN"),
        ("2a02:d0c0::1", "RU"),
        ("2a02:d980::1", "TR"),
        ("2a02:d300::1", "UA"),
        ("2001:218::1", "JP"),
        ("1.2.0.1", "unknown"),
        ("8.8.8.8", "unknown"),
    ] {
        assert_eq!(country(&geo, text), code, "{text}");
    }
    assert_eq!(geo.anonymizer(address("81.2.69.142")), Lookup::DatabaseMissing);
}

#[test]
fn maxmind_anonymizers() {
    let geo = Geo::new(None, Some(database("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb")));
    let hide = [
        "1.2.0.1",
        "6.1.0.1",
        "1.124.213.1",
        "81.2.69.142",
        "::ffff:81.2.69.142",
        "186.30.236.7",
        "6.1.0.3",
        "abcd:1000::1",
        "2001:480:3a::1",
        "65.0.0.1",
        "65.7.255.255",
        "6.1.0.4",
    ];
    for text in hide {
        assert_eq!(geo.anonymizer(address(text)), Lookup::Known(true), "{text}");
    }
    for text in ["71.160.223.45", "6.1.0.2", "65.8.0.0", "1.124.213.2", "8.8.8.8", "10.0.0.1", "::1"] {
        assert_eq!(geo.anonymizer(address(text)), Lookup::Known(false), "{text}");
    }
    assert_eq!(country(&geo, "81.2.69.142"), "missing");
}

#[test]
fn shipped_databases() {
    let geo = geo_files::load(&root().join("geoip")).unwrap();
    for (text, code) in [
        ("2.132.0.1", "KZ"),
        ("95.56.1.1", "KZ"),
        ("37.150.1.1", "KZ"),
        ("92.46.60.1", "KZ"),
        ("178.89.1.1", "KZ"),
        ("2a00:5da0::1", "KZ"),
        ("77.88.8.8", "RU"),
        ("88.198.0.1", "DE"),
        ("84.54.64.1", "UZ"),
        ("92.62.64.1", "KG"),
        ("81.2.69.142", "GB"),
        ("::ffff:81.2.69.142", "GB"),
        ("10.0.0.1", "unknown"),
        ("192.168.1.1", "unknown"),
        ("fd00::1", "unknown"),
    ] {
        assert_eq!(country(&geo, text), code, "{text}");
    }
    for text in ["192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7"] {
        assert_eq!(geo.anonymizer(address(text)), Lookup::Known(true), "{text}");
    }
    assert_eq!(geo.anonymizer(address("95.56.1.1")), Lookup::Known(false));
    let anonymizer = geo.anonymizer_database().unwrap();
    assert_eq!(anonymizer.database_type(), "GeoIP2-Anonymous-IP");
    assert!(anonymizer.description().unwrap().contains("documentation"));
    assert!(geo.country_database().unwrap().build_epoch_seconds() > 1_700_000_000);
}

#[test]
fn an_absent_folder_is_two_missing_databases() {
    let geo = geo_files::load(&root().join("tests/geo/nowhere")).unwrap();
    assert_eq!(country(&geo, "81.2.69.142"), "missing");
    assert_eq!(geo.anonymizer(address("81.2.69.142")), Lookup::DatabaseMissing);
}

#[test]
fn an_unreadable_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("country.mmdb");
    std::fs::write(&file, "not a database").unwrap();
    let message = chain(&geo_files::load(folder.path()).unwrap_err());
    assert!(
        message.starts_with(&format!("failed to open {}: not a readable MaxMind database", file.display())),
        "{message}"
    );
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let message = chain(&geo_files::load(folder.path()).unwrap_err());
    assert!(message.starts_with(&format!("failed to read {}: ", file.display())), "{message}");
}

/// An error with its causes, as the command line shows it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "mmdb") {
            found.push(path);
        }
    }
}

/// Asks one corrupt database everything; only a panic or a hang would be wrong.
fn survive(bytes: Vec<u8>) {
    for as_country in [true, false] {
        let Ok(database) = GeoDatabase::from_bytes(bytes.clone()) else { return };
        let geo = if as_country { Geo::new(Some(database), None) } else { Geo::new(None, Some(database)) };
        for first in 0..=255_u8 {
            for text in [format!("{first}.2.3.4"), format!("{first:x}00::1"), format!("::{first:x}")] {
                let asked = (geo.country(address(&text)), geo.anonymizer(address(&text)));
                assert!(asked.0 == Lookup::DatabaseMissing || as_country, "{text}");
            }
        }
        let described =
            geo.country_database().or(geo.anonymizer_database()).map(|d| (d.description(), d.build_epoch_seconds()));
        assert!(described.is_some());
    }
}

#[test]
fn corrupt_databases_are_no_danger() {
    let mut files = Vec::new();
    files_below(&root().join("tests/geo/bad-data"), &mut files);
    assert!(files.len() > 15, "{}", files.len());
    for file in files {
        survive(std::fs::read(file).unwrap());
    }
}

#[test]
fn cut_and_damaged_databases_are_no_danger() {
    let whole = std::fs::read(root().join("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb")).unwrap();
    for step in 1..40 {
        survive(whole[..whole.len() * step / 40].to_vec());
        let mut damaged = whole.clone();
        for place in (step..damaged.len()).step_by(97) {
            damaged[place] ^= 0x5a;
        }
        survive(damaged);
    }
}

fn build_args(folder: &Path, lists: &[(&str, &str)]) -> BuildArgs {
    let file = |name: &str| -> Vec<PathBuf> {
        lists
            .iter()
            .filter(|(list, _)| *list == name)
            .map(|(list, text)| {
                let path = folder.join(list);
                std::fs::write(&path, text).expect("writable");
                path
            })
            .collect()
    };
    BuildArgs {
        vpn: file("vpn"),
        tor: file("tor"),
        public_proxy: file("public_proxy"),
        residential_proxy: file("residential_proxy"),
        hosting: file("hosting"),
        description: "a test".to_owned(),
        out: folder.join("anonymizer.mmdb"),
    }
}

fn command(command: GeoipCommand) -> (i32, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&GeoipArgs { command }, &mut out, &mut err).expect("runs");
    (code, String::from_utf8(out).expect("UTF-8"), String::from_utf8(err).expect("UTF-8"))
}

#[test]
fn build_merges_the_flags_of_every_list() {
    let folder = tempfile::tempdir().unwrap();
    let args = build_args(
        folder.path(),
        &[
            ("vpn", "# a comment\n192.0.2.0/24\n2001:db8::/32 # another\n"),
            ("tor", "192.0.2.7\r\n\r\n::ffff:198.51.100.1\n"),
            ("hosting", "192.0.2.0/25\n203.0.113.0/24\n"),
        ],
    );
    let (code, out, err) = command(GeoipCommand::Build(args));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("6 networks"), "{out}");
    let geo = geo_files::load(folder.path()).unwrap();
    let flags = |text: &str| match geo.anonymizer_flags(address(text)) {
        Lookup::Known(f) => format!(
            "{}{}{}{}",
            if f.is_anonymous { "a" } else { "" },
            if f.is_anonymous_vpn { "v" } else { "" },
            if f.is_tor_exit_node { "t" } else { "" },
            if f.is_hosting_provider { "h" } else { "" }
        ),
        other => format!("{other:?}"),
    };
    assert_eq!(flags("192.0.2.7"), "avth");
    assert_eq!(flags("192.0.2.8"), "avh");
    assert_eq!(flags("192.0.2.200"), "av");
    assert_eq!(flags("198.51.100.1"), "at");
    assert_eq!(flags("203.0.113.1"), "ah");
    assert_eq!(flags("2001:db8::1"), "av");
    assert_eq!(flags("198.51.100.2"), "Unknown");
    assert_eq!(geo.anonymizer(address("203.0.113.1")), Lookup::Known(false));
    assert_eq!(geo.anonymizer(address("::ffff:192.0.2.7")), Lookup::Known(true));
}

#[test]
fn build_names_every_bad_line_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let args = build_args(folder.path(), &[("vpn", "192.0.2.0/24\nexample.org\n"), ("tor", "\n192.0.2.0/33\n")]);
    let (code, _, err) = command(GeoipCommand::Build(args));
    let name = |list: &str| folder.path().join(list).display().to_string();
    assert_eq!(code, 1);
    assert!(err.contains(&format!("{}:2: found \"example.org\"", name("vpn"))), "{err}");
    assert!(err.contains(&format!("{}:2: found \"192.0.2.0/33\"", name("tor"))), "{err}");
    assert!(!folder.path().join("anonymizer.mmdb").exists());
    let (code, _, err) = command(GeoipCommand::Build(build_args(folder.path(), &[])));
    assert_eq!(code, 2);
    assert!(err.contains("--vpn"), "{err}");
}

#[test]
fn lookup_prints_what_is_known() {
    let ask = |text: &str| -> serde_json::Value {
        let args = LookupArgs { address: address(text), geoip: root().join("geoip") };
        let (code, out, _) = command(GeoipCommand::Lookup(args));
        assert_eq!(code, 0);
        serde_json::from_str(&out).expect("JSON")
    };
    let answer = ask("95.56.1.1");
    assert_eq!((&answer["country"], &answer["anonymizer"]), (&"KZ".into(), &false.into()));
    assert!(answer["country_database"]["built_at"].as_str().unwrap().starts_with("202"));
    assert_eq!(ask("192.0.2.1")["anonymizer_flags"]["is_anonymous_vpn"], true);
}
