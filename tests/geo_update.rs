//! `kuzet geoip update` against a server of this process, with every kind of failure.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::pages::{Page, Server};
use kuzet::adapters::geo_files;
use kuzet::cli::geoip::{GeoipArgs, GeoipCommand, UpdateArgs, run};
use kuzet::geo::{DatabaseKind, Lookup};

/// A folder with a file of sources.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(sources: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a folder") };
        home.write("sources.toml", sources);
        home
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("anonymizer.mmdb")
    }

    /// Runs the command: exit code, output, errors.
    fn update(&self, accept_shrink: bool) -> (i32, String, String) {
        let sources = self.folder.path().join("sources.toml");
        let args = UpdateArgs { sources, out: None, accept_shrink };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        match run(&GeoipArgs { command: GeoipCommand::Update(args) }, &mut out, &mut err) {
            Ok(code) => (code, text(out), text(err)),
            Err(error) => (-1, text(out), format!("{error:#}")),
        }
    }

    fn is_anonymizer(&self, address: &str) -> bool {
        let geo = geo_files::load(self.folder.path()).expect("a database");
        assert!(!geo.is_anonymizer_sample());
        geo.anonymizer(address.parse().expect("an address")) == Lookup::Known(true)
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

fn source(name: &str, place: &str, more: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\n{place}\nlicence = \"a test\"\n{more}\n")
}

fn list_at(server: &Server, path: &str, more: &str) -> String {
    let place = format!("url = \"{}\"", server.url(path));
    source("a", &place, &format!("format = \"list\"\nflag = \"vpn\"\n{more}"))
}

/// `count` networks of one address.
fn many(count: usize) -> String {
    (0..count).map(|index| format!("185.220.{}.{}\n", index / 256, index % 256)).collect()
}

#[test]
fn every_format_is_read() {
    let server = Server::start();
    server
        .show("/vpn.txt", Page::new(200, "# a comment\n185.220.101.0/24 ; more\n::ffff:91.132.137.9\n1.2.3.4:8080\n"));
    let base = format!("url = \"{}\"", server.url("/vpn.txt"));
    let home = Home::new(
        &[
            source("list", &base, "format = \"list\"\nflag = \"vpn\""),
            source("named", "file = \"named.csv\"", "format = \"csv\"\ncolumn = \"ip\"\nflag = \"public_proxy\""),
            source(
                "numbered",
                "file = \"n.csv\"",
                "format = \"csv\"\ncolumn = 2\nseparator = \";\"\nflag = \"residential_proxy\"",
            ),
            source("maxmind", "file = \"maxmind.csv\"", "format = \"maxmind-csv\""),
            source("ip2proxy", "file = \"ip2proxy.csv\"", "format = \"ip2proxy-csv\""),
            source("mmdb", "file = \"old.mmdb\"", "format = \"mmdb\""),
            source("tor", "file = \"tor.txt\"", "format = \"tor-exits\"\nflag = \"tor\""),
        ]
        .join("\n"),
    );
    home.write("named.csv", "port,ip\n80,\"5.6.7.8\"\n81,5.6.8.0/24\n");
    home.write("n.csv", "x;6.6.6.6\nx;6.6.7.1-6.6.7.4\n");
    let header = "network,is_anonymous,is_anonymous_vpn,is_hosting_provider,is_public_proxy,is_tor_exit_node\n";
    home.write("maxmind.csv", format!("{header}7.7.7.0/24,1,1,0,0,0\n7.7.8.0/24,1,0,1,0,0\n"));
    home.write(
        "ip2proxy.csv",
        "\"134744072\",\"134744079\",\"PUB\",\"US\"\n\"151587081\",\"151587081\",\"DCH\",\"US\"\n",
    );
    let maxmind = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/geo/GeoIP2-Anonymous-IP-Test.mmdb");
    home.write("old.mmdb", std::fs::read(maxmind).expect("a database"));
    home.write("tor.txt", "ExitNode 00\nPublished 2026-11-01 00:00:00\nLastStatus 2026-11-01 00:00:00\nExitAddress 9.9.9.10 2026-11-01 00:00:00\n");
    let (code, out, err) = home.update(false);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for address in [
        "185.220.101.7",
        "91.132.137.9",
        "1.2.3.4",
        "5.6.7.8",
        "5.6.8.9",
        "6.6.6.6",
        "6.6.7.4",
        "7.7.7.7",
        "8.8.8.9",
        "81.2.69.142",
        "9.9.9.10",
    ] {
        assert!(home.is_anonymizer(address), "{address}");
    }
    for address in ["185.220.102.7", "5.6.9.1", "6.6.7.5", "7.7.8.1", "9.9.9.9", "8.8.8.16"] {
        assert!(!home.is_anonymizer(address), "{address}");
    }
    assert!(out.contains("list: 3 networks\n") && out.contains("\nwrote "), "{out}");
}

#[test]
fn whatever_goes_wrong_the_old_database_stays() {
    let server = Server::start();
    let digest = "0".repeat(64);
    let slow = Page { delay: Duration::from_secs(3), ..Page::new(200, many(100)) };
    let cut = Page { told: Some(100_000), ..Page::new(200, many(100)) };
    let elsewhere = Page::new(302, "").with("location", "/moved-nowhere");
    let around = Page::new(302, "").with("location", "/around");
    for (path, page, more, reason) in [
        ("/404", Page::new(404, many(100)), "", "the server answered with status 404"),
        ("/500", Page::new(500, "oh"), "", "the server answered with status 500"),
        ("/204", Page::new(204, ""), "", "the server answered with status 204"),
        ("/304", Page::new(304, ""), "", "the server answered with status 304"),
        ("/moved", elsewhere, "", "the server answered with status 404"),
        ("/around", around, "", "the request failed: "),
        ("/slow", slow, "timeout_seconds = 1", "it did not answer in time"),
        ("/cut", cut, "", "the answer ended before its end"),
        ("/large", Page::new(200, "#".repeat(1_100_000)), "max_mib = 1", "found more than 1048576 bytes"),
        ("/page", Page::new(200, "<!DOCTYPE html><p>log in"), "", "found a web page in place of a list"),
        ("/typed", Page::new(200, many(100)).with("content-type", "Text/HTML; charset=utf-8"), "", "found a web page"),
        ("/empty", Page::new(200, ""), "", "found nothing: the list is empty"),
        ("/comments", Page::new(200, "# nothing today\n"), "", "found no network"),
        ("/prose", Page::new(200, "Please log in\n"), "", "found 1 bad lines of 1"),
        ("/bytes", Page::new(200, vec![0xff; 100]), "", "found bytes that are no text"),
        ("/all", Page::new(200, "0.0.0.0/0\n"), "", "a prefix of at least 8 bits is accepted"),
        ("/sum", Page::new(200, many(100)), &format!("sha256 = \"{digest}\""), "but 0000"),
        ("/gzip", Page::new(200, "no gzip").with("content-encoding", "gzip"), "", "the request failed: "),
    ] {
        server.show(path, page);
        let home = Home::new(&list_at(&server, path, more));
        home.write("anonymizer.mmdb", "what was there before");
        let (code, _, err) = home.update(false);
        assert_eq!(code, 1, "{path}: {err}");
        assert!(err.starts_with("a: refused: ") && err.contains(reason), "{path}: {err}");
        assert!(err.ends_with("anonymizer.mmdb stays as it is: a source was refused\n"), "{path}: {err}");
        assert_eq!(std::fs::read(home.out()).expect("a file"), b"what was there before", "{path}");
        let files = std::fs::read_dir(home.folder.path()).expect("a folder").count();
        assert_eq!(files, 2, "{path}: nothing is left behind");
    }
    // Nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let place = format!("url = \"http://{free}/\"");
    let home = Home::new(&source("a", &place, "format = \"list\"\nflag = \"vpn\""));
    let (code, _, err) = home.update(false);
    assert!(code == 1 && err.starts_with("a: refused: the request failed: "), "{err}");
}

#[test]
fn one_bad_source_keeps_the_whole_database() {
    let server = Server::start();
    let place = format!("url = \"{}\"", server.url("/b"));
    let good = source("b", &place, "format = \"list\"\nflag = \"tor\"");
    server.show("/a", Page::new(200, many(10)));
    server.show("/b", Page::new(200, "45.9.9.9\n"));
    let home = Home::new(&format!("{}{good}", list_at(&server, "/a", "")));
    assert_eq!(home.update(false).0, 0);
    let before = std::fs::read(home.out()).expect("a file");
    server.show("/a", Page::new(200, ""));
    server.show("/b", Page::new(200, "45.9.9.9\n45.9.9.10\n"));
    let (code, out, err) = home.update(false);
    assert_eq!((code, out.as_str()), (1, "b: 2 networks\n"), "{err}");
    assert!(std::fs::read(home.out()).expect("a file") == before);
    server.show("/a", Page::new(200, many(10)));
    assert_eq!(home.update(false).0, 0);
    assert!(home.is_anonymizer("45.9.9.10"));
}

#[test]
fn a_list_that_shrinks_by_more_than_half_needs_a_word() {
    let server = Server::start();
    let home = Home::new(&list_at(&server, "/list", ""));
    server.show("/list", Page::new(200, many(100)));
    assert_eq!(home.update(false).0, 0);
    server.show("/list", Page::new(200, many(49)));
    let (code, _, err) = home.update(false);
    assert!(code == 1 && err.contains("found 49 networks, but the last time there were 100"), "{err}");
    assert!(home.is_anonymizer("185.220.0.99"));
    server.show("/list", Page::new(200, many(50)));
    assert_eq!(home.update(false).0, 0, "half is not more than half");
    server.show("/list", Page::new(200, many(5)));
    assert_eq!(home.update(false).0, 1);
    assert_eq!(home.update(true).0, 0);
    assert!(!home.is_anonymizer("185.220.0.40"));
    assert_eq!(home.update(false).0, 0, "what was accepted is what counts from then on");
}

#[test]
fn what_has_not_changed_is_not_fetched_again() {
    let server = Server::start();
    let home = Home::new(&list_at(&server, "/list", ""));
    let page = |tag: &str, count| {
        Page::new(200, many(count)).with("etag", tag).with("last-modified", "Sun, 01 Nov 2026 00:00:00 GMT")
    };
    server.show("/list", page("\"one\"", 10));
    assert_eq!(home.update(false).1.lines().next(), Some("a: 10 networks"));
    assert!(server.last("/list").iter().all(|line| !line.starts_with("if-")));
    assert_eq!(home.update(false).1.lines().next(), Some("a: 10 networks, unchanged"));
    let asked = server.last("/list");
    assert!(asked.contains(&String::from("if-none-match: \"one\"")), "{asked:?}");
    assert!(asked.contains(&String::from("if-modified-since: sun, 01 nov 2026 00:00:00 gmt")), "{asked:?}");
    assert!(home.is_anonymizer("185.220.0.9"));
    server.show("/list", Page::new(200, many(11)).with("etag", "\"two\""));
    assert_eq!(home.update(false).1.lines().next(), Some("a: 11 networks"));
    // Another place has nothing to do with what was kept.
    server.show("/other", Page::new(200, many(3)).with("etag", "\"two\""));
    home.write("sources.toml", list_at(&server, "/other", ""));
    assert_eq!(home.update(false).1.lines().next(), Some("a: 3 networks"));
}

#[test]
fn checksums_and_compression_are_understood() {
    use std::io::Write as _;
    let server = Server::start();
    let sum = "5bb2a57b8d5c5c9ad9d7a6fbd8fb06cd4f3db0b3a0bb5a3c8bd5d3a1a3d4bb10";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(many(20).as_bytes()).expect("memory");
    server.show("/list", Page::new(200, encoder.finish().expect("memory")).with("content-encoding", "gzip"));
    server.show("/list.sha256", Page::new(200, format!("{sum}  list\n")));
    let home = Home::new(&list_at(&server, "/list", &format!("sha256_url = \"{}\"", server.url("/list.sha256"))));
    let (code, _, err) = home.update(false);
    assert!(code == 1 && err.contains(&format!("but {sum} is accepted")), "{err}");
    let found = err.split("SHA-256 ").nth(1).and_then(|rest| rest.split(',').next()).expect("a sum").to_owned();
    server.show("/list.sha256", Page::new(200, format!("{found}  list\n")));
    assert_eq!(home.update(false).0, 0);
    assert!(home.is_anonymizer("185.220.0.19"));
    // A small answer that becomes a large one.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b'#'; 4 << 20]).expect("memory");
    server.show("/bomb", Page::new(200, bomb.finish().expect("memory")).with("content-encoding", "gzip"));
    let home = Home::new(&list_at(&server, "/bomb", "max_mib = 1"));
    let (code, _, err) = home.update(false);
    assert!(code == 1 && err.contains("found more than 1048576 bytes"), "{err}");
}

#[test]
fn a_wrong_file_of_sources_says_what_is_wrong() {
    let list = "format = \"list\"\nflag = \"vpn\"";
    for (sources, reason) in [
        (String::new(), "found no source"),
        (source("a", "url = \"http://example.org/x\"", list), "an address begins with https://"),
        (source("a", "url = \"ftp://127.0.0.1/x\"", list), "an address begins with https://"),
        (source("a", "", list), "one of `url` and `file` is needed"),
        (source("A b", "file = \"x\"", list), "a name has 1 to 64 small letters"),
        (source("../a", "file = \"x\"", list), "a name has 1 to 64 small letters"),
        (source("a", "file = \"x\"", list).repeat(2), "found this name twice"),
        (source("a", "file = \"x\"", "format = \"list\""), "found no `flag`"),
        (source("a", "file = \"x\"", "format = \"list\"\nflag = \"proxy\""), "found the flag \"proxy\""),
        (source("a", "file = \"x\"", "format = \"txt\"\nflag = \"vpn\""), "found the format \"txt\""),
        (source("a", "file = \"x\"", "format = \"mmdb\"\nflag = \"vpn\""), "say themselves what they are"),
        (source("a", "file = \"x\"", "format = \"csv\"\nflag = \"vpn\""), "`column` is needed"),
        (source("a", "file = \"x\"", &format!("{list}\nsha256 = \"12\"")), "`sha256` has 64 hexadecimal digits"),
        (source("a", "file = \"x\"", &format!("{list}\nmax_mib = 0")), "found `max_mib` 0"),
        (source("a", "file = \"x\"", &format!("{list}\nchecksum = \"12\"")), "unknown field `checksum`"),
    ] {
        let (code, _, err) = Home::new(&sources).update(false);
        assert!(code == -1 && err.contains(reason), "{sources}: {err}");
    }
    let (code, _, err) = Home::new(&source("a", "file = \"x\"", list)).update(false);
    assert!(code == 1 && err.contains("failed to read"), "{err}");
}

#[test]
fn the_shipped_sources_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("geoip/sources.toml");
    let sources = kuzet::adapters::geo_update::Sources::read(&path).expect("sources");
    assert_eq!(sources.list.len(), 3);
    assert!(geo_files::file_of(DatabaseKind::Anonymizer).ends_with(".mmdb"));
}
