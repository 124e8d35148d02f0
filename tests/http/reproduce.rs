//! `kuzet reproduce` on the store of a service.

use super::*;

fn reproduce(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = crate::command::kuzet().arg("reproduce").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_decision_is_made_again_or_the_command_says_what_differs() {
    let mut server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    // Four minutes behind: late where less is allowed.
    let behind = transfer("a2", "w1", "150000.00").replace("10:00:00", "09:56:00");
    let decision = post(server.address, "/v1/operations", &behind).json();
    let id = decision["decision_id"].as_str().expect("an id");
    let folder = server._folder.path().to_path_buf();
    let root = env!("CARGO_MANIFEST_DIR");
    let store = folder.join("store").display().to_string();
    let (rules, geoip) = (format!("{root}/rules"), format!("{root}/geoip"));
    let of = |id: &str, more: &[&str]| {
        reproduce(&[&[id, "--store", &store, "--rules", &rules, "--geoip", &geoip], more].concat())
    };
    let (code, _, err) = of(id, &[]);
    assert!(code == Some(2) && err.contains("is in use: copy it by `kuzet store backup"), "{err}");
    server.running.take().expect("a service").stop();

    let (code, out, err) = of(id, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("operation   a2 of wallet w1\n") && out.contains("\nequal       "), "{out}");
    let config = folder.join("strict.toml");
    std::fs::write(&config, "[engine]\nlateness = \"1m\"\n").expect("a file");
    let (code, out, _) = of(id, &["--config", &config.display().to_string()]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("\notherwise   decision 2 is the first") && out.contains("\ndifferent   in late\n"), "{out}");
    let (code, out, _) = of("00000000-0000-0000-0000-000000000000", &[]);
    assert!(
        code == Some(1) && out.contains("no decision has this id; the store keeps those of the numbers 1 to 2"),
        "{out}"
    );
    assert_eq!(of("seven", &[]).0, Some(2));
}

/// The endpoint answers while the service decides, and says what the command says of the same store.
#[test]
fn the_service_makes_a_decision_again_as_the_command_does() {
    let mut server = Server::start(&Server::token_settings());
    let address = server.address;
    let as_role = |role: &str, method: &str, path: &str, body: &str| {
        ask(address, method, path, &[("authorization", &bearer(role))], body.as_bytes())
    };
    for (op, amount) in [("a1", "5.00"), ("a2", "150000.00"), ("a3", "7.00")] {
        as_role("ledger", "POST", "/v1/operations", &transfer(op, "w1", amount));
    }
    let by_number = as_role("support", "GET", "/v1/decisions/2/reproduce", "").json();
    assert_eq!((&by_number["made_again"], &by_number["equal"]), (&true.into(), &true.into()), "{by_number}");
    assert_eq!((&by_number["op_id"], &by_number["from"]), (&"a2".into(), &1.into()));
    assert_eq!(by_number["then"], by_number["now"]);
    let id = by_number["decision_id"].as_str().expect("an id").to_owned();
    let by_id = as_role("analyst", "GET", &format!("/v1/decisions/{id}/reproduce"), "").json();
    assert_eq!(by_id, by_number);
    as_role("support", "GET", "/v1/decisions/9/reproduce", "").problem(404);
    as_role("support", "GET", "/v1/decisions/x/reproduce", "").problem(400);
    as_role("ledger", "GET", "/v1/decisions/2/reproduce", "").problem(403);

    server.running.take().expect("a service").stop();
    let root = env!("CARGO_MANIFEST_DIR");
    let store = server._folder.path().join("store").display().to_string();
    let (rules, geoip) = (format!("{root}/rules"), format!("{root}/geoip"));
    let (code, out, err) =
        reproduce(&[&id, "--store", &store, "--rules", &rules, "--geoip", &geoip, "--format", "json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).expect("JSON")), (Some(0), by_number), "{err}");
}
