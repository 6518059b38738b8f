use super::{CodePage, CsvField, DateTime, Value};
use crate::format::schema::Coltyp;
use crate::format::testing::Lcg;

fn decode(bytes: &[u8], coltyp: Coltyp) -> Value<'_> {
    Value::decode(bytes, coltyp, CodePage::Ansi).expect("a value")
}

fn json(value: Value<'_>) -> String {
    serde_json::to_string(&value).expect("every value is JSON")
}

#[test]
fn numbers() {
    assert_eq!(decode(&[0xFF], Coltyp::Bit), Value::Bit(true));
    assert_eq!(decode(&[0], Coltyp::Bit), Value::Bit(false));
    assert_eq!(decode(&[0xFF], Coltyp::UnsignedByte), Value::U8(255));
    assert_eq!(decode(&[1, 0x80], Coltyp::Short), Value::I16(-32767));
    assert_eq!(decode(&[1, 0x80], Coltyp::UnsignedShort), Value::U16(32769));
    assert_eq!(
        decode(&[1, 0, 0, 0x80], Coltyp::Long),
        Value::I32(i32::MIN + 1)
    );
    assert_eq!(
        decode(&[0, 0, 0x80, 0xBF], Coltyp::Single),
        Value::F32(-1.0)
    );
    assert_eq!(decode(&[0xFF; 8], Coltyp::Currency), Value::I64(-1));
    assert_eq!(decode(&[0xFF; 8], Coltyp::LongLong), Value::I64(-1));
    assert_eq!(
        decode(&[0xFF; 8], Coltyp::UnsignedLongLong),
        Value::U64(u64::MAX)
    );
    assert_eq!(
        json(decode(&[0xFF; 8], Coltyp::UnsignedLongLong)),
        "18446744073709551615"
    );
    let short = Value::decode(&[1, 2, 3], Coltyp::Long, CodePage::Ansi);
    assert_eq!(short.map_err(|fault| fault.got), Err(3));
}

#[test]
fn floats_without_a_json_number() {
    let bits = |value: f64| value.to_le_bytes();
    assert_eq!(json(decode(&bits(1.5), Coltyp::Double)), "1.5");
    assert_eq!(json(decode(&bits(f64::NAN), Coltyp::Double)), "\"NaN\"");
    assert_eq!(
        json(decode(&bits(f64::NEG_INFINITY), Coltyp::Double)),
        "\"-inf\""
    );
}

#[test]
fn guid_in_windows_order() {
    let bytes = [
        0x01, 0, 0, 0, 0xEE, 0x57, 0x5C, 0x1E, 0x00, 0xB4, 0xD0, 0x00, 0x0B, 0xB1, 0xE1, 0x1E,
    ];
    let text = "00000001-57ee-1e5c-00b4-d0000bb1e11e";
    assert_eq!(decode(&bytes, Coltyp::Guid).to_string(), text);
}

#[test]
fn text_of_both_code_pages() {
    assert_eq!(
        decode(b"caf\xE9 \x80", Coltyp::Text).to_string(),
        "caf\u{E9} \u{20AC}"
    );
    let wide = Value::decode(
        b"a\0\x3D\xD8\0\xDEb\0\0\xD8c",
        Coltyp::LongText,
        CodePage::Unicode,
    );
    assert_eq!(
        wide.expect("text").to_string(),
        "a\u{1F600}b\u{FFFD}\u{FFFD}"
    );
    assert_eq!(json(decode(b"a\"b", Coltyp::Text)), r#""a\"b""#);
    assert_eq!(json(decode(&[0xAB, 0x01], Coltyp::LongBinary)), "\"ab01\"");
    assert_eq!(json(Value::Null), "null");
}

#[test]
fn dates() {
    let ole = |date: f64| DateTime::from_raw(date.to_bits()).ole_iso();
    assert_eq!(ole(0.0).as_deref(), Some("1899-12-30T00:00:00"));
    assert_eq!(ole(1.5).as_deref(), Some("1899-12-31T12:00:00"));
    assert_eq!(ole(-1.25).as_deref(), Some("1899-12-29T06:00:00"));
    assert_eq!(ole(25_569.0).as_deref(), Some("1970-01-01T00:00:00"));
    assert_eq!(
        ole(36_585.999_988_425_93).as_deref(),
        Some("2000-02-29T23:59:59")
    );
    assert_eq!(ole(-657_434.0).as_deref(), Some("0100-01-01T00:00:00"));
    assert_eq!(ole(2_958_465.0).as_deref(), Some("9999-12-31T00:00:00"));
    assert_eq!(ole(2_958_466.0), None);
    assert_eq!(ole(f64::NAN), None);

    let file = DateTime::from_raw(132_000_000_000_000_000);
    assert_eq!(file.ole_iso(), None);
    assert_eq!(file.filetime_iso().as_deref(), Some("2019-04-17T18:40:00Z"));
    assert_eq!(
        json(Value::DateTime(file)),
        r#"{"raw":132000000000000000,"filetime":"2019-04-17T18:40:00Z"}"#
    );
    assert_eq!(
        json(decode(&25_569.0_f64.to_le_bytes(), Coltyp::DateTime)),
        format!(
            r#"{{"raw":{},"iso":"1970-01-01T00:00:00"}}"#,
            25_569.0_f64.to_bits()
        )
    );
}

#[test]
fn csv_fields() {
    let field = |text: &str| CsvField(decode(text.as_bytes(), Coltyp::Text)).to_string();
    assert_eq!(field("plain"), "plain");
    assert_eq!(field("a,b"), "\"a,b\"");
    assert_eq!(field("say \"x\""), "\"say \"\"x\"\"\"");
    assert_eq!(field(""), "\"\"");
    assert_eq!(field(" a"), "\" a\"");
    assert_eq!(CsvField(Value::Null).to_string(), "");
    assert_eq!(CsvField(Value::Binary(&[1, 2])).to_string(), "0102");
}

#[test]
fn random_bytes_do_not_panic() {
    let mut random = Lcg::new(3);
    for round in 0..10_000_u32 {
        let len = match round % 3 {
            0 => random.below(20),
            1 => 8,
            _ => 16,
        };
        let bytes = random.bytes(len);
        let coltyp = Coltyp::from_catalog(round % 19).expect("a type");
        for code_page in [CodePage::Ansi, CodePage::Unicode] {
            if let Ok(value) = Value::decode(&bytes, coltyp, code_page) {
                assert!(!json(value).is_empty());
                assert!(CsvField(value).to_string().len() < 100);
            }
        }
    }
}
