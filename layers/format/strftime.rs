//! C's `strftime` in the C locale: Python's `datefmt`.

use std::{fmt::Write as _, time::SystemTime};

use super::{Time, digits::second};

/// A compiled format.
#[derive(Clone, Debug)]
pub(super) struct Strftime {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(Box<str>),
    /// A range of `YYYY-MM-DDTHH:MM:SS`.
    Digits(u8, u8),
    Field(char),
}

/// `%f` as milliseconds. No conversion of `strftime`.
const MILLIS: char = '3';

/// The expansion of a composed conversion.
fn composed(conversion: char) -> Option<&'static str> {
    Some(match conversion {
        'c' => "%a %b %e %H:%M:%S %Y",
        'x' | 'D' => "%m/%d/%y",
        'X' | 'T' => "%H:%M:%S",
        'F' => "%Y-%m-%d",
        'R' => "%H:%M",
        'r' => "%I:%M:%S %p",
        '+' => "%a %b %e %H:%M:%S %Z %Y",
        _ => return None,
    })
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Strftime {
    /// Any text is a format; an unknown conversion is literal text, as in glibc.
    pub(super) fn new(format: &str) -> Self {
        let mut parts = Vec::new();
        read(format, &mut parts);
        Self { parts: parts.into() }
    }

    /// `%f` as three digits.
    pub(super) fn fraction_in_millis(mut self) -> Self {
        for part in &mut self.parts {
            if *part == Part::Field('f') {
                *part = Part::Field(MILLIS);
            }
        }
        self
    }

    pub(super) fn write(&self, time: SystemTime, zone: &Time, out: &mut String) {
        let (local, offset, nanos) = zone.local_seconds(time);
        let digits = second(local);
        // ASCII digits and signs.
        let digits = std::str::from_utf8(&digits[..19]).unwrap_or_default();
        let mut date = None;
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Digits(from, to) => out.push_str(&digits[usize::from(*from)..usize::from(*to)]),
                Part::Field('Z') => zone.push_zone_name(time, out),
                Part::Field('s') => out.push_str(itoa::Buffer::new().format(local - i64::from(offset))),
                Part::Field('z') => {
                    let minutes = offset.unsigned_abs() / 60;
                    let sign = if offset < 0 { '-' } else { '+' };
                    // Writing to a text does not fail.
                    write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60).unwrap_or_default();
                }
                Part::Field('f') => write!(out, "{:06}", nanos / 1_000).unwrap_or_default(),
                Part::Field(MILLIS) => write!(out, "{:03}", nanos / 1_000_000).unwrap_or_default(),
                Part::Field(conversion) => {
                    date.get_or_insert_with(|| Date::new(digits, local)).write(*conversion, out);
                }
            }
        }
    }
}

fn read(format: &str, parts: &mut Vec<Part>) {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        literal(parts, &rest[..at]);
        let mut after = rest[at + 1..].chars();
        // `%E` and `%O` select another calendar or other digits, which the C locale does not have.
        let conversion = match after.next() {
            Some('E' | 'O') if after.as_str().starts_with(|c: char| c.is_ascii_alphabetic()) => after.next(),
            other => other,
        };
        let whole = &rest[at..rest.len() - after.as_str().len()];
        rest = after.as_str();
        let Some(conversion) = conversion else {
            literal(parts, whole);
            break;
        };
        if let Some(format) = composed(conversion) {
            read(format, parts);
            continue;
        }
        match conversion {
            'Y' => parts.push(Part::Digits(0, 4)),
            'C' => parts.push(Part::Digits(0, 2)),
            'y' => parts.push(Part::Digits(2, 4)),
            'm' => parts.push(Part::Digits(5, 7)),
            'd' => parts.push(Part::Digits(8, 10)),
            'H' => parts.push(Part::Digits(11, 13)),
            'M' => parts.push(Part::Digits(14, 16)),
            'S' => parts.push(Part::Digits(17, 19)),
            '%' => literal(parts, "%"),
            'n' => literal(parts, "\n"),
            't' => literal(parts, "\t"),
            'a' | 'A' | 'b' | 'B' | 'h' | 'e' | 'f' | 'g' | 'G' | 'I' | 'j' | 'k' | 'l' | 'p' | 'P' | 's' | 'u'
            | 'U' | 'V' | 'w' | 'W' | 'z' | 'Z' => parts.push(Part::Field(conversion)),
            _ => literal(parts, whole),
        }
    }
    literal(parts, rest);
}

fn literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(before)) => *before = format!("{before}{text}").into(),
        _ => parts.push(Part::Literal(text.into())),
    }
}

/// The values that are not in the digits.
struct Date {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    /// 0 is Sunday.
    weekday: i64,
    /// From 0.
    yearday: i64,
}

impl Date {
    fn new(digits: &str, local: i64) -> Self {
        let number = |from: usize, to: usize| digits[from..to].parse().unwrap_or_default();
        let (year, month, day): (i64, i64, i64) = (number(0, 4), number(5, 7), number(8, 10));
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let month = usize::try_from(month - 1).unwrap_or_default().min(11);
        let yearday = before[month] + day - 1 + i64::from(month > 1 && is_leap(year));
        // 1970-01-01 was a Thursday.
        let weekday = (local.div_euclid(86_400) + 4).rem_euclid(7);
        Self { year, month, day, hour: number(11, 13), weekday, yearday }
    }

    fn write(&self, conversion: char, out: &mut String) {
        let weekday = DAYS[usize::try_from(self.weekday).unwrap_or_default() % 7];
        let hour = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
        let written = match conversion {
            'a' => write!(out, "{weekday:.3}"),
            'A' => write!(out, "{weekday}"),
            'b' | 'h' => write!(out, "{:.3}", MONTHS[self.month]),
            'B' => write!(out, "{}", MONTHS[self.month]),
            'e' => write!(out, "{:2}", self.day),
            'I' => write!(out, "{hour:02}"),
            'k' => write!(out, "{:2}", self.hour),
            'l' => write!(out, "{hour:2}"),
            'j' => write!(out, "{:03}", self.yearday + 1),
            'p' => write!(out, "{}", if self.hour < 12 { "AM" } else { "PM" }),
            'P' => write!(out, "{}", if self.hour < 12 { "am" } else { "pm" }),
            'u' => write!(out, "{}", (self.weekday + 6) % 7 + 1),
            'w' => write!(out, "{}", self.weekday),
            // Weeks that begin on Sunday, on Monday.
            'U' => write!(out, "{:02}", (self.yearday + 7 - self.weekday) / 7),
            'W' => write!(out, "{:02}", (self.yearday + 7 - (self.weekday + 6) % 7) / 7),
            'V' => write!(out, "{:02}", self.iso().1),
            'G' => write!(out, "{}", self.iso().0),
            'g' => write!(out, "{:02}", self.iso().0.rem_euclid(100)),
            _ => Ok(()),
        };
        // Writing to a text does not fail.
        written.unwrap_or_default();
    }

    /// Year and week of ISO 8601: a week belongs to the year of its Thursday.
    fn iso(&self) -> (i64, i64) {
        let monday_first = (self.weekday + 6) % 7;
        let week = (self.yearday - monday_first + 10) / 7;
        if week < 1 {
            return (self.year - 1, weeks(self.year - 1));
        }
        if week > weeks(self.year) { (self.year + 1, 1) } else { (self.year, week) }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn weeks(year: i64) -> i64 {
    // The weekday of December 31st, counted from Sunday.
    let last = |year: i64| (year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)).rem_euclid(7);
    if last(year) == 4 || last(year - 1) == 3 { 53 } else { 52 }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use jiff::{Timestamp, fmt::strtime};

    use super::*;

    fn text(format: &str, seconds: u64) -> String {
        let mut out = String::new();
        Strftime::new(format).write(UNIX_EPOCH + Duration::from_secs(seconds), &Time::utc(), &mut out);
        out
    }

    /// jiff's own conversions are another implementation of the same standard.
    #[test]
    fn every_day_of_a_cycle_is_as_another_implementation_has_it() {
        const SAME: &str =
            "%Y %C %y %m %d %e %H %M %S %j %a %A %b %B %h %I %k %l %p %P %u %w %U %W %V %G %g %D %F %T %R %s %%";
        for day in (0..20_000_u32).chain([40_000, 60_000, 100_000]) {
            let seconds = u64::from(day) * 86_400 + u64::from(day) * 7_919 % 86_400;
            let stamp = Timestamp::from_second(seconds.cast_signed()).unwrap();
            let other = strtime::format(SAME, &stamp.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
            assert_eq!(text(SAME, seconds), other);
        }
    }

    #[test]
    fn the_c_locale_and_what_is_no_conversion() {
        for (format, expected) in [
            ("%c|%x|%X|%r", "Tue Mar  5 12:00:00 2024|03/05/24|12:00:00|12:00:00 PM"),
            ("%Z %z", "UTC +0000"),
            ("%f", "000000"),
            ("%Ey %Od", "24 05"),
            ("a%qb%", "a%qb%"),
            ("", ""),
        ] {
            assert_eq!(text(format, 1_709_640_000), expected);
        }
    }
}
