//! An operation whose decision would be longer than its readers take: it is refused, and the stream goes on.

use super::*;

/// Eight rules that hold every payment, each for itself.
fn holding() -> RuleSet {
    let rule = |number: usize| {
        let text = format!(
            "rule: hold-{number}\nclauses: [\"7.15\"]\ntitle: {{kk: x, ru: x, en: x}}\nowner: tests\nmode: enforce\non: payment\n\
             when: amount > {number} KZT\nthen: [hold]\n"
        );
        SourceFile::new(format!("hold-{number}.yaml"), text.into_bytes())
    };
    let files: Vec<SourceFile> = (1..9).map(rule).collect();
    compile(&files).unwrap_or_else(|found| panic!("{}", render_text(&found, &files))).rule_set
}

fn held(number: usize) -> Vec<u8> {
    let text = format!(
        r#"{{"op_id":"h{number}","type":"payment","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"W1","client_status":"identified","amount":"150.00","counterparty":{{"kind":"merchant"}}}}"#
    );
    text.into_bytes()
}

fn confirmed(op: &str, rest: &str) -> Vec<u8> {
    let text = format!(
        r#"{{"op_id":"{op}","type":"identity_confirmed","occurred_at":"2026-03-02T11:00:00Z","wallet_id":"W1","proof":"identity_document"{rest}}}"#
    );
    text.into_bytes()
}

#[test]
fn a_decision_that_is_too_long_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(folder.path(), holding(), fixed(&holding()));
    let many = 600;
    let operations: Vec<Vec<u8>> = (0..many).map(held).collect();
    for part in operations.chunks(100) {
        submit(&service, part);
    }
    let answers = submit(&service, &[confirmed("all", ""), confirmed("one", r#","ref_op_id":"h7""#), held(many)]);
    let ItemAnswer::Rejected(rejection) = &answers[0] else { panic!("decided: {answers:?}") };
    assert_eq!(rejection.code.name(), "too_large");
    assert!(rejection.message.contains("but at most 900000 bytes are accepted"), "{}", rejection.message);
    assert!(matches!(answers[1..], [ItemAnswer::Decided(_), ItemAnswer::Decided(_)]), "{answers:?}");
    let found = decisions(&service);
    let one: serde_json::Value = serde_json::from_slice(&found[many]).expect("JSON");
    let released = one["commands"].as_array().expect("commands").iter().find(|command| command["command"] == "release");
    assert_eq!(released.map(|release| &release["subject"]["operation"]), Some(&"h7".into()), "{one}");
    // Nothing of what was refused is in the state, nor after a restart.
    service.stop();
    let service = start(folder.path(), holding(), fixed(&holding()));
    let again = submit(&service, &[confirmed("all", "")]);
    assert!(matches!(again[0], ItemAnswer::Rejected(_)), "{again:?}");
    assert_eq!(decisions(&service).len(), many + 2);
}
