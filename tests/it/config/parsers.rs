//! Each parser against random input: what is meant is read back, what is not is refused with its place, nothing panics.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tracing_strata::{
    Loggers, Severity,
    config::{Config, ConfigErrors, Logging},
    output::{TimeOfDay, When},
};

/// A value, and how Python writes it.
fn literal() -> impl Strategy<Value = (Json, String)> {
    let quoted = |text: &str, quote: char| {
        let escaped: String = text
            .chars()
            .map(|c| match c {
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                c if c == quote => format!("\\{c}"),
                c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        // `%` is for the values of an INI file.
        format!("{quote}{}{quote}", escaped.replace('%', "%%"))
    };
    let text = ("[ -~äß漢🎉\n\t\r\u{1}]{0,8}", prop::sample::select(vec!['\'', '"']));
    let leaf = prop_oneof![
        Just((Json::Null, "None".to_owned())),
        any::<bool>().prop_map(|on| (json!(on), if on { "True" } else { "False" }.to_owned())),
        any::<i64>().prop_map(|number| (json!(number), number.to_string())),
        (0..i64::MAX).prop_map(|number| (json!(number), format!("{number:#x}"))),
        (0..1_000_000_i64).prop_map(|number| (json!(number), format!("{number:#o}"))),
        (1..1000_i64, 0..1000_i64).prop_map(|(high, low)| (json!(high * 1000 + low), format!("{high}_{low:03}"))),
        any::<i32>().prop_map(|number| (json!(f64::from(number) / 8.0), format!("{:?}", f64::from(number) / 8.0))),
        text.prop_map(move |(text, quote)| (json!(text), quoted(&text, quote))),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let map = prop::collection::btree_map("[a-z]{1,5}", inner, 0..4);
        prop_oneof![
            list.clone().prop_map(|list| {
                let (values, texts): (Vec<_>, Vec<_>) = list.into_iter().unzip();
                (Json::Array(values), format!("[{}]", texts.join(", ")))
            }),
            list.prop_map(|list| {
                let (values, texts): (Vec<_>, Vec<_>) = list.into_iter().unzip();
                let comma = if values.len() == 1 { "," } else { "" };
                (Json::Array(values), format!("( {}{comma})", texts.join(" ,")))
            }),
            map.prop_map(|map: BTreeMap<String, (Json, String)>| {
                let texts: Vec<_> = map.iter().map(|(key, (_, text))| format!("'{key}' : {text}")).collect();
                let values = map.into_iter().map(|(key, (value, _))| (key, value)).collect();
                (Json::Object(values), format!("{{{}}}", texts.join(",")))
            }),
        ]
    })
}

fn ini(args: &str) -> String {
    format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n[handler_h]\nclass=x\nargs={args}\n"
    )
}

/// A piece of a text with variables, and what it is to become where A is `one`, B is empty, and C is not set.
fn piece() -> impl Strategy<Value = (String, String)> {
    let plain = "[ -#%-z|~ä]{0,6}";
    let default = "[ -#%-z|~ä]{0,6}";
    prop_oneof![
        plain.prop_map(|text: String| (text.clone(), text)),
        Just(("${A}".to_owned(), "one".to_owned())),
        Just(("${B}".to_owned(), String::new())),
        default.prop_map(|default: String| (format!("${{A:-{default}}}"), "one".to_owned())),
        default.prop_map(|default: String| (format!("${{B:-{default}}}"), default)),
        default.prop_map(|default: String| (format!("${{C:-{default}}}"), default)),
        Just(("$${A}".to_owned(), "${A}".to_owned())),
        Just(("$ ".to_owned(), "$ ".to_owned())),
    ]
}

fn look(name: &str) -> Option<String> {
    match name {
        "A" => Some("one".to_owned()),
        "B" => Some(String::new()),
        _ => None,
    }
}

/// Each has a path of its own: two that rotate one file differently would be refused.
fn timed(key: &str, value: Json) -> Config {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = format!("/nowhere/at/all-{}.log", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut handler = json!({"class": "timed", "filename": path, "delay": true, "when": "midnight"});
    handler[key] = value;
    Config::from_value(&json!({"version": 1, "handlers": {"t": handler}})).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn literals_of_any_shape_read_back((value, text) in literal()) {
        let config = Config::from_ini(&ini(&format!("({text},)"))).unwrap();
        let read: Json = serde_json::from_str(&config.to_json()).unwrap();
        prop_assert_eq!(&read["handlers"]["h"]["args"][0], &value, "{}", text);
    }

    #[test]
    fn literals_with_a_part_missing_or_too_much_are_read_or_refused_with_their_place(
        (_, text) in literal(), at in any::<prop::sample::Index>(), extra in "[ -~]{0,2}",
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars.splice(at..=at, extra.chars());
        let text: String = chars.into_iter().collect();
        if let Err(error) = Config::from_ini(&ini(&format!("({text},)"))) {
            let problems = ConfigErrors::of(&error).unwrap();
            prop_assert!(problems.iter().all(|problem| problem.line().is_some()), "{}", error);
        }
    }

    #[test]
    fn variables_become_what_they_stand_for(pieces in prop::collection::vec(piece(), 0..6)) {
        // A text as a whole variable may become a number.
        let (text, expected): (String, String) = pieces.into_iter().fold(("x".into(), "x".into()), |(text, expected), piece| (text + &piece.0, expected + &piece.1));
        prop_assume!(!text.contains("$$${"));
        let config = Config::from_value(&json!({"handlers": {"h": {"tag": text}}, "formatters": {"f": {"format": text}}})).unwrap();
        let filled: Json = serde_json::from_str(&config.expand(look).unwrap().to_json()).unwrap();
        prop_assert_eq!(&filled["handlers"]["h"]["tag"], &json!(expected));
        prop_assert_eq!(&filled["formatters"]["f"]["format"], &json!(text));
    }

    #[test]
    fn any_text_is_filled_or_refused_with_its_path(text in "[a-cA-C$\\{\\}:_0-9-]{0,16}|\\PC{0,12}") {
        let config = Config::from_value(&json!({"handlers": {"h": {"tag": [text]}}})).unwrap();
        match config.clone().expand(look) {
            Ok(filled) if !text.contains("${") => prop_assert_eq!(filled, config),
            Ok(_) => {}
            Err(error) => {
                let problems = ConfigErrors::of(&error).unwrap();
                prop_assert!(problems.iter().all(|problem| problem.path() == "handlers.h.tag[0]"), "{}", error);
            }
        }
    }

    #[test]
    fn times_of_day_read_back(hour in 0..24_u8, minute in 0..60_u8, second in 0..60_u8, with_seconds in any::<bool>()) {
        let (text, second) = match with_seconds {
            true => (format!("{hour:02}:{minute:02}:{second:02}"), second),
            false => (format!("{hour:02}:{minute:02}"), 0),
        };
        prop_assert_eq!(text.parse::<TimeOfDay>().unwrap(), TimeOfDay::new(hour, minute, second).unwrap());
        prop_assert!(Logging::new().reload(&timed("atTime", json!(text))).is_ok());
    }

    #[test]
    fn any_time_of_day_and_any_interval_are_taken_or_refused_with_their_path(
        time in "[0-9:. -]{0,9}|\\PC{0,6}", when in "[smhdwSMHDW]?[0-9]{0,2}|(?i:midnight)|\\PC{0,6}",
    ) {
        for (key, value, is_right) in
            [("atTime", &time, time.parse::<TimeOfDay>().is_ok()), ("when", &when, when.parse::<When>().is_ok())]
        {
            match Logging::new().reload(&timed(key, json!(value))) {
                Ok(_) => prop_assert!(is_right, "{key} {value:?}"),
                Err(error) => {
                    let problems = ConfigErrors::of(&error).unwrap();
                    prop_assert!(!is_right, "{}", error);
                    prop_assert_eq!(problems.iter().next().unwrap().path(), format!("handlers.t.{key}"));
                }
            }
        }
    }

    #[test]
    fn any_format_of_times_is_taken_or_refused_with_its_path(format in "(%[-_0^#]?[a-zA-Z%]|[ -$&-~]|%\\.?[0-9]?f|\\PC){0,6}") {
        let config = json!({"version": 1, "formatters": {"f": {"format": "%(asctime)s", "datefmt": format}}});
        let config = Config::from_value(&config).unwrap();
        let reload = || Logging::new().reload(&config).map_err(|error| error.to_string());
        let first = reload();
        prop_assert_eq!(&first, &reload());
        if let Err(error) = first {
            prop_assert!(error.starts_with("formatters.f.datefmt") || error.starts_with("formatters.f.format"), "{}", error);
        }
    }

    #[test]
    fn levels_of_the_environment_are_those_of_directives(
        levels in prop::collection::btree_map("[a-z]{1,6}(::[a-z]{1,6}){0,2}", prop::sample::select(vec!["off", "error", "warn", "info", "debug", "trace", "+25"]), 0..5),
        other in "[ -~]{0,12}",
    ) {
        let directives: Vec<String> = levels.iter().map(|(name, level)| format!("{name}={level}")).collect();
        let set = |directives: String| Config::from_yaml("version: 1").unwrap().override_with([("STRATA_LOG".to_owned(), directives)]);
        let logging = Logging::builder().build(&set(directives.join(",")).unwrap()).unwrap();
        let loggers = Loggers::parse(&directives.join(",")).unwrap();
        for name in levels.keys() {
            prop_assert_eq!(logging.loggers().level(name), loggers.level(name));
        }
        prop_assert_eq!(logging.loggers().effective_level("nobody"), Severity::WARN);
        prop_assert_eq!(set(other.clone()).is_ok(), Loggers::parse(&other).is_ok());
    }
}
