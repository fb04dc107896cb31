//! Which period a file covers, and the date in its name.

use jiff::{
    Timestamp,
    civil::{Date, Weekday as CivilWeekday},
    tz::TimeZone,
};

use super::when::{Alignment, TimeOfDay, Weekday, When};

/// The time a file covers, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// When files rotate.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) when: When,
    pub(crate) interval: u32,
    pub(crate) at: Option<TimeOfDay>,
    pub(crate) alignment: Alignment,
    pub(crate) zone: TimeZone,
}

const DAY: i64 = 24 * 60 * 60;

impl Schedule {
    /// The period that contains `now`. It ends strictly later.
    pub(super) fn period(&self, now: i64) -> Period {
        // Beyond the calendar, a file never ends.
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
            When::Day if self.alignment == Alignment::Rollover => DAY,
            When::Day | When::Midnight | When::Weekly(_) => return self.of_days(now),
        };
        let length = unit * i64::from(self.interval.max(1));
        match self.alignment {
            Alignment::Clock => self.of_clock(now, length),
            Alignment::Rollover => Period { start: now, end: now + length },
        }
    }

    /// How far the clock may go back before the period is computed again.
    pub(super) fn valid_from(&self, period: Period) -> i64 {
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

    /// Days and weeks end at a local time, however long they are.
    fn of_days(&self, now: i64) -> Period {
        let (unit, first) = match (self.when, self.at) {
            (When::Weekly(day), None) => (7, days_to(day) + 1),
            (When::Weekly(day), Some(_)) => (7, days_to(day)),
            _ => (1, 0),
        };
        let count = i64::from(self.interval.max(1));
        let step = match self.alignment {
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
        if self.alignment == Alignment::Rollover {
            // Python's name: the end minus the whole interval, which may be before the file began.
            next += (count - 1) * unit;
            day = next - count * unit;
        }
        Period { start: self.begins(day), end: self.begins(next) }
    }

    /// The moment of the time of day on a day counted from 1970-01-01. A skipped time is moved behind the gap.
    fn begins(&self, day: i64) -> i64 {
        let at = i64::from(self.at.unwrap_or_default().seconds);
        let moment = timestamp(day.saturating_mul(DAY).saturating_add(at));
        let civil = TimeZone::UTC.to_datetime(moment);
        let moment = self.zone.to_ambiguous_timestamp(civil).compatible().unwrap_or(moment);
        moment.as_second()
    }

    /// The date in the name of a file that began at `start`.
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

    /// Whether a time of day has an effect.
    pub(crate) fn takes_a_time_of_day(&self) -> bool {
        self.when.is_daily()
    }
}

/// Clamped to the calendar.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn day_number(date: Date) -> i64 {
    let midnight = date.at(0, 0, 0, 0);
    TimeZone::UTC.to_timestamp(midnight).map_or(0, |moment| moment.as_second().div_euclid(DAY))
}

/// Days from 1970-01-01, a Thursday, to the first such weekday.
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
            alignment: Alignment::Clock,
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
        let python = Schedule { alignment: Alignment::Rollover, ..monday };
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
        let python = Schedule { interval: 3, alignment: Alignment::Rollover, ..schedule("midnight", "Europe/Berlin") };
        let period = python.period(at("2024-03-29T12:00:00Z"));
        assert_eq!(period.end, at("2024-03-31T22:00:00Z"), "the third midnight, in summer time already");
        assert_eq!(python.date(period.start), "2024-03-29");
        let clock = Schedule { alignment: Alignment::Clock, ..python };
        let ends: Vec<_> = files(&clock, "2024-03-29T12:00:00Z", "2024-04-05T12:00:00Z");
        assert!(ends[1..].iter().all(|(_, minutes)| (3 * 1440 - 60..=3 * 1440).contains(minutes)), "{ends:?}");
    }

    #[test]
    fn t34_clocks_beyond_the_calendar() {
        for when in ["S", "H", "D", "midnight", "W6"] {
            for interval in [1, u32::MAX] {
                for alignment in [Alignment::Clock, Alignment::Rollover] {
                    for zone in ["UTC", "Pacific/Kiritimati", "America/Havana"] {
                        let schedule = Schedule { interval, alignment, ..schedule(when, zone) };
                        for now in [i64::MAX, i64::MAX / 4, 253_402_207_200, 0, -377_705_023_201, i64::MIN] {
                            let period = schedule.period(now);
                            assert!(period.end > now || now == i64::MAX, "{schedule:?} {now}");
                            assert!(
                                schedule.valid_from(period) < period.end && !schedule.date(period.start).is_empty()
                            );
                        }
                    }
                }
            }
        }
    }

    proptest! {
        /// In any zone, at any time: a period contains its moment and ends later, and the next begins where it ends.
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
            let python = Schedule { alignment: Alignment::Rollover, ..schedule };
            prop_assert!(python.period(now).end > now);
        }
    }
}
