//! Rule 13.5: lines in other encodings than UTF-8.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use tracing_strata::{
    NamedHandler, Record, Severity,
    config::{Config, Logging},
    format::{Encoding, EncodingErrors, Template},
    ledger::ErrorHandler,
    output::{LogFile, RotatingFile},
    prelude::*,
};

use super::{Dir, with};

/// A line of `python/encodings.jsonl`.
#[derive(Deserialize)]
struct Row {
    encoding: String,
    text: String,
    /// By policy, in hexadecimal; null where Python raises.
    written: BTreeMap<String, Option<String>>,
}

/// Where the Encoding Standard and CPython differ: encoding, text, why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("Shift_JIS ", "日本語", "it is cp932, which has ①"),
    ("EUC-JP ", "Zoë", "JIS X 0212 is read, but not written"),
    ("EUC-JP ", "Łódź", "the same"),
    ("EUC-JP ", "Ελληνικά", "the same"),
    ("EUC-JP ", "price", "the same"),
    ("EUC-JP ", "日本語", "it has ①"),
    ("ISO-2022-JP ", "日本語", "it has ① and wide katakana"),
    ("GBK ", "price", "it has €"),
    ("Big5 ", "Привет", "it has the extensions of Hong Kong"),
    ("Big5 ", "日本語", "the same"),
    ("Big5 ", "price", "the same"),
];

fn message_only() -> Template {
    Template::builder("%(message)s").as_python(true).build().unwrap()
}

#[test]
fn texts_are_written_as_cpython_writes_them() {
    let dir = Dir::new();
    let rows = include_str!("python/encodings.jsonl");
    let mut wrong = Vec::new();
    for (index, row) in rows.lines().enumerate() {
        let Row { encoding, text, written } = serde_json::from_str(row).unwrap();
        for (policy, expected) in written {
            let errors = match &*policy {
                "strict" => EncodingErrors::Strict,
                "replace" => EncodingErrors::Replace,
                "ignore" => EncodingErrors::Ignore,
                "backslashreplace" => EncodingErrors::BackslashReplace,
                _ => EncodingErrors::XmlCharRefReplace,
            };
            let path = dir.0.join(format!("{index}-{policy}"));
            let encoding = Encoding::named(&encoding).unwrap().errors(errors);
            let file = LogFile::builder(&path).encoding(encoding).format(message_only()).build().unwrap();
            let file = NamedHandler::with_error_handler("file", file, ErrorHandler::silent());
            file.emit(&Record::new(Severity::INFO, "t", text.trim_end_matches('\n')));
            let bytes = fs::read(&path).unwrap();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let ours = (file.stats().failed == 0).then_some(hex);
            if expected != ours {
                wrong.push(format!("{encoding} {policy} {text:?}: {ours:?}, not {expected:?}"));
            }
        }
    }
    for (encoding, text, _) in DIFFERENT {
        let before = wrong.len();
        wrong.retain(|line| !(line.starts_with(encoding) && line.contains(text)));
        assert_ne!(wrong.len(), before, "{encoding}{text} is not different");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rule_13_5_characters_that_an_encoding_does_not_have() {
    let cases: &[(&str, &str, Option<&[u8]>)] = &[
        ("utf-8", "strict", Some("Zoë 漢 🎉\n".as_bytes())),
        ("latin-1", "strict", None),
        ("latin-1", "replace", Some(b"Zo\xeb ? ?\n")),
        ("ascii", "strict", None),
        ("ascii", "ignore", Some(b"Zo  \n")),
        ("ascii", "backslashreplace", Some(b"Zo\\xeb \\u6f22 \\U0001f389\n")),
        ("ascii", "xmlcharrefreplace", Some(b"Zo&#235; &#28450; &#127881;\n")),
        ("utf-16-le", "strict", Some(b"Z\0o\0\xeb\0 \0\x22\x6f \0\x3c\xd8\x89\xdf\n\0")),
        ("UTF_16_BE", "strict", Some(b"\0Z\0o\0\xeb\0 \x6f\x22\0 \xd8\x3c\xdf\x89\0\n")),
    ];
    for (encoding, errors, expected) in cases {
        let dir = Dir::new();
        let (error_handler, failures) = ErrorHandler::counting();
        let config = format!(
            "{{version: 1, formatters: {{m: {{format: '%(message)s'}}}}, handlers: {{f: {{class: file, filename: {}, formatter: m, \
             encoding: {encoding}, errors: {errors}}}}}, root: {{level: INFO, handlers: [f]}}}}",
            dir.path("a.log")
        );
        let logging =
            Logging::builder().error_handler(error_handler).build(&Config::from_yaml(&config).unwrap()).unwrap();
        with(&logging, || tracing::info!("Zoë 漢 🎉"));
        let bytes = std::fs::read(dir.0.join("a.log")).unwrap();
        assert_eq!(bytes, expected.unwrap_or_default(), "{encoding} {errors}");
        let failed = u64::from(expected.is_none());
        assert_eq!(failures.load(std::sync::atomic::Ordering::Relaxed), failed, "{encoding} {errors}");
    }
    let wrong = "{version: 1, handlers: {f: {class: file, filename: /tmp/never, delay: true, encoding: klingon}}}";
    let error = Logging::new().reload(&Config::from_yaml(wrong).unwrap()).unwrap_err().to_string();
    assert!(error.contains("handlers.f.encoding") && error.contains("latin-1"), "{error}");
}

#[test]
fn a_mark_begins_each_new_file_and_lines_stay_whole() {
    let dir = Dir::new();
    let path = dir.0.join("wide.log");
    for _ in 0..2 {
        let file = LogFile::builder(&path).encoding(Encoding::named("utf-16").unwrap()).format(message_only());
        let file = file.build().unwrap().named("file");
        file.emit(&Record::new(Severity::INFO, "t", "\u{00e9}\u{0a00}"));
    }
    // A file that is opened again gets neither a second mark nor a line break.
    let line = b"\xe9\0\0\x0a\n\0";
    assert_eq!(fs::read(&path).unwrap(), [b"\xff\xfe", &line[..], &line[..]].concat());

    let path = dir.0.join("rotated.log");
    let file = RotatingFile::builder(&path).max_bytes(8).backups(3).encoding(Encoding::named("utf-8-sig").unwrap());
    let file = file.format(message_only()).build().unwrap().named("file");
    ["one", "two", "three"].iter().for_each(|text| file.emit(&Record::new(Severity::INFO, "t", text)));
    for name in ["rotated.log", "rotated.log.1"] {
        assert!(fs::read(dir.0.join(name)).unwrap().starts_with(b"\xef\xbb\xbf"), "{name}");
    }
}

#[test]
fn what_is_replaced_is_counted_and_unknown_names_are_refused() {
    let dir = Dir::new();
    let encoding = Encoding::named("Shift_JIS").unwrap().errors(EncodingErrors::BackslashReplace);
    let file = LogFile::builder(dir.0.join("a.log")).encoding(encoding).format(message_only()).build().unwrap();
    let file = file.named("file");
    ["日本", "Zo\u{eb}", "plain"].iter().for_each(|text| file.emit(&Record::new(Severity::INFO, "t", text)));
    assert_eq!((file.stats().written, file.stats().marked), (3, 1));
    assert_eq!(fs::read(dir.0.join("a.log")).unwrap(), b"\x93\xfa\x96\x7b\nZo\\xeb\nplain\n");
    for name in ["klingon", "", "utf-7", "replacement", "x-user-defined-2"] {
        let error = Encoding::named(name).unwrap_err().to_string();
        assert!(error.contains("utf-16-le") && error.contains(&format!("{name:?}")), "{error}");
    }
}
