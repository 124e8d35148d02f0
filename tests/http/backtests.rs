//! Backtests over the wire: the same figures as those of the command over the same history.

use serde_json::json;

use super::*;
use crate::service::simulated;

const OVER_100K: &str = "section7/transfer-over-100k.yaml";

fn text_of(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").join(path)).expect("a rule")
}

/// Lower thresholds, so that operations are newly held.
fn changed() -> Value {
    json!({OVER_100K: text_of(OVER_100K).replace("> 100_000 KZT", "> 40_000 KZT")})
}

/// The report without what the sets are called.
fn figures(report: &Value) -> Value {
    let mut report = report.clone();
    report["rules"]["name"] = Value::Null;
    if report["against"].is_object() {
        report["against"]["name"] = Value::Null;
    }
    report
}

/// Runs `kuzet backtest`; returns its report.
fn command(folder: &Path, arguments: &[&str]) -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = crate::command::kuzet();
    command.arg("backtest").args(arguments).args(["--format", "json", "--geoip", &format!("{root}/geoip")]);
    let output = command.current_dir(folder).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("a copy");
        }
    }
}

#[test]
fn the_service_the_command_on_its_store_and_the_command_on_the_file_count_the_same() {
    let records: Vec<String> =
        simulated(2_000, 5).into_iter().map(|record| String::from_utf8(record).expect("text")).collect();
    let mut server = Server::start("");
    let address = server.address;
    for part in records.chunks(500) {
        assert_eq!(post(address, "/v1/operations", &format!("[{}]", part.join(","))).status, 200);
    }
    let ask = |body: Value| {
        let answer = post(address, "/v1/backtests?wait=60s", &body.to_string());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let told = answer.json();
        assert_eq!(told["state"], "done", "{told}");
        assert_eq!(get(address, &format!("/v1/backtests/{}", told["id"])).json(), told);
        told["report"].clone()
    };
    let span = ("2026-03-03T00:00:00+05:00", "2026-03-05T00:00:00+05:00");
    let compared = ask(json!({"rules": changed(), "against": "current"}));
    let within = ask(json!({"rules": changed(), "against": "current", "from": span.0, "to": span.1}));
    let alone = ask(json!({"rules": "current", "limits": {"new_holds": 0}}));
    let days = ask(json!({"rules": "current", "days": 1}));
    let sweep = "transfer-over-100k:40000..100000:30000";
    let op_id = |record: &String| serde_json::from_str::<Value>(record).expect("a record")["op_id"].clone();
    let labels: Vec<Value> =
        records.iter().step_by(7).map(|record| json!({"op_id": op_id(record), "label": "fraud"})).collect();
    let swept = ask(json!({"rules": changed(), "sweep": sweep, "labels": labels}));
    assert_eq!(swept["sweep"]["points"].as_array().map(Vec::len), Some(3), "{swept}");
    assert!(swept["total"]["alerts"]["labels"]["recall"].is_number(), "{swept}");
    // The report as the command writes it, as text and as a page.
    let last = |query: &str| get(address, &format!("/v1/backtests/5{query}"));
    assert!(String::from_utf8(last("?format=text").body).expect("text").contains("transfer-over-100k at"));
    let page = last("?format=html&lang=kk");
    assert!(page.head.contains("content-disposition: attachment; filename=\"backtest-5.html\""), "{}", page.head);
    assert!(String::from_utf8(page.body).expect("text").contains("<html lang=\"kk\""));
    last("?format=pdf").problem(400);
    last("?format=html&lang=de").problem(400);
    get(address, "/v1/backtests/77?format=html").problem(404);
    assert_eq!(alone["breaches"][0]["limit"], "max-new-holds");
    assert_eq!((&compared["operations"], &compared["rejected"]), (&2_000.into(), &0.into()));
    let newly = &compared["total"]["newly"][1];
    assert!(newly[0] == "hold" && newly[1]["operations"].as_u64() > Some(0), "{compared}");
    let count = |report: &Value| report["operations"].as_u64().expect("a number");
    assert!(count(&within) < 2_000 && count(&within) > 100 && count(&days) < 2_000 && count(&days) > 0);
    assert_eq!(days["days"], 2, "24 hours touch two days");

    server.running.take().expect("a service").stop();
    let folder = server._folder.path();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &folder.join("rules"));
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &folder.join("changed"));
    let text = changed()[OVER_100K].as_str().expect("a text").to_owned();
    std::fs::write(folder.join("changed").join(OVER_100K), text).expect("a rule");
    std::fs::write(folder.join("ops.jsonl"), records.join("\n")).expect("a file");
    let lines: Vec<String> = labels.iter().map(Value::to_string).collect();
    std::fs::write(folder.join("labels.jsonl"), lines.join("\n")).expect("a file");
    let sets = ["--rules", "changed", "--against", "rules"];
    for source in [&["--store", "store"][..], &["ops.jsonl"]] {
        assert_eq!(figures(&command(folder, &[source, &sets].concat())), figures(&compared), "{source:?}");
        let spanned = [source, &sets, &["--from", span.0, "--to", span.1]].concat();
        assert_eq!(figures(&command(folder, &spanned)), figures(&within), "{source:?}");
        let with_sweep = [source, &["--rules", "changed", "--sweep", sweep, "--labels", "labels.jsonl"]].concat();
        assert_eq!(figures(&command(folder, &with_sweep)), figures(&swept), "{source:?}");
    }
}

#[test]
fn one_runs_at_a_time_and_can_be_stopped() {
    let server = Server::start("");
    let address = server.address;
    let records = simulated(1_000, 6);
    let records: Vec<&str> = records.iter().map(|record| std::str::from_utf8(record).expect("text")).collect();
    assert_eq!(post(address, "/v1/operations", &format!("[{}]", records.join(","))).status, 200);
    let body = json!({"rules": "current", "against": changed()}).to_string();
    let first = post(address, "/v1/backtests?wait=0s", &body);
    assert_eq!(first.status, 202, "{}", String::from_utf8_lossy(&first.body));
    let told = first.json();
    assert_eq!((&told["id"], &told["state"], &told["operations"]), (&1.into(), &"running".into(), &1_000.into()));
    assert!(first.head.contains("location: /v1/backtests/1"), "{}", first.head);
    let second = post(address, "/v1/backtests?wait=0s", &body);
    // It may have ended meanwhile.
    if second.status != 202 {
        assert_eq!(second.problem(409)["code"], "backtest-running");
    }
    post(address, "/v1/backtests/1/stop", "");
    wait::until("the end of the backtest", || {
        (get(address, "/v1/backtests/1").json()["state"] != "running").then_some(())
    });
    let state = get(address, "/v1/backtests/1").json()["state"].clone();
    assert!(state == "stopped" || state == "done", "{state}");
    get(address, "/v1/backtests/7").problem(404);
    get(address, "/v1/backtests/x").problem(400);
    post(address, "/v1/backtests/x/stop", "").problem(400);
}

#[test]
fn what_is_no_backtest_is_a_problem() {
    let server = Server::start("");
    let address = server.address;
    for body in [
        "",
        "{}",
        "[]",
        r#"["current"]"#,
        r#"{"rules":"others"}"#,
        r#"{"rules":7}"#,
        r#"{"rules":"current","more":1}"#,
        r#"{"rules":"current","from":"yesterday"}"#,
        r#"{"rules":"current","from":"2026-03-05T00:00:00Z","to":"2026-03-04T00:00:00Z"}"#,
        r#"{"rules":"current","days":0}"#,
        r#"{"rules":"current","sweep":"transfer-over-100k"}"#,
        r#"{"rules":"current","sweep":"no-such-rule:1..2:1"}"#,
        r#"{"rules":"previous","sweep":"transfer-over-100k:1..2:1"}"#,
        r#"{"rules":"current","labels":[{"op_id":"a","label":"frod"}]}"#,
        r#"{"rules":"current","days":1,"from":"2026-03-05T00:00:00Z"}"#,
        r#"{"rules":"current","limits":{"new_wallets":1}}"#,
        r#"{"rules":"current","limits":{"new_holds":-1}}"#,
        r#"{"rules":{"/etc/passwd":"x"}}"#,
    ] {
        post(address, "/v1/backtests", body).problem(400);
    }
    post(address, "/v1/backtests?wait=soon", r#"{"rules":"current"}"#).problem(400);
    let problem = post(address, "/v1/backtests", r#"{"rules":{"section7/a.yaml":"id: ["}}"#).problem(422);
    assert!(problem["errors"][0]["line"].is_u64(), "{problem}");
    let server = Server::with_tokens();
    let ask =
        |role: &str| ask(server.address, "POST", "/v1/backtests", &[("authorization", &bearer(role))], b"{}").status;
    assert_eq!((ask("support"), ask("ledger"), ask("analyst")), (403, 403, 400));
}
