//! SIGTERM and SIGINT.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{self, Child, Command},
    thread,
    time::Duration,
};

use tracing::info;
use tracing_strata::{Error, Handler, Outcome, Queue, Record, exit::Signals, output::LogFile};
use tracing_subscriber::prelude::*;

use super::{Left, as_child, command};
use crate::places::{Bare, Dir};

/// Takes no record to the end.
struct Slow;

impl Handler for Slow {
    fn handle(&self, _: &Record) -> Result<Outcome, Error> {
        thread::park();
        Ok(Outcome::Written)
    }
}

fn child(dir: &std::path::Path, mode: &str) {
    let file = LogFile::builder(dir.join("log")).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().spawn(file).unwrap();
    std::mem::forget(guard);
    let (slow, slow_guard) = Queue::builder().drain(Duration::from_millis(100)).spawn(Slow).unwrap();
    std::mem::forget(slow_guard);
    let slow = (mode == "slow").then(|| slow.into_layer());
    tracing_subscriber::registry().with(queue.into_layer()).with(slow).init();
    let signals =
        Signals::terminating().flush_on(10).deadline(Duration::from_millis(if mode == "slow" { 100 } else { 20_000 }));
    let signals = match mode {
        "then" => signals.then(|signal| {
            println!("then {signal}");
            std::io::stdout().flush().unwrap();
            process::exit(40 + signal)
        }),
        _ => signals,
    };
    let guard = signals.spawn().unwrap();
    (0..100).for_each(|number| info!("{number}"));
    if mode == "dropped" {
        drop(guard);
    } else {
        std::mem::forget(guard);
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    loop {
        thread::park();
    }
}

fn started(test: &str, mode: &str, dir: &Dir) -> Child {
    let mut child = command(test, mode, dir).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0);
    }
    // What it still has to say has room.
    child.stdout = Some(out.into_inner());
    child
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
}

fn after(test: &str, mode: &str, signal: &str) -> Left {
    let dir = Dir::new();
    let child = started(test, mode, &dir);
    send(signal, &child);
    Left { output: child.wait_with_output().unwrap(), dir }
}

#[test]
fn signals_flush_and_then_end_the_process() {
    const NAME: &str = "exit::signals::signals_flush_and_then_end_the_process";
    as_child(child);
    for (signal, number) in [("TERM", 15), ("INT", 2)] {
        let left = after(NAME, "", signal);
        assert_eq!(left.output.status.signal(), Some(number), "{}", left.stderr());
        assert_eq!((left.lines("log").len(), &*left.stderr()), (100, ""));
    }
}

#[test]
fn ones_own_action_comes_after_the_flush() {
    const NAME: &str = "exit::signals::ones_own_action_comes_after_the_flush";
    as_child(child);
    let left = after(NAME, "then", "TERM");
    assert_eq!((left.output.status.code(), left.lines("log").len()), (Some(55), 100));
    assert!(String::from_utf8_lossy(&left.output.stdout).contains("then 15"));
}

#[test]
fn a_handler_that_is_stuck_is_not_waited_for_long() {
    const NAME: &str = "exit::signals::a_handler_that_is_stuck_is_not_waited_for_long";
    as_child(child);
    let left = after(NAME, "slow", "TERM");
    assert_eq!(left.output.status.signal(), Some(15));
    assert!(left.stderr().contains("at signal 15: 100 records are lost in handler"), "{}", left.stderr());
}

#[test]
fn without_the_guard_signals_do_as_ever() {
    const NAME: &str = "exit::signals::without_the_guard_signals_do_as_ever";
    as_child(child);
    assert_eq!(after(NAME, "dropped", "TERM").output.status.signal(), Some(15));
}

#[test]
fn t06_a_signal_may_flush_and_do_nothing_else() {
    const NAME: &str = "exit::signals::t06_a_signal_may_flush_and_do_nothing_else";
    as_child(child);
    let dir = Dir::new();
    let mut child = started(NAME, "", &dir);
    send("USR1", &child);
    let began = std::time::Instant::now();
    while std::fs::read_to_string(dir.path("log")).unwrap_or_default().lines().count() < 100 {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody flushed");
        thread::yield_now();
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
