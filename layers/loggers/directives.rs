//! Reads and writes directives: `warn,shop=info,shop.db=debug`.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use super::{name, tree};
use crate::{
    Error, Severity,
    record::closest,
    text::{distance, is_control},
};

/// Levels by canonical name. The last directive for a name wins.
pub(super) fn parse(directives: &str) -> Result<BTreeMap<String, Severity>, Error> {
    let mut levels = BTreeMap::new();
    for (number, (start, item)) in items(directives).enumerate() {
        let item =
            Item { text: item.trim(), start: start + (item.len() - item.trim_start().len()), number: number + 1 };
        if item.text.is_empty() {
            continue;
        }
        let (name, level) = directive(item.text).map_err(|problem| item.error(directives, &problem))?;
        levels.insert(name, level);
        if levels.len() > tree::MAX_LOGGERS {
            return Err(tree::too_many());
        }
    }
    Ok(levels)
}

struct Item<'a> {
    text: &'a str,
    start: usize,
    number: usize,
}

impl Item<'_> {
    #[cold]
    fn error(&self, directives: &str, problem: &str) -> Error {
        let column = 1 + directives[..self.start].chars().count();
        let shown: String = self.text.chars().take(120).collect();
        let more = if shown.len() < self.text.len() { "…" } else { "" };
        Error::config(format_args!("directive {} (column {column}) {shown:?}{more}: {problem}", self.number))
    }
}

/// The parts between commas, with their offsets. A comma in quotes or brackets does not separate.
fn items(directives: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = Some(0);
    std::iter::from_fn(move || {
        let start = rest?;
        let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
        let end = directives[start..].char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                ',' => return depth == 0,
                _ => {}
            }
            false
        });
        let end = end.map(|(at, _)| start + at);
        rest = end.map(|end| end + 1);
        Some((start, &directives[start..end.unwrap_or(directives.len())]))
    })
}

/// Parses one directive. An error says what was expected.
fn directive(text: &str) -> Result<(String, Severity), String> {
    let (name, level) = if text.starts_with('"') { quoted(text)? } else { bare(text)? };
    let name = name::checked(&name).map_err(|error| error.to_string())?;
    Ok((name.into_owned(), level))
}

/// `"any, name"=info` or `"any, name"`.
fn quoted(text: &str) -> Result<(String, Severity), String> {
    let (name, rest) = unquote(text)?;
    match rest.trim_start().strip_prefix('=') {
        Some(level) => Ok((name, level_after(level)?)),
        None if rest.trim().is_empty() => Ok((name, Severity::TRACE)),
        None => Err(format!("expected '=' after the name in quotes, got {:?}", rest.trim())),
    }
}

/// `info`, `app` or `app=info`.
fn bare(text: &str) -> Result<(String, Severity), String> {
    if text.contains(['[', ']', '{', '}']) {
        return Err(
            "levels by span or field are not supported: expected `name=level`; for other decisions add a filter \
                    to the logger or the handler"
                .into(),
        );
    }
    match text.split_once('=') {
        None => bare_word(text).map(|(name, level)| (name.to_owned(), level)),
        Some((name, level)) => {
            let name = name.trim_end();
            if name.is_empty() {
                return Err("expected a logger's name before '='; the level of the root stands alone".into());
            }
            let level = level_after(level).map_err(|problem| match (number_or_name(name), level.trim()) {
                (Some(_), other) if is_plain_name(other) => format!("{problem}; did you mean `{other}={name}`?"),
                _ => problem,
            })?;
            plain_name(name)?;
            Ok((name.to_owned(), level))
        }
    }
}

fn bare_word(word: &str) -> Result<(&str, Severity), String> {
    if let Some(level) = number_or_name(word) {
        return Ok(("", level));
    }
    plain_name(word)?;
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Err(format!("expected a level, a number up to {}, or a logger's name", i32::MAX));
    }
    if let Some(level) = misspelt(word) {
        return Err(format!("did you mean {level}? If it is a logger's name, write `{word}=trace`"));
    }
    if let Some((name, level)) = word.rsplit_once(':') {
        if !name.ends_with(':') && level.parse::<Severity>().is_ok() {
            return Err(format!("expected '=' between name and level; did you mean `{name}={level}`?"));
        }
    }
    Ok((word, Severity::TRACE))
}

/// What follows the `=`.
fn level_after(text: &str) -> Result<Severity, String> {
    let text = text.trim();
    if let Some(level) = number_or_name(text) {
        return Ok(level);
    }
    Err(if text.is_empty() {
        "expected a level after '='".into()
    } else if text.contains('=') {
        "expected one '=' only".into()
    } else if text.contains('/') {
        NO_REGEX.into()
    } else {
        let start: String = text.chars().take(80).collect();
        start.parse::<Severity>().err().map_or_else(|| "expected a level".into(), |error| error.to_string())
    })
}

const NO_REGEX: &str = "filters by message (`/…`) are not supported: expected `name=level`; a name with '/' stands in \
                        double quotes";

/// A level in a directive: 0 to 5 are off, error, warn, info, debug and trace, as in env_logger; any other number
/// (also `+3` or `03`) is one on Python's scale.
fn number_or_name(text: &str) -> Option<Severity> {
    match text.as_bytes() {
        [digit @ b'0'..=b'5'] => Some(
            [Severity::OFF, Severity::ERROR, Severity::WARN, Severity::INFO, Severity::DEBUG, Severity::TRACE]
                [usize::from(digit - b'0')],
        ),
        _ => text.parse().ok(),
    }
}

/// The level that a word is probably a typo of: one letter differs, or two are swapped.
fn misspelt(word: &str) -> Option<String> {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.to_lowercase().chars().collect();
        letters.sort_unstable();
        letters
    };
    let level = closest(word)?;
    match distance(&word.to_lowercase(), &level) {
        0 | 1 => Some(level),
        2 => (letters(word) == letters(&level)).then_some(level),
        _ => None,
    }
}

/// Names that need no quotes: the characters of Rust paths and of Python's dotted names.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}

fn plain_name(name: &str) -> Result<(), String> {
    match name.chars().find(|c| !is_plain(*c)) {
        None => Ok(()),
        Some('/') => Err(NO_REGEX.into()),
        Some(c) if c.is_whitespace() => {
            Err("expected ',' between directives; a name with spaces stands in double quotes".into())
        }
        Some(c) => Err(format!("{c:?} in a logger's name: a name with it stands in double quotes")),
    }
}

/// The name in quotes, and the rest.
fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut rest = text[1..].chars();
    loop {
        match rest.next() {
            Some('"') => return Ok((name, rest.as_str())),
            Some('\\') => name.push(unescape(&mut rest).ok_or(r#"expected \", \\ or \u{…} after a backslash"#)?),
            Some(c) => name.push(c),
            None => return Err("expected a closing '\"'".into()),
        }
    }
}

fn unescape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        c @ ('"' | '\\') => Some(c),
        'u' => {
            let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
            *rest = after.chars();
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        }
        _ => None,
    }
}

/// A name as written in a directive before `=`.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain_name(self.0) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            c if is_control(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
            c => f.write_char(c),
        })?;
        f.write_char('"')
    }
}

/// A level as written in a directive.
pub(super) struct Level(pub(super) Severity);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => name.chars().try_for_each(|c| f.write_char(c.to_ascii_lowercase())),
            // With a sign: a bare 1 to 5 would mean env_logger's levels.
            None => write!(f, "{:+}", self.0.number()),
        }
    }
}

/// Writes levels, by canonical name with the root's first, as directives that [`parse`] reads.
pub(super) fn write(f: &mut fmt::Formatter<'_>, levels: &[(String, Severity)]) -> fmt::Result {
    for (index, (name, level)) in levels.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        match &**name {
            "" => write!(f, "{comma}{}", Level(*level))?,
            name => write!(f, "{comma}{}={}", Name(name), Level(*level))?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn levels(directives: &str) -> Vec<(String, i32)> {
        parse(directives).unwrap().into_iter().map(|(name, level)| (name, level.number())).collect()
    }

    fn error(directives: &str) -> String {
        let error = parse(directives).unwrap_err();
        assert!(error.is_config());
        error.to_string()
    }

    #[test]
    fn what_people_write() {
        for (directives, expected) in [
            ("", &[][..]),
            (" , ,, ", &[]),
            ("info", &[("", 20)]),
            ("WARNING", &[("", 30)]),
            ("Off", &[("", i32::MAX)]),
            ("critical", &[("", 50)]),
            ("all", &[("", 0)]),
            ("app", &[("app", 5)]),
            ("app::db", &[("app.db", 5)]),
            ("my-app_2", &[("my-app_2", 5)]),
            ("warn,app=DEBUG, app.db = trace ,", &[("", 30), ("app", 10), ("app.db", 5)]),
            ("app=off", &[("app", i32::MAX)]),
            ("0", &[("", i32::MAX)]),
            ("1,a=2,b=3,c=4,d=5", &[("", 40), ("a", 30), ("b", 20), ("c", 10), ("d", 5)]),
            ("25,a=6,b=-1,c=+3,d=03", &[("", 25), ("a", 6), ("b", -1), ("c", 3), ("d", 3)]),
            ("root=info", &[("", 20)]),
            ("info,warn", &[("", 30)]),
            ("app::db=info,app.db=debug", &[("app.db", 10)]),
            ("debug=info", &[("debug", 20)]),
            ("a:b=info", &[("a:b", 20)]),
            ("приложение=info", &[("приложение", 20)]),
            ("infra,want,core,web", &[("core", 5), ("infra", 5), ("want", 5), ("web", 5)]),
            (r#""a, b=c" = info,"\"\\\u{a}""#, &[("\"\\\n", 5), ("a, b=c", 20)]),
            (r#""info""#, &[("info", 5)]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
            assert_eq!(levels(directives), expected, "{directives}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_what_was_expected() {
        for (directives, parts) in [
            ("warn,app=lowd", &["directive 2 (column 6) \"app=lowd\"", "unknown level \"lowd\"", "expected"][..]),
            ("ä=info, app=wran", &["directive 2 (column 9)", "did you mean \"warn\""]),
            ("inof", &["did you mean info?", "`inof=trace`"]),
            ("app=", &["\"app=\"", "expected a level after '='"]),
            ("=debug", &["expected a logger's name before '='"]),
            ("app==debug", &["expected one '='"]),
            ("app=debug=trace", &["expected one '='"]),
            ("debug=app", &["did you mean `app=debug`?"]),
            ("app:debug", &["did you mean `app=debug`?"]),
            ("warn app=info", &["expected ','", "double quotes"]),
            ("warn;app=info", &["';'", "double quotes"]),
            ("app*=info", &["'*'"]),
            ("app[request]=debug", &["span", "expected `name=level`"]),
            ("warn,[{id=1,name=x}]=trace,app=info", &["directive 2 (column 6) \"[{id=1,name=x}]=trace\"", "field"]),
            ("[unclosed=debug,app=info", &["\"[unclosed=debug,app=info\""]),
            ("info/regex", &["/…", "name=level"]),
            ("app=info/re", &["/…"]),
            ("99999999999", &["2147483647"]),
            ("app=99999999999", &["\"99999999999\"", "number"]),
            ("10MB", &["expected a level"]),
            ("\"open=info", &["closing '\"'"]),
            ("\"a\"b=info", &["expected '='"]),
            (r#""\n"=info"#, &["after a backslash"]),
            ("a\nb=info", &["expected ','"]),
            ("\u{1b}[31m=info", &["\\u{1b}"]),
        ] {
            let error = error(directives);
            for part in parts {
                assert!(error.contains(part), "{directives:?} gave {error:?}, without {part:?}");
            }
            assert!(!error.contains(is_control), "{error:?}");
        }
    }

    #[test]
    fn endless_names_and_items_are_cut_in_errors() {
        let long = "x".repeat(100_000);
        assert!(error(&format!("{long}=info")).len() < 400);
        assert!(error(&format!("app={long}")).len() < 100_400);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        struct Written<'a>(&'a [(String, Severity)]);
        impl fmt::Display for Written<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, self.0)
            }
        }
        let names =
            ["", "a", "a.b", "debug", "a b", "a,b", "a=b", "\"", "\\", "\n\u{1b}\u{202e}", "[x]", "a/b", "3", " "];
        for (shift, _) in names.iter().enumerate() {
            let numbers = [i32::MIN, -1, 0, 1, 2, 3, 4, 5, 6, 10, 25, 30, 50, i32::MAX];
            let severity = |index: usize| Severity::new(numbers[(index + shift) % numbers.len()]);
            let levels: BTreeMap<_, _> =
                names.iter().enumerate().map(|(index, name)| ((*name).to_owned(), severity(index))).collect();
            let list: Vec<_> = levels.clone().into_iter().collect();
            assert_eq!(parse(&Written(&list).to_string()).unwrap(), levels);
        }
    }
}
