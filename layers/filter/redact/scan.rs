//! One text looked through for all patterns.

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{Regex, RegexSet};

use super::{
    Action,
    assignment::assignments,
    keys::Keys,
    patterns::{Own, Pattern, ips, numbers, phone},
};

/// The shortest text that may hold a secret: `::1`.
const MIN_TEXT: usize = 3;
/// The shortest text with one of the beginnings.
const MIN_TOKEN: usize = 12;
/// The fewest digits of an account number.
const MIN_DIGITS: u32 = 7;

#[derive(Clone, Default)]
pub(super) struct Scanner {
    /// One bit for each pattern.
    wanted: u32,
    beginnings: Option<AhoCorasick>,
    /// The pattern of each beginning.
    of_beginning: Vec<Pattern>,
    expressions: Vec<(Pattern, Regex)>,
    own: Vec<Own>,
    own_set: Option<RegexSet>,
    actions: Vec<(Pattern, Action)>,
}

const fn bit(pattern: Pattern) -> u32 {
    1 << pattern as u32
}

struct Found<'s> {
    start: usize,
    end: usize,
    name: Option<&'s str>,
    action: Action,
}

/// What a text has of what patterns cannot do without.
struct Bytes {
    digits: u32,
    has_at: bool,
    has_plus: bool,
    has_mark: bool,
}

impl Bytes {
    /// Written so that it is compiled to vector instructions.
    #[inline]
    fn of(text: &str) -> Self {
        let mut all = Self { digits: 0, has_at: false, has_plus: false, has_mark: false };
        for part in text.as_bytes().chunks(128) {
            let (mut digits, mut at, mut plus, mut mark) = (0_u8, 0_u8, 0_u8, 0_u8);
            for byte in part {
                digits += u8::from(byte.wrapping_sub(b'0') < 10);
                at |= u8::from(*byte == b'@');
                plus |= u8::from(*byte == b'+');
                mark |= u8::from(*byte == b'=') | u8::from(*byte == b':');
            }
            all.digits += u32::from(digits);
            all.has_at |= at != 0;
            all.has_plus |= plus != 0;
            all.has_mark |= mark != 0;
        }
        all
    }
}

impl Scanner {
    pub(super) fn new(patterns: &[(Pattern, Option<Action>)], own: &[Own]) -> Self {
        let all = || patterns.iter().map(|(pattern, _)| *pattern);
        let pairs = all().flat_map(|pattern| pattern.beginnings().iter().map(move |text| (*text, pattern)));
        let (texts, of_beginning): (Vec<_>, Vec<_>) = pairs.unzip();
        let beginnings = (!texts.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(texts).ok())
            .flatten();
        let compiled = |pattern: Pattern| Some((pattern, Regex::new(pattern.expression()?).ok()?));
        Self {
            wanted: all().fold(0, |wanted, pattern| wanted | bit(pattern)),
            beginnings,
            of_beginning,
            expressions: all().filter_map(compiled).collect(),
            own: own.to_vec(),
            own_set: (!own.is_empty())
                .then(|| RegexSet::new(own.iter().map(|own| own.expression.as_str())).ok())
                .flatten(),
            actions: patterns.iter().filter_map(|(pattern, action)| Some((*pattern, (*action)?))).collect(),
        }
    }

    /// The text without what matches; `None` if nothing does.
    #[inline]
    pub(super) fn rewritten(&self, text: &str, keys: &Keys, action: Action) -> Option<String> {
        let has_nothing = self.wanted == 0 || text.len() < MIN_TEXT;
        if has_nothing && self.own.is_empty() {
            return None;
        }
        let bytes = Bytes::of(text);
        let mut likely = 0;
        if bytes.digits >= MIN_DIGITS {
            likely |= bit(Pattern::Card) | bit(Pattern::Iban);
        }
        if bytes.has_at {
            likely |= bit(Pattern::Email) | bit(Pattern::UrlPassword);
        }
        if bytes.has_plus && bytes.digits >= 8 {
            likely |= bit(Pattern::Phone);
        }
        if bytes.has_mark && !keys.is_empty() {
            likely |= bit(Pattern::Assignment);
        }
        likely |= bit(Pattern::Ip);
        likely &= self.wanted;
        if text.len() >= MIN_TOKEN {
            if let Some(beginnings) = &self.beginnings {
                for begun in beginnings.find_iter(text) {
                    likely |= bit(self.of_beginning[begun.pattern().as_usize()]);
                }
            }
        }
        if likely == 0 && self.own.is_empty() {
            return None;
        }
        self.look(text, likely, keys, action)
    }

    fn look(&self, text: &str, likely: u32, keys: &Keys, action: Action) -> Option<String> {
        let has = |pattern: Pattern| likely & bit(pattern) != 0;
        let action_of = |pattern: Pattern| {
            self.actions.iter().find(|(own, _)| *own == pattern).map_or(action, |(_, action)| *action)
        };
        let mut all = Vec::new();
        let mut add = |pattern: Pattern, start: usize, end: usize| {
            all.push(Found { start, end, name: Some(pattern.name()), action: action_of(pattern) });
        };
        if has(Pattern::Card) || has(Pattern::Iban) {
            numbers(text, has(Pattern::Card), has(Pattern::Iban), &mut add);
        }
        if has(Pattern::Phone) {
            let mut done = 0;
            for plus in memchr::memchr_iter(b'+', text.as_bytes()) {
                if let Some(end) = phone(text, plus).filter(|_| plus >= done) {
                    add(Pattern::Phone, plus, end);
                    done = end;
                }
            }
        }
        if has(Pattern::Ip) {
            ips(text, &mut add);
        }
        for (pattern, expression) in self.expressions.iter().filter(|(pattern, _)| has(*pattern)) {
            each(expression, text, |start, end| {
                if pattern.holds(text, start, end) {
                    add(*pattern, start, end);
                }
            });
        }
        if has(Pattern::Assignment) {
            assignments(text, keys, &mut |start, end| all.push(Found { start, end, name: None, action }));
        }
        if let Some(own_set) = &self.own_set {
            for index in own_set.matches(text) {
                let own = &self.own[index];
                each(&own.expression, text, |start, end| {
                    all.push(Found { start, end, name: Some(&own.name), action });
                });
            }
        }
        if all.is_empty() { None } else { Some(replaced(text, all)) }
    }
}

/// Each match: its group 1 if it has one.
fn each(expression: &Regex, text: &str, mut found: impl FnMut(usize, usize)) {
    if expression.captures_len() == 1 {
        return expression.find_iter(text).for_each(|whole| found(whole.start(), whole.end()));
    }
    for captures in expression.captures_iter(text) {
        if let Some(part) = captures.get(1).or_else(|| captures.get(0)) {
            found(part.start(), part.end());
        }
    }
}

/// What overlaps is replaced as one, by the first of them.
fn replaced(text: &str, mut all: Vec<Found<'_>>) -> String {
    all.sort_by_key(|found| (found.start, usize::MAX - found.end));
    let mut merged: Vec<Found<'_>> = Vec::new();
    for found in all {
        match merged.last_mut() {
            Some(last) if found.start < last.end => last.end = last.end.max(found.end),
            _ => merged.push(found),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for found in merged {
        out.push_str(&text[copied..found.start]);
        out.extend(found.action.apply(found.name, &text[found.start..found.end]));
        copied = found.end;
    }
    out.push_str(&text[copied..]);
    out
}
