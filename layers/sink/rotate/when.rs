//! When files end: the grid of the wall clock, or Python's counting from the last rollover.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday as CivilWeekday},
    tz::TimeZone,
};

use crate::Error;

/// How often a [`RotatingFile`](crate::output::RotatingFile) is rotated. Parses from Python's `when` strings, in any case.
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
/// The name is the time at which the file began, in the zone of the schedule.
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
    /// Every day. On [`Alignment::Clock`] the same as [`Midnight`](Self::Midnight); on [`Alignment::Rollover`] 24 hours.
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

/// From Python's text; the errors are Python's, too.
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
    /// The parts of a date in a name: digits per part and what is between them.
    fn pattern(self) -> &'static str {
        match self {
            Self::Second => "0000-00-00_00-00-00",
            Self::Minute => "0000-00-00_00-00",
            Self::Hour => "0000-00-00_00",
            Self::Day | Self::Midnight | Self::Weekly(_) => "0000-00-00",
        }
    }

    /// How many bytes at the beginning of `text` are a date in a name.
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

    fn is_daily(self) -> bool {
        matches!(self, Self::Midnight | Self::Weekly(_))
    }
}

/// A time of day, for [`at_time`](crate::output::RotatingFileBuilder::at_time). Parses from `HH:MM` and `HH:MM:SS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay {
    seconds: u32,
}

impl TimeOfDay {
    /// Midnight.
    pub const MIDNIGHT: Self = Self { seconds: 0 };

    /// From its parts.
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

/// From where intervals are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alignment {
    /// The wall clock (the default): an hourly file ends with the hour, one of every two hours with the even hours. A
    /// restart changes nothing.
    ///
    /// Several seconds, minutes or hours are counted from midnight where a day is a multiple of them, days from 1970-01-01,
    /// weeks from the first such day in 1970. Where the zone changes its offset, a file of seconds, minutes or hours ends
    /// as well, so that a repeated hour is a file of its own.
    #[default]
    Clock,
    /// The last rollover, as Python does: `when='H'` ends a file one hour after the record that began it. With a restart, the
    /// count begins at the time the file was last written. `midnight` and `W0`–`W6` are those of the clock all the same.
    Rollover,
}

/// From when to when a file lasts, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// When files end.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) when: When,
    pub(crate) interval: u32,
    pub(crate) at: Option<TimeOfDay>,
    pub(crate) grid: Alignment,
    pub(crate) zone: TimeZone,
}

const DAY: i64 = 24 * 60 * 60;

impl Schedule {
    /// The period of a file that begins at a moment. It ends strictly later.
    pub(super) fn period(&self, now: i64) -> Period {
        // Where the calendar ends, files go on for ever.
        let (first, last) = (Timestamp::MIN.as_second() + 2 * DAY, Timestamp::MAX.as_second() - 2 * DAY);
        if now > last {
            return Period { start: last, end: i64::MAX };
        }
        self.within_the_calendar(now.max(first))
    }

    fn within_the_calendar(&self, now: i64) -> Period {
        let unit = match self.when {
            When::Second => 1,
            When::Minute => 60,
            When::Hour => 3600,
            When::Day if self.grid == Alignment::Rollover => DAY,
            When::Day | When::Midnight | When::Weekly(_) => return self.of_days(now),
        };
        let length = unit * i64::from(self.interval.max(1));
        match self.grid {
            Alignment::Clock => self.of_clock(now, length),
            Alignment::Rollover => Period { start: now, end: now + length },
        }
    }

    /// How far the clock may go back without being a different time altogether.
    pub(super) fn low(&self, period: Period) -> i64 {
        period.start.saturating_sub(period.end.saturating_sub(period.start).max(2 * 3600))
    }

    fn of_clock(&self, now: i64, length: i64) -> Period {
        let at = timestamp(now);
        let offset = self.zone.to_offset(at);
        let ahead = i64::from(offset.seconds());
        let mut start = (now + ahead).div_euclid(length) * length - ahead;
        let mut end = start + length;
        for transition in self.zone.preceding(timestamp(now + 1)) {
            let moment = transition.timestamp().as_second();
            if moment <= start {
                break;
            }
            if self.zone.to_offset(timestamp(moment - 1)) != transition.offset() {
                start = moment;
                break;
            }
        }
        for transition in self.zone.following(at) {
            let moment = transition.timestamp().as_second();
            if moment >= end {
                break;
            }
            if transition.offset() != offset {
                end = moment;
                break;
            }
        }
        Period { start, end }
    }

    /// Days and weeks have the true local time at their ends, however long they are.
    fn of_days(&self, now: i64) -> Period {
        let (unit, first) = match (self.when, self.at) {
            (When::Weekly(day), None) => (7, days_to(day) + 1),
            (When::Weekly(day), Some(_)) => (7, days_to(day)),
            _ => (1, 0),
        };
        let count = i64::from(self.interval.max(1));
        let step = match self.grid {
            Alignment::Clock => unit * count,
            Alignment::Rollover => unit,
        };
        let today = day_number(self.zone.to_datetime(timestamp(now)).date());
        let mut day = (today - first).div_euclid(step) * step + first;
        while self.begins(day) > now {
            day -= step;
        }
        let mut next = day + step;
        while self.begins(next) <= now {
            (day, next) = (next, next + step);
        }
        if self.grid == Alignment::Rollover {
            // As Python names it: the end less the whole interval, which may be before the file was begun.
            next += (count - 1) * unit;
            day = next - count * unit;
        }
        Period { start: self.begins(day), end: self.begins(next) }
    }

    /// The moment at which a day, counted from 1970-01-01, has the time of day. One that is skipped comes after the gap.
    fn begins(&self, day: i64) -> i64 {
        let at = i64::from(self.at.unwrap_or_default().seconds);
        let moment = timestamp(day.saturating_mul(DAY).saturating_add(at));
        let civil = TimeZone::UTC.to_datetime(moment);
        let moment = self.zone.to_ambiguous_timestamp(civil).compatible().unwrap_or(moment);
        moment.as_second()
    }

    /// How a file that began at a moment ends its name.
    pub(super) fn date(&self, start: i64) -> String {
        let at = self.zone.to_datetime(timestamp(start));
        let mut date = format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day());
        let parts = match self.when {
            When::Second => 3,
            When::Minute => 2,
            When::Hour => 1,
            When::Day | When::Midnight | When::Weekly(_) => 0,
        };
        for (part, before) in [at.hour(), at.minute(), at.second()].iter().zip(["_", "-", "-"]).take(parts) {
            date.push_str(before);
            date.push_str(&format!("{part:02}"));
        }
        date
    }

    /// Whether a time of day makes a difference.
    pub(crate) fn takes_a_time_of_day(&self) -> bool {
        self.when.is_daily()
    }
}

/// Times out of the calendar's reach are its ends.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn day_number(date: Date) -> i64 {
    let midnight = date.at(0, 0, 0, 0);
    TimeZone::UTC.to_timestamp(midnight).map_or(0, |moment| moment.as_second().div_euclid(DAY))
}

/// From 1970-01-01, a Thursday, to the first such day.
fn days_to(day: Weekday) -> i64 {
    let offset = CivilWeekday::Thursday.to_monday_zero_offset();
    (i64::from(day as u8) - i64::from(offset)).rem_euclid(7)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(when: &str, zone: &str) -> Schedule {
        Schedule {
            when: when.parse().unwrap(),
            interval: 1,
            at: None,
            grid: Alignment::Clock,
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The names and lengths in minutes of the files from one moment to another.
    fn files(schedule: &Schedule, from: &str, until: &str) -> Vec<(String, i64)> {
        let (mut now, until) = (at(from), at(until));
        let mut files = Vec::new();
        while now < until {
            let period = schedule.period(now);
            assert!(period.start <= now && now < period.end, "{period:?} at {now}");
            files.push((schedule.date(period.start), (period.end - period.start) / 60));
            now = period.end;
        }
        files
    }

    fn names(files: Vec<(String, i64)>) -> Vec<String> {
        files.into_iter().map(|(name, minutes)| format!("{name} {minutes}")).collect()
    }

    #[test]
    fn t33_hours_in_berlin_both_ways() {
        let schedule = schedule("H", "Europe/Berlin");
        let autumn = files(&schedule, "2024-10-26T23:00:00Z", "2024-10-27T03:00:00Z");
        assert_eq!(names(autumn), ["2024-10-27_01 60", "2024-10-27_02 60", "2024-10-27_02 60", "2024-10-27_03 60"]);
        let spring = files(&schedule, "2024-03-30T23:30:00Z", "2024-03-31T03:00:00Z");
        assert_eq!(names(spring), ["2024-03-31_00 60", "2024-03-31_01 60", "2024-03-31_03 60", "2024-03-31_04 60"]);
    }

    #[test]
    fn t33_several_hours_end_with_the_offset_and_meet_the_grid_again() {
        let schedule = Schedule { interval: 2, ..schedule("H", "Europe/Berlin") };
        let autumn = files(&schedule, "2024-10-26T22:00:00Z", "2024-10-27T05:00:00Z");
        assert_eq!(names(autumn), ["2024-10-27_00 120", "2024-10-27_02 60", "2024-10-27_02 120", "2024-10-27_04 120"]);
    }

    #[test]
    fn t33_half_an_hour_on_lord_howe() {
        let schedule = schedule("H", "Australia/Lord_Howe");
        let autumn = files(&schedule, "2024-04-06T14:00:00Z", "2024-04-06T16:30:00Z");
        assert_eq!(names(autumn), ["2024-04-07_01 60", "2024-04-07_01 30", "2024-04-07_02 60"]);
        let spring = files(&schedule, "2024-10-05T14:30:00Z", "2024-10-05T17:00:00Z");
        assert_eq!(names(spring), ["2024-10-06_01 60", "2024-10-06_02 30", "2024-10-06_03 60"]);
    }

    #[test]
    fn t33_days_whose_midnight_is_skipped_or_comes_twice() {
        // Midnight of 4 November 2018 was 01:00; 17 February had 25 hours, the last of them twice.
        let brazil = schedule("midnight", "America/Sao_Paulo");
        let spring = files(&brazil, "2018-11-03T12:00:00Z", "2018-11-06T00:00:00Z");
        assert_eq!(names(spring), ["2018-11-03 1440", "2018-11-04 1380", "2018-11-05 1440"]);
        assert_eq!(brazil.period(at("2018-11-03T12:00:00Z")).end, at("2018-11-04T03:00:00Z"));
        let autumn = files(&brazil, "2018-02-17T12:00:00Z", "2018-02-19T12:00:00Z");
        assert_eq!(names(autumn), ["2018-02-17 1500", "2018-02-18 1440", "2018-02-19 1440"]);
        // Midnight of 3 November 2024 came twice in Havana; that of 10 March was skipped.
        let cuba = schedule("midnight", "America/Havana");
        let autumn = files(&cuba, "2024-11-02T12:00:00Z", "2024-11-04T12:00:00Z");
        assert_eq!(names(autumn), ["2024-11-02 1440", "2024-11-03 1500", "2024-11-04 1440"]);
        let spring = files(&cuba, "2024-03-09T12:00:00Z", "2024-03-11T12:00:00Z");
        assert_eq!(names(spring), ["2024-03-09 1440", "2024-03-10 1380", "2024-03-11 1440"]);
        // Samoa had no 30 December 2011 at all.
        let samoa = files(&schedule("D", "Pacific/Apia"), "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
        assert_eq!(names(samoa), ["2011-12-29 1440", "2011-12-31 1440", "2012-01-01 1440"]);
    }

    #[test]
    fn rule_16_6_a_week_ends_with_its_day() {
        let monday = schedule("W0", "UTC");
        let period = monday.period(at("2024-03-05T12:00:00Z"));
        assert_eq!((period.start, period.end), (at("2024-03-05T00:00:00Z"), at("2024-03-12T00:00:00Z")));
        // On the day itself: until its end.
        assert_eq!(monday.period(at("2024-03-11T23:59:59Z")).end, at("2024-03-12T00:00:00Z"));
        let python = Schedule { grid: Alignment::Rollover, ..monday };
        assert_eq!(python.period(at("2024-03-05T12:00:00Z")), period);
    }

    #[test]
    fn rule_16_8_a_time_of_day() {
        let at_ten = Some("10:00".parse().unwrap());
        let week = Schedule { at: at_ten, ..schedule("W0", "UTC") };
        assert_eq!(week.period(at("2024-03-11T09:59:59Z")).end, at("2024-03-11T10:00:00Z"));
        assert_eq!(week.period(at("2024-03-11T10:00:00Z")).end, at("2024-03-18T10:00:00Z"));
        let day = Schedule { at: at_ten, ..schedule("midnight", "UTC") };
        assert_eq!(day.period(at("2024-03-11T09:00:00Z")).end, at("2024-03-11T10:00:00Z"));
        assert_eq!(day.period(at("2024-03-11T10:00:00Z")).end, at("2024-03-12T10:00:00Z"));
        assert_eq!(day.date(day.period(at("2024-03-11T09:00:00Z")).start), "2024-03-10");
    }

    #[test]
    fn rule_16_15_every_third_midnight() {
        let python = Schedule { interval: 3, grid: Alignment::Rollover, ..schedule("midnight", "Europe/Berlin") };
        let period = python.period(at("2024-03-29T12:00:00Z"));
        assert_eq!(period.end, at("2024-03-31T22:00:00Z"), "the third midnight, in summer time already");
        assert_eq!(python.date(period.start), "2024-03-29");
        let clock = Schedule { grid: Alignment::Clock, ..python };
        let ends: Vec<_> = files(&clock, "2024-03-29T12:00:00Z", "2024-04-05T12:00:00Z");
        assert!(ends[1..].iter().all(|(_, minutes)| (3 * 1440 - 60..=3 * 1440).contains(minutes)), "{ends:?}");
    }

    #[test]
    fn t34_clocks_beyond_the_calendar() {
        for when in ["S", "H", "D", "midnight", "W6"] {
            for interval in [1, u32::MAX] {
                for grid in [Alignment::Clock, Alignment::Rollover] {
                    for zone in ["UTC", "Pacific/Kiritimati", "America/Havana"] {
                        let schedule = Schedule { interval, grid, ..schedule(when, zone) };
                        for now in [i64::MAX, i64::MAX / 4, 253_402_207_200, 0, -377_705_023_201, i64::MIN] {
                            let period = schedule.period(now);
                            assert!(period.end > now || now == i64::MAX, "{schedule:?} {now}");
                            assert!(schedule.low(period) < period.end && !schedule.date(period.start).is_empty());
                        }
                    }
                }
            }
        }
    }

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

    proptest! {
        /// Wherever and whenever: a period holds its moment, ends strictly later, and the next begins where it ends.
        #[test]
        fn t33_periods_follow_each_other(
            zone in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut",
                "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "Antarctica/Troll",
            ]),
            when in prop::sample::select(vec!["S", "M", "H", "D", "midnight", "W0", "W3", "W6"]),
            interval in prop::sample::select(vec![1_u32, 2, 3, 5, 7, 12, 24, 36, 1000]),
            at in prop::option::of(0..86_400_u32),
            now in prop_oneof![9 => 0..4_000_000_000_i64, 1 => -300_000_000_000..250_000_000_000_i64],
        ) {
            let at = at.map(|seconds| TimeOfDay { seconds });
            let schedule = Schedule { interval, at, ..schedule(when, zone) };
            let mut period = schedule.period(now);
            for _ in 0..5 {
                prop_assert!(period.start < period.end);
                let next = schedule.period(period.end);
                prop_assert_eq!(next.start, period.end);
                prop_assert_eq!(schedule.period(next.end - 1), next);
                period = next;
            }
            prop_assert!(schedule.period(now).start <= now && schedule.period(now).end > now);
            let python = Schedule { grid: Alignment::Rollover, ..schedule };
            prop_assert!(python.period(now).end > now);
        }
    }
}
