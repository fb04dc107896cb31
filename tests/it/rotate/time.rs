//! By time.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing_strata::{
    Flush, Handler, Severity,
    clock::ManualClock,
    output::{Alignment, RotatingFile, RotatingFileBuilder, TimeOfDay, When},
    sink::{Retention, write_line},
};

use super::{File, files, record, seconds, set, timed, touch, write, write_all};
use crate::{
    places::{Bare, Dir},
    support::Give as _,
};

fn names(dir: &Dir) -> Vec<String> {
    files(dir).iter().map(|file| file.split(':').next().unwrap().to_owned()).collect()
}

/// Writes the time itself, at each of the times.
fn write_at(file: &File, clock: &ManualClock, times: &[&str]) {
    for time in times {
        set(clock, time);
        write(file, time);
    }
}

#[test]
fn rule_16_1_16_11_when() {
    for (text, when) in [("s", When::Second), ("M", When::Minute), ("h", When::Hour), ("D", When::Day)] {
        assert_eq!(text.parse::<When>().unwrap(), when);
    }
    assert_eq!("MidNight".parse::<When>().unwrap(), When::Midnight);
    for day in 0..7 {
        assert_eq!(format!("w{day}").parse::<When>().unwrap().to_string(), format!("W{day}"));
    }
    for (text, expected) in [
        ("x", "Invalid rollover interval specified: X (expected S, M, H, D, MIDNIGHT or W0 to W6, Monday to Sunday)"),
        (
            "midday",
            "Invalid rollover interval specified: MIDDAY (expected S, M, H, D, MIDNIGHT or W0 to W6, Monday to Sunday)",
        ),
        ("", "Invalid rollover interval specified:  (expected S, M, H, D, MIDNIGHT or W0 to W6, Monday to Sunday)"),
        ("w", "You must specify a day for weekly rollover from 0 to 6 (0 is Monday): W"),
        ("W10", "You must specify a day for weekly rollover from 0 to 6 (0 is Monday): W10"),
        ("W7", "Invalid day specified for weekly rollover: W7"),
        ("wx", "Invalid day specified for weekly rollover: WX"),
    ] {
        let error = text.parse::<When>().unwrap_err();
        assert!(error.is_config() && error.to_string() == expected, "{error}");
    }
}

#[test]
fn what_is_wrong_is_an_error_before_any_file_is_touched() {
    let dir = Dir::new();
    let builder = || timed(&dir, "H", "2024-03-05T12:00:00Z").0;
    let at = TimeOfDay::new(3, 0, 0).unwrap();
    for (builder, expected) in [
        (builder().interval(0), "interval 0"),
        (builder().zone("Europe/Berlin"), "zone \"Europe/Berlin\" and utc(true): expected one of them"),
        (builder().utc(false).zone("Mars/Olympus"), "Mars/Olympus"),
        (builder().at_time(at), "at_time 03:00:00: expected with `when` midnight or W0 to W6 only"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(expected), "{error}");
    }
    assert_eq!(names(&dir), [""; 0]);
}

#[test]
fn rule_16_2_16_3_seconds_are_counted_from_the_rollover_as_python_does() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "S", "2024-03-05T12:00:00Z");
    let file = builder.interval(5).alignment(Alignment::Rollover).build().unwrap();
    for second in [0, 4, 5, 17, 21, 22] {
        set(&clock, &format!("2024-03-05T12:00:{second:02}Z"));
        write(&file, &second.to_string());
    }
    let expected = [
        "app.log: 22",
        "app.log.2024-03-05_12-00-00: 0 4",
        "app.log.2024-03-05_12-00-05: 5",
        "app.log.2024-03-05_12-00-17: 17 21",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_16_2_16_3_on_the_clock_files_end_with_the_unit() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "S", "2024-03-05T12:00:00Z");
    let file = builder.interval(5).build().unwrap();
    for second in [0, 4, 5, 17, 21, 22] {
        set(&clock, &format!("2024-03-05T12:00:{second:02}Z"));
        write(&file, &second.to_string());
    }
    let expected = [
        "app.log: 21 22",
        "app.log.2024-03-05_12-00-00: 0 4",
        "app.log.2024-03-05_12-00-05: 5",
        "app.log.2024-03-05_12-00-15: 17",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_16_3_suffixes() {
    for grid in [Alignment::Clock, Alignment::Rollover] {
        for (when, interval, expected) in [
            ("M", 1, ["app.log.2024-03-05_12-00", "app.log.2024-03-05_12-01", "app.log.2024-03-05_13-01"].as_slice()),
            ("H", 2, &["app.log.2024-03-05_12"]),
            ("D", 1, &[]),
        ] {
            let dir = Dir::new();
            let (builder, clock) = timed(&dir, when, "2024-03-05T12:00:00Z");
            let file = builder.interval(interval).alignment(grid).build().unwrap();
            write_at(&file, &clock, &["2024-03-05T12:00:00Z", "2024-03-05T12:01:00Z", "2024-03-05T13:01:00Z"]);
            write_at(&file, &clock, &["2024-03-05T14:01:00Z"]);
            assert_eq!(names(&dir)[1..], *expected, "{when}");
            write_at(&file, &clock, &["2024-03-06T14:01:00Z"]);
            let last = match when {
                "M" => "app.log.2024-03-05_14-01",
                "H" => "app.log.2024-03-05_14",
                _ => "app.log.2024-03-05",
            };
            assert_eq!(names(&dir).last().unwrap(), last);
            assert_eq!(files(&dir)[0], "app.log: 2024-03-06T14:01:00Z");
        }
    }
}

#[test]
fn rule_16_4_16_5_midnights_and_what_is_deleted() {
    let dir = Dir::new();
    let others = [
        "app.log.2024-01-01x",
        "app.log.notes",
        "app.log.2024-01-01_00",
        "app.log.2024-13-01",
        "app.log.1",
        "app-error.log.2024-01-01",
        "app.log.2024-01-01.txt",
        "app.log.2024-01-01.01",
    ];
    for name in others {
        fs::write(dir.path(name), "not ours\n").unwrap();
    }
    fs::create_dir(dir.path("app.log.2024-01-02")).unwrap();
    fs::write(dir.path("app.log.2024-01-01"), "ancient\n").unwrap();
    let (builder, clock) = timed(&dir, "midnight", "2024-03-05T12:00:00Z");
    let file = builder.utc(false).zone("America/New_York").backups(2).build().unwrap();
    for day in 0..5 {
        write(&file, &format!("d{day}"));
        clock.advance(Duration::from_secs(86_400));
    }
    let mut expected: Vec<_> = others.iter().map(|name| format!("{name}: not ours")).collect();
    expected.extend(
        ["app.log: d4", "app.log.2024-01-02: ?", "app.log.2024-03-07: d2", "app.log.2024-03-08: d3"].map(Into::into),
    );
    expected.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    assert_eq!(files(&dir), expected);
}

#[test]
fn t30_siblings_are_safe() {
    let dir = Dir::new();
    let siblings = ["app-error.log", "app-notes.txt", "app.log2.2024-01-01", "app.2024-01-01", "app.logs"];
    for name in siblings {
        fs::write(dir.path(name), "not ours\n").unwrap();
    }
    let (builder, clock) = timed(&dir, "midnight", "2024-03-05T12:00:00Z");
    let file = builder.backups(1).build().unwrap();
    // Another handler's file in use looks exactly like one of ours, but it is open.
    let other = RotatingFile::builder(dir.path("app.log.2024-01-05")).when(When::Hour).format(Bare).build().unwrap();
    write(&other, "other");
    for day in 0..4 {
        write(&file, &format!("d{day}"));
        clock.advance(Duration::from_secs(86_400));
    }
    write(&other, "other");
    let expected = [
        "app-error.log: not ours",
        "app-notes.txt: not ours",
        "app.2024-01-01: not ours",
        "app.log: d3",
        "app.log.2024-01-05: other other",
        "app.log.2024-03-07: d2",
        "app.log2.2024-01-01: not ours",
        "app.logs: not ours",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn t31_a_restart_within_a_period_keeps_exactly_so_many() {
    let dir = Dir::new();
    let (_, clock) = timed(&dir, "H", "2024-03-05T00:00:00Z");
    for hour in 0..8 {
        for restart in 0..3 {
            let now = seconds("2024-03-05T00:00:00Z") + hour * 3600 + restart * 600;
            clock.set(UNIX_EPOCH + Duration::from_secs(now));
            let file = timed(&dir, "H", "2024-03-05T00:00:00Z").0.clock(clock.clone()).backups(3).build().unwrap();
            write(&file, &format!("{hour}{restart}"));
            drop(file);
            fs::File::options().append(true).open(dir.path("app.log")).unwrap().set_modified(now_of(&clock)).unwrap();
        }
    }
    let expected = [
        "app.log: 70 71 72",
        "app.log.2024-03-05_04: 40 41 42",
        "app.log.2024-03-05_05: 50 51 52",
        "app.log.2024-03-05_06: 60 61 62",
    ];
    assert_eq!(files(&dir), expected);
}

fn now_of(clock: &ManualClock) -> SystemTime {
    use tracing_strata::clock::Clock as _;
    clock.now()
}

#[test]
fn t35_ten_restarts_a_day_still_give_daily_files() {
    for when in ["D", "midnight"] {
        let dir = Dir::new();
        let clock = super::clock_at("2024-03-05T00:00:00Z");
        for _ in 0..40 {
            let file = timed(&dir, when, "2024-03-05T00:00:00Z").0.clock(clock.clone()).build().unwrap();
            write(&file, "x");
            drop(file);
            fs::File::options().append(true).open(dir.path("app.log")).unwrap().set_modified(now_of(&clock)).unwrap();
            clock.advance(Duration::from_secs(8640));
        }
        let day = ["x"; 10].join(" ");
        let expected =
            ["", ".2024-03-05", ".2024-03-06", ".2024-03-07"].map(|suffix| format!("app.log{suffix}: {day}"));
        assert_eq!(files(&dir), expected, "{when}");
    }
}

#[test]
fn t32_limits_by_bytes_and_by_age() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "H", "2024-03-05T00:00:00Z");
    // Files by size within the hour, too: equal times are told by their numbers.
    let file = builder.max_bytes(12).retention(Retention::new().bytes(35)).build().unwrap();
    for number in 0..14 {
        write(&file, &format!("record-{number:02}"));
        if number % 12 == 11 {
            clock.advance(Duration::from_secs(3600));
        }
        let total: u64 =
            fs::read_dir(dir.path("")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= 35 + 10, "{total}");
    }
    let expected = [
        "app.log: record-13",
        "app.log.2024-03-05_00.10: record-10",
        "app.log.2024-03-05_00.11: record-11",
        "app.log.2024-03-05_01: record-12",
    ];
    assert_eq!(files(&dir), expected);
    drop(file);

    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T00:00:00Z");
    let file = builder.retention(Retention::new().age(Duration::from_secs(86_400))).build().unwrap();
    for day in 5..9 {
        set(&clock, &format!("2024-03-{day:02}T12:00:00Z"));
        write(&file, &day.to_string());
        touch(&dir.path("app.log"), &format!("2024-03-{day:02}T12:00:00Z"));
    }
    assert_eq!(files(&dir), ["app.log: 8", "app.log.2024-03-07: 7"]);
    drop(file);
    // At the start as well, where it was asked for by name: `backups` waits for a rollover, as in Python.
    let (builder, clock) = timed(&dir, "D", "2024-03-08T13:00:00Z");
    fs::write(dir.path("app.log.2024-03-01"), "1").unwrap();
    touch(&dir.path("app.log.2024-03-01"), "2024-03-01T12:00:00Z");
    drop(builder.backups(1).build().unwrap());
    assert_eq!(names(&dir), ["app.log", "app.log.2024-03-01", "app.log.2024-03-07"]);
    let builder = timed(&dir, "D", "2024-03-08T13:00:00Z").0.clock(clock);
    drop(builder.retention(Retention::new().age(Duration::from_secs(2 * 86_400))).build().unwrap());
    assert_eq!(names(&dir), ["app.log", "app.log.2024-03-07"]);
}

#[test]
fn rule_16_6_weeks() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "W0", "2024-03-05T12:00:00Z");
    let file = builder.build().unwrap();
    for day in 0..15 {
        write(&file, &day.to_string());
        clock.advance(Duration::from_secs(86_400));
    }
    let expected = ["app.log: 14", "app.log.2024-03-05: 0 1 2 3 4 5 6", "app.log.2024-03-12: 7 8 9 10 11 12 13"];
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_16_7_midnight_stays_midnight() {
    for grid in [Alignment::Clock, Alignment::Rollover] {
        let dir = Dir::new();
        let (builder, clock) = timed(&dir, "midnight", "2024-03-30T10:00:00Z");
        let file = builder.utc(false).zone("Europe/Berlin").alignment(grid).build().unwrap();
        for now in [
            1711792800_u64,
            1711839600,
            1711921000,
            1711922400,
            1711926000,
            1729980000,
            1730066300,
            1730070000,
            1730073600,
        ] {
            clock.set(UNIX_EPOCH + Duration::from_secs(now));
            write(&file, &now.to_string());
        }
        let expected = [
            "app.log: 1730070000 1730073600",
            "app.log.2024-03-30: 1711792800",
            "app.log.2024-03-31: 1711839600 1711921000",
            "app.log.2024-04-01: 1711922400 1711926000",
            "app.log.2024-10-27: 1729980000 1730066300",
        ];
        assert_eq!(files(&dir), expected);
    }
}

#[test]
fn rule_16_8_16_9_a_time_of_day_local_and_in_utc() {
    let dir = Dir::new();
    let clock = super::clock_at("2024-03-05T12:00:00Z");
    let builder = |name: &str| {
        let builder = RotatingFile::builder(dir.path(name)).when(When::Midnight).at_time("03:30".parse().unwrap());
        builder.clock(clock.clone()).format(Bare)
    };
    let local = builder("local.log").zone("Asia/Tokyo").build().unwrap();
    let utc = builder("utc.log").utc(true).build().unwrap();
    for hours in (0..=36).step_by(3) {
        write(&local, &hours.to_string());
        write(&utc, &hours.to_string());
        clock.advance(Duration::from_secs(3 * 3600));
    }
    let expected = [
        "local.log: 33 36",
        "local.log.2024-03-05: 0 3 6",
        "local.log.2024-03-06: 9 12 15 18 21 24 27 30",
        "utc.log: 18 21 24 27 30 33 36",
        "utc.log.2024-03-05: 0 3 6 9 12 15",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_16_10_an_old_file_is_rotated_by_the_first_record() {
    for grid in [Alignment::Clock, Alignment::Rollover] {
        let dir = Dir::new();
        fs::write(dir.path("app.log"), "from before\n").unwrap();
        touch(&dir.path("app.log"), "2024-03-05T10:00:00Z");
        let (builder, _) = timed(&dir, "H", "2024-03-05T12:00:00Z");
        let file = builder.alignment(grid).build().unwrap();
        write_all(&file, &["rolls", "stays"]);
        assert_eq!(files(&dir), ["app.log: rolls stays", "app.log.2024-03-05_10: from before"]);
    }
}

#[test]
fn rule_16_12_nothing_happens_without_records_and_a_long_silence_is_one_rollover() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "H", "2024-03-05T12:00:00Z");
    let file = builder.build().unwrap();
    write(&file, "before");
    clock.advance(Duration::from_secs(100 * 3600));
    file.flush(&Flush::PLAIN).unwrap();
    assert_eq!(files(&dir), ["app.log: before"]);
    write(&file, "after");
    assert_eq!(files(&dir), ["app.log: after", "app.log.2024-03-05_12: before"]);
}

#[test]
fn rule_16_13_with_a_namer_the_renamed_files_count() {
    let dir = Dir::new();
    let decoys = ["2024-01-01.txt", "app-2024-01-01.log", "app-2024-01-01.txt.old"];
    for name in decoys {
        fs::write(dir.path(name), "not ours\n").unwrap();
    }
    let namer = |name: &Path| {
        let file = name.file_name().unwrap().to_str().unwrap();
        name.with_file_name(format!("app-{}.txt", file.strip_prefix("app.log.").unwrap()))
    };
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let file = builder.namer(namer).backups(2).build().unwrap();
    for day in 5..10 {
        write(&file, &day.to_string());
        clock.advance(Duration::from_secs(86_400));
    }
    let expected = [
        "2024-01-01.txt: not ours",
        "app-2024-01-01.log: not ours",
        "app-2024-01-01.txt.old: not ours",
        "app-2024-03-07.txt: 7",
        "app-2024-03-08.txt: 8",
        "app.log: 9",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_16_14_rotator_and_delay() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let rotator = |from: &Path, to: &Path| {
        fs::write(to, fs::read_to_string(from)?.to_uppercase())?;
        fs::remove_file(from)
    };
    let file = builder.rotator(rotator).open_lazily(true).build().unwrap();
    assert_eq!(names(&dir), [""; 0]);
    write(&file, "first");
    clock.advance(Duration::from_secs(86_400));
    write(&file, "second");
    file.as_sink().rollover();
    assert_eq!(files(&dir), ["app.log.2024-03-05: FIRST", "app.log.2024-03-06: SECOND"]);
    write(&file, "third");
    assert_eq!(files(&dir)[0], "app.log: third");
}

#[test]
fn rule_16_15_every_third_midnight() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "midnight", "2024-03-05T12:00:00Z");
    let file = builder.interval(3).alignment(Alignment::Rollover).build().unwrap();
    for day in 5..12 {
        write(&file, &day.to_string());
        clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(files(&dir), ["app.log: 11", "app.log.2024-03-05: 5 6 7", "app.log.2024-03-08: 8 9 10"]);
}

#[test]
fn rule_16_16_a_name_that_exists_is_not_taken() {
    let dir = Dir::new();
    fs::write(dir.path("app.log.2024-03-05"), "there\n").unwrap();
    fs::write(dir.path("app.log.2024-03-05.7.gz"), "there\n").unwrap();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let file = builder.build().unwrap();
    write(&file, "first");
    clock.advance(Duration::from_secs(86_400));
    write(&file, "second");
    let expected = [
        "app.log: second",
        "app.log.2024-03-05: there",
        "app.log.2024-03-05.7.gz: there",
        "app.log.2024-03-05.8: first",
    ];
    assert_eq!(files(&dir), expected);
}

#[test]
fn size_and_time_together() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let file = builder.max_bytes(25).backups(4).build().unwrap();
    for number in 0..10 {
        write(&file, &format!("record-{number:02}"));
        if number == 6 {
            clock.advance(Duration::from_secs(86_400));
        }
    }
    let expected = [
        "app.log: record-09",
        "app.log.2024-03-05.1: record-02 record-03",
        "app.log.2024-03-05.2: record-04 record-05",
        "app.log.2024-03-05.3: record-06",
        "app.log.2024-03-06: record-07 record-08",
    ];
    assert_eq!(files(&dir), expected);
}

/// One record every five minutes through a time, in a zone: the files with their numbers of records.
fn through(zone: &str, when: &str, from: &str, until: &str) -> Vec<String> {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, when, from);
    let file = builder.utc(false).zone(zone).build().unwrap();
    let (from, until) = (seconds(from), seconds(until));
    for now in (from..until).step_by(300) {
        clock.set(UNIX_EPOCH + Duration::from_secs(now));
        write(&file, &now.to_string());
    }
    let mut all: Vec<u64> = Vec::new();
    let counts = files(&dir)
        .iter()
        .map(|file| {
            let (name, records) = file.split_once(": ").unwrap();
            let records: Vec<u64> = records.split(' ').map(|record| record.parse().unwrap()).collect();
            all.extend(&records);
            format!("{} {}", name.strip_prefix("app.log").unwrap(), records.len())
        })
        .collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq((from..until).step_by(300)), "each record once");
    counts
}

#[test]
fn t33_the_change_of_the_offset_loses_no_hour_and_overwrites_nothing() {
    let hourly = |zone: &str, from: &str, until: &str| through(zone, "H", from, until);
    assert_eq!(
        hourly("Europe/Berlin", "2024-10-26T23:00:00Z", "2024-10-27T03:00:00Z"),
        [" 12", ".2024-10-27_01 12", ".2024-10-27_02 12", ".2024-10-27_02.1 12"]
    );
    assert_eq!(
        hourly("Europe/Berlin", "2024-03-31T00:00:00Z", "2024-03-31T02:30:00Z"),
        [" 6", ".2024-03-31_01 12", ".2024-03-31_03 12"]
    );
    assert_eq!(
        hourly("Australia/Lord_Howe", "2024-04-06T14:00:00Z", "2024-04-06T16:00:00Z"),
        [" 6", ".2024-04-07_01 12", ".2024-04-07_01.1 6"]
    );
    assert_eq!(
        hourly("Australia/Lord_Howe", "2024-10-05T14:30:00Z", "2024-10-05T16:30:00Z"),
        [" 6", ".2024-10-06_01 12", ".2024-10-06_02 6"]
    );
    let daily = |zone: &str, from: &str, until: &str| through(zone, "midnight", from, until);
    assert_eq!(
        daily("Europe/Berlin", "2024-10-25T22:00:00Z", "2024-10-28T01:00:00Z"),
        [" 24", ".2024-10-26 288", ".2024-10-27 300"]
    );
    // Midnight was skipped: the day begins at one o'clock.
    assert_eq!(
        daily("America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-05T03:00:00Z"),
        [" 12", ".2018-11-03 288", ".2018-11-04 276"]
    );
    // The last hour of a day came twice …
    assert_eq!(daily("America/Sao_Paulo", "2018-02-17T02:00:00Z", "2018-02-18T04:00:00Z"), [" 12", ".2018-02-17 300"]);
    // … and the first one.
    assert_eq!(daily("America/Havana", "2024-11-03T04:00:00Z", "2024-11-04T06:00:00Z"), [" 12", ".2024-11-03 300"]);
    assert_eq!(
        daily("Asia/Beirut", "2024-03-29T22:00:00Z", "2024-03-31T22:00:00Z"),
        [" 12", ".2024-03-30 288", ".2024-03-31 276"]
    );
    assert_eq!(
        hourly("America/Sao_Paulo", "2018-11-04T02:00:00Z", "2018-11-04T04:30:00Z"),
        [" 6", ".2018-11-03_23 12", ".2018-11-04_01 12"]
    );
}

#[test]
fn t34_the_clock_goes_back_and_forward() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "H", "2024-03-05T12:10:00Z");
    let file = builder.build().unwrap();
    // Back by an hour, several times over: no storm of rotations.
    let times = ["2024-03-05T12:10:00Z", "2024-03-05T11:10:00Z", "2024-03-05T11:59:59Z", "2024-03-05T12:20:00Z"];
    write_at(&file, &clock, &times);
    write_at(&file, &clock, &times);
    assert_eq!(names(&dir), ["app.log"]);
    // Forward by a day: one rotation. And back again: no rotation, a new count.
    write_at(&file, &clock, &["2024-03-06T12:30:00Z", "2024-03-05T12:31:00Z", "2024-03-05T12:59:59Z"]);
    assert_eq!(names(&dir), ["app.log", "app.log.2024-03-05_12"]);
    write_at(&file, &clock, &["2024-03-05T13:00:00Z"]);
    assert_eq!(names(&dir), ["app.log", "app.log.2024-03-05_12", "app.log.2024-03-05_12.1"]);
    // From a clock that was never set, and back to it.
    write_at(&file, &clock, &["2038-01-01T00:00:00Z", "1970-01-01T00:00:10Z", "2024-03-05T13:30:00Z"]);
    let records: usize = files(&dir).iter().map(|file| file.split(": ").nth(1).unwrap().split(' ').count()).sum();
    assert_eq!(records, 8 + 3 + 1 + 3);
}

#[test]
fn a_record_belongs_to_the_period_of_its_own_time() {
    // Without a clock of one's own, records tell the time, once the system's clock has come that far.
    let dir = Dir::new();
    let file = RotatingFile::builder(dir.path("app.log")).when(When::Midnight).utc(true).format(Bare).build().unwrap();
    let mut ahead = record("ahead of its time");
    ahead.set_time(SystemTime::now() + Duration::from_secs(10 * 86_400));
    let mut late = record("from long ago");
    late.set_time(UNIX_EPOCH);
    for record in [&ahead, &late, &record("now")] {
        file.give(record).unwrap();
    }
    assert_eq!(names(&dir).len(), 1 + usize::from(names(&dir).len() == 2), "at most one midnight has passed by");
}

#[test]
fn written_to_as_a_sink_it_asks_the_clock() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let sink = builder.build_sink().unwrap();
    write_line(&sink, b"a\n").unwrap();
    clock.advance(Duration::from_secs(86_400));
    write_line(&sink, b"b\n").unwrap();
    assert_eq!(files(&dir), ["app.log: b", "app.log.2024-03-05: a"]);
}

#[test]
fn with_a_buffer_what_came_before_midnight_is_before_midnight() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T23:59:58Z");
    let builder: RotatingFileBuilder<_> = builder.buffer(1000).flush_on(Severity::ERROR);
    let file = builder.build().unwrap();
    for second in 0..4 {
        write(&file, &second.to_string());
        clock.advance(Duration::from_secs(1));
    }
    file.flush(&Flush::PLAIN).unwrap();
    assert_eq!(files(&dir), ["app.log: 2 3", "app.log.2024-03-05: 0 1"]);
}
