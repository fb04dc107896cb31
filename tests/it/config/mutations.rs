//! Configurations that went wrong, from those of `cases/`; the same in each run.

use serde_json::{Value as Json, json};

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The keys and indexes that lead to each value but the whole.
fn paths(value: &Json, path: &str, all: &mut Vec<String>) {
    let inner: Vec<(String, &Json)> = match value {
        Json::Object(map) => map.iter().map(|(key, value)| (escaped(key), value)).collect(),
        Json::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        let path = format!("{path}/{key}");
        all.push(path.clone());
        paths(value, &path, all);
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn misspelt(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = dice.below(letters.len());
    match dice.below(4) {
        0 if !letters.is_empty() => drop(letters.remove(at)),
        1 if letters.len() > 1 => letters.swap(at, (at + 1) % word.chars().count()),
        2 => return word.to_uppercase(),
        _ => letters.insert(at, 'x'),
    }
    letters.into_iter().collect()
}

/// Of another type, of another sense, or too large.
fn values() -> [Json; 18] {
    [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_999_i64),
        json!(""),
        json!("text"),
        json!("LOUD"),
        json!("no/such/dir/x"),
        json!("ext://sys.stdout"),
        json!("ext://nowhere.Thing"),
        json!("cfg://handlers"),
        json!("cfg://nothing"),
        json!([]),
        json!([7, "x"]),
        json!({}),
        json!({"x": {"y": 1}}),
    ]
}

/// One thing is changed.
pub(super) fn mutated(whole: &Json, dice: &mut Dice) -> Json {
    let mut changed = whole.clone();
    let mut all = Vec::new();
    paths(whole, "", &mut all);
    let path = dice.pick(&all).clone();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match dice.below(6) {
        0 => match changed.pointer_mut(parent) {
            Some(Json::Object(map)) => {
                let value = map.remove(&key).unwrap();
                map.insert(misspelt(&key, dice), value);
            }
            _ => *changed.pointer_mut(&path).unwrap() = json!(misspelt(&key, dice)),
        },
        1 => match changed.pointer_mut(parent) {
            Some(Json::Object(map)) => drop(map.remove(&key)),
            Some(Json::Array(list)) => drop(list.remove(key.parse().unwrap())),
            _ => unreachable!("{path}"),
        },
        2 => {
            // Two values, or sections, change places.
            let other = dice.pick(&all).clone();
            let values = (whole.pointer(&path).unwrap().clone(), whole.pointer(&other).unwrap().clone());
            *changed.pointer_mut(&path).unwrap() = values.1;
            if let Some(place) = changed.pointer_mut(&other) {
                *place = values.0;
            }
        }
        3 => {
            let value = changed.pointer_mut(&path).unwrap();
            if let Json::String(text) = value {
                *text = misspelt(text, dice);
            } else {
                *value = json!([value.clone()]);
            }
        }
        _ => *changed.pointer_mut(&path).unwrap() = dice.pick(&values()).clone(),
    }
    changed
}

/// What a text may be cut, torn and filled with.
const LETTERS: &[&str] = &[
    "\t",
    "\0",
    " ",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "&a ",
    "*a",
    "!",
    "%",
    "@",
    "`",
    "#",
    "-",
    ",",
    "\\",
    "\r",
    "\n",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "😀",
    "\u{7f}",
    "<<",
    "~",
    "0x",
    "=",
    "%(x)s",
    "(",
    ")",
    "lambda: 1",
    "__import__('os')",
];

/// Bytes that are no UTF-8.
const TORN: &[&[u8]] = &[b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"];

/// One thing in a text is changed.
pub(super) fn mutated_text(name: &str, text: &str, dice: &mut Dice) -> Vec<u8> {
    let at = text.floor_char_boundary(dice.below(text.len()));
    let lines: Vec<&str> = text.lines().collect();
    let line = dice.below(lines.len());
    let joined = |lines: &[&str]| lines.iter().flat_map(|line| [*line, "\n"]).collect::<String>();
    let changed = match dice.below(8) {
        0 => text[..at].to_owned(),
        1 => format!("{}{}{}", &text[..at], dice.pick(LETTERS), &text[at..]),
        2 => {
            let rest = text[at..].chars().next().map_or("", |letter| &text[at + letter.len_utf8()..]);
            format!("{}{}{rest}", &text[..at], if dice.below(2) == 0 { "" } else { dice.pick(LETTERS) })
        }
        // Twice, gone, or in another place.
        3 => joined(&[&lines[..=line], &lines[line..]].concat()),
        4 => joined(&[&lines[..line], &lines[line + 1..]].concat()),
        5 => {
            let mut lines = lines.clone();
            let other = dice.below(lines.len());
            lines.swap(line, other);
            joined(&lines)
        }
        6 => {
            let depth = *dice.pick(&[10, 100, 10_000]);
            let (open, close) = *dice.pick(&[("[", "]"), ("{a: ", "}"), ("{\"a\":", "}"), ("(", ",)"), ("-", "")]);
            let inner = if name.ends_with("ini") { "args=" } else { "deep: " };
            format!("{text}\n{inner}{}1{}\n", open.repeat(depth), close.repeat(depth))
        }
        _ => {
            let torn = dice.pick(TORN);
            return [&text.as_bytes()[..at], torn, &text.as_bytes()[at..]].concat();
        }
    };
    changed.into_bytes()
}
