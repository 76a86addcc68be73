//! What must hold for every input.

use p4_core::json::{self, MAX_DEPTH, Object, SAFE_INTEGER, Value};
use p4_core::{Code, Identity, Invite, ReplayWindow, envelope, v1};
use proptest::collection::vec;
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-SAFE_INTEGER..=SAFE_INTEGER).prop_map(Value::Integer),
        safe_floats().prop_map(Value::Float),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

/// All magnitudes, not only those near the limit.
#[allow(clippy::cast_precision_loss)]
fn safe_floats() -> impl Strategy<Value = f64> {
    let limit = SAFE_INTEGER as f64;
    prop_oneof![
        any::<f64>().prop_filter("in range", move |number| number.abs() <= limit),
        -1000.0..1000.0_f64,
        (-limit..limit),
    ]
}

/// Text that is nearly JSON.
fn almost_json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\""),
        Just("\\"),
        Just("\\ud800"),
        Just("\\udc00"),
        Just("\\u00"),
        Just("1"),
        Just("-"),
        Just("."),
        Just("e"),
        Just("0"),
        Just("1e400"),
        Just("null"),
        Just("tru"),
        Just("NaN"),
        Just("-Infinity"),
        Just(" "),
        Just("\u{feff}"),
        Just("é"),
        Just("9007199254740993"),
        Just("\0"),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

/// The canonical form of what has one.
fn written(value: &Value) -> String {
    json::canonical(value).expect("within the profile")
}

/// The digits of a number, without zeros at either end.
fn digits(number: &str) -> String {
    let mantissa = number.split('e').next().unwrap_or_default();
    mantissa.replace(['-', '.'], "").trim_matches('0').to_owned()
}

/// Every reader, one after the other: none may panic, whatever it says.
fn read_everything(bytes: &[u8]) {
    let _ = Invite::parse(bytes);
    let _ = v1::verify(bytes, &Identity::from_seed(&[1; 32]).public_key(), 0, u64::MAX);
    if let Ok(unverified) = envelope::parse(bytes) {
        let key = Identity::from_seed(&[1; 32]).public_key();
        let _ = unverified.verify(&key, key.peer_id(), 0, u64::MAX);
    }
    if let Ok(value) = json::parse(bytes) {
        let canonical = json::canonical(&value).expect("what is read can be written");
        let again = json::parse(canonical.as_bytes()).expect("what is written can be read");
        assert_eq!(json::canonical(&again).as_deref(), Ok(canonical.as_str()));
    }
}

proptest! {
    #[test]
    fn canonical_text_reads_back_as_the_same_value(value in values()) {
        let text = json::canonical(&value).expect("within the profile");
        let read = json::parse(text.as_bytes()).expect("canonical text is JSON");
        prop_assert_eq!(written(&read), text.as_str());
        let other: serde_json::Value = serde_json::from_str(&text).expect("another reader takes it");
        let other_text = serde_json::to_string(&other).expect("JSON");
        let through_other = json::parse(other_text.as_bytes()).expect("another writer's text is JSON");
        prop_assert_eq!(written(&through_other), text.as_str());
    }

    #[test]
    fn numbers_have_the_shortest_digits_that_read_back(number in safe_floats()) {
        let text = written(&Value::Float(number));
        let (read, other) = (text.parse::<f64>(), serde_json::to_string(&number).expect("finite"));
        prop_assert_eq!(read, Ok(number));
        prop_assert_eq!(digits(&text), digits(&other));
        prop_assert_eq!(text.contains('e'), number != 0.0 && number.abs() < 1e-6);
    }

    #[test]
    fn members_are_in_the_order_of_utf_16(keys in vec(any::<String>(), 0..12)) {
        let object: Object = keys.iter().map(|key| (key.as_str(), true)).collect();
        let units: Vec<Vec<u16>> = object.iter().map(|(key, _)| key.encode_utf16().collect()).collect();
        prop_assert!(units.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(keys.iter().all(|key| object.get(key).is_some()));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_almost_json_makes_a_reader_panic(bytes in almost_json()) {
        read_everything(&bytes);
        // The reader agrees with another one on what is JSON at all; it is stricter in the rest.
        let other = serde_json::from_slice::<serde_json::Value>(&bytes);
        match json::parse(&bytes) {
            Ok(_) => prop_assert!(other.is_ok()),
            Err(error) if error.code() == Code::NotJson => prop_assert!(other.is_err()),
            Err(_) => {}
        }
    }

    #[test]
    fn what_is_sealed_verifies_and_what_is_changed_does_not(
        seed in any::<[u8; 32]>(),
        members in vec((any::<String>(), values()), 0..4),
        timestamp_ms in 0..=SAFE_INTEGER.unsigned_abs(),
        nonce in any::<[u8; 16]>(),
        at in any::<prop::sample::Index>(),
    ) {
        let (alice, bob) = (Identity::from_seed(&seed), Identity::from_seed(&[2; 32]));
        let payload: Object = members.into_iter().collect();
        let line = envelope::seal(&alice, bob.peer_id(), &payload, timestamp_ms, nonce).expect("short enough");
        // The hand-written order of the seven keys is the canonical one.
        let read = json::parse(line.as_bytes()).expect("JSON");
        prop_assert_eq!(written(&read), line.as_str());
        let key = alice.public_key();
        prop_assert_eq!(v1::verify(line.as_bytes(), &key, timestamp_ms, 0), Ok(()));
        let verified = envelope::parse(line.as_bytes())
            .and_then(|unverified| unverified.verify(&key, bob.peer_id(), timestamp_ms, 0))
            .expect("it was sealed for Bob");
        prop_assert_eq!(verified.nonce(), &nonce);
        let sent = written(&payload.into());
        prop_assert_eq!(&written(&verified.into_payload().into()), &sent);

        let mut changed = line.into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1;
        let outcome = envelope::parse(&changed)
            .and_then(|unverified| unverified.verify(&key, bob.peer_id(), timestamp_ms, 0));
        // Values are signed, not bytes: 4e-324 and 5e-324 are one number.
        if let Ok(verified) = outcome {
            prop_assert_eq!((verified.nonce(), verified.timestamp_ms()), (&nonce, timestamp_ms));
            prop_assert_eq!(written(&verified.into_payload().into()), sent);
        }
    }

    #[test]
    fn whatever_was_accepted_is_refused_ever_after(
        steps in vec((0..40_u64, 0..12_u8, any::<bool>()), 1..60),
        capacity in 0..6_usize,
    ) {
        let mut window = ReplayWindow::new(capacity);
        let mut accepted = Vec::new();
        for (timestamp_ms, nonce, restart) in steps {
            let floor_ms = window.floor_ms();
            if window.accept([nonce; 16], timestamp_ms).is_ok() {
                accepted.push(([nonce; 16], timestamp_ms));
            }
            if restart {
                window.prune(envelope::MAX_SKEW_MS + timestamp_ms);
                window = ReplayWindow::restore(window.floor_ms(), window.entries().copied(), capacity);
            }
            prop_assert!(window.floor_ms() >= floor_ms);
            prop_assert!(window.entries().len() <= capacity);
            for (nonce, timestamp_ms) in &accepted {
                let refused = window.clone().accept(*nonce, *timestamp_ms);
                prop_assert_eq!(refused.map_err(|error| error.code()), Err(Code::Replayed));
            }
        }
    }
}

#[test]
fn numbers_of_the_rfc() {
    // RFC 8785 appendix B, as far as it is within the profile.
    for (bits, text) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x4340_0000_0000_0000 - 1, "9007199254740991"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        // Halfway between .2 and .3: the even digit (ECMA-262 section 6.1.6.1.20, note 2).
        (0x4315_0549_c25c_bf29, "1479197215633354.2"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
    ] {
        assert_eq!(json::canonical(&Value::Float(f64::from_bits(bits))).as_deref(), Ok(text));
    }
    for bits in
        [0x7fff_ffff_ffff_ffff, 0x7ff0_0000_0000_0000, 0x4340_0000_0000_0000, 0xc340_0000_0000_0001_u64]
    {
        let refused = json::canonical(&Value::Float(f64::from_bits(bits)));
        assert_eq!(refused.map_err(|error| error.code()), Err(Code::BadNumber));
    }
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let nested = |levels| (1..levels).fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]));
    assert!(json::canonical(&nested(MAX_DEPTH)).is_ok());
    let code = |value| json::canonical(&value).map_err(|error| error.code());
    assert_eq!(code(nested(MAX_DEPTH + 1)), Err(Code::TooDeep));
    assert_eq!(code(Value::Integer(SAFE_INTEGER + 1)), Err(Code::BadNumber));
    assert_eq!(code(Value::Integer(i64::MIN)), Err(Code::BadNumber));
    let identity = Identity::from_seed(&[1; 32]);
    let seal = |payload: Object, timestamp_ms| {
        envelope::seal(&identity, identity.peer_id(), &payload, timestamp_ms, [0; 16])
            .map_err(|error| error.code())
    };
    // The envelope is the outermost level, its payload the second.
    assert!(seal(Object::from([("a", nested(MAX_DEPTH - 2))]), 1).is_ok());
    assert_eq!(seal(Object::from([("a", nested(MAX_DEPTH - 1))]), 1), Err(Code::TooDeep));
    assert_eq!(seal(Object::new(), 1 << 53), Err(Code::BadNumber));
    assert_eq!(seal(Object::from([("a", "x".repeat(envelope::LINE_BYTES))]), 1), Err(Code::TooLong));
}

#[test]
fn secrets_are_not_shown() {
    let identity = Identity::from_seed(&[0x5a; 32]);
    let shown = format!("{identity:?}");
    assert!(shown.contains(&identity.peer_id().to_string()));
    assert!(
        !shown.contains("90, 90")
            && !shown.contains("5a5a")
            && !shown.contains(identity.seed_base64().as_str())
    );
}
