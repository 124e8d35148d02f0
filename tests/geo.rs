//! Addresses against databases: MaxMind's test files, the shipped ones, and corrupt ones.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kuzet::adapters::geo_files;
use kuzet::cli::geoip::{BuildArgs, GeoipArgs, GeoipCommand, LookupArgs, run};
use kuzet::geo::{DatabaseKind, Geo, GeoDatabase, GeoError, Lookup};
use kuzet::operation::country::is_country;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn database(kind: DatabaseKind, path: &str) -> GeoDatabase {
    geo_files::load_file(kind, &root().join(path)).expect("readable").expect("there")
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
    let geo = Geo::new(Some(database(DatabaseKind::Country, "tests/geo/GeoIP2-Country-Test.mmdb")), None);
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
    let geo = Geo::new(None, Some(database(DatabaseKind::Anonymizer, "tests/geo/GeoIP2-Anonymous-IP-Test.mmdb")));
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
    assert_eq!(anonymizer.database_type(), "GeoIP2-Anonymous-IP-Sample");
    assert!(geo.is_anonymizer_sample());
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
        let kind = if as_country { DatabaseKind::Country } else { DatabaseKind::Anonymizer };
        let Ok(database) = GeoDatabase::from_bytes(kind, bytes.clone()) else { continue };
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

/// A database of so many networks, each with a record of its own, and a text in it that no look-up reads.
fn of_many_records(count: u32) -> Vec<u8> {
    let mut writer = mmdb_writer::Writer::builder("GeoIP2-Anonymous-IP").description(&[("en", "a test")]).build();
    for number in 0..count {
        let network = ipnet::Ipv4Net::new((0x0b00_0000 + (number << 8)).into(), 24).expect("a network");
        let isp = format!("provider {number}");
        let record =
            serde_json::json!({"is_anonymous": true, "is_anonymous_vpn": number.is_multiple_of(2), "isp": isp});
        writer.insert(ipnet::IpNet::from(network), &record).expect("a record that fits");
    }
    writer.to_bytes().expect("a database")
}

/// With every 997th byte flipped no database loads that fails a look-up, or has a record that cannot be read.
#[test]
fn what_loads_with_flipped_bytes_answers_every_look_up() {
    let whole = of_many_records(3_000);
    let end = whole.len() - 200;
    assert!(GeoDatabase::from_bytes(DatabaseKind::Anonymizer, whole.clone()).is_ok());
    let mut loaded = Vec::new();
    for (first, mask) in (0..997).step_by(41).flat_map(|first| [0xff, 0x5a, 0x01].map(|mask| (first, mask))) {
        let mut damaged = whole.clone();
        for place in (first..end).step_by(997) {
            damaged[place] ^= mask;
        }
        let Ok(database) = GeoDatabase::from_bytes(DatabaseKind::Anonymizer, damaged.clone()) else { continue };
        let reader = maxminddb::Reader::from_source(damaged).unwrap();
        for found in reader.networks(maxminddb::WithinOptions::default()).unwrap() {
            let record: Result<Option<serde_json::Value>, _> = found.unwrap().decode();
            assert!(record.is_ok(), "from {first} with {mask:#x}: {record:?}");
        }
        let geo = Geo::new(None, Some(database));
        for number in 0..3_000 {
            let address = std::net::Ipv4Addr::from(0x0b00_0007 + (number << 8));
            let answer = geo.anonymizer(address.into());
            assert!(!matches!(answer, Lookup::DatabaseMissing), "from {first} with {mask:#x}: {address}");
        }
        loaded.push((first, mask));
    }
    assert!(loaded.len() <= 4, "{} of 75 loaded: {loaded:?}", loaded.len());
}

/// A flip in a field that no look-up reads is found too.
#[test]
fn every_field_of_every_record_is_read_at_load() {
    let whole = of_many_records(3);
    let place = whole.windows(10).position(|bytes| bytes == b"provider 1").unwrap();
    let mut damaged = whole;
    // The byte before a text says that it is one, and how long: now it is longer than the data.
    damaged[place - 1] = 0x5f;
    let text = refusal(DatabaseKind::Anonymizer, damaged);
    assert!(text.starts_with("the database is damaged: "), "{text}");
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
        sample: false,
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
    assert!(err.ends_with("2 faults; nothing was written\n"), "{err}");
    assert!(!folder.path().join("anonymizer.mmdb").exists());
    let (code, _, err) = command(GeoipCommand::Build(build_args(folder.path(), &[])));
    assert_eq!(code, 2);
    assert!(err.contains("--vpn"), "{err}");
}

#[test]
fn lookup_prints_what_is_known() {
    let ask = |text: &str| -> serde_json::Value {
        let args = LookupArgs { address: address(text), geoip: Some(root().join("geoip")) };
        let (code, out, err) = command(GeoipCommand::Lookup(args));
        assert_eq!((code, err.trim_end()), (0, kuzet::geo::SAMPLE_WARNING));
        serde_json::from_str(&out).expect("JSON")
    };
    let answer = ask("95.56.1.1");
    assert_eq!((&answer["country"], &answer["anonymizer"]), (&"KZ".into(), &false.into()));
    assert!(answer["country_database"]["built_at"].as_str().unwrap().starts_with("202"));
    assert_eq!(ask("192.0.2.1")["anonymizer_flags"]["is_anonymous_vpn"], true);
}

/// A database with one record for 1.0.0.0/8, of this type.
fn one_record(database_type: &str, record: &serde_json::Value) -> Vec<u8> {
    let mut writer = mmdb_writer::Writer::builder(database_type).description(&[("en", "a test")]).build();
    writer.insert("1.0.0.0/8".parse::<ipnet::IpNet>().expect("a network"), record).expect("a record");
    writer.to_bytes().expect("a database")
}

fn refusal(kind: DatabaseKind, bytes: Vec<u8>) -> String {
    chain(&GeoDatabase::from_bytes(kind, bytes).expect_err("no such database"))
}

#[test]
fn each_kind_is_refused_in_the_place_of_the_other() {
    let read = |path: &str| std::fs::read(root().join(path)).expect("readable");
    let (country, anonymizer) = ("tests/geo/GeoIP2-Country-Test.mmdb", "tests/geo/GeoIP2-Anonymous-IP-Test.mmdb");
    assert_eq!(
        refusal(DatabaseKind::Anonymizer, read(country)),
        "found a database of the type \"GeoIP2-Country\", which holds countries, but only an anonymizer database, \
         such as GeoIP2-Anonymous-IP is accepted here"
    );
    assert_eq!(
        refusal(DatabaseKind::Country, read(anonymizer)),
        "found a database of the type \"GeoIP2-Anonymous-IP\", which holds anonymizers, but only a country database, \
         such as GeoIP2-Country or DBIP-Country-Lite is accepted here"
    );
    assert!(refusal(DatabaseKind::Anonymizer, read("geoip/country.mmdb")).contains("which holds countries"));
    assert!(refusal(DatabaseKind::Country, read("geoip/anonymizer.mmdb")).contains("which holds anonymizers"));
    let asn = || one_record("GeoLite2-ASN", &serde_json::json!({"autonomous_system_number": 9198}));
    for kind in [DatabaseKind::Country, DatabaseKind::Anonymizer] {
        let text = refusal(kind, asn());
        assert!(text.contains("\"GeoLite2-ASN\", which holds neither countries nor anonymizers"), "{text}");
    }
}

#[test]
fn countries_are_read_in_every_form() {
    for record in [
        serde_json::json!({"country": {"iso_code": "RU", "names": {"en": "Russia"}}}),
        serde_json::json!({"country_code": "RU"}),
        serde_json::json!({"country": "Russia", "country_code": "RU"}),
        serde_json::json!({"country": "RU", "country_name": "Russia"}),
        serde_json::json!({"country_code": "ru"}),
    ] {
        let database =
            GeoDatabase::from_bytes(DatabaseKind::Country, one_record("a type", &record)).expect("countries");
        assert_eq!(country(&Geo::new(Some(database), None), "1.2.3.4"), "RU", "{record}");
    }
}

#[test]
fn types_of_proxies_are_flags() {
    let hides = |kind: &str| {
        let record = serde_json::json!({"proxy_type": kind, "country_code": "KZ"});
        let database =
            GeoDatabase::from_bytes(DatabaseKind::Anonymizer, one_record("IP2Proxy", &record)).expect("flags");
        Geo::new(None, Some(database)).anonymizer(address("1.2.3.4"))
    };
    for kind in ["VPN", "TOR", "PUB", "WEB", "RES", "DCH/VPN", "vpn"] {
        assert_eq!(hides(kind), Lookup::Known(true), "{kind}");
    }
    for kind in ["DCH", "SES", "CPN", "EPN", "-"] {
        assert_eq!(hides(kind), Lookup::Known(false), "{kind}");
    }
}

#[test]
fn no_database_a_damaged_and_an_empty_one_are_told_apart() {
    let whole = std::fs::read(root().join("geoip/country.mmdb")).unwrap();
    let load = |bytes: Vec<u8>| GeoDatabase::from_bytes(DatabaseKind::Country, bytes);
    for bytes in [
        Vec::new(),
        b"network,country\n".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        whole[..whole.len() - 100].to_vec(),
    ] {
        let length = bytes.len();
        assert!(matches!(load(bytes), Err(GeoError::Unreadable(_))), "{length} bytes");
    }
    // What is missing before the metadata, and what is not as it was.
    let mut holed = whole[..1_000_000].to_vec();
    holed.extend_from_slice(&whole[whole.len() - 1_000..]);
    assert!(load(holed).is_err());
    let mut damaged = whole.clone();
    for place in (0..damaged.len() - 1_000).step_by(997) {
        damaged[place] ^= 0xff;
    }
    let text = refusal(DatabaseKind::Country, damaged);
    assert!(text.starts_with("the database is damaged: "), "{text}");
    let empty = mmdb_writer::Writer::builder("GeoIP2-Country").build().to_bytes().unwrap();
    assert_eq!(refusal(DatabaseKind::Country, empty), "the database holds no record");
}

#[test]
fn every_country_of_the_shipped_database_may_stand_in_a_rule() {
    let bytes = std::fs::read(root().join("geoip/country.mmdb")).unwrap();
    let reader = maxminddb::Reader::from_source(bytes).unwrap();
    let mut codes = std::collections::BTreeSet::new();
    let mut seen = std::collections::HashSet::new();
    for found in reader.networks(maxminddb::WithinOptions::default()).unwrap() {
        let found = found.unwrap();
        if seen.insert(found.offset()) {
            let record: serde_json::Value = found.decode().unwrap().unwrap();
            codes.extend(record["country_code"].as_str().or(record["country"]["iso_code"].as_str()).map(str::to_owned));
        }
    }
    assert!(codes.len() > 200, "{}", codes.len());
    let unknown: Vec<&String> = codes.iter().filter(|code| !is_country(code)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_database_of_documentation_ranges_is_a_sample_whatever_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let is_sample = |sample: bool, networks: &str| {
        let args = BuildArgs { sample, ..build_args(folder.path(), &[("vpn", networks)]) };
        let (code, _, err) = command(GeoipCommand::Build(args));
        assert_eq!((code, err.as_str()), (0, ""));
        geo_files::load(folder.path()).unwrap().is_anonymizer_sample()
    };
    assert!(is_sample(false, "192.0.2.0/24\n2001:db8:7::/48\n"));
    assert!(is_sample(true, "185.220.101.0/24\n"));
    assert!(!is_sample(false, "192.0.2.0/24\n185.220.101.0/24\n"));
}

#[test]
fn build_refuses_a_list_without_a_network_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("anonymizer.mmdb");
    std::fs::copy(root().join("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb"), &out).unwrap();
    let before = std::fs::read(&out).unwrap();
    for (text, reason) in [
        ("", "found no network, but a list holds at least one"),
        ("# a comment\n\n", "found no network, but a list holds at least one"),
        ("<!DOCTYPE html><html>", "found a web page in place of a list"),
        ("::ffff:203.0.113.0/24\n", "a prefix of less than 96 bits holds every IPv4 address"),
        ("203.0.113.7/24\n", "the address has bits behind the prefix; write `203.0.113.0/24`"),
        ("0.0.0.0/0\n", "a prefix of at least 8 bits is accepted"),
        ("2002:cb00:7107::/48\n", "6to4 and Teredo addresses stand for IPv4 ones"),
    ] {
        let args = build_args(folder.path(), &[("vpn", text), ("tor", "185.220.101.1\n")]);
        let (code, _, err) = command(GeoipCommand::Build(args));
        assert_eq!(code, 1, "{text}");
        assert!(err.contains(reason), "{text}: {err}");
        assert!(std::fs::read(&out).unwrap() == before, "{text}");
    }
    let args = build_args(folder.path(), &[("vpn", "::ffff:203.0.113.0/120\n185.220.101.1\n")]);
    assert_eq!(command(GeoipCommand::Build(args)).0, 0);
    let geo = geo_files::load(folder.path()).unwrap();
    assert_eq!(geo.anonymizer(address("203.0.113.9")), Lookup::Known(true));
    assert_eq!(geo.anonymizer(address("203.0.114.9")), Lookup::Known(false));
}

#[test]
fn lookup_tells_missing_unusable_and_unknown_apart() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |text: &str| {
        let args = LookupArgs { address: address(text), geoip: Some(folder.path().to_owned()) };
        let (code, out, err) = command(GeoipCommand::Lookup(args));
        let answer: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let of = |name: &str| answer[name]["answer"].as_str().expect("an answer").to_owned();
        (code, of("country_database"), of("anonymizer_database"), err)
    };
    let (code, country, anonymizer, err) = ask("81.2.69.142");
    assert_eq!((code, country.as_str(), anonymizer.as_str()), (1, "missing", "missing"));
    assert!(err.contains("found no country.mmdb") && err.contains("found no anonymizer.mmdb"), "{err}");
    std::fs::copy(root().join("tests/geo/GeoIP2-Country-Test.mmdb"), folder.path().join("country.mmdb")).unwrap();
    std::fs::copy(root().join("tests/geo/GeoIP2-Country-Test.mmdb"), folder.path().join("anonymizer.mmdb")).unwrap();
    let (code, country, anonymizer, err) = ask("81.2.69.142");
    assert_eq!((code, country.as_str(), anonymizer.as_str()), (64, "found", "unusable"));
    assert!(err.contains("anonymizer.mmdb: found a database of the type \"GeoIP2-Country\""), "{err}");
    std::fs::copy(root().join("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb"), folder.path().join("anonymizer.mmdb"))
        .unwrap();
    let (code, country, anonymizer, err) = ask("10.0.0.1");
    assert_eq!((code, country.as_str(), anonymizer.as_str(), err.as_str()), (0, "no record", "no record", ""));
}

#[test]
fn decisions_on_logins_say_that_the_anonymizers_are_a_sample() {
    let login = r#"{"op_id":"l1","type":"login","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"w1","client_status":"identified","outcome":"success","ip":"192.0.2.7"}"#;
    let elsewhere = login.replace("192.0.2.7", "95.56.1.1").replace("l1", "l2");
    let nowhere = login.replace(r#","ip":"192.0.2.7""#, "").replace("l1", "l3");
    let transfer = r#"{"op_id":"t1","type":"transfer","occurred_at":"2026-03-02T10:01:00Z","wallet_id":"w2","client_status":"identified","amount":"5.00","ip":"192.0.2.7","counterparty":{"kind":"client","wallet_id":"w3"}}"#;
    let mut seen = Vec::new();
    crate::decide::decide_each([login, &elsewhere, &nowhere, transfer].join("\n").as_bytes(), |decision, _| {
        let fires = decision.matches.iter().any(|found| &*found.rule == "login-through-anonymizer");
        seen.push((
            decision.op_id.to_string(),
            fires,
            decision.degraded.iter().map(ToString::to_string).collect::<Vec<String>>(),
        ));
    });
    let is = |op: &str, fires: bool, degraded: &[&str]| {
        (op.to_owned(), fires, degraded.iter().map(ToString::to_string).collect::<Vec<String>>())
    };
    // What the sample says counts: demonstrations and tests go on.
    let expected = [
        is("l1", true, &["geoip.anonymizer"]),
        is("l2", false, &["geoip.anonymizer"]),
        is("l3", false, &[]),
        is("t1", false, &[]),
    ];
    assert_eq!(seen, expected);
}
