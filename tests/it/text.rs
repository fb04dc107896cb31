//! `format::Text`: golden lines, options, and hostile records read back.

use std::time::UNIX_EPOCH;

use tracing_strata::{
    Record, Severity, Value,
    format::{Buffer, Color, Format, Text, Time},
};

use crate::{
    format::{in_halves, records},
    hostile::{self, Chain, Named, Spec, TIME, TRACEPARENT, V, is_control},
};

fn line(text: &Text, record: &Record) -> String {
    let mut out = Buffer::new();
    text.format(record, &mut out).unwrap();
    let mut behind = Buffer::from(b"before ".to_vec());
    text.format(record, &mut behind).unwrap();
    assert_eq!(behind.to_str().unwrap().strip_prefix("before "), out.to_str().ok());
    out.to_str().unwrap().to_owned()
}

fn failed() -> Record {
    let mut record = Record::new(Severity::ERROR, "shop::pay", "payment failed");
    record.set_time(UNIX_EPOCH + TIME);
    record.set_source("src/pay.rs", 42);
    record.set_thread("worker 1", 12);
    record.set("user", 7);
    record.set("amount", 12.0);
    record.set("note", "card \"gold\"");
    record.set("raw", &b"\x00\xff"[..]);
    record.fields_mut().set_error("error", &Chain::new(&["no answer".into(), "timed out".into(), "io".into()]));
    record.push_span("request", [("id", "7f3a"), ("path", "/a b")].into_iter().collect());
    record.push_span("charge", [("attempt", 2)].into_iter().collect());
    record.set_globals([("service", "shop")].into_iter().collect());
    record
}

#[test]
fn a_plain_line() {
    let expected = [
        r#"2026-11-20T15:17:16.123456Z ERROR shop::pay: payment failed user=7 amount=12.0 note="card \"gold\"" raw=00ff"#,
        r#" error="no answer: timed out: io" request{id=7f3a path="/a b"}:charge{attempt=2}"#,
    ];
    assert_eq!(line(&Text::plain(), &failed()), expected.concat());
    // Colour waits until it is known where the text goes.
    assert_eq!(line(&Text::new(), &failed()), expected.concat());
    assert_eq!(line(&Text::colored(), &failed()), expected.concat());
}

#[test]
fn every_part_that_can_be_turned_on() {
    let text = Text::plain().time(Time::utc().seconds().date(false)).source(true).thread(true).globals(true);
    let mut record = Record::new(Severity::INFO, "shop", "paid");
    record.set_time(UNIX_EPOCH + TIME);
    record.set_thread("worker 1", 12);
    record.set_source("src/pay.rs", 42);
    record.set("user", 7);
    record.set_globals([("service", "shop")].into_iter().collect());
    record.push_span("job", Default::default());
    let expected = r#"15:17:16 INFO  ["worker 1" 12] shop src/pay.rs:42: paid user=7 service=shop job{}"#;
    assert_eq!(line(&text, &record), expected);
    let bare = text.time(Time::none()).source(false).thread(false).globals(false).target(false).spans(false);
    assert_eq!(line(&bare, &record), "INFO  paid user=7");
    record.set_message("");
    assert_eq!(line(&bare, &record), "INFO  user=7");
    record.set_thread("", 12);
    assert_eq!(line(&bare.clone().thread(true), &record), "INFO  [12] user=7");
    record.set_severity(Severity::CRITICAL);
    assert_eq!(line(&bare, &record), "CRITICAL user=7");
    record.set_severity(Severity::new(35));
    assert_eq!(line(&bare, &record), "Level 35 user=7");
    assert_eq!(
        line(&Text::plain().time(Time::unix_seconds()).spans(false), &record),
        "1795187836 Level 35 shop: user=7"
    );
}

#[test]
fn a_coloured_line() {
    let text = Text::new().color(Color::Always).time(Time::none());
    let mut record = Record::new(Severity::WARN, "shop", "slow");
    record.set("rows", 3);
    record.push_span("query", [("table", "users")].into_iter().collect());
    let expected =
        "\x1b[33mWARN\x1b[0m  \x1b[2mshop:\x1b[0m slow \x1b[2mrows=\x1b[0m3 \x1b[2mquery{table=users}\x1b[0m";
    assert_eq!(line(&text, &record), expected);
}

#[test]
fn colour_is_for_those_who_want_it() {
    let record = Record::new(Severity::WARN, "shop", "slow");
    for terminal in [true, false] {
        let is_coloured = |text: Text| {
            let mut out = Buffer::new();
            out.set_terminal(terminal);
            text.format(&record, &mut out).unwrap();
            out.as_bytes().contains(&b'\x1b')
        };
        assert!(is_coloured(Text::new().color(Color::Always)));
        assert!(!is_coloured(Text::plain()));
    }
}

#[test]
fn several_lines_where_asked_for() {
    let text = Text::plain().time(Time::none()).multi_line(true);
    let mut record = failed();
    record.set_message("payment failed:\r\n    | forged\n2026 INFO forged\tx=1\rcr\u{85}");
    let expected = [
        r#"ERROR shop::pay: payment failed: user=7 amount=12.0 note="card \"gold\"" raw=00ff error="no answer""#,
        r#" request{id=7f3a path="/a b"}:charge{attempt=2}"#,
        "\n    |     | forged",
        "\n    | 2026 INFO forged\\tx=1\\rcr\\u{85}",
        "\n    | error caused by: timed out",
        "\n    | error caused by: io",
    ];
    assert_eq!(line(&text, &record), expected.concat());
}

#[test]
fn values_of_several_lines_stand_below() {
    let mut record = Record::new(Severity::INFO, "app", "m");
    record.set("sql", "select 1\n  from t\u{1b}");
    record.set("rows", 3);
    let shown = line(&Text::plain().time(Time::none()).multi_line(true), &record);
    assert_eq!(shown, "INFO  app: m rows=3\n    | sql:\n    |   select 1\n    |     from t\\u{1b}");
    let one = line(&Text::plain().time(Time::none()), &record);
    assert_eq!(one, r#"INFO  app: m sql="select 1\n  from t\u{1b}" rows=3"#);
}

#[test]
fn what_the_record_has_wins_over_the_application() {
    let mut record = Record::new(Severity::INFO, "app", "m");
    record.set("service", "own");
    record.push_span("s", [("zone", "own")].into_iter().collect());
    record.set_globals([("service", "g"), ("zone", "g"), ("host", "h")].into_iter().collect());
    let shown = line(&Text::plain().time(Time::none()).globals(true), &record);
    assert_eq!(shown, "INFO  app: m service=own host=h s{zone=own}");
}

/// All of what a record can be given.
fn evil_record(evil: &str) -> Record {
    let mut record = Record::new(Severity::WARN, evil, evil);
    record.set_time(UNIX_EPOCH + TIME);
    record.set_thread(evil, 1);
    record.set_source(evil, 1);
    record.set(evil.to_owned(), evil);
    record.set("shown", Value::Rendered(evil));
    record.fields_mut().set_error("error", &Chain::new(&[evil.into(), evil.into()]));
    record.push_span("a\nb\u{1b}", [(evil.to_owned(), "y\nz")].into_iter().collect());
    record.set_globals([(evil.to_owned(), "\r")].into_iter().collect());
    record
}

fn all_parts() -> Text {
    Text::plain().source(true).thread(true).globals(true)
}

#[test]
fn t50_no_line_is_forged() {
    let evil = "a\n2026-11-20T15:17:16.123Z ERROR forged\r\n\u{b}\u{c}\u{85}\u{2028}\u{2029}c";
    let record = evil_record(evil);
    let shown = line(&all_parts(), &record);
    assert!(!shown.chars().any(is_control), "{shown:?}");
    let custom = all_parts().time(Time::utc().strftime("%H%n%t").unwrap());
    assert!(!line(&custom, &record).chars().any(is_control));
    // Asked for several lines, each but the first has its mark.
    let shown = line(&all_parts().multi_line(true), &record);
    assert!(shown.lines().count() > 2, "{shown}");
    assert!(shown.lines().skip(1).all(|line| line.starts_with("    | ") && !line.chars().any(is_control)), "{shown:?}");
    // A level's name cannot hold such a thing.
    assert!(Severity::add_name(41, "a\nb").is_err());
}

#[test]
fn t51_no_terminal_is_moved() {
    let evil = "\u{1b}]0;title\u{7}\u{8}\u{7f}\u{9b}31m\u{202e}\u{2066}\u{feff}\0";
    let shown = line(&all_parts(), &evil_record(evil));
    assert!(!shown.chars().any(is_control), "{shown:?}");
    let hot = line(&all_parts().color(Color::Always), &evil_record(evil));
    assert_eq!(without_colour(&hot), shown);
}

/// Without this format's own escape sequences.
fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let (code, rest) = part.split_once('m').unwrap();
        assert!(["0", "2", "31", "32", "33", "34", "35", "1;31"].contains(&code), "{code:?}");
        shown + rest
    })
}

// --- read back

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn eat(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).map(|rest| self.0 = rest).is_some()
    }

    /// A word up to one of the characters, or a quoted text.
    fn word(&mut self, ends: &[char]) -> String {
        if !self.eat("\"") {
            let (word, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
            self.0 = rest;
            return word.to_owned();
        }
        let mut end = 0;
        while !self.0[end..].starts_with('"') {
            end += if self.0[end..].starts_with('\\') { 2 } else { self.0[end..].chars().next().unwrap().len_utf8() };
        }
        let text = unescaped(&self.0[..end]);
        self.0 = &self.0[end + 1..];
        text
    }

    fn fields(&mut self, ends: &[char]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        loop {
            let start = self.0;
            if !fields.is_empty() && !self.eat(" ") {
                return fields;
            }
            let name = self.word(&['=', '{', '}', ' ']);
            if !self.eat("=") {
                self.0 = start;
                return fields;
            }
            fields.push((name, self.word(ends)));
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        out.push(match (c, c == '\\') {
            (_, false) => c,
            _ => match rest.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                other => other,
            },
        });
    }
    out
}

fn shown(named: &Named) -> Vec<(String, String)> {
    let text = |value: &V| match value {
        V::Bool(value) => value.to_string(),
        V::I64(number) => number.to_string(),
        V::U64(number) => number.to_string(),
        V::I128(number) => number.to_string(),
        V::U128(number) => number.to_string(),
        V::F64(number) => zmij::Buffer::new().format(*number).to_owned(),
        V::Str(text) => text.clone(),
        // What looks like a quoted string is shown as one, and so read as what is in it.
        V::Rendered(text) if text.len() > 1 && text.starts_with('"') && text.ends_with('"') => {
            let inner = &text[1..text.len() - 1];
            let plain = inner.replace("\\\\", "").replace("\\\"", "");
            if plain.contains('"') || plain.ends_with('\\') { text.clone() } else { unescaped(inner) }
        }
        V::Rendered(text) => text.clone(),
        V::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        V::Error(chain) => chain.join(": "),
        V::Number(error) => error.to_string(),
        V::Json(text) => text.clone(),
    };
    hostile::settled(named).iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The same of a span, whose header is shown by its id.
fn shown_in_span(named: &Named) -> Vec<(String, String)> {
    let header = |(name, text): &(String, String)| name == "traceparent" && text == TRACEPARENT;
    let id = || ("trace_id".to_owned(), TRACEPARENT[3..35].to_owned());
    shown(named).into_iter().map(|field| if header(&field) { id() } else { field }).collect()
}

/// Hostile records: each is one line without a control character, coloured or not, and what was put in can be read out.
#[test]
fn t50_hostile_records_are_one_line_and_read_back() {
    let text = Text::plain().time(Time::none()).thread(true);
    let hot = text.clone().color(Color::Always);
    in_halves(records(20_000), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let spec = Spec::random(&mut rng);
        let record = spec.record(&mut rng);
        let line = line(&text, &record);
        assert!(!line.chars().any(is_control), "seed {seed}: {line:?}");
        let mut coloured = Buffer::new();
        hot.format(&record, &mut coloured).unwrap();
        assert_eq!(without_colour(coloured.to_str().unwrap()), line, "seed {seed}");

        let level = Severity::new(spec.severity).to_string();
        let mut reader = Reader(line.strip_prefix(&format!("{level:<5} [")).unwrap());
        let thread = if reader.eat("7]") { String::new() } else { reader.word(&[' ']) };
        assert_eq!(thread, spec.thread, "seed {seed}: {line}");
        assert!(thread.is_empty() || reader.eat(" 7]"), "seed {seed}: {line}");
        assert!(reader.eat(" "), "seed {seed}: {line}");
        if !spec.target.is_empty() {
            assert_eq!(
                reader.word(&[' ']).trim_end_matches(':'),
                spec.target.trim_end_matches(':'),
                "seed {seed}: {line}"
            );
            assert!(reader.eat(": ") || reader.eat(" "), "seed {seed}: {line}");
        }
        let message = message(&mut reader, &spec);
        assert_eq!(message, spec.message, "seed {seed}: {line}");
        let fields = if reader.eat(" ") || message.is_empty() { reader.fields(&[' ']) } else { Vec::new() };
        assert_eq!(fields, shown(&spec.fields), "seed {seed}: {line}");
        for (name, named) in &spec.spans {
            if !reader.eat(":") {
                reader.eat(" ");
            }
            assert_eq!(reader.word(&['{']), *name, "seed {seed}: {line}");
            assert!(reader.eat("{"), "seed {seed}: {line}");
            assert_eq!(reader.fields(&[' ', '}']), shown_in_span(named), "seed {seed}: {line}");
            assert!(reader.eat("}"), "seed {seed}: {line}");
        }
        assert_eq!(reader.0, "", "seed {seed}: {line}");
    });
}

/// A quoted message, or what stands before the first word that can be no part of a bare one.
fn message(reader: &mut Reader<'_>, spec: &Spec) -> String {
    if spec.message.is_empty() {
        return String::new();
    }
    if reader.0.starts_with('"') {
        return reader.word(&[]);
    }
    let line = reader.0;
    // Where a field or a span begins: behind a space, a word or quoted name with `=` or `{` directly after it.
    let begins = |at: &usize| {
        let mut rest = Reader(&line[at + 1..]);
        if rest.0.starts_with('"') && rest.0[1..].find('"').is_none() {
            return false;
        }
        let bare = !rest.0.starts_with('"');
        let name = rest.word(&['=', '{', ' ']);
        // A backslash never stands bare in a name: `\u{1b}` in a message is no span.
        rest.0.starts_with(['=', '{']) && !(bare && (name.is_empty() || name.contains('\\')))
    };
    let end = line.match_indices(' ').map(|(at, _)| at).find(begins).unwrap_or(line.len());
    reader.0 = &line[end..];
    unescaped(&line[..end])
}
