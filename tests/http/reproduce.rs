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
