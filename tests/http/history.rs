//! Positions of readers whose history is not this store's: refused, never answered with what came instead.

use super::*;
use kuzet::adapters::store::Store;

/// The head's name of the history.
fn epoch_of(answer: &Answer) -> String {
    let line = answer.head.lines().find_map(|line| line.strip_prefix("kuzet-epoch: "));
    line.unwrap_or_else(|| panic!("no epoch: {}", answer.head)).to_owned()
}

#[test]
fn a_history_has_one_name_in_pages_events_and_heads() {
    let server = Server::start("");
    let address = server.address;
    post(address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    let page = get(address, "/v1/decisions?after=0");
    let epoch = epoch_of(&page);
    assert_eq!(epoch.len(), 16);
    assert_eq!(page.json()["epoch"], epoch.as_str());
    let rejected = get(address, "/v1/rejected");
    assert_eq!((epoch_of(&rejected), &rejected.json()["epoch"]), (epoch.clone(), &epoch.as_str().into()));
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(&request("GET", "/v1/decisions", &[("accept", "text/event-stream")], b"")).expect("a request");
    let lines: Vec<String> = BufReader::new(stream)
        .lines()
        .map(|line| line.expect("a line").to_ascii_lowercase())
        .take_while(|line| !line.starts_with("id: 2"))
        .scan(false, |done, line| (!std::mem::replace(done, line.starts_with("data: "))).then_some(line))
        .collect();
    assert!(lines.contains(&format!("kuzet-epoch: {epoch}")), "{lines:?}");
    let data = lines.iter().find_map(|line| line.strip_prefix("data: ")).expect("an event");
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!((&data["seq"], &data["epoch"]), (&1.into(), &epoch.as_str().into()));
    assert!(data["decision_id"].is_string());
}

#[test]
fn a_position_beyond_the_newest_or_of_another_history_is_refused() {
    let server = Server::start("");
    let address = server.address;
    post(address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    let epoch = epoch_of(&get(address, "/v1/decisions"));
    let same = get(address, &format!("/v1/decisions?after=1&epoch={epoch}"));
    assert_eq!((same.status, &same.json()["next"]), (200, &1.into()));
    let events = [("accept", "text/event-stream")];
    let resumed = [("accept", "text/event-stream"), ("last-event-id", "2")];
    let largest = format!("/v1/decisions?after={}", u64::MAX);
    let refused = [
        (get(address, "/v1/decisions?after=2"), "position 2"),
        (get(address, "/v1/decisions?after=2&wait=30s"), "position 2"),
        (get(address, &largest), "position 18446744073709551615"),
        (get(address, &format!("/v1/rejected?from={}", u64::MAX)), "position 18446744073709551615"),
        (get(address, "/v1/rejected?from=1"), "position 1"),
        (get(address, "/v1/decisions?after=0&epoch=0123456789abcdef"), "history 0123456789abcdef"),
        (get(address, "/v1/rejected?epoch=0123456789abcdef"), "history 0123456789abcdef"),
        (ask(address, "GET", &largest, &events, b""), "position 18446744073709551615"),
        (ask(address, "GET", "/v1/decisions", &resumed, b""), "position 2"),
        (ask(address, "GET", "/v1/decisions?epoch=0123456789abcdef", &events, b""), "history 0123456789abcdef"),
    ];
    for (answer, found) in refused {
        let problem = answer.problem(409);
        assert_eq!(problem["code"], "other-history");
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains(found) && detail.contains(&format!("the history {epoch}, which has")), "{detail}");
    }
    // The numbers of what is kept nowhere are told apart from histories.
    get(address, &format!("/v1/decisions/{}", u64::MAX)).problem(404);
    get(address, &format!("/v1/operations/{}", u64::MAX)).problem(404);
}

/// The case of the subscriber who was ahead of the backup: it must hear of it, whatever is decided meanwhile.
#[test]
fn a_subscriber_who_read_beyond_a_backup_hears_of_the_restored_history() {
    let server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    let before = epoch_of(&get(server.address, "/v1/decisions"));
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let running = server.running.as_ref().expect("it runs");
    running.service.store().expect("a store").backup(&backup).expect("a backup");
    post(server.address, "/v1/operations", &transfer("a2", "w1", "6.00"));
    let page = get(server.address, "/v1/decisions?after=0").json();
    assert_eq!((&page["next"], &page["epoch"]), (&2.into(), &before.as_str().into()));

    let restored = Server::start_with("", |store| {
        Store::open(&backup, 1 << 20).expect("the backup").backup(store).expect("restored");
    });
    for op in ["b2", "b3"] {
        post(restored.address, "/v1/operations", &transfer(op, "w1", "7.00"));
    }
    // By its number alone the position looks right.
    let problem = get(restored.address, &format!("/v1/decisions?after=2&epoch={before}")).problem(409);
    assert_eq!(problem["code"], "other-history");
    let after = epoch_of(&get(restored.address, "/v1/decisions"));
    assert_ne!(before, after);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&before) && detail.contains(&after)));

    // Pages of both, one a line, as somebody may have gathered them.
    let pages = folder.path().join("pages.jsonl");
    let check = |lines: &[String]| {
        std::fs::write(&pages, lines.join("\n")).expect("a file");
        let output = crate::command::kuzet().arg("ledger-check").arg(&pages).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let rest = get(restored.address, "/v1/decisions?after=2").json();
    let (code, out) = check(&[page.to_string()]);
    assert_eq!((code, out.contains("seq 1–2, 2 decisions")), (Some(0), true), "{out}");
    let (code, out) = check(&[page.to_string(), rest.to_string()]);
    assert_eq!(code, Some(1), "{out}");
    let told = format!("other-history: it is of the history {after}, those before it of {before}\n");
    assert!(out.contains(&told), "{out}");
}

/// A name that was given stays, and a copy does not bear it.
#[test]
fn a_history_keeps_its_name_over_restarts_and_a_copy_gets_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let store = Store::open(&data, 1 << 20).expect("a store");
    let epoch = store.epoch().expect("a name");
    store.reopen().expect("opened");
    assert_eq!(store.epoch().expect("a name"), epoch);
    store.backup(&copy).expect("a copy");
    let copied = Store::open(&copy, 1 << 20).expect("a store").epoch().expect("a name");
    assert_ne!(copied, epoch);
    assert_eq!(Store::open(&copy, 1 << 20).expect("a store").epoch().expect("a name"), copied);
}
