//! `geoip.update_every`: the service makes its anonymizer database anew from a server of this process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::client::{get, post};
use crate::pages::{Page, Server};
use crate::wait;
use kuzet::app::serve::{Hearing, Running};
use kuzet::config;

/// A service whose geo folder is a copy of the shipped one, with a source at a server.
struct Updating {
    running: Option<Running>,
    address: SocketAddr,
    pages: Server,
    folder: tempfile::TempDir,
}

const LIST: &str = "/tor.txt";

fn list(networks: &str) -> Page {
    Page::new(200, networks).with("ETag", &format!("\"{}\"", networks.len()))
}

impl Updating {
    /// Prepares the geo folder with `prepare`, shows the list and starts.
    fn start(page: Page, prepare: impl FnOnce(&Path)) -> Self {
        let (pages, folder) = (Server::start(), tempfile::tempdir().expect("a folder"));
        pages.show(LIST, page);
        let geo = folder.path().join("geoip");
        fs::create_dir(&geo).expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["country.mmdb", "anonymizer.mmdb"] {
            fs::copy(root.join("geoip").join(name), geo.join(name)).expect("a copy");
        }
        let source = format!(
            "[[source]]\nname = \"exits\"\nurl = \"{}\"\nformat = \"list\"\nflag = \"tor\"\nlicence = \"a test\"\n",
            pages.url(LIST)
        );
        fs::write(folder.path().join("lists.toml"), source).expect("a file");
        prepare(&geo);
        let at = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "[rules]\nfolder = {:?}\nwatch = false\n[geoip]\nfolder = {:?}\nwatch = false\nupdate_every = \"1s\"\n\
             sources = {:?}\n[store]\npath = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n",
            root.join("rules").display().to_string(),
            at("geoip"),
            at("lists.toml"),
            at("store"),
        );
        let config = config::parse("test", &text, []).unwrap_or_else(|errors| panic!("{errors}"));
        let running = Running::start(&config, Hearing::OnceWaiting).expect("a service");
        Self { address: running.address, running: Some(running), pages, folder }
    }

    /// Waits until a series has a value that is accepted.
    fn until(&self, series: &str, accepted: impl Fn(i64) -> bool) {
        wait::until(series, || {
            let body = get(self.address, "/metrics").body;
            let text = String::from_utf8_lossy(&body);
            let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
            value.parse().is_ok_and(&accepted).then_some(())
        });
    }

    /// Tells whether a login from the address fires the rule on anonymizers.
    fn fires(&self, op_id: &str, ip: &str) -> bool {
        let login = format!(
            r#"{{"op_id":"{op_id}","type":"login","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"{op_id}","outcome":"success","ip":"{ip}"}}"#
        );
        let decision = post(self.address, "/v1/operations", &login).json();
        let matches = decision["matches"].as_array().expect("matches");
        matches.iter().any(|found| found["rule"] == "login-through-anonymizer")
    }
}

impl Drop for Updating {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

const SAMPLE: &str = "kuzet_geo_database_sample{database=\"anonymizer\"}";
const SUCCESSFUL: &str = "kuzet_geo_update_last_successful{database=\"anonymizer\"}";
const FAILURES: &str = "kuzet_geo_source_failures_total{source=\"exits\"}";
const TAKEN: &str = "kuzet_geo_source_last_success_timestamp_seconds{source=\"exits\"}";

#[test]
fn the_database_is_made_at_the_start_and_again_and_a_bad_list_keeps_the_last_good_one() {
    let service = Updating::start(list("185.220.101.0/24\n"), |_| {});
    // The sample that was there is replaced, and in use without a watch of the folder.
    service.until(SAMPLE, |sample| sample == 0);
    service.until(SUCCESSFUL, |successful| successful == 1);
    service.until(TAKEN, |seconds| seconds > 1_700_000_000);
    service.until(FAILURES, |failures| failures == 0);
    assert!(service.fires("a1", "185.220.101.7"));
    assert!(!service.fires("a2", "91.132.137.9"));

    service.pages.show(LIST, list("185.220.101.0/24\n91.132.137.9\n"));
    let mut attempt = 0;
    wait::until("the second list is in use", || {
        attempt += 1;
        service.fires(&format!("b{attempt}"), "91.132.137.9").then_some(())
    });
    // The next request says what is known already.
    wait::until("a conditional request", || {
        service.pages.last(LIST).iter().any(|line| line.starts_with("if-none-match: ")).then_some(())
    });

    service.pages.show(LIST, Page::new(500, "no list today"));
    service.until(FAILURES, |failures| failures >= 2);
    service.until(SUCCESSFUL, |successful| successful == 0);
    assert!(service.fires("c1", "91.132.137.9"), "the last good database stays in use");
    service.until(SAMPLE, |sample| sample == 0);

    service.pages.show(LIST, list("185.220.101.0/24\n91.132.137.9\n"));
    service.until(SUCCESSFUL, |successful| successful == 1);
}

/// What cannot be written is no fault of a source; it is tried again.
#[test]
fn a_folder_that_cannot_be_written_fails_the_update_until_it_can() {
    // A folder stands where the new database is written, which hinders a privileged process too.
    let service = Updating::start(list("185.220.101.0/24\n"), |geo| {
        fs::create_dir(geo.join("anonymizer.mmdb.new")).expect("a folder");
    });
    service.until(SUCCESSFUL, |successful| successful == 0);
    service.until(SAMPLE, |sample| sample == 1);
    assert!(!service.fires("a1", "185.220.101.7"));
    fs::remove_dir(service.folder.path().join("geoip/anonymizer.mmdb.new")).expect("an empty folder");
    service.until(SUCCESSFUL, |successful| successful == 1);
    service.until(SAMPLE, |sample| sample == 0);
    service.until(FAILURES, |failures| failures == 0);
    assert!(service.fires("a2", "185.220.101.7"));
}
