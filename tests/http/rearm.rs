//! A rule that exceeds its budget: what is told of it, and how it acts again.

use super::*;
use std::fs;

const RULE: &str = "transfer-over-100k";

/// Copies a folder of rules.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

/// A service whose rules may stop two operations an hour each; it can be started again over the same store.
struct Budgeted {
    folder: tempfile::TempDir,
    running: Option<Running>,
}

impl Budgeted {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("rules");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &rules);
        fs::write(rules.join("data/budget.yaml"), "budget: {holds_per_hour: 2}\n").expect("a written file");
        let mut budgeted = Self { folder, running: None };
        budgeted.start_again();
        budgeted
    }

    fn start_again(&mut self) {
        self.stop();
        let (root, path) = (env!("CARGO_MANIFEST_DIR"), self.folder.path().display().to_string());
        let hash = config::TokenHash::of(&token("analyst"));
        let text = format!(
            "[store]\npath = \"{path}/store\"\n[rules]\nfolder = \"{path}/rules\"\nwatch = false\n[geoip]\n\
             folder = \"{root}/geoip\"\nwatch = false\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[token]]\nname = \"amina\"\nhash = \"{hash}\"\nroles = [\"analyst\", \"ledger\", \"metrics\"]\n"
        );
        let config = config::parse("test", &text, []).unwrap_or_else(|errors| panic!("{errors}"));
        self.running = Some(Running::start(&config, Hearing::OnceWaiting).expect("a service"));
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let address = self.running.as_ref().expect("it runs").address;
        ask(address, method, path, &[("authorization", &bearer("analyst"))], body.as_bytes())
    }

    fn decide(&self, op: &str) -> Value {
        self.ask("POST", "/v1/operations", &transfer(op, op, "150000.00")).json()
    }

    fn budget(&self) -> Value {
        self.ask("GET", &format!("/v1/rules/{RULE}"), "").json()["budget"].clone()
    }
}

impl Drop for Budgeted {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_rule_that_exceeds_its_budget_watches_until_an_analyst_arms_it_again() {
    let mut server = Budgeted::start();
    let verdicts = ["a1", "a2"].map(|op| server.decide(op)["verdict"].clone());
    assert_eq!(verdicts, ["hold", "hold"]);
    let path = format!("/v1/rules/{RULE}/rearm");
    assert_eq!(server.ask("POST", &path, "").problem(409)["code"], "within-budget");

    let breach = server.decide("a3");
    assert_eq!((&breach["verdict"], &breach["matches"][0]["mode"]), (&"allow".into(), &"shadow".into()));
    let report = &breach["commands"][0];
    assert_eq!(
        (&report["command"], &report["to"], &report["rule"]),
        (&"report".into(), &"operators".into(), &RULE.into())
    );
    assert_eq!(report["subject"], serde_json::json!({"operation": "a3"}));
    assert_eq!(server.decide("a4")["commands"], serde_json::json!([]), "it is told once");

    let told = server.budget();
    assert_eq!((&told["holds_per_hour"], &told["stopped"], &told["share"]), (&2.into(), &2.into(), &Value::Null));
    let exceeded =
        serde_json::json!([{"shard": 0, "at": "2026-03-02T10:00:00Z", "seq": 3, "stopped": 3, "decided": 3}]);
    assert_eq!(told["exceeded"], exceeded);
    let metrics = String::from_utf8(server.ask("GET", "/metrics", "").body).expect("a text");
    for line in [
        format!("kuzet_rule_budget_exceeded{{rule=\"{RULE}\",shard=\"0\"}} 1\n"),
        format!("kuzet_rule_budget_stopped{{rule=\"{RULE}\",shard=\"0\"}} 2\n"),
        format!("kuzet_rule_budget_breaches_total{{rule=\"{RULE}\"}} 1\n"),
        "kuzet_rule_budget_exceeded{rule=\"flagged-wallet\",shard=\"0\"} 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }

    server.start_again();
    assert_eq!(server.budget()["exceeded"], exceeded, "it outlives the process");
    assert_eq!(server.decide("a5")["verdict"], "allow");
    let rearmed = server.ask("POST", &format!("{path}?actor=nobody"), "").json();
    assert_eq!((&rearmed["type"], &rearmed["verdict"]), (&"rule_rearmed".into(), &"allow".into()));
    let sent = server.ask("GET", &format!("/v1/operations/{}", rearmed["seq"]), "").json();
    assert_eq!(
        (&sent["operation"]["actor"], &sent["operation"]["attributes"]["rule"]),
        (&"amina".into(), &RULE.into())
    );
    assert_eq!(server.budget()["exceeded"], serde_json::json!([]));
    assert_eq!(server.decide("a6")["verdict"], "hold");

    assert_eq!(server.ask("POST", "/v1/rules/gambling-payout-report/rearm", "").problem(409)["code"], "no-budget");
    server.ask("POST", "/v1/rules/no-such-rule/rearm", "").problem(404);
    server.ask("POST", &format!("{path}?rule=x"), "").problem(400);
}

#[test]
fn the_command_arms_a_rule_again() {
    let server = Budgeted::start();
    ["a1", "a2", "a3"].into_iter().for_each(|op| drop(server.decide(op)));
    let url = format!("http://{}", server.running.as_ref().expect("it runs").address);
    let token = token("analyst");
    let run = |rule: &str| {
        let arguments = ["rules", "rearm", rule, "--url", &url, "--token", &token];
        let output = crate::command::kuzet().args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run(RULE), (Some(0), format!("{RULE} acts again since decision 4\n")));
    let refused = "refused: the rule has not exceeded its budget, and acts\n".to_owned();
    assert_eq!(run(RULE), (Some(1), refused));
    assert_eq!(server.decide("a4")["verdict"], "hold");
}
