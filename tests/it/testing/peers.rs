//! The scripted peer, and tests in processes of their own.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use tracing_strata::{
    Record, Severity,
    clock::ManualClock,
    output::{LogFile, RotatingFile},
    prelude::*,
    sink::{Alignment, When},
    testing::{
        fault::{FaultyPeer, Meeting},
        process::{TestProcess, reached},
        zoned_time,
    },
};

use crate::places::{Bare, Dir};

fn connect(peer: &FaultyPeer) -> TcpStream {
    let stream = TcpStream::connect(peer.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What the other side sees after it has sent so much.
fn end_of(peer: &FaultyPeer, sent: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let mut stream = connect(peer);
    stream.write_all(sent).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(|_| rest).map_err(|error| error.kind())
}

#[test]
fn each_connection_meets_what_the_script_says() {
    let twice = Meeting::answer(|received| received.strip_suffix(b"?").map(|text| text.repeat(2)));
    let peer = FaultyPeer::bind([Meeting::CloseAfter(3), Meeting::ResetAfter(3), Meeting::Stall, twice]).unwrap();
    assert_eq!(end_of(&peer, b"abc"), Ok(Vec::new()));
    assert_eq!(end_of(&peer, b"abc"), Err(ErrorKind::ConnectionReset));
    let _stalled = connect(&peer);
    let mut asking = connect(&peer);
    for text in ["ab?", "c?"] {
        let mut answer = vec![0; 2 * (text.len() - 1)];
        // In pieces: only a whole question is answered.
        text.bytes().for_each(|byte| asking.write_all(&[byte]).unwrap());
        asking.read_exact(&mut answer).unwrap();
        assert_eq!(answer, text.trim_end_matches('?').repeat(2).as_bytes());
    }
    // After the script.
    connect(&peer).write_all(b"read").unwrap();
    peer.wait_for(|received| received.last().is_some_and(|last| last == b"read"));
    assert_eq!(peer.received(), [&b"abc"[..], b"abc", b"", b"ab?c?", b"read"]);
}

#[test]
fn a_peer_that_is_away_refuses_and_comes_back_at_the_same_port() {
    let peer = FaultyPeer::bind([Meeting::Stall]).unwrap();
    let mut before = connect(&peer);
    peer.wait_for(|received| received.len() == 1);
    peer.go_away();
    assert_eq!(TcpStream::connect(peer.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(matches!(before.read(&mut [0]), Ok(0) | Err(_)), "its connections are closed");
    peer.go_away();
    peer.come_back().unwrap();
    peer.come_back().unwrap();
    connect(&peer).write_all(b"again").unwrap();
    peer.wait_for(|received| received.concat() == b"again");
    let address = peer.address();
    drop(peer);
    assert!(TcpStream::connect(address).is_err());
}

const KILLED: &str = "testing::peers::a_process_is_killed_at_a_point_or_goes_on";

#[test]
fn a_process_is_killed_at_a_point_or_goes_on() {
    let dir = Dir::new();
    // The child is told where by the environment, which it inherits with the names of this process.
    let path = std::env::var_os("STRATA_TEST_FILE").map_or_else(|| dir.path("log"), Into::into);
    let start = || {
        TestProcess::start_with(KILLED, [("STRATA_TEST_FILE", &path)], || {
            let file = LogFile::builder(&path).format(Bare).build().unwrap().named("file");
            for number in ["1", "2", "3"] {
                file.emit(&Record::new(Severity::INFO, "app", number));
                reached(number);
            }
        })
    };
    let mut killed = start();
    killed.wait_for("1");
    killed.resume();
    killed.wait_for("2");
    killed.kill();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n");
    let mut ends = start();
    ends.wait_for("1");
    assert!(ends.wait().success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n1\n2\n3\n");
    // Outside it waits for nobody.
    reached("nothing");
}

#[test]
#[should_panic(expected = "the process ended before it reached \"never\"")]
fn a_point_that_is_not_reached_is_told() {
    const TEST: &str = "testing::peers::a_point_that_is_not_reached_is_told";
    TestProcess::start(TEST, || {}).wait_for("never");
}

/// 2026-10-25 has 25 hours in Berlin: the hour from two to three comes twice, and each has a file of its own.
#[test]
fn the_clock_shows_the_hour_that_comes_twice() {
    let dir = Dir::new();
    let clock = ManualClock::default();
    clock.set(zoned_time("2026-10-25T01:59:59+02:00[Europe/Berlin]").unwrap());
    let file = RotatingFile::builder(dir.path("log"))
        .when(When::Hour)
        .alignment(Alignment::Clock)
        .zone("Europe/Berlin")
        .backups(9)
        .clock(clock.clone())
        .format(Bare)
        .build()
        .unwrap()
        .named("file");
    let times =
        ["01:59:59+02:00", "02:00:00+02:00", "02:59:59+02:00", "02:00:00+01:00", "02:59:59+01:00", "03:00:00+01:00"];
    for time in times {
        clock.set(zoned_time(&format!("2026-10-25T{time}[Europe/Berlin]")).unwrap());
        let mut record = Record::new(Severity::INFO, "app", time);
        record.set_time(tracing_strata::clock::Clock::now(&clock));
        file.emit(&record);
    }
    drop(file);
    let mut texts: Vec<String> = std::fs::read_dir(dir.path(""))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    texts.sort();
    let mut expected = [[0, 1].as_slice(), &[1, 3], &[3, 5], &[5, 6]].map(|range| times[range[0]..range[1]].concat());
    expected.sort();
    assert_eq!(texts.iter().map(|text| text.replace('\n', "")).collect::<Vec<_>>(), expected);
    let error = zoned_time("2026-10-25 noon").unwrap_err().to_string();
    assert!(error.contains("expected a time with its zone, got \"2026-10-25 noon\""), "{error}");
}
