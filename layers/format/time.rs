//! Writes the time of a record.

use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::{
    fmt::{StdFmtWrite, strtime::BrokenDownTime},
    tz::TimeZone,
};

#[cfg(feature = "locales")]
use super::locale;
use super::{
    digits::{Aligned, Digits, FIRST, LAST, put, second},
    offsets::{Offsets, timestamp},
};
use crate::{Error, record::logging_start};

/// How the time of a record is written: zone, precision, or a number.
///
/// | constructor | text | default precision |
/// |---|---|---|
/// | [`utc`](Self::utc) | `2026-11-20T15:17:16.123456Z` (RFC 3339) | microseconds |
/// | [`local`](Self::local), [`zone`](Self::zone) | `2026-11-20T16:17:16.123456+01:00` (RFC 3339) | microseconds |
/// | [`time_of_day`](Self::time_of_day) | `16:17:16.123` | milliseconds |
/// | [`unix_seconds`](Self::unix_seconds) | `1795187836`, with [`millis`](Self::millis) `1795187836.123` | seconds |
/// | [`unix_millis`](Self::unix_millis) | `1795187836123` | milliseconds |
/// | [`unix_micros`](Self::unix_micros) | `1795187836123456` | microseconds |
/// | [`unix_nanos`](Self::unix_nanos) | `1795187836123456000` | nanoseconds |
/// | [`since_start`](Self::since_start), [`since`](Self::since) | `12.345`: seconds since the start of logging, or since a moment | milliseconds |
/// | [`none`](Self::none) | nothing | |
///
/// Times are truncated to the precision, towards the past, also before 1970. RFC 3339 has the years 0000 to 9999: a time
/// outside is written as the first or last moment inside.
///
/// Python: `Formatter(datefmt=…)`, `formatTime`, `converter`. Python's default is local time without an offset, which
/// cannot be read back; the default here is UTC.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tracing_strata::format::Time;
///
/// let moment = UNIX_EPOCH + Duration::new(1_795_187_836, 123_456_789);
/// let mut out = String::new();
/// Time::utc().millis().write(moment, &mut out);
/// assert_eq!(out, "2026-11-20T15:17:16.123Z");
/// ```
#[derive(Clone, Debug)]
pub struct Time {
    style: Style,
    /// None: UTC.
    zone: Option<Arc<Offsets>>,
    /// Digits after the second.
    digits: u8,
    date: bool,
    /// Python's `asctime`.
    is_asctime: bool,
    #[cfg(feature = "locales")]
    locale: Option<pure_rust_locales::Locale>,
}

#[derive(Clone, Debug)]
enum Style {
    None,
    Calendar,
    /// The unit, as a number of digits after the second.
    Unix(u8),
    /// Seconds since then.
    Since(SystemTime),
    Custom(Arc<str>),
}

impl Time {
    /// UTC, in RFC 3339. The default.
    pub fn utc() -> Self {
        Self {
            style: Style::Calendar,
            zone: None,
            digits: 6,
            date: true,
            is_asctime: false,
            #[cfg(feature = "locales")]
            locale: None,
        }
    }

    /// The machine's current zone (`TZ`, `/etc/localtime`); UTC if it is unknown.
    pub fn local() -> Self {
        Self::in_zone(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    /// A zone of the IANA database, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// The zone is not in the machine's time zone database, or there is none.
    pub fn zone(name: &str) -> Result<Self, Error> {
        let zone = TimeZone::get(name)
            .map_err(|error| Error::config(format_args!("time zone {name:?}: expected an IANA name: {error}")))?;
        Ok(Self::in_zone(zone))
    }

    fn in_zone(zone: TimeZone) -> Self {
        Self { zone: Some(Arc::new(Offsets::new(zone))), ..Self::utc() }
    }

    /// The local time of day, for consoles.
    pub fn time_of_day() -> Self {
        Self::local().millis().date(false)
    }

    /// `2026-11-20 16:17:16,123`: local time as Python's `asctime`.
    pub(super) fn asctime() -> Self {
        Self { is_asctime: true, ..Self::local().millis() }
    }

    /// Seconds since 1970; a number in JSON.
    pub fn unix_seconds() -> Self {
        Self { style: Style::Unix(0), digits: 0, ..Self::utc() }
    }

    /// Milliseconds since 1970; a number in JSON.
    pub fn unix_millis() -> Self {
        Self { style: Style::Unix(3), digits: 3, ..Self::utc() }
    }

    /// Microseconds since 1970; a number in JSON.
    pub fn unix_micros() -> Self {
        Self { style: Style::Unix(6), digits: 6, ..Self::utc() }
    }

    /// Seconds since the start of logging ([`Record::uptime`](crate::Record::uptime)), with three digits; a number in JSON.
    ///
    /// Python: `%(relativeCreated)d`, in milliseconds.
    pub fn since_start() -> Self {
        Self::since(logging_start())
    }

    /// Seconds since a moment, negative before it, with three digits; a number in JSON.
    pub fn since(moment: SystemTime) -> Self {
        Self { style: Style::Since(moment), digits: 3, ..Self::utc() }
    }

    /// Nanoseconds since 1970; a number in JSON.
    pub fn unix_nanos() -> Self {
        Self { style: Style::Unix(9), digits: 9, ..Self::utc() }
    }

    /// No time, for outputs that add their own (systemd, syslog).
    pub fn none() -> Self {
        Self { style: Style::None, ..Self::utc() }
    }

    /// Whole seconds.
    pub fn seconds(self) -> Self {
        Self { digits: 0, ..self }
    }

    /// Three digits after the second.
    pub fn millis(self) -> Self {
        Self { digits: 3, ..self }
    }

    /// Six digits after the second.
    pub fn micros(self) -> Self {
        Self { digits: 6, ..self }
    }

    /// Nine digits after the second.
    pub fn nanos(self) -> Self {
        Self { digits: 9, ..self }
    }

    /// Whether a calendar time has a date and an offset (default: yes).
    pub fn date(self, date: bool) -> Self {
        Self { date, ..self }
    }

    /// Your own format, in this zone: `%Y-%m-%d %H:%M:%S%.3f` and the other conversions of
    /// [`jiff::fmt::strtime`]. Slower than the others.
    ///
    /// # Errors
    /// The format has an unknown conversion.
    ///
    /// ```
    /// # use tracing_strata::format::Time;
    /// let time = Time::utc().strftime("%d/%b/%Y:%H:%M:%S %z").unwrap();
    /// let mut out = String::new();
    /// time.write(std::time::UNIX_EPOCH, &mut out);
    /// assert_eq!(out, "01/Jan/1970:00:00:00 +0000");
    /// assert!(Time::utc().strftime("%!").unwrap_err().to_string().contains("%!"));
    /// ```
    pub fn strftime(self, format: &str) -> Result<Self, Error> {
        self.custom(format, 0, 0, &mut String::new())
            .map_err(|error| Error::config(format_args!("time format {format:?}: {error}")))?;
        Ok(Self { style: Style::Custom(format.into()), ..self })
    }

    /// The language of the names of months and days in [`strftime`](Self::strftime) (`%a`, `%A`, `%b`, `%B`, `%p`; default:
    /// English): a locale of the GNU C Library, such as `de_DE`.
    ///
    /// # Errors
    /// There is no such locale.
    ///
    /// ```
    /// # use tracing_strata::format::Time;
    /// let time = Time::utc().locale("de_AT.UTF-8")?.strftime("%A, %-d. %B %Y")?;
    /// let mut out = String::new();
    /// time.write(std::time::UNIX_EPOCH, &mut out);
    /// assert_eq!(out, "Donnerstag, 1. Jänner 1970");
    /// # Ok::<(), tracing_strata::Error>(())
    /// ```
    #[cfg(feature = "locales")]
    pub fn locale(self, name: &str) -> Result<Self, Error> {
        let unknown = || Error::config(format_args!("expected a locale such as \"de_DE\", got {name:?}"));
        Ok(Self { locale: Some(locale::named(name).ok_or_else(unknown)?), ..self })
    }

    /// Appends a time to a text; your own formats can use this.
    pub fn write(&self, time: SystemTime, out: &mut impl fmt::Write) {
        let (seconds, nanos) = since_epoch(time);
        let written = match &self.style {
            Style::None => Ok(()),
            Style::Calendar => self.calendar(seconds, nanos, out),
            Style::Unix(unit) => unix(seconds, nanos, *unit, self.digits, out),
            Style::Since(moment) => {
                let (from, nanos_from) = since_epoch(*moment);
                let (seconds, nanos) = match nanos.checked_sub(nanos_from) {
                    Some(nanos) => (seconds, nanos),
                    None => (seconds.saturating_sub(1), nanos + 1_000_000_000 - nanos_from),
                };
                unix(seconds.saturating_sub(from), nanos, 0, self.digits, out)
            }
            // `strftime` checked it. If it still fails for this time, a calendar time is better than none.
            Style::Custom(format) => {
                self.custom(format, seconds, nanos, &mut *out).or_else(|_| self.calendar(seconds, nanos, out))
            }
        };
        // Writing to a text does not fail.
        written.unwrap_or_default();
    }

    /// Local seconds since 1970, the offset that they include, and nanoseconds.
    #[inline]
    pub(super) fn local_seconds(&self, time: SystemTime) -> (i64, i32, u32) {
        let (seconds, nanos) = since_epoch(time);
        let seconds = seconds.clamp(FIRST, LAST);
        let offset = self.zone.as_ref().map_or(0, |zone| zone.at(seconds));
        ((seconds + i64::from(offset)).clamp(FIRST, LAST), offset, nanos)
    }

    /// The zone's abbreviation at that time.
    pub(super) fn push_zone_name(&self, time: SystemTime, out: &mut String) {
        match &self.zone {
            None => out.push_str("UTC"),
            Some(zone) => {
                let (seconds, nanos) = since_epoch(time);
                out.push_str(zone.zone.to_offset_info(timestamp(seconds, nanos)).abbreviation());
            }
        }
    }

    /// The same zone and precision as RFC 3339.
    pub(super) fn calendar_with_date(self) -> Self {
        Self { style: Style::Calendar, date: true, is_asctime: false, ..self }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self.style, Style::None)
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.style, Style::Unix(_) | Style::Since(_))
    }

    pub(super) fn is_calendar(&self) -> bool {
        matches!(self.style, Style::Calendar)
    }

    /// Writes a calendar time; returns which bytes count.
    #[inline]
    pub(super) fn put(&self, time: SystemTime, line: &mut Digits) -> Range<usize> {
        let (seconds, nanos) = since_epoch(time);
        self.put_calendar(seconds, nanos, line)
    }

    fn calendar(&self, seconds: i64, nanos: u32, out: &mut impl fmt::Write) -> fmt::Result {
        let mut text = Aligned([b'0'; 48]);
        let part = self.put_calendar(seconds, nanos, &mut text.0);
        // Aligned and padded with ASCII, the check takes three steps.
        let text = std::str::from_utf8(&text.0).map_err(|_| fmt::Error)?;
        out.write_str(&text[part])
    }

    #[inline(always)]
    fn put_calendar(&self, seconds: i64, nanos: u32, line: &mut Digits) -> Range<usize> {
        let (seconds, nanos) = match seconds {
            ..FIRST => (FIRST, 0),
            FIRST..=LAST => (seconds, nanos),
            _ => (LAST, 999_999_999),
        };
        // RFC 3339 has no seconds in offsets; rounded towards zero, and the local time by the same offset.
        let minutes = self.zone.as_ref().map(|zone| zone.at(seconds) / 60);
        let local = minutes.map_or(seconds, |minutes| (seconds + i64::from(minutes) * 60).clamp(FIRST, LAST));
        self.put_digits(local, nanos, minutes, line)
    }

    #[inline(always)]
    fn put_digits(&self, seconds: i64, nanos: u32, offset: Option<i32>, line: &mut Digits) -> Range<usize> {
        line[..32].copy_from_slice(&second(seconds));
        let mut end = 19;
        if self.digits > 0 {
            let micros = nanos / 1_000;
            put(line, 20, micros / 10_000);
            put(line, 22, micros / 100 % 100);
            put(line, 24, micros % 100);
            if self.digits == 9 {
                put(line, 26, nanos % 1_000 / 10);
                put(line, 27, nanos % 100);
            }
            end += 1 + usize::from(self.digits);
        }
        let mut start = 0;
        if self.is_asctime {
            line[10] = b' ';
            if self.digits > 0 {
                line[19] = b',';
            }
        } else if !self.date {
            start = 11;
        } else if let Some(minutes) = offset {
            let ahead = minutes.unsigned_abs();
            line[end] = if minutes < 0 { b'-' } else { b'+' };
            put(line, end + 1, ahead / 60);
            line[end + 3] = b':';
            put(line, end + 4, ahead % 60);
            end += 6;
        } else {
            line[end] = b'Z';
            end += 1;
        }
        start..end
    }

    fn custom(&self, format: &str, seconds: i64, nanos: u32, out: impl fmt::Write) -> Result<(), jiff::Error> {
        let zone = self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.zone.clone());
        let zoned = timestamp(seconds, nanos).to_zoned(zone);
        #[cfg(feature = "locales")]
        if let Some(locale) = self.locale {
            let format = locale::with_names(format, locale, zoned.datetime());
            return BrokenDownTime::from(&zoned).format(format, StdFmtWrite(out));
        }
        BrokenDownTime::from(&zoned).format(format, StdFmtWrite(out))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::utc()
    }
}

/// Seconds, rounded towards the past, and nanoseconds within the second.
#[inline]
pub(super) fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).map_or(i64::MIN, |seconds| -seconds);
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds.saturating_sub(1), 1_000_000_000 - nanos),
            }
        }
    }
}

/// A number in units of 10^-`unit` seconds, with `digits` digits after the second.
fn unix(seconds: i64, nanos: u32, unit: u8, digits: u8, out: &mut impl fmt::Write) -> fmt::Result {
    let power = |exponent: u8| 10_i128.pow(exponent.into());
    let known = i128::from(seconds) * power(digits) + i128::from(nanos) / power(9 - digits);
    let mut integer = itoa::Buffer::new();
    if digits <= unit {
        let number = known * power(unit - digits);
        // Until the year 2262 even nanoseconds fit, and narrow numbers are faster.
        return out.write_str(match i64::try_from(number) {
            Ok(number) => integer.format(number),
            Err(_) => integer.format(number),
        });
    }
    let one = power(digits - unit);
    if known < 0 {
        out.write_char('-')?;
    }
    let known = known.abs();
    out.write_str(integer.format(known / one))?;
    out.write_char('.')?;
    // The leading one keeps the zeros after it, and is left out.
    out.write_str(&integer.format(one + known % one)[1..])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::format::offsets::WHOLE_MINUTES;

    fn at(seconds: i64, nanos: u32) -> SystemTime {
        if seconds >= 0 {
            UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), nanos)
        } else {
            UNIX_EPOCH - Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanos.into())
        }
    }

    fn shown(time: &Time, seconds: i64, nanos: u32) -> String {
        let mut out = String::new();
        time.write(at(seconds, nanos), &mut out);
        out
    }

    #[test]
    fn precisions() {
        let time = Time::utc();
        assert_eq!(shown(&time, 1_795_187_836, 123_456_789), "2026-11-20T15:17:16.123456Z");
        assert_eq!(shown(&time.clone().seconds(), 1_795_187_836, 999_999_999), "2026-11-20T15:17:16Z");
        assert_eq!(shown(&time.clone().millis(), 1_795_187_836, 123_999_999), "2026-11-20T15:17:16.123Z");
        assert_eq!(shown(&time.clone().nanos(), 1_795_187_836, 1_020_304), "2026-11-20T15:17:16.001020304Z");
        assert_eq!(shown(&time.clone().nanos(), 1_795_187_836, 123_456_789), "2026-11-20T15:17:16.123456789Z");
        assert_eq!(shown(&time.date(false), 0, 1), "00:00:00.000000");
        assert_eq!(shown(&Time::none(), 0, 1), "");
    }

    #[test]
    fn before_1970_and_far_years() {
        let time = Time::utc();
        assert_eq!(shown(&time, -1, 250_000_000), "1969-12-31T23:59:59.250000Z");
        assert_eq!(shown(&time, FIRST, 0), "0000-01-01T00:00:00.000000Z");
        assert_eq!(shown(&time, FIRST - 1, 5), "0000-01-01T00:00:00.000000Z");
        assert_eq!(shown(&time, LAST, 1_000), "9999-12-31T23:59:59.000001Z");
        assert_eq!(shown(&time, LAST + 1, 0), "9999-12-31T23:59:59.999999Z");
        for far in [i64::MIN / 2, i64::MAX / 2] {
            let Some(far) = (if far < 0 {
                UNIX_EPOCH.checked_sub(Duration::from_secs(far.unsigned_abs()))
            } else {
                UNIX_EPOCH.checked_add(Duration::from_secs(far.unsigned_abs()))
            }) else {
                continue;
            };
            for time in [Time::utc(), Time::local(), Time::unix_nanos(), Time::utc().strftime("%c").unwrap()] {
                let mut out = String::new();
                time.write(far, &mut out);
                assert!(!out.is_empty());
            }
        }
    }

    #[test]
    fn unix_numbers() {
        let rows = [
            (Time::unix_seconds(), "1795187836", "-1"),
            (Time::unix_seconds().millis(), "1795187836.123", "-0.750"),
            (Time::unix_seconds().nanos(), "1795187836.123456789", "-0.750000000"),
            (Time::unix_millis(), "1795187836123", "-750"),
            (Time::unix_millis().micros(), "1795187836123.456", "-750.000"),
            (Time::unix_millis().seconds(), "1795187836000", "-1000"),
            (Time::unix_nanos(), "1795187836123456789", "-750000000"),
            (Time::unix_nanos().millis(), "1795187836123000000", "-750000000"),
        ];
        for (time, after, before) in rows {
            assert_eq!(shown(&time, 1_795_187_836, 123_456_789), after);
            assert_eq!(shown(&time, -1, 250_000_000), before);
        }
        assert_eq!(shown(&Time::unix_nanos(), 1 << 40, 7), "1099511627776000000007");
        assert_eq!(shown(&Time::unix_micros(), 1_795_187_836, 123_456_789), "1795187836123456");
    }

    #[test]
    fn since_a_moment() {
        let time = Time::since(at(100, 900_000_000));
        for (seconds, nanos, expected) in [
            (100, 900_000_000, "0.000"),
            (101, 0, "0.100"),
            (99, 900_000_000, "-1.000"),
            (3_700, 950_500_000, "3600.050"),
        ] {
            assert_eq!(shown(&time, seconds, nanos), expected);
        }
        assert_eq!(shown(&time.clone().nanos(), 100, 900_000_001), "0.000000001");
        assert!(shown(&Time::since_start(), 0, 0).starts_with('-'));
    }

    #[test]
    fn offsets_change_on_whole_minutes_only() {
        // To 2037: some files mark the end of 32 bits as if it were a change. What comes later follows rules of whole hours.
        let (from, to) = (timestamp(WHOLE_MINUTES, 0), timestamp(2_114_380_800, 0));
        let mut zones = 0;
        for name in jiff::tz::db().available() {
            let Ok(zone) = TimeZone::get(name.as_str()) else { continue };
            zones += 1;
            for change in zone.following(from).take_while(|change| change.timestamp() < to) {
                assert_eq!(change.timestamp().as_second() % 60, 0, "{name} {}", change.timestamp());
            }
        }
        assert!(zones > 300, "{zones}");
    }

    /// Some zones, around every one of their changes since 1900, against the crate that knows them.
    #[test]
    fn zones_at_their_changes() {
        let zones =
            ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Gaza", "Africa/Monrovia", "Etc/UTC"];
        for name in zones {
            let time = Time::zone(name).unwrap();
            let zone = TimeZone::get(name).unwrap();
            let from = Timestamp::from_second(-2_208_988_800).unwrap();
            for change in zone.following(from).take_while(|change| change.timestamp().as_second() < 2_524_608_000) {
                let change = change.timestamp().as_second();
                for seconds in [change - 61, change - 1, change, change + 1, change + 59, change + 900] {
                    let wanted = timestamp(seconds, 0).to_zoned(zone.clone());
                    let got = shown(&time.clone().seconds(), seconds, 0);
                    assert_eq!(got.parse::<Timestamp>().unwrap().as_second(), seconds, "{name} {got}");
                    if wanted.offset().seconds() % 60 == 0 {
                        assert_eq!(got, wanted.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = Time::zone("Europe/Berlim").unwrap_err();
        assert!(error.is_config() && error.to_string().contains("\"Europe/Berlim\""), "{error}");
    }
}
