//! Severities: Python's numbers with names, and their equivalents elsewhere.

use std::{fmt, str::FromStr, sync::OnceLock};

use tracing_core::{Level, LevelFilter};

use crate::{Error, fork::ForkRwLock};

/// How severe a record is: a number on Python's scale, with a name.
///
/// Any number is a severity; severities are compared by number.
///
/// | severity | number | `tracing` | syslog (RFC 5424) | OpenTelemetry |
/// |---|--:|---|--:|--:|
/// | TRACE | 5 | TRACE | 7 debug | 1 |
/// | DEBUG | 10 | DEBUG | 7 debug | 5 |
/// | INFO | 20 | INFO | 6 informational | 9 |
/// | (25) | 25 | INFO | 5 notice | 11 |
/// | WARN | 30 | WARN | 4 warning | 13 |
/// | ERROR | 40 | ERROR | 3 error | 17 |
/// | CRITICAL | 50 | ERROR | 2 critical | 21 |
/// | (60) | 60 | ERROR | 1 alert | 24 |
/// | (70) | 70 | ERROR | 0 emergency | 24 |
///
/// Python: the level numbers of `logging`, `addLevelName`, `getLevelName`.
///
/// ```
/// use tracing_strata::Severity;
///
/// assert!(Severity::CRITICAL > Severity::ERROR);
/// assert_eq!("warning".parse::<Severity>().unwrap(), Severity::WARN);
///
/// let notice = Severity::add_name(25, "NOTICE").unwrap();
/// assert_eq!(notice.to_string(), "NOTICE");
/// assert_eq!("notice".parse::<Severity>().unwrap().number(), 25);
/// assert_eq!(Severity::new(35).to_string(), "Level 35");
///
/// // With `tracing`'s own macro, at the level nearest below:
/// tracing::event!(tracing::Level::INFO, strata.severity = 25, "a notice");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(i32);

/// Names added at run time. A later name for a number replaces the earlier one for output; both parse.
#[derive(Clone, Default)]
struct Names {
    by_number: Vec<(i32, &'static str)>,
    by_name: Vec<(&'static str, i32)>,
}

/// Names live as long as the process: a bound on what a caller can leak.
const MAX_NAMES: usize = 256;
/// Longest accepted name, in bytes.
const MAX_NAME_BYTES: usize = 64;

static NAMES: OnceLock<ForkRwLock<Names>> = OnceLock::new();

const STANDARD: [(i32, &str); 6] =
    [(5, "TRACE"), (10, "DEBUG"), (20, "INFO"), (30, "WARN"), (40, "ERROR"), (50, "CRITICAL")];
/// Python's names.
const PYTHON: [(i32, &str); 6] =
    [(50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"), (10, "DEBUG"), (0, "NOTSET")];
const ALIASES: [(&str, i32); 4] = [("WARNING", 30), ("FATAL", 50), ("ALL", 0), ("NOTSET", 0)];

impl Severity {
    /// 0, below everything that is logged. As a threshold it lets all records pass except those of a negative severity.
    /// Python: `NOTSET`.
    pub const ALL: Self = Self(0);
    /// 5
    pub const TRACE: Self = Self(5);
    /// 10
    pub const DEBUG: Self = Self(10);
    /// 20
    pub const INFO: Self = Self(20);
    /// 30
    pub const WARN: Self = Self(30);
    /// 40
    pub const ERROR: Self = Self(40);
    /// 50; `tracing` has no level for it, so such events have [`Level::ERROR`], and the number in a field.
    pub const CRITICAL: Self = Self(50);
    /// Above everything: as a threshold it lets nothing pass.
    pub const OFF: Self = Self(i32::MAX);

    /// A severity by number.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number on Python's scale.
    #[inline]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The name, if the number has one. [`Display`](fmt::Display) prints `Level 35` for those without.
    #[inline]
    pub fn name(self) -> Option<&'static str> {
        if let Some(name) = self.added_name() {
            return Some(name);
        }
        match self.0 {
            5 => Some("TRACE"),
            10 => Some("DEBUG"),
            20 => Some("INFO"),
            30 => Some("WARN"),
            40 => Some("ERROR"),
            50 => Some("CRITICAL"),
            i32::MAX => Some("OFF"),
            0 => Some("ALL"),
            _ => None,
        }
    }

    #[inline]
    fn added_name(self) -> Option<&'static str> {
        let names = NAMES.get()?.read();
        names.by_number.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// Gives a number a name, for the whole process (Python's `addLevelName`).
    ///
    /// A later name for the same number replaces the earlier one in output; both parse. A name given to a second number
    /// parses as that one from then on; both numbers print it.
    ///
    /// # Errors
    /// The name is empty, longer than 64 bytes, holds anything but ASCII letters, digits, `_` and `-`, is a plain
    /// number, or 256 names were added already.
    pub fn add_name(number: i32, name: &str) -> Result<Self, Error> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(valid) || name.parse::<i64>().is_ok() {
            return Err(Error::config(format_args!(
                "level name {name:?}: expected 1 to {MAX_NAME_BYTES} ASCII letters, digits, '_' or '-', not all digits"
            )));
        }
        let names = NAMES.get_or_init(ForkRwLock::default);
        let mut names = names.write();
        let known = names.by_name.iter().map(|(known, _)| *known).find(|known| *known == name);
        let is_new = names.by_number.iter().all(|(known, _)| *known != number);
        let is_full = |is_new: bool, length: usize| is_new && length >= MAX_NAMES;
        if is_full(known.is_none(), names.by_name.len()) || is_full(is_new, names.by_number.len()) {
            return Err(Error::config(format_args!("level name {name:?}: {MAX_NAMES} names were added already")));
        }
        let name: &'static str = known.unwrap_or_else(|| Box::leak(name.into()));
        names.by_name.retain(|(known, _)| *known != name);
        names.by_name.push((name, number));
        match names.by_number.iter_mut().find(|(known, _)| *known == number) {
            Some(entry) => entry.1 = name,
            None => names.by_number.push((number, name)),
        }
        Ok(Self(number))
    }

    /// Whether names were added: until then, names never change.
    #[inline]
    pub(crate) fn has_added_names() -> bool {
        NAMES.get().is_some()
    }

    fn by_name(name: &str) -> Option<Self> {
        let added = NAMES.get().and_then(|names| {
            let names = names.read();
            // Of two names that differ in case, the later one.
            names.by_name.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
        });
        let standard =
            || STANDARD.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number);
        let alias = || ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
        let off = || name.eq_ignore_ascii_case("off").then_some(i32::MAX);
        added.or_else(standard).or_else(alias).or_else(off).map(Self)
    }

    /// Python's name: `WARNING` for 30, `NOTSET` for 0, none for 5, unless [`add_name`](Self::add_name) gave the number
    /// another. `None`: Python prints `Level 5`.
    ///
    /// ```
    /// use tracing_strata::Severity;
    ///
    /// assert_eq!(Severity::WARN.python_name(), Some("WARNING"));
    /// assert_eq!(Severity::TRACE.python_name(), None);
    /// ```
    #[inline]
    pub fn python_name(self) -> Option<&'static str> {
        if let Some(name) = self.added_name() {
            return Some(name);
        }
        PYTHON.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// The severity with this name in Python's `logging` (case-sensitive, no numbers), or with an added name.
    ///
    /// # Errors
    /// Python's own: `Unknown level: 'LOUD'`.
    pub fn from_python(name: &str) -> Result<Self, Error> {
        let added = NAMES.get().and_then(|names| {
            let names = names.read();
            names.by_name.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
        });
        let known = || Self::python_names().into_iter().find(|(known, _)| *known == name).map(|(_, known)| known);
        added
            .map(Self)
            .or_else(known)
            .ok_or_else(|| Error::config(format_args!("Unknown level: {}", crate::text::python_repr(name))))
    }

    /// All names that [`from_python`](Self::from_python) accepts (Python: `logging.getLevelNamesMapping`).
    pub fn python_names() -> Vec<(&'static str, Severity)> {
        let mut all: Vec<_> = PYTHON.iter().map(|(number, name)| (*name, Self(*number))).collect();
        all.extend([("WARN", Self::WARN), ("FATAL", Self::CRITICAL)]);
        all.extend(Self::added_names());
        all
    }

    fn added_names() -> Vec<(&'static str, Severity)> {
        let Some(names) = NAMES.get() else { return Vec::new() };
        names.read().by_name.iter().map(|(name, number)| (*name, Self(*number))).collect()
    }

    /// All names that parse, with their numbers, the standard ones first.
    pub fn names() -> Vec<(&'static str, Severity)> {
        let mut all: Vec<_> = STANDARD.iter().map(|(number, name)| (*name, Self(*number))).collect();
        all.extend(ALIASES.iter().map(|(name, number)| (*name, Self(*number))));
        all.push(("OFF", Self::OFF));
        all.extend(Self::added_names());
        all
    }

    /// The `tracing` level of an event with this severity: the highest one that is not above it (TRACE for everything below
    /// 10).
    #[inline]
    pub const fn level(self) -> Level {
        match self.0 {
            40.. => Level::ERROR,
            30.. => Level::WARN,
            20.. => Level::INFO,
            10.. => Level::DEBUG,
            _ => Level::TRACE,
        }
    }

    /// The severity code of RFC 5424, section 6.2.1, from 7 (debug) to 0 (emergency).
    pub const fn syslog(self) -> u8 {
        match self.0 {
            70.. => 0,
            60.. => 1,
            50.. => 2,
            40.. => 3,
            30.. => 4,
            25.. => 5,
            20.. => 6,
            _ => 7,
        }
    }

    /// From a syslog severity code; codes above 7 count as 7.
    pub const fn from_syslog(code: u8) -> Self {
        match code {
            0 => Self(70),
            1 => Self(60),
            2 => Self::CRITICAL,
            3 => Self::ERROR,
            4 => Self::WARN,
            5 => Self(25),
            6 => Self::INFO,
            _ => Self::DEBUG,
        }
    }

    /// The `SeverityNumber` of the OpenTelemetry log data model: 1–4 trace, 5–8 debug, 9–12 info, 13–16 warn,
    /// 17–20 error, 21–24 fatal; numbers between the standard ones spread over their group.
    pub const fn otel(self) -> u8 {
        const fn within(number: i32, from: i32, width: i32, first: u8) -> u8 {
            let step = (number - from) * 4 / width;
            first + if step > 3 { 3 } else { step as u8 }
        }
        match self.0 {
            50.. => within(if self.0 > 59 { 59 } else { self.0 }, 50, 10, 21),
            40.. => within(self.0, 40, 10, 17),
            30.. => within(self.0, 30, 10, 13),
            20.. => within(self.0, 20, 10, 9),
            10.. => within(self.0, 10, 10, 5),
            5.. => within(self.0, 5, 5, 1),
            _ => 1,
        }
    }

    /// From an OpenTelemetry `SeverityNumber`; 0 (unspecified) counts as INFO, numbers above 24 as 24.
    pub const fn from_otel(number: u8) -> Self {
        /// The lowest severity of a group's step.
        const fn nth(number: u8, first: u8, from: i32, width: i32) -> Severity {
            Severity(from + ((number - first) as i32 * width + 3) / 4)
        }
        match number {
            0 => Self::INFO,
            1..=4 => nth(number, 1, 5, 5),
            5..=8 => nth(number, 5, 10, 10),
            9..=12 => nth(number, 9, 20, 10),
            13..=16 => nth(number, 13, 30, 10),
            17..=20 => nth(number, 17, 40, 10),
            21..=24 => nth(number, 21, 50, 10),
            _ => Self::from_otel(24),
        }
    }
}

impl From<Level> for Severity {
    #[inline]
    fn from(level: Level) -> Self {
        match level {
            Level::TRACE => Self::TRACE,
            Level::DEBUG => Self::DEBUG,
            Level::INFO => Self::INFO,
            Level::WARN => Self::WARN,
            Level::ERROR => Self::ERROR,
        }
    }
}

impl From<&Level> for Severity {
    #[inline]
    fn from(level: &Level) -> Self {
        Self::from(*level)
    }
}

/// `LevelFilter::OFF` is [`Severity::OFF`].
impl From<LevelFilter> for Severity {
    fn from(filter: LevelFilter) -> Self {
        filter.into_level().map_or(Self::OFF, Self::from)
    }
}

/// A name in any case (`info`, `WARNING`, one that was added) or a number on Python's scale.
impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Some(found) = Self::by_name(text) {
            return Ok(found);
        }
        text.parse().map(Self).map_err(|error: std::num::ParseIntError| {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            if matches!(error.kind(), PosOverflow | NegOverflow) {
                return Error::config(format_args!(
                    "level {text:?}: expected a number from {} to {}",
                    i32::MIN,
                    i32::MAX
                ));
            }
            let hint = closest(text).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
            Error::config(format_args!(
                "unknown level {text:?}: expected off, critical, error, warn, info, debug, trace or a number{hint}"
            ))
        })
    }
}

/// The level name closest to a misspelt one, in lower case.
pub(crate) fn closest(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let near = |name: &str| crate::text::distance(&text, &name.to_ascii_lowercase());
    let (name, away) =
        Severity::names().into_iter().map(|(name, _)| (name, near(name))).min_by_key(|(_, away)| *away)?;
    (away <= 1 + text.len() / 4 && text.len() > 1).then(|| name.to_ascii_lowercase())
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("Level {}", self.0)),
        }
    }
}

impl fmt::Debug for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_docs() {
        let rows = [
            (5, Level::TRACE, 7, 1),
            (10, Level::DEBUG, 7, 5),
            (20, Level::INFO, 6, 9),
            (25, Level::INFO, 5, 11),
            (30, Level::WARN, 4, 13),
            (40, Level::ERROR, 3, 17),
            (50, Level::ERROR, 2, 21),
            (60, Level::ERROR, 1, 24),
            (70, Level::ERROR, 0, 24),
        ];
        for (number, level, syslog, otel) in rows {
            let severity = Severity::new(number);
            assert_eq!((severity.level(), severity.syslog(), severity.otel()), (level, syslog, otel), "{number}");
        }
    }

    #[test]
    fn otel_numbers_come_back() {
        for number in 1..=24 {
            assert_eq!(Severity::from_otel(number).otel(), number);
        }
    }

    #[test]
    fn severities_grow_with_their_number_everywhere() {
        for number in i32::from(i16::MIN)..200 {
            let (low, high) = (Severity::new(number), Severity::new(number + 1));
            assert!(low.otel() <= high.otel() && low.syslog() >= high.syslog() && low.level() >= high.level());
        }
    }

    #[test]
    fn unknown_names_are_named_with_a_suggestion() {
        let error = "wran".parse::<Severity>().unwrap_err().to_string();
        assert!(error.contains("\"wran\"") && error.contains("did you mean \"warn\""), "{error}");
        let error = "99999999999".parse::<Severity>().unwrap_err().to_string();
        assert!(error.contains("99999999999") && error.contains("from -2147483648"), "{error}");
    }
}
