//! What is accepted, what is refused and how it is said; the schema must say the same.

use proptest::prelude::*;

use super::*;
use crate::event::limits::{EVENT_ID_BYTES_MAX, PLACE_BYTES_MAX};
use crate::event::schema;

const ORIGIN: Origin = Origin { partition: 3, offset: 41 };

/// `ts`, `agent_id` and `tool`, with further members.
fn with(members: &str) -> String {
    format!(r#"{{"ts":1736150401643,"agent_id":"a","tool":"t"{members}}}"#)
}

fn validator() -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(&schema::native_event()).unwrap()
}

/// The schema's answer; `None` where the text is not JSON at all.
fn schema_accepts(record: &str) -> Option<bool> {
    let value: serde_json::Value = serde_json::from_str(record).ok()?;
    Some(validator().is_valid(&value))
}

#[track_caller]
fn accepted(record: &str) -> Event<'_> {
    assert_ne!(schema_accepts(record), Some(false), "the schema refuses {record}");
    decode(record.as_bytes(), ORIGIN).unwrap_or_else(|error| panic!("{record}: {error}")).event
}

#[track_caller]
fn check_refused(record: &str, reason: &str, message: &str) {
    assert_ne!(schema_accepts(record), Some(true), "the schema accepts {record}");
    check_refused_by_decoder_only(record, reason, message);
}

/// For what a schema cannot say.
#[track_caller]
fn check_refused_by_decoder_only(record: &str, reason: &str, message: &str) {
    let error = decode(record.as_bytes(), ORIGIN).unwrap_err();
    assert_eq!((error.reason(), error.to_string().as_str()), (reason, message), "{record}");
}

#[test]
fn every_field_is_read() {
    let hash = format!("sha256:{}", "0a".repeat(32));
    let record = format!(
        r#"{{"event_id":"e","ts":"2025-01-06T08:00:01.643Z","agent_id":"a","agent_version":"1","session_id":"s","task_type":"k",
        "action":"message","tool":"t","tool_server":"v","target":"/x","destination":"h","bytes_in":1,"bytes_out":2,"records":3,
        "duration_ms":4.5,"status":"denied","credential_id":"c","credential_issued_at":1736150401643,"effect":"destructive",
        "source_ip":"2001:db8::1","on_behalf_of":"u","peer_agent_id":"b","policy_version":"p","model":"m","amount":"12.50",
        "currency":"EUR","approval_id":"r","params_hash":"{hash}","trace_id":"{}","span_id":"{}","environment":"prod","sequence":9}}"#,
        "0b".repeat(16),
        "0c".repeat(8)
    );
    let event = accepted(&record);
    let expected = Event {
        agent_version: Some("1".into()),
        session_id: Some("s".into()),
        task_type: Some("k".into()),
        tool: Some("t".into()),
        tool_server: Some("v".into()),
        target: Some("/x".into()),
        destination: Some("h".into()),
        bytes_in: Some(1),
        bytes_out: Some(2),
        records: Some(3),
        duration_ms: Some(4.5),
        status: Some(Status::Denied),
        credential_id: Some("c".into()),
        credential_issued_at: Some(1_736_150_401_643),
        effect: Some(Effect::Destructive),
        source_ip: Some("2001:db8::1".parse().unwrap()),
        on_behalf_of: Some("u".into()),
        peer_agent_id: Some("b".into()),
        policy_version: Some("p".into()),
        model: Some("m".into()),
        amount: Some(Amount::from_number("12.50")),
        currency: Some("EUR".into()),
        approval_id: Some("r".into()),
        params_hash: Some(hash.clone().into()),
        trace_id: Some("0b".repeat(16).into()),
        span_id: Some("0c".repeat(8).into()),
        environment: Some("prod".into()),
        sequence: Some(9),
        ..Event::bare("e", 1_736_150_401_643, "a", Action::Message)
    };
    assert_eq!(event, expected);
}

#[test]
fn text_is_borrowed_unless_it_has_escapes() {
    let record = with(r#","target":"/tmp/ü","destination":"a\tb""#);
    let event = accepted(&record);
    assert!(matches!(event.target, Some(Cow::Borrowed("/tmp/ü"))));
    assert_eq!(event.destination.as_deref(), Some("a\tb"));
}

#[test]
fn absent_null_and_empty_text_are_the_same() {
    let bare = Event { tool: Some("t".into()), ..Event::bare("3-41", 1_736_150_401_643, "a", Action::ToolCall) };
    for members in ["", r#","session_id":null,"bytes_in":null,"status":null,"amount":null"#, r#","session_id":"","event_id":"""#] {
        assert_eq!(accepted(&with(members)), bare, "{members}");
    }
}

#[test]
fn a_missing_event_id_is_partition_and_offset() {
    assert_eq!(accepted(&with("")).event_id, "3-41");
    assert_eq!(accepted(&with(r#","event_id":"mine""#)).event_id, "mine");
}

#[test]
fn a_tool_without_an_action_is_a_tool_call() {
    assert_eq!(accepted(&with("")).action, Action::ToolCall);
    assert_eq!(accepted(r#"{"ts":0,"agent_id":"a","action":"llm_call"}"#).action, Action::LlmCall);
    assert_eq!(accepted(r#"{"ts":0,"agent_id":"a","action":"session_end","tool":null}"#).action, Action::SessionEnd);
}

#[test]
fn unknown_fields_and_ground_truth_are_counted_and_ignored() {
    let record = with(r#","label":1,"session_label":1,"attack":"x","source":"s","nested":{"a":[1,{"label":2}]}"#);
    let decoded = decode(record.as_bytes(), ORIGIN).unwrap();
    assert_eq!(decoded.unknown_fields, 5);
    assert_eq!(decoded.event, decode(with("").as_bytes(), ORIGIN).unwrap().event);
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let record = with(r#","bytes_in":1487.0,"bytes_out":1e3,"records":18446744073709551615,"duration_ms":0"#);
    let event = accepted(&record);
    assert_eq!((event.bytes_in, event.bytes_out, event.records), (Some(1487), Some(1000), Some(u64::MAX)));
    assert_eq!(event.duration_ms, Some(0.0));
}

#[test]
fn money_is_exact_or_kept_unread() {
    for (value, exact) in [("\"0.1\"", Some("0.1")), ("49.99", Some("49.99")), ("\"1e3\"", None), ("\"12 EUR\"", None)] {
        let record = with(&format!(r#","amount":{value}"#));
        let amount = accepted(&record).amount.unwrap();
        assert_eq!(matches!(&amount, Amount::Exact(_)), exact.is_some(), "{value}");
        assert_eq!(amount.to_string(), exact.unwrap_or(value.trim_matches('"')));
    }
}

#[test]
fn missing_fields_are_named() {
    check_refused(r#"{"agent_id":"a","tool":"t"}"#, "missing_field", "`ts` is missing");
    check_refused(r#"{"ts":null,"agent_id":"a","tool":"t"}"#, "missing_field", "`ts` is missing");
    check_refused(r#"{"ts":0,"tool":"t"}"#, "missing_field", "`agent_id` is missing");
    check_refused(r#"{"ts":0,"agent_id":"","tool":"t"}"#, "missing_field", "`agent_id` is missing");
    check_refused(r#"{"ts":0,"agent_id":"a"}"#, "missing_field", "`tool or action` is missing");
    check_refused(r#"{"ts":0,"agent_id":"a","tool":""}"#, "missing_field", "`tool or action` is missing");
    check_refused(r#"{"ts":0,"agent_id":"a","action":"tool_call"}"#, "missing_field", "`tool` is missing");
}

#[test]
fn wrong_types_are_shown() {
    check_refused(&with(r#","session_id":7"#), "wrong_type", "`session_id` is 7, expected text of at most 256 bytes");
    check_refused(&with(r#","target":{"path":"/x"}"#), "wrong_type", "`target` is {\"path\":\"/x\"}, expected text of at most 4096 bytes");
    check_refused(
        &with(r#","bytes_in":"12""#),
        "wrong_type",
        "`bytes_in` is \"12\", expected a whole number from 0 to 18446744073709551615",
    );
    check_refused(&with(r#","records":1.5"#), "wrong_type", "`records` is 1.5, expected a whole number from 0 to 18446744073709551615");
    check_refused(&with(r#","status":true"#), "wrong_type", "`status` is true, expected one of ok, error, denied, timeout");
    check_refused(&with(r#","amount":[1]"#), "wrong_type", "`amount` is [1], expected a decimal string or a number");
}

#[test]
fn numbers_out_of_range_are_shown() {
    check_refused(&with(r#","bytes_in":-1"#), "out_of_range", "`bytes_in` is -1, expected a whole number from 0 to 18446744073709551615");
    check_refused(
        &with(r#","bytes_in":18446744073709551616"#),
        "out_of_range",
        "`bytes_in` is 18446744073709551616, expected a whole number from 0 to 18446744073709551615",
    );
    check_refused(
        &with(r#","duration_ms":-0.5"#),
        "out_of_range",
        "`duration_ms` is -0.5, expected a finite number of milliseconds, not negative",
    );
    check_refused(
        &with(r#","duration_ms":1e999"#),
        "out_of_range",
        "`duration_ms` is 1e999, expected a finite number of milliseconds, not negative",
    );
}

#[test]
fn values_of_the_wrong_form_are_shown() {
    let time = "an RFC 3339 time or integer epoch milliseconds, from 1970 to 9999";
    for ts in [r#""yesterday""#, r#""2025-01-06""#, "-1", "1736150401", "1736150401643000", "1736150401643.5", r#""1736150401643""#] {
        check_refused(&format!(r#"{{"ts":{ts},"agent_id":"a","tool":"t"}}"#), "bad_value", &format!("`ts` is {ts}, expected {time}"));
    }
    check_refused(
        &with(r#","action":"dance""#),
        "bad_value",
        "`action` is \"dance\", expected one of tool_call, llm_call, message, memory, auth, session_end, other",
    );
    check_refused(&with(r#","source_ip":"10.0.0.300""#), "bad_value", "`source_ip` is \"10.0.0.300\", expected an IPv4 or IPv6 address");
    check_refused(
        &with(r#","params_hash":"md5:00""#),
        "bad_value",
        "`params_hash` is \"md5:00\", expected `sha256:` and 64 lower-case hex digits",
    );
    check_refused(
        &with(r#","span_id":"00F067AA0BA902B7""#),
        "bad_value",
        "`span_id` is \"00F067AA0BA902B7\", expected 16 lower-case hex digits",
    );
    check_refused_by_decoder_only(
        r#"{"ts":"2025-02-30T08:00:00Z","agent_id":"a","tool":"t"}"#,
        "bad_value",
        &format!("`ts` is \"2025-02-30T08:00:00Z\", expected {time}"),
    );
}

#[test]
fn oversized_records_and_strings_are_refused() {
    let at_cap = |name: &str, bytes: usize| with(&format!(r#","{name}":"{}""#, "x".repeat(bytes)));
    for (name, cap) in [("session_id", NAME_BYTES_MAX), ("event_id", EVENT_ID_BYTES_MAX), ("target", PLACE_BYTES_MAX)] {
        accepted(&at_cap(name, cap));
        let message = format!("`{name}` has {} bytes, expected at most {cap}: \"{}…\"", cap + 1, "x".repeat(64));
        check_refused(&at_cap(name, cap + 1), "too_large", &message);
    }
    let full = with(&format!(r#","unknown":"{}""#, "x".repeat(RECORD_BYTES_MAX - with(r#","unknown":"""#).len())));
    accepted(&full);
    check_refused_by_decoder_only(&format!("{full} "), "too_large", "record of 1048577 bytes, at most 1048576 are read");
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    check_refused("", "malformed_json", "record is not a JSON object: expected a JSON object at byte 0");
    check_refused("[]", "malformed_json", "record is not a JSON object: expected a JSON object at byte 0");
    check_refused(r#"{"ts":1"#, "malformed_json", "record is not a JSON object: expected `,` or `}` at byte 7");
    check_refused(r#"{"ts":NaN}"#, "malformed_json", "record is not a JSON object: expected a value at byte 6");
    let error = decode(b"{\"ts\":\"\xff\"}", ORIGIN).unwrap_err();
    assert_eq!((error.reason(), error.to_string()), ("malformed_json", "record is not UTF-8 from byte 7 on".into()));
}

#[test]
fn a_field_may_come_once() {
    check_refused_by_decoder_only(&with(r#","agent_id":"b""#), "duplicate_field", "`agent_id` is there twice");
    check_refused_by_decoder_only(&with(r#","status":null,"status":"ok""#), "duplicate_field", "`status` is there twice");
    assert_eq!(decode(with(r#","x":1,"x":2"#).as_bytes(), ORIGIN).unwrap().unknown_fields, 2);
}

#[test]
fn ids_in_escaped_names_are_still_found() {
    assert_eq!(accepted(r#"{"ts":0,"\u0061gent_id":"a","tool":"t"}"#).agent_id, "a");
}

proptest! {
    #[test]
    fn no_bytes_panic(record in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&record, ORIGIN);
    }

    #[test]
    fn no_values_panic_and_the_schema_agrees(name in prop::sample::select(Field::ALL.map(Field::name).to_vec()), value in any_value()) {
        let record = format!(r#"{{"ts":0,"agent_id":"a","action":"other","tool":"t","{name}":{value}}}"#);
        let only_once = record.replacen(&format!(r#""{name}":"#), r#""ignored":"#, usize::from(record.matches(&format!(r#""{name}":"#)).count() > 1));
        let decoded = decode(only_once.as_bytes(), ORIGIN);
        if let Some(valid) = schema_accepts(&only_once) {
            prop_assert_eq!(decoded.is_ok(), valid, "{} {:?}", only_once, decoded);
        }
    }

    #[test]
    fn what_is_written_is_read_back(event in any_event()) {
        let text = event.to_json();
        prop_assert_eq!(&decode(text.as_bytes(), ORIGIN).unwrap().event, &event);
        prop_assert_eq!(schema_accepts(&text), Some(true));
        prop_assert_eq!(event.clone().into_owned(), event);
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[1]".to_owned()),
        Just("{}".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (0_u64..10).prop_map(|number| number.to_string()),
        (-1e6..1e6).prop_map(|number: f64| number.to_string()),
        prop::sample::select(vec!["ok", "tool_call", "read", "10.0.0.1", "::1", "2025-01-06T08:00:01Z", "", "12.5", "é"])
            .prop_map(|text| format!("\"{text}\"")),
    ]
}

fn name() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    prop::option::of("\\PC{1,20}|[\\x01-\\x20\"\\\\]{1,5}".prop_map(Cow::Owned))
}

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let names = prop::collection::vec(name(), 14);
    let counts = prop::collection::vec(prop::option::of(any::<u64>()), 4);
    let words = (
        prop::sample::select(vec![Action::ToolCall, Action::LlmCall, Action::Message, Action::Auth, Action::SessionEnd]),
        prop::option::of(prop::sample::select(vec![Status::Ok, Status::Error, Status::Denied, Status::Timeout])),
        prop::option::of(prop::sample::select(vec![Effect::Read, Effect::Write, Effect::Destructive])),
    );
    let amount = prop::option::of(prop_oneof![
        (any::<i64>(), 0_u32..10).prop_map(|(digits, scale)| Amount::Exact(rust_decimal::Decimal::new(digits, scale))),
        "[a-z]{1,9}".prop_map(|text| Amount::Unreadable(Cow::Owned(text))),
    ]);
    let hex = (prop::option::of("sha256:[0-9a-f]{64}"), prop::option::of("[0-9a-f]{32}"), prop::option::of("[0-9a-f]{16}"));
    let times = (5_000_000_000_i64..4_000_000_000_000, prop::option::of(5_000_000_000_i64..4_000_000_000_000));
    let duration = prop::option::of(0.0..1e12);
    let address = prop::option::of(any::<IpAddr>());
    (names, counts, words, amount, hex, times, duration, address).prop_map(
        |(mut names, mut counts, (action, status, effect), amount, (hash, trace, span), (ts, issued), duration_ms, source_ip)| {
            let mut name = || names.pop().flatten();
            let mut count = || counts.pop().flatten();
            Event {
                event_id: name().unwrap_or("e".into()),
                ts,
                agent_id: name().unwrap_or("a".into()),
                agent_version: name(),
                session_id: name(),
                task_type: name(),
                action,
                tool: name().or((action == Action::ToolCall).then_some("t".into())),
                tool_server: name(),
                target: name(),
                destination: name(),
                bytes_in: count(),
                bytes_out: count(),
                records: count(),
                duration_ms,
                status,
                credential_id: name(),
                credential_issued_at: issued,
                effect,
                source_ip,
                on_behalf_of: name(),
                peer_agent_id: name(),
                policy_version: name(),
                model: name(),
                amount: amount.clone(),
                currency: amount.map(|_| "EUR".into()),
                approval_id: None,
                params_hash: hash.map(Cow::Owned),
                trace_id: trace.map(Cow::Owned),
                span_id: span.map(Cow::Owned),
                environment: name(),
                sequence: count(),
            }
        },
    )
}
