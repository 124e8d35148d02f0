//! Why decisions were made, asked over the wire: the same as from a file, whoever else was decided meanwhile.

use kuzet::adapters::folders::Folder;
use kuzet::analysis::explain::examination::{Examination, Explained};
use kuzet::analysis::explain::report::{self, Languages, Reader};
use kuzet::app;
use kuzet::pipeline::Record;
use kuzet::rules::program::RuleSet;

use super::*;
use crate::service::simulated;

fn shipped() -> RuleSet {
    app::load_rules(&Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"))).expect("rules")
}

/// What the file tells of each of its operations.
fn from_file(records: &[String], reader: Reader) -> Vec<Value> {
    let geo = app::load_geo(&Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("geoip"))).expect("databases");
    let mut pipeline = app::pipeline(shipped(), geo);
    let mut explain = |record: &String| {
        let record = Record { bytes: record.as_bytes(), arrived_at: None };
        match Examination::of(&mut pipeline, record).expect("memory") {
            Explained::Decided(examination) => report::json(&examination, reader, Languages::All),
            other => panic!("{other:?}"),
        }
    };
    records.iter().map(&mut explain).collect()
}

fn without_basis(mut told: Value) -> Value {
    let fields = told.as_object_mut().expect("an object");
    fields.remove("basis");
    fields.remove("seq");
    told
}

#[test]
fn each_decision_is_explained_as_from_a_file() {
    let records: Vec<String> =
        simulated(1_200, 31).into_iter().map(|record| String::from_utf8(record).expect("text")).collect();
    let server = Server::start("");
    for part in records.chunks(400) {
        let answer = post(server.address, "/v1/operations", &format!("[{}]", part.join(",")));
        assert_eq!(answer.status, 200);
    }
    let expected = from_file(&records, Reader::Analyst);
    let mut in_part = 0;
    let is_told = |told: &Value| told["rules"].as_array().is_some_and(|rules| !rules.is_empty());
    let told: Vec<usize> = (0..records.len()).filter(|at| is_told(&expected[*at])).collect();
    assert!(told.len() > 60, "{} operations with something to tell", told.len());
    let step = told.len() / 60;
    for at in told.into_iter().step_by(step) {
        let answer = get(server.address, &format!("/v1/decisions/{}/why", at + 1));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let found = answer.json();
        assert_eq!((&found["seq"], &found["basis"]["is_exact"]), (&(at + 1).into(), &true.into()), "{found}");
        assert_eq!((&found["basis"]["kind"], &found["basis"]["missing"]), (&"decided_again".into(), &0.into()));
        in_part += u32::from(found["basis"]["is_whole"] == false);
        assert_eq!(without_basis(found), expected[at], "decision {}", at + 1);
    }
    assert!(in_part > 50, "{in_part} were explained without deciding all again");
}

fn rule_of<'t>(told: &'t Value, id: &str) -> &'t Value {
    let rules = told["rules"].as_array().expect("rules");
    rules.iter().find(|rule| rule["rule"] == id).unwrap_or_else(|| panic!("no {id} in {told}"))
}

#[test]
fn a_decision_is_found_by_its_id_and_told_to_three_readers() {
    let server = Server::with_tokens();
    let address = server.address;
    let send =
        |text: &str| ask(address, "POST", "/v1/operations", &[("authorization", &bearer("ledger"))], text.as_bytes());
    let decision = send(&transfer("a1", "w1", "150000.00")).json();
    let id = decision["decision_id"].as_str().expect("an id").to_owned();
    let why = |role: &str, query: &str| {
        ask(address, "GET", &format!("/v1/decisions/{id}/why{query}"), &[("authorization", &bearer(role))], b"")
    };
    let analyst = why("analyst", "?lang=en").json();
    assert_eq!((&analyst["seq"], &analyst["op_id"], &analyst["verdict"]), (&1.into(), &"a1".into(), &"hold".into()));
    let rule = rule_of(&analyst, "transfer-over-100k");
    assert_eq!((&rule["fired"], &rule["mode"]), (&true.into(), &"enforce".into()), "{analyst}");
    let condition = &rule["conditions"][0];
    assert!(condition["sentence"].as_str().is_some_and(|text| text.contains("150\u{a0}000")), "{condition}");
    assert!(condition["text"].as_str().is_some_and(|text| text.contains("100_000 KZT")), "{condition}");
    assert!(analyst["text"].as_str().is_some_and(|text| text.contains("Rules that fired")), "{analyst}");
    assert_eq!(analyst["in_force"][0]["kind"], "hold");
    assert!(analyst["in_force"][0]["lifted_by"].as_array().is_some_and(|lifters| !lifters.is_empty()));

    let support = why("support", "").json();
    let condition = &rule_of(&support, "transfer-over-100k")["conditions"][0];
    assert!(condition["text"].is_null() && condition["sentence"]["kk"].is_string(), "{support}");
    assert_eq!(condition["counted"], serde_json::json!([]));
    why("support", "?for=analyst").problem(403);
    why("ledger", "?for=support").problem(403);
    for client in [why("ledger", "").json(), why("analyst", "?for=client").json()] {
        let text = client.to_string();
        for secret in ["transfer-over-100k", "rules", "ruleset", "report", "100000", "7.1"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert_eq!(client["basis"], serde_json::json!({"kind": "decided_again"}));
        assert!(client["text"]["ru"].as_str().is_some_and(|text| text.contains("Операция ожидает")), "{text}");
    }
}

/// The eleventh equal transfer within an hour counts the ten before it, and neither another amount nor another wallet.
#[test]
fn a_condition_names_the_operations_that_it_counted() {
    let server = Server::start("");
    let address = server.address;
    let equal = |number: u64| {
        transfer(&format!("a{number}"), "w1", "5000.00").replace("10:00:00", &format!("10:{number:02}:00"))
    };
    post(address, "/v1/operations", &transfer("b1", "w1", "5000.01"));
    post(address, "/v1/operations", &transfer("c1", "w2", "5000.00"));
    for number in 1..=11 {
        post(address, "/v1/operations", &equal(number));
    }
    let why = get(address, "/v1/decisions/13/why?lang=en").json();
    let conditions = rule_of(&why, "equal-transfers-in-hour")["conditions"].as_array().expect("conditions");
    let counted: Vec<&Value> =
        conditions.iter().flat_map(|condition| condition["counted"].as_array().expect("a list")).collect();
    let [only] = counted[..] else { panic!("{why}") };
    let before: Vec<u64> = (3..=12).rev().collect();
    assert_eq!((&only["total"], &only["seqs"]), (&10.into(), &before.into()), "{why}");
    assert!(only["aggregate"].as_str().is_some_and(|text| text.starts_with("count(transfer")), "{why}");
}

#[test]
fn what_cannot_be_explained_is_a_problem() {
    let server = Server::start("");
    let address = server.address;
    post(address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    let nobody = "00000000-0000-0000-0000-000000000000";
    get(address, &format!("/v1/decisions/{nobody}/why")).problem(404);
    for (path, status) in [
        ("0/why", 404),
        ("2/why", 404),
        ("18446744073709551615/why", 404),
        ("18446744073709551616/why", 400),
        ("x/why", 400),
        ("%00/why", 400),
        ("1/why?lang=de", 400),
        ("1/why?for=everybody", 400),
        ("1/why?lang=kk&lang=ru", 400),
        ("1/why?wait=1", 400),
    ] {
        get(address, &format!("/v1/decisions/{path}")).problem(status);
    }
}

/// The rules that decided are known, and what they then read of an address is not: other databases say otherwise.
#[test]
fn where_the_state_of_then_is_not_known_the_decision_tells_for_itself() {
    let server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    // Four minutes behind: late where less is allowed.
    let behind = transfer("a2", "w1", "160000.00").replace("10:00:00", "09:56:00");
    post(server.address, "/v1/operations", &behind);
    let strict = server.again("[engine]\nlateness = \"1m\"\n");
    let found = get(strict.address, "/v1/decisions/2/why?lang=en").json();
    assert_eq!(found["basis"]["kind"], "stored", "{found}");
    assert!(found["basis"]["reason"].as_str().is_some_and(|why| why.contains("comes out otherwise")), "{found}");
    let rule = &found["rules"][0];
    assert_eq!((&rule["rule"], &rule["fired"]), (&"transfer-over-100k".into(), &true.into()), "{found}");
    assert!(rule["conditions"][0]["sentence"].as_str().is_some_and(|text| text.contains("160\u{a0}000")), "{found}");
    assert_eq!(
        (&found["in_force"][0]["kind"], &found["in_force"][0]["rule"]),
        (&"hold".into(), &"transfer-over-100k".into())
    );
    let client = get(strict.address, "/v1/decisions/2/why?lang=en&for=client").json();
    assert!(client["text"].as_str().is_some_and(|text| text.starts_with("The operation is waiting.")), "{client}");
    assert!(!client.to_string().contains("transfer-over"), "{client}");
}

/// Runs `kuzet explain` on a store; returns the exit code, standard output and standard error.
fn explain(store: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = crate::command::kuzet();
    command.arg("explain").arg("--store").arg(store).args(arguments);
    command.args(["--rules", &format!("{root}/rules"), "--geoip", &format!("{root}/geoip")]);
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\u{a0}', " ");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_tells_of_a_store_what_the_service_told() {
    let mut server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    let decision = post(server.address, "/v1/operations", &transfer("a2", "w1", "150000.00")).json();
    let id = decision["decision_id"].as_str().expect("an id").to_owned();
    let told = without_basis(get(server.address, "/v1/decisions/2/why").json());
    let text = get(server.address, "/v1/decisions/2/why?lang=ru&for=support").json();
    let store = server._folder.path().join("store");
    let (code, _, err) = explain(&store, &["--op", "a2"]);
    assert!(code == Some(2) && err.contains("is in use: copy it by `kuzet store backup"), "{err}");
    server.running.take().expect("a service").stop();

    for named in [["--op", "a2"], ["--decision", &id], ["--decision", "2"]] {
        let (code, out, err) = explain(&store, &[&named[..], &["--format", "json"]].concat());
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), same_spaces(&told));
    }
    let (_, out, _) = explain(&store, &["--op", "a2", "--wallet", "w1", "--lang", "ru", "--for", "support"]);
    assert_eq!(out.trim_end(), text["text"].as_str().expect("a text").replace('\u{a0}', " "));
    let (code, out, _) = explain(&store, &["--op", "a3"]);
    assert!(code == Some(1) && out.contains("no such decision is kept; the store has decided 2 operations"), "{out}");
    let (code, _, err) = explain(&store, &["--decision", "seven"]);
    assert!(code == Some(2) && err.contains("found \"seven\" as --decision"), "{err}");
    assert_eq!(explain(&store, &[]).0, Some(2));

    let config = server._folder.path().join("strict.toml");
    std::fs::write(&config, "[engine]\nlateness = \"1m\"\n").expect("a file");
    let strict = config.display().to_string();
    let (code, out, err) = explain(&store, &["--op", "a2", "--config", &strict]);
    assert!(code == Some(0) && err.is_empty() && out.contains("transfer-over-100k"), "{out}{err}");
}

/// Spaces that do not break, as the command's output was read here.
fn same_spaces(told: &Value) -> Value {
    serde_json::from_str(&told.to_string().replace('\u{a0}', " ")).expect("JSON")
}
