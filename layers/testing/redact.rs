//! Takes out of a text what differs from run to run.

/// With `[time]`, `[duration]`, `[uuid]`, `[id]`, `[address]`, `[port]` and `[line]` for what looks like one.
pub(super) fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let is_start = before.chars().next_back().is_none_or(|before| !is_word(before));
        match is_start.then(|| find(before, rest)).flatten() {
            Some((placeholder, length)) => {
                out.push_str(placeholder);
                at += length;
            }
            None => {
                out.push(next);
                at += next.len_utf8();
            }
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What `rest` begins with, and its length in bytes.
fn find(before: &str, rest: &str) -> Option<(&'static str, usize)> {
    let digits = count(rest, |c| c.is_ascii_digit());
    let found = match rest.as_bytes() {
        [b'0', b'x', ..] => {
            Some(("[address]", 2 + count(&rest[2..], |c| c.is_ascii_hexdigit()))).filter(|it| it.1 >= 8)
        }
        _ => time(rest)
            .or_else(|| shape(rest, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx").map(|length| ("[uuid]", length)))
            .or_else(|| duration(rest, digits))
            .or_else(|| place(before, rest, digits))
            .or_else(|| Some(("[id]", count(rest, |c| c.is_ascii_hexdigit()))).filter(|it| it.1 >= 16)),
    };
    found.filter(|(_, length)| rest[*length..].chars().next().is_none_or(|after| !is_word(after)))
}

fn count(text: &str, is_it: impl Fn(char) -> bool) -> usize {
    text.chars().take_while(|c| c.is_ascii() && is_it(*c)).count()
}

/// The length of a shape that a text begins with: `0` is a digit, `x` one of 16, anything else is itself.
fn shape(text: &str, shape: &str) -> Option<usize> {
    let fits = |(byte, expected): (u8, u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => byte == expected,
    };
    (text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)).then_some(shape.len())
}

/// RFC 3339, also with a blank and without a zone.
fn time(text: &str) -> Option<(&'static str, usize)> {
    let mut length = shape(text, "0000-00-00T00:00:00").or_else(|| shape(text, "0000-00-00 00:00:00"))?;
    if text[length..].starts_with('.') {
        length += 1 + count(&text[length + 1..], |c| c.is_ascii_digit());
    }
    let zone = &text[length..];
    length +=
        if zone.starts_with('Z') { 1 } else { shape(zone, "+00:00").or_else(|| shape(zone, "-00:00")).unwrap_or(0) };
    Some(("[time]", length))
}

/// Measured, as `Debug` prints a `Duration`: with a fraction. `3s` is rather a setting.
fn duration(text: &str, digits: usize) -> Option<(&'static str, usize)> {
    let fraction = text[digits..].strip_prefix('.').filter(|_| digits > 0)?;
    let places = count(fraction, |c| c.is_ascii_digit());
    let unit = ["ns", "µs", "us", "ms", "s"].into_iter().find(|unit| fraction[places..].starts_with(unit))?;
    (places > 0).then_some(("[duration]", digits + 1 + places + unit.len()))
}

/// The port of an address, as systems choose them, or a line of a source file, with its column.
fn place(before: &str, rest: &str, digits: usize) -> Option<(&'static str, usize)> {
    let before = before.strip_suffix(':').filter(|_| digits > 0)?;
    if before.ends_with(".rs") {
        let column = rest[digits..].strip_prefix(':').map_or(0, |rest| count(rest, |c| c.is_ascii_digit()));
        return Some(("[line]", digits + if column > 0 { 1 + column } else { 0 }));
    }
    let is_host = before.ends_with(|c: char| c.is_ascii_digit() || c == ']') && before.contains(['.', ']'])
        || before.ends_with("localhost");
    (is_host && digits >= 4).then_some(("[port]", digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        for (text, expected) in [
            ("at 2024-05-01T12:30:00.123Z", "at [time]"),
            ("2024-05-01 12:30:00+02:00, then", "[time], then"),
            ("took 1.234ms or 12.5µs", "took [duration] or [duration]"),
            ("retry in 3s, 1.5 times", "retry in 3s, 1.5 times"),
            ("order 67e55044-10b1-426f-9247-bb680e5fe0c8!", "order [uuid]!"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-[id]-[id]-01"),
            ("at 0x7f3a12bc00", "at [address]"),
            ("mask 0xff", "mask 0xff"),
            (
                "127.0.0.1:54321 and [::1]:40000 and localhost:8080",
                "127.0.0.1:[port] and [::1]:[port] and localhost:[port]",
            ),
            ("src/db.rs:12:5: no", "src/db.rs:[line]: no"),
            ("deadbeef 1234 abc_1234567890123456", "deadbeef 1234 abc_1234567890123456"),
            ("Grüße 12:30", "Grüße 12:30"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
