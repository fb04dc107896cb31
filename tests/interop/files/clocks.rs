//! Clocks that jump under a running process (libfaketime), in the zones that do odd things.

use std::{collections::BTreeMap, fs, process::Command};

use super::{Dir, Writer, shell};

const LIBRARY: &str = "libfaketime.so.1";

/// Logs a record at each of these times (UTC); which numbers each file has, by its name without `app.log`.
fn play(zone: &str, when: &str, times: &[&str]) -> BTreeMap<String, Vec<usize>> {
    let dir = Dir::new();
    let (clock, path) = (dir.path("clock"), dir.path("app.log"));
    let library = shell(&format!("find /usr/lib -name {LIBRARY} | head -n 1"), &dir.path(""));
    fs::write(&clock, times[0]).unwrap();
    let mut command = Command::new("env");
    command.envs([
        ("LD_PRELOAD", library.trim()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
        ("NO_FAKE_STAT", "1"),
        ("TZ", "UTC"),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
    ]);
    let mut writer = Writer::start(&format!("timed,{zone},{when}"), &path, &mut command);
    for time in times {
        // Never seen half written.
        fs::write(dir.path("clock.new"), time).unwrap();
        fs::rename(dir.path("clock.new"), &clock).unwrap();
        writer.ask("log 1");
    }
    assert_eq!(writer.ask("stats"), format!("{} 0 0 0 0", times.len()));
    writer.end();
    let number = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        usize::try_from(record["number"].as_u64().unwrap()).unwrap()
    };
    let numbers = |name: &String| fs::read_to_string(dir.path(name)).unwrap().lines().map(number).collect();
    dir.names("app.log").iter().map(|name| (name["app.log".len()..].to_owned(), numbers(name))).collect()
}

fn files<const N: usize>(expected: [(&str, &[usize]); N]) -> BTreeMap<String, Vec<usize>> {
    expected.map(|(name, numbers)| (name.to_owned(), numbers.to_vec())).into()
}

#[test]
fn t33_an_hour_that_comes_twice() {
    // 02:30 in summer, 02:30 in winter, 03:30.
    let found = play(
        "Europe/Berlin",
        "H",
        &["2024-10-26 23:30:00", "2024-10-27 00:30:00", "2024-10-27 01:30:00", "2024-10-27 02:30:00"],
    );
    let first = (".2024-10-27_01", &[0][..]);
    assert_eq!(found, files([first, (".2024-10-27_02", &[1]), (".2024-10-27_02.1", &[2]), ("", &[3])]));
}

#[test]
fn t33_an_hour_that_is_skipped() {
    // 01:30, 03:30, 04:30.
    let found = play("Europe/Berlin", "H", &["2024-03-31 00:30:00", "2024-03-31 01:30:00", "2024-03-31 02:30:00"]);
    assert_eq!(found, files([(".2024-03-31_01", &[0]), (".2024-03-31_03", &[1]), ("", &[2])]));
}

#[test]
fn t33_half_an_hour_that_comes_twice() {
    // At 02:00 (+11:00) it is 01:30 (+10:30) again: 01:10, 01:40, 01:40 once more, 02:10.
    let found = play(
        "Australia/Lord_Howe",
        "H",
        &["2024-04-06 14:10:00", "2024-04-06 14:40:00", "2024-04-06 15:10:00", "2024-04-06 15:40:00"],
    );
    // Nothing is lost, whether the hour is one file or two.
    let mut numbers: Vec<_> = found.values().flatten().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3], "{found:?}");
    assert_eq!(found[""], [3], "{found:?}");
    assert_eq!(found[".2024-04-07_01"][..2], [0, 1], "{found:?}");
}

#[test]
fn t33_a_midnight_that_is_skipped() {
    // 3 November 2018 23:30 (-03:00); at midnight it is 01:00 (-02:00): 01:30; then 4 November 23:30; 5 November 00:30.
    let found = play(
        "America/Sao_Paulo",
        "midnight",
        &["2018-11-04 02:30:00", "2018-11-04 03:30:00", "2018-11-05 01:30:00", "2018-11-05 02:30:00"],
    );
    assert_eq!(found, files([(".2018-11-03", &[0]), (".2018-11-04", &[1, 2]), ("", &[3])]));
}

#[test]
fn t33_days_of_23_and_25_hours_end_at_midnight() {
    // Each just before and just after midnight in Berlin.
    let spring = ["2024-03-30 22:59:59", "2024-03-30 23:00:00", "2024-03-31 21:59:59", "2024-03-31 22:00:00"];
    let found = play("Europe/Berlin", "midnight", &spring);
    assert_eq!(found, files([(".2024-03-30", &[0]), (".2024-03-31", &[1, 2]), ("", &[3])]));
    let autumn = ["2024-10-26 21:59:59", "2024-10-26 22:00:00", "2024-10-27 22:59:59", "2024-10-27 23:00:00"];
    let found = play("Europe/Berlin", "midnight", &autumn);
    assert_eq!(found, files([(".2024-10-26", &[0]), (".2024-10-27", &[1, 2]), ("", &[3])]));
}

#[test]
fn t34_a_clock_that_jumps_back_and_forward() {
    let times = [
        "2024-06-01 10:30:00",
        // Back by an hour: no rotation.
        "2024-06-01 09:30:00",
        "2024-06-01 10:31:00",
        // Forward by a day: one.
        "2024-06-02 10:31:00",
        // And back again: nothing is overwritten, whatever it is called.
        "2024-06-01 10:32:00",
        "2024-06-01 11:00:00",
        "2024-06-01 11:30:00",
    ];
    let found = play("UTC", "H", &times);
    let mut numbers: Vec<_> = found.values().flatten().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6], "{found:?}");
    assert_eq!(found[".2024-06-01_10"], [0, 1, 2], "{found:?}");
    assert!(found.len() <= 4, "a storm: {found:?}");
}
