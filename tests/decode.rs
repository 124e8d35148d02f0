//! Every rejection and every accepted form of a record, from fixture files, and properties of decoding.
//!
//! A line of `tests/rejections/*.jsonl` holds a record (`record`, or its bytes as `raw` or `base64`,
//! filled up with spaces to `pad_to`) and the exact error. After a change of wording,
//! `KUZET_BLESS=1 cargo test --test pure decode::` writes the messages anew; read the difference before committing it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use kuzet::operation::content::{content_hash, id_hash};
use kuzet::operation::decode::{Field, Rejection, RejectionCode, decode, decode_general, encode_rejection, scan};
use kuzet::operation::encode::encode_operation;
use kuzet::operation::time::{MINUTE, SECOND};
use kuzet::operation::{AttributeValue, Operation, OperationType, Proof, ReportSource, Time};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("the folder exists").map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(!files.is_empty(), "no fixture in {}", folder.display());
    files
}

fn cases(folder: &str) -> Vec<Value> {
    let mut cases = Vec::new();
    for file in fixtures(folder) {
        let text = std::fs::read_to_string(file).expect("readable");
        cases.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a fixture is JSON")));
    }
    cases
}

fn record(case: &Value) -> Vec<u8> {
    let mut bytes = if let Some(raw) = case["raw"].as_str() {
        raw.as_bytes().to_vec()
    } else if let Some(raw) = case["base64"].as_str() {
        base64::engine::general_purpose::STANDARD.decode(raw).expect("base64")
    } else {
        case["record"].to_string().into_bytes()
    };
    if let Some(length) = case["pad_to"].as_u64() {
        bytes.resize(usize::try_from(length).expect("a length"), b' ');
    }
    bytes
}

fn error_json(rejection: &Rejection) -> Value {
    json!({"code": rejection.code.name(), "field": rejection.field, "message": rejection.message})
}

#[test]
fn rejections_are_as_the_fixtures_say() {
    if crate::environment::text("KUZET_BLESS").is_some() {
        write_rejections();
    }
    let mut wrong = Vec::new();
    for case in cases("rejections") {
        match decode(&record(&case)) {
            Ok(operation) => wrong.push(format!("{}: accepted as {operation:?}", case["why"])),
            Err(rejection) if error_json(&rejection) != case["error"] => {
                wrong.push(format!("{}:\n  {}\n  {}", case["why"], case["error"], error_json(&rejection)));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_field_and_every_code_of_decoding_has_a_fixture() {
    let cases = cases("rejections");
    let has = |key: &str, name: &str| cases.iter().any(|case| case["error"][key] == name);
    for field in Field::NAMES {
        assert!(has("field", field), "{field}");
    }
    for code in RejectionCode::ALL {
        let later = matches!(
            code,
            RejectionCode::TimestampInFuture | RejectionCode::ConflictingDuplicate | RejectionCode::WrongPartition
        );
        assert_eq!(has("code", code.name()), !later, "{}", code.name());
    }
}

#[test]
fn messages_are_one_short_lowercase_sentence() {
    for case in cases("rejections") {
        let Err(rejection) = decode(&record(&case)) else { continue };
        let message = rejection.message;
        assert!(message.starts_with("found ") && message.contains(", but "), "{message}");
        assert!(message.chars().count() < 500 && !message.ends_with('.') && !message.contains('\n'), "{message}");
    }
}

fn write_rejections() {
    for file in fixtures("rejections") {
        let text = std::fs::read_to_string(&file).expect("readable");
        let mut rewritten = String::new();
        for line in text.lines() {
            let mut case: Value = serde_json::from_str(line).expect("a fixture is JSON");
            if let Err(rejection) = decode(&record(&case)) {
                case["error"]["message"] = Value::from(rejection.message);
            }
            rewritten.push_str(&case.to_string());
            rewritten.push('\n');
        }
        std::fs::write(&file, rewritten).expect("writable");
    }
}

#[test]
fn accepted_records_survive_encoding() {
    for case in cases("operations") {
        let bytes = record(&case);
        let operation = decode(&bytes).unwrap_or_else(|rejection| panic!("{}: {rejection:?}", case["why"]));
        let mut encoded = Vec::new();
        encode_operation(&mut encoded, &operation);
        let mut again = decode(&encoded).unwrap_or_else(|rejection| panic!("{}: {rejection:?}", case["why"]));
        assert_eq!(content_hash(&operation), content_hash(&again), "{}", case["why"]);
        again.unknown_fields = operation.unknown_fields;
        assert_eq!(again, operation, "{}", case["why"]);
    }
}

#[test]
fn every_type_has_an_accepted_fixture() {
    let cases = cases("operations");
    for name in OperationType::NAMES {
        assert!(cases.iter().any(|case| case["record"]["type"] == *name), "{name}");
    }
}

#[test]
fn texts_without_escapes_are_borrowed_and_unknown_fields_counted() {
    let operation = decode(
        br#"{"op_id":"a","type":"login","occurred_at":"2026-11-22T10:15:00Z","wallet_id":"w","outcome":"success",
            "x":1,"y":[{"z":null}],"x":2,"attributes":{"k":1.50}}"#,
    )
    .unwrap();
    assert_eq!(operation.unknown_fields, 3);
    assert!(matches!(operation.op_id, std::borrow::Cow::Borrowed("a")));
    assert_eq!(operation.attributes, [("k".into(), AttributeValue::Number("1.50".into()))]);
}

#[test]
fn a_record_of_64_kib_is_accepted() {
    let mut bytes = cases("operations")[0]["record"].to_string().into_bytes();
    bytes.resize(64 * 1024, b' ');
    assert!(decode(&bytes).is_ok());
}

#[test]
fn deep_nesting_is_no_danger() {
    for field in ["x", "amount", "counterparty", "attributes"] {
        let deep = format!(r#"{{"{field}":{}1{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(decode(deep.as_bytes()).unwrap_err().code, RejectionCode::MissingField);
        let open = format!(r#"{{"{field}":{}"#, "{\"a\":".repeat(10_000));
        assert_eq!(decode(open.as_bytes()).unwrap_err().code, RejectionCode::MalformedJson);
    }
}

fn hash(text: &str) -> u64 {
    content_hash(&decode(text.as_bytes()).expect("an accepted record"))
}

const TOP_UP: &str = r#"{"op_id":"a","type":"top_up","occurred_at":"2026-11-22T10:15:00Z","wallet_id":"w","amount":"5.00","counterparty":{"kind":"card","account":"4"},"ip":"192.0.2.1","attributes":{"a":1.5,"b":"x"}}"#;

#[test]
fn content_is_what_was_decoded_and_not_how_it_was_written() {
    let same = [
        r#"{"wallet_id":"w","attributes":{"b":"x","a":1.50},"counterparty":{"account":"4","kind":"card"},"amount":"5.00","op_id":"a","type":"top_up","occurred_at":"2026-11-22T10:15:00Z","ip":"192.0.2.1"}"#,
        r#"{"op_id":"\u0061","type":"top_up","occurred_at":"2026-11-22T15:15:00.000+05:00","wallet_id":"w","amount":"5","currency":"KZT","counterparty":{"kind":"card","account":"4","phone":null},"ip":"::ffff:192.0.2.1","device_id":null,"new":[1],"attributes":{"a":15e-1,"b":"\u0078"}}"#,
    ];
    for text in same {
        assert_eq!(hash(text), hash(TOP_UP), "{text}");
    }
    for (from, to) in [
        ("\"5.00\"", "\"5.01\""),
        ("10:15:00Z", "10:15:00.000000001Z"),
        ("192.0.2.1", "192.0.2.2"),
        ("\"card\"", "\"agent\""),
        ("\"account\"", "\"phone\""),
        ("top_up", "refund"),
        ("1.5", "-1.5"),
        ("1.5", "15"),
        ("1.5", "\"1.5\""),
        ("1.5", "true"),
        ("\"b\":\"x\"", "\"x\":\"b\""),
        ("\"w\"", "\"w2\""),
    ] {
        assert_ne!(hash(&TOP_UP.replacen(from, to, 1)), hash(TOP_UP), "{from} -> {to}");
    }
}

/// Stored state holds these values: a change here orphans the duplicates of the last day.
#[test]
fn hashes_do_not_change() {
    assert_eq!(format!("{:016x}", hash(TOP_UP)), "fc09eed315e48dd1");
    // Longer than what is hashed without the heap.
    let long = TOP_UP.replace("\"x\"", &format!("\"{0}\",\"d\":\"{0}\",\"c\":\"{0}\"", "x".repeat(256)));
    assert_eq!(format!("{:016x}", hash(&long)), "0f34d465bcfa7178");
    assert_eq!(format!("{:032x}", id_hash("01JD8Q6T9V0000000000000001")), "b0c4bc103726746f3a3d6db119ea161e");
}

#[test]
fn later_rejections_say_what_was_found() {
    let at = |seconds: i64| Time::EPOCH.plus((1_795_324_500 + seconds) * SECOND);
    let future = Rejection::timestamp_in_future(at(600), at(0), 5 * MINUTE);
    assert_eq!(
        error_json(&future),
        json!({"code": "timestamp_in_future", "field": "occurred_at", "message":
            "found 2026-11-22T05:25:00Z, 10 min after the record's arrival at 2026-11-22T05:15:00Z, but at most 5 min is accepted"})
    );
    assert_eq!(
        error_json(&Rejection::wrong_partition(3, 5, "murmur2")),
        json!({"code": "wrong_partition", "field": "wallet_id", "message":
            "found in partition 3, but only partition 5 is accepted for this wallet_id (`kafka.partitioner` says how the producers partition: murmur2)"})
    );
    assert_eq!(
        error_json(&Rejection::conflicting_duplicate("a")),
        json!({"code": "conflicting_duplicate", "field": "op_id", "message":
            "found \"a\" a second time with different content, but only the same content is accepted again"})
    );
}

#[test]
fn a_rejected_record_is_kept_whole() {
    let check = |raw: &[u8], kept: &str| {
        let rejection = decode(raw).unwrap_err();
        let mut line = Vec::new();
        encode_rejection(&mut line, &rejection, 17, 3, raw);
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line, json!({"error": error_json(&rejection), "offset": 17, "partition": 3, "raw": kept}));
    };
    check(b"{\"op_id\":\"\n\\", "{\"op_id\":\"\n\\");
    check(b"{}", "{}");
    check(b"\xff\x00", "/wA=");
}

fn words(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), proptest::sample::select(names).prop_map(Value::from)]
}

/// Any record that the contract accepts, in JSON.
fn any_record() -> impl Strategy<Value = Value> {
    any_record_with(proptest::collection::vec(any::<char>(), 1..64).prop_map(String::from_iter).boxed())
}

/// The same with texts that need no escapes.
fn any_plain_record() -> impl Strategy<Value = Value> {
    any_record_with("[ !#-\\[\\]-~\u{7f}\u{e9}\u{444}\u{1f4b0}]{1,63}".boxed())
}

fn any_record_with(text: BoxedStrategy<String>) -> impl Strategy<Value = Value> {
    let id = "[A-Za-z0-9._:-]{1,64}";
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
    ];
    let attribute = prop_oneof![text.clone().prop_map(Value::from), number, any::<bool>().prop_map(Value::from)];
    let time = (946_684_800_000_000_000_i64..4_102_444_800_000_000_000).prop_map(|t| Time::from_nanos(t).to_string());
    let first = (
        id,
        proptest::sample::select(OperationType::NAMES),
        time,
        text.clone(),
        proptest::sample::select(&["unregistered", "unidentified", "identified"][..]),
        "[1-9][0-9]{0,14}(\\.[0-9]{1,2})?",
        proptest::sample::select(&["client", "merchant", "bank_account", "agent", "card"][..]),
        proptest::option::of(text.clone()),
        any::<std::net::IpAddr>(),
    );
    let second = (
        proptest::option::of(text.clone()),
        proptest::sample::select(&["success", "failure"][..]),
        id,
        proptest::sample::select(Proof::NAMES),
        words(&["complete", "cancel"]),
        proptest::option::of(text.clone()),
        proptest::sample::select(ReportSource::NAMES),
        proptest::collection::btree_map(text.clone(), attribute, 0..32),
    );
    (first, second, text).prop_map(|(a, b, party)| {
        // Money goes to a client by a transfer and by nothing else; a debit of another type is a merchant's here.
        let kind = match (a.1, a.6) {
            ("transfer", _) => "client",
            ("payment" | "cash_out" | "redemption", "client") => "merchant",
            (_, kind) => kind,
        };
        let mut attributes = b.7;
        if a.1 == "rule_rearmed" {
            attributes.insert("rule".to_owned(), "a-rule".into());
        }
        json!({"op_id": a.0, "type": a.1, "occurred_at": a.2, "wallet_id": a.3, "client_status": a.4, "amount": a.5,
            "counterparty": {"kind": kind, "wallet_id": party, "phone": a.7}, "ip": a.8.to_string(),
            "device_id": b.0, "outcome": b.1, "ref_op_id": b.2, "proof": b.3, "order": b.4, "actor": b.5,
            "source": b.6, "attributes": attributes})
    })
}

fn encoded(operation: &Operation<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_operation(&mut bytes, operation);
    bytes
}

/// Holds the short way against the general one; tells whether the short way knew the record.
fn check_scan(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let general = decode_general(bytes);
    prop_assert_eq!(&decode(bytes), &general, "{}", String::from_utf8_lossy(bytes));
    let Some(scanned) = std::str::from_utf8(bytes).ok().and_then(scan) else { return Ok(false) };
    let Ok(general) = general else {
        return Err(TestCaseError::fail(format!("{general:?}: {}", String::from_utf8_lossy(bytes))));
    };
    prop_assert_eq!(content_hash(&scanned), content_hash(&general));
    prop_assert_eq!(scanned, general);
    Ok(true)
}

/// The short way may give up on anything, so that it does not is a test of its own.
#[test]
fn usual_records_go_the_short_way() {
    let mut scanned = 0;
    let accepted = cases("operations");
    for case in &accepted {
        let usual = check_scan(&record(case)).unwrap_or_else(|error| panic!("{}: {error}", case["why"]));
        scanned += usize::from(usual);
        // What is left: escapes, and attributes that are null.
        let text = String::from_utf8_lossy(&record(case)).into_owned();
        assert!(usual || text.contains('\\') || text.contains("null"), "{}: {text}", case["why"]);
    }
    assert!(scanned * 5 >= accepted.len() * 4, "{scanned} of {}", accepted.len());
    for case in cases("rejections") {
        let scanned = check_scan(&record(&case)).unwrap_or_else(|error| panic!("{}: {error}", case["why"]));
        assert!(!scanned, "{}", case["why"]);
    }
}

/// Every form that the scanner takes, and its nearest neighbours, which it must leave alone.
#[test]
fn the_short_way_knows_its_limits() {
    let check = |members: &str, usual: bool| {
        let text = format!("{{{members},{}", &TOP_UP.replacen("\"attributes\"", "\"x\"", 1)[1..]);
        assert_eq!(check_scan(text.as_bytes()).expect("equal"), usual, "{text}");
    };
    for value in
        ["0", "-0", "12", "0.5", "-1.50e+3", "1E9", "true", "false", "\"\"", "\"\u{7f}\u{e9}\"", "\"0123456789abcdef\""]
    {
        check(&format!("\"attributes\":{{\"a\":{value}}}"), true);
        check(&format!("\"y\":{value}"), true);
        check(&format!("\"y\":[{value},{{\"z\" : [ ],\"z\":{value}}} ]"), true);
    }
    for value in [
        "",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "tru",
        "True",
        "nul",
        "NaN",
        "\"\t\"",
        "\"\u{1f}\"",
        "\"\\u0061\"",
        "\"0123456789abcde\n\"",
        "\"",
        "[1,]",
        "[,]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "[1}",
        "1 2",
    ] {
        check(&format!("\"attributes\":{{\"a\":{value}}}"), false);
        check(&format!("\"y\":{value}"), false);
    }
    check("\"y\":null", true);
    check("\"device_id\":null", true);
    check(" \"attributes\" : { } ,\r\n\t\"y\":{}", true);
    check("\"attributes\":{\"a\":null}", false);
    check("\"attributes\":{\"a\":1,\"a\":1}", false);
    check("\"attributes\":null,\"attributes\":{}", false);
    check("\"order\":null,\"order\":\"cancel\"", false);
    check(&format!("\"y\":{}1{}", "[".repeat(8), "]".repeat(8)), true);
    check(&format!("\"y\":{}1{}", "[".repeat(9), "]".repeat(9)), false);
}

/// The scanner looks at many bytes at once: each byte that ends or breaks a text, at each place among
/// neighbours one above and one below those bytes.
#[test]
fn texts_end_where_they_end() {
    let head = r#"{"op_id":"a","type":"login","occurred_at":"2026-11-22T10:15:00Z","wallet_id":"w","outcome":"failure","device_id":""#;
    for filling in [" ", "!", "#", "[", "]", "\u{7f}", "\u{e9}"] {
        for place in 0..40 {
            for byte in 0..128_u8 {
                let (before, after) = (filling.repeat(place), filling.repeat(40 - place));
                let text = format!("{head}{before}{}{after}\"}}", char::from(byte));
                let usual = byte >= b' ' && byte != b'"' && byte != b'\\';
                assert_eq!(check_scan(text.as_bytes()).expect("equal"), usual, "{text}");
            }
        }
    }
}

/// A record without some of its fields, in another order, with foreign fields and white space.
fn any_layout() -> impl Strategy<Value = String> {
    let foreign = ("[a-z\\\\]{0,12}", "(1|-2.5e3|null|true|\"[ -~\u{e9}\t]{0,20}\"|\\[\\]|\\[1,\\{\"a\":\\[\\]\\}\\])");
    let shuffled = prop_oneof![any_plain_record(), any_plain_record(), any_record()].prop_flat_map(|record| {
        let members: Vec<(String, String)> =
            record.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.to_string())).collect();
        Just(members).prop_shuffle()
    });
    (
        shuffled,
        proptest::collection::vec(foreign, 0..3),
        proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        proptest::sample::select(&["", " ", "\n\t\r "][..]),
    )
        .prop_map(|(mut members, foreign, removed, gap)| {
            for index in removed {
                members.remove(index.index(members.len()));
            }
            members.extend(foreign);
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("{gap}\"{key}\"{gap}:{gap}{value}{gap}")).collect();
            format!("{gap}{{{}}}{gap}", members.join(","))
        })
}

proptest! {
    #[test]
    fn decoding_what_was_encoded_gives_the_same(record in any_record()) {
        let text = record.to_string();
        let operation = decode(text.as_bytes()).map_err(|rejection| TestCaseError::fail(format!("{rejection:?}")))?;
        let bytes = encoded(&operation);
        let again = decode(&bytes).map_err(|rejection| TestCaseError::fail(format!("{rejection:?}")))?;
        prop_assert_eq!(&again, &operation);
        prop_assert_eq!(content_hash(&again), content_hash(&operation));
        prop_assert_eq!(encoded(&again), bytes);
    }

    #[test]
    fn any_bytes_are_no_danger(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn any_json_is_no_danger(text in "[{}\\[\\]\",:\\\\a-e0-9.u\u{e9} -]{0,60}") {
        let object = format!("{{\"op_id\":{text}}}");
        prop_assert!(decode(object.as_bytes()).is_err());
    }

    /// JSON that serde_json refuses is malformed, JSON that it reads is not, whatever was damaged.
    #[test]
    fn damaged_records_are_no_danger(
        record in any_record(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = record.to_string().into_bytes();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let malformed = matches!(decode(&bytes), Err(Rejection { code: RejectionCode::MalformedJson, .. }));
        let read = serde_json::from_slice::<Value>(&bytes);
        prop_assert!(malformed || read.is_ok() || read.is_err_and(|error| error.to_string().contains("out of range")));
    }

    #[test]
    fn both_ways_agree_on_any_layout(text in any_layout()) {
        check_scan(text.as_bytes())?;
    }

    /// What other producers send: no escapes, so the short way must know every record.
    #[test]
    fn records_without_escapes_go_the_short_way(record in any_plain_record()) {
        let text = record.to_string();
        prop_assert!(check_scan(text.as_bytes())?, "{}", text);
    }

    #[test]
    fn both_ways_agree_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!check_scan(&bytes)?);
    }

    #[test]
    fn both_ways_agree_on_damaged_records(
        text in any_layout(),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![
                proptest::sample::select(&b"\"\\{}[],:.-+eE019ntf \x00\x1f\x7f"[..]), any::<u8>(),
            ], 0..3_u8),
            1..4,
        ),
    ) {
        let mut bytes = text.into_bytes();
        for (place, byte, way) in damage {
            let place = place.index(bytes.len());
            match way {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place.max(1)),
            }
        }
        check_scan(&bytes)?;
    }
}
