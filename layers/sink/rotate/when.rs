//! How often files rotate: by the wall clock, or as Python counts from the last rollover.

use std::{fmt, str::FromStr};

use jiff::civil::DateTime;

use crate::Error;

/// How often a [`RotatingFile`](crate::output::RotatingFile) starts a new file. Parses Python's `when` strings in any
/// case.
///
/// | Python | here | a file ends (on [`Alignment::Clock`]) | its name ends in |
/// |---|---|---|---|
/// | `S` | [`When::Second`] | with the second | `.2024-03-05_12-00-05` |
/// | `M` | [`When::Minute`] | with the minute | `.2024-03-05_12-00` |
/// | `H` | [`When::Hour`] | with the hour | `.2024-03-05_12` |
/// | `D` | [`When::Day`] | at midnight | `.2024-03-05` |
/// | `midnight` | [`When::Midnight`] | at midnight, or at a time of day | `.2024-03-05` |
/// | `W0` … `W6` | [`When::Weekly`] | at the midnight that ends the day (`W0`: Monday), or on the day at a time | `.2024-03-05` |
///
/// The name has the time at which the file began, in the configured time zone.
///
/// ```
/// use tracing_strata::output::{When, Weekday};
///
/// assert_eq!("midnight".parse::<When>()?, When::Midnight);
/// assert_eq!("w6".parse::<When>()?, When::Weekly(Weekday::Sunday));
/// assert_eq!("W7".parse::<When>().unwrap_err().to_string(), "Invalid day specified for weekly rollover: W7");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// Every second.
    Second,
    /// Every minute.
    Minute,
    /// Every hour; Python's default.
    #[default]
    Hour,
    /// Every day. On [`Alignment::Clock`] the same as [`Midnight`](Self::Midnight); on [`Alignment::Rollover`] 24
    /// hours.
    Day,
    /// Every midnight, or every day at a [time of day](crate::output::RotatingFileBuilder::at_time).
    Midnight,
    /// Every week at the end of a day, or on that day at a [time of day](crate::output::RotatingFileBuilder::at_time).
    Weekly(Weekday),
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "nothing to add")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];
}

/// Parses Python's text, with Python's error messages.
impl FromStr for When {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let upper = text.to_uppercase();
        Ok(match upper.as_str() {
            "S" => Self::Second,
            "M" => Self::Minute,
            "H" => Self::Hour,
            "D" => Self::Day,
            "MIDNIGHT" => Self::Midnight,
            weekly if weekly.starts_with('W') => {
                let mut rest = weekly.chars().skip(1);
                let (Some(day), None) = (rest.next(), rest.next()) else {
                    return Err(Error::config(format_args!(
                        "You must specify a day for weekly rollover from 0 to 6 (0 is Monday): {upper}"
                    )));
                };
                let day = day.to_digit(10).and_then(|day| Weekday::ALL.get(day as usize));
                let Some(day) = day else {
                    return Err(Error::config(format_args!("Invalid day specified for weekly rollover: {upper}")));
                };
                Self::Weekly(*day)
            }
            _ => {
                return Err(Error::config(format_args!(
                    "Invalid rollover interval specified: {upper} (expected S, M, H, D, MIDNIGHT or W0 to W6, Monday to Sunday)"
                )));
            }
        })
    }
}

/// As Python writes it.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Second => f.write_str("S"),
            Self::Minute => f.write_str("M"),
            Self::Hour => f.write_str("H"),
            Self::Day => f.write_str("D"),
            Self::Midnight => f.write_str("midnight"),
            Self::Weekly(day) => write!(f, "W{}", *day as u8),
        }
    }
}

impl When {
    /// The pattern of a date in a name; `0` stands for a digit.
    fn pattern(self) -> &'static str {
        match self {
            Self::Second => "0000-00-00_00-00-00",
            Self::Minute => "0000-00-00_00-00",
            Self::Hour => "0000-00-00_00",
            Self::Day | Self::Midnight | Self::Weekly(_) => "0000-00-00",
        }
    }

    /// The length of the date in a name with which `text` begins.
    pub(super) fn date_in_name(self, text: &[u8]) -> Option<usize> {
        let pattern = self.pattern().as_bytes();
        let date = text.get(..pattern.len())?;
        let fits = date.iter().zip(pattern).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
        let number = |from: usize| -> i16 {
            let digits = date.get(from..from + if from == 0 { 4 } else { 2 }).unwrap_or_default();
            digits.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'))
        };
        if !fits {
            return None;
        }
        let part = |from: usize| i8::try_from(number(from)).unwrap_or(-1);
        DateTime::new(number(0), part(5), part(8), part(11), part(14), part(17), 0).ok()?;
        Some(pattern.len())
    }

    pub(super) fn is_daily(self) -> bool {
        matches!(self, Self::Midnight | Self::Weekly(_))
    }
}

/// A time of day, for [`at_time`](crate::output::RotatingFileBuilder::at_time). Parses `HH:MM` and `HH:MM:SS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay {
    pub(super) seconds: u32,
}

impl TimeOfDay {
    /// Midnight.
    pub const MIDNIGHT: Self = Self { seconds: 0 };

    /// A time of day from its parts.
    ///
    /// # Errors
    /// The hour is above 23, the minute or the second above 59.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Self, Error> {
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Error::config(format_args!(
                "{hour:02}:{minute:02}:{second:02}: expected a time of day from 00:00:00 to 23:59:59"
            )));
        }
        Ok(Self { seconds: (u32::from(hour) * 60 + u32::from(minute)) * 60 + u32::from(second) })
    }
}

impl FromStr for TimeOfDay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split(':').collect();
        let numbers: Option<Vec<u8>> = parts
            .iter()
            .map(|part| part.parse().ok().filter(|_| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())))
            .collect();
        match numbers.as_deref() {
            Some([hour, minute]) => Self::new(*hour, *minute, 0),
            Some([hour, minute, second]) => Self::new(*hour, *minute, *second),
            _ => Err(Error::config(format_args!("{text:?}: expected a time of day as HH:MM or HH:MM:SS"))),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds } = self;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// Where intervals are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alignment {
    /// The wall clock (the default): an hourly file ends with the hour, a two-hourly file with the even hours. A
    /// restart changes nothing.
    ///
    /// Several seconds, minutes or hours are counted from midnight if a day is a multiple of them, days from
    /// 1970-01-01, weeks from the first such weekday in 1970. When the zone changes its offset, a file of seconds,
    /// minutes or hours also ends, so that a repeated hour is a file of its own.
    #[default]
    Clock,
    /// The last rollover, as in Python: `when='H'` ends a file one hour after the record that began it. After a
    /// restart, the count begins at the time the file was last written. `midnight` and `W0`–`W6` still follow the
    /// clock.
    Rollover,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dates() {
        let hour = When::Hour;
        assert_eq!(hour.date_in_name(b"2024-03-05_12.gz"), Some(13));
        for wrong in ["2024-03-05_1", "2024-13-05_12", "2024-02-30_12", "2024-03-05_24", "2024-03-05-12", "24-03-05_12"]
        {
            assert_eq!(hour.date_in_name(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(When::Midnight.date_in_name(b"2024-03-05_12"), Some(10));
        assert_eq!(When::Second.date_in_name(b"2024-03-05_12-59-59"), Some(19));
    }

    #[test]
    fn times_of_day() {
        assert_eq!("03:30".parse::<TimeOfDay>().unwrap().to_string(), "03:30:00");
        for wrong in ["", "3:30", "24:00", "03:30:60", "03", "03:30:00:00", "+3:30"] {
            assert!(wrong.parse::<TimeOfDay>().unwrap_err().is_config(), "{wrong}");
        }
    }
}
