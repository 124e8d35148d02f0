//! `kuzet rejected redrive` against a service.

use std::fs;

use super::*;

fn redrive(server: &Server, lines: &[String]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("repaired.jsonl");
    fs::write(&file, lines.join("\n")).expect("a file");
    let (file, url) = (file.display().to_string(), format!("http://{}", server.address));
    let output = crate::command::kuzet().args(["rejected", "redrive", &file, "--url", &url]).output().expect("it runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8(told).expect("a text"))
}

fn decisions(server: &Server) -> usize {
    get(server.address, "/v1/decisions?after=0").json()["decisions"].as_array().expect("a list").len()
}

/// Records are repaired in their entries, as whole operations, or not at all; those that are taken are decided once.
#[test]
fn repaired_records_are_decided_once_and_others_are_told() {
    let server = Server::start("");
    let broken = transfer("a1", "w1", "150000.00").replace("wallet_id\":\"w1\"", "wallet\":\"w1\"");
    for record in [&broken, &transfer("a2", "w1", "1.001"), &String::from("{")] {
        post(server.address, "/v1/operations", record).problem(400);
    }
    post(server.address, "/v1/operations", &transfer("a9", "w1", "5.00"));
    let refused = get(server.address, "/v1/rejected").json();
    let refused = refused["rejected"].as_array().expect("a list");
    let mut entry = refused[0].clone();
    entry["raw"] = broken.replace("\"wallet\"", "\"wallet_id\"").into();
    let lines = [
        entry.to_string(),
        transfer("a2", "w1", "1.01"),
        String::new(),
        refused[2].to_string(),
        transfer("a9", "w1", "6.00"),
    ];
    let (code, told) = redrive(&server, &lines);
    let told: Vec<&str> = told.lines().collect();
    assert_eq!((code, told.len()), (1, 3), "{told:?}");
    assert!(told[0].starts_with("record 3: malformed_json: "), "{told:?}");
    assert!(told[1].starts_with("record 4: conflicting_duplicate"), "{told:?}");
    assert_eq!(told[2], "2 taken, 2 rejected again");
    assert_eq!(decisions(&server), 3);

    let again = redrive(&server, &lines[..2]);
    assert_eq!(again, (0, String::from("2 taken, 0 rejected again\n")));
    assert_eq!(decisions(&server), 3, "what was decided is not decided again");
    // What cannot be understood is told here, and not refused a second time there; the conflict is.
    let refused = get(server.address, "/v1/rejected").json();
    assert_eq!(refused["rejected"].as_array().map(Vec::len), Some(4));
}

#[test]
fn many_records_go_in_several_requests() {
    let server = Server::start("");
    let lines: Vec<String> = (0..1_201).map(|at| transfer(&format!("m{at}"), &format!("w{at}"), "5.00")).collect();
    assert_eq!(redrive(&server, &lines), (0, String::from("1201 taken, 0 rejected again\n")));
    let status = crate::command::kuzet()
        .args(["rejected", "redrive", "/dev/null", "--url", "http://127.0.0.1:1"])
        .status()
        .expect("it runs");
    assert_eq!(status.code(), Some(0), "nothing to send is sent to nobody");
    let silent = crate::command::kuzet()
        .args(["rejected", "redrive", "-", "--url", "http://127.0.0.1:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .and_then(|mut child| {
            child.stdin.take().expect("a pipe").write_all(lines[0].as_bytes())?;
            child.wait()
        });
    assert_eq!(silent.expect("it ends").code(), Some(64));
}
