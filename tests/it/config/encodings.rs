//! Rule 13.5: lines in other encodings than UTF-8.

use tracing_strata::{
    config::{Config, Logging},
    ledger::ErrorHandler,
};

use super::{Dir, with};

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
