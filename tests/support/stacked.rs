//! What comes after state in which restrictions were stacked, and what is decided on it, whoever reads that state:
//! three blocks of one rule on wallet W1, two on the address 203.0.113.7, and W4's transfer waits.

use serde_json::{Value, json};

/// The operations that come next, on 20 November 2026.
pub(crate) fn operations() -> Vec<Vec<u8>> {
    let operation = |number: u32, at: &str, wallet: &str, fields: &Value| {
        let mut operation = json!({
            "op_id": format!("next-{number}"), "wallet_id": wallet, "occurred_at": format!("2026-11-20T{at}+05:00"),
        });
        operation.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
        operation.to_string().into_bytes()
    };
    let payment = json!({
        "type": "payment", "client_status": "identified", "amount": "5.00", "counterparty": {"kind": "merchant"},
    });
    let login = json!({"type": "login", "outcome": "success", "ip": "203.0.113.7"});
    let confirmed = json!({"type": "identity_confirmed", "proof": "identity_document"});
    let unblocked = json!({"type": "ip_unblock_requested", "ip": "203.0.113.7"});
    vec![
        operation(1, "10:30:00", "W1", &payment),
        operation(2, "10:19:59", "W1", &confirmed),
        operation(3, "10:31:00", "W1", &confirmed),
        operation(4, "10:31:01", "W1", &payment),
        operation(5, "10:32:00", "W9", &login),
        operation(6, "10:33:00", "W9", &unblocked),
        operation(7, "10:34:00", "W9", &login),
        operation(8, "10:35:00", "W4", &confirmed),
    ]
}

/// What [`told`] says of the decisions on them: restrictions of one rule are one, and the last firing counts.
pub(crate) const EXPECTED: [&str; 8] = [
    "next-1 refuse, refuse failed-login-block 2026-11-20T07:20:00Z",
    // Proved before the last firing.
    "next-2 allow",
    "next-3 allow, lift failed-login-block -",
    "next-4 allow",
    "next-5 refuse, refuse failed-login-address 2026-11-20T07:15:00Z",
    "next-6 allow, lift failed-login-address -",
    "next-7 allow",
    "next-8 allow, lift transfer-over-100k -, release transfer-over-100k -",
];

/// A decision's verdict and commands, each with its rule and end.
pub(crate) fn told(decision: &[u8]) -> String {
    let decision: Value = serde_json::from_slice(decision).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let command = |command: &Value| {
        format!(", {} {} {}", text(&command["command"]), text(&command["rule"]), text(&command["until"]))
    };
    let commands: String = decision["commands"].as_array().expect("commands").iter().map(command).collect();
    format!("{} {}{commands}", text(&decision["op_id"]), text(&decision["verdict"]))
}
