//! SIGTERM and SIGINT.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{self, Child, Command},
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tracing::info;
use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Queue,
    output::LogFile,
    shutdown::{self, Signals},
};
use tracing_subscriber::prelude::*;

use super::{Left, as_child, command};
use crate::places::{Bare, Dir};

/// Takes no record to the end.
struct Slow;

impl Handler for Slow {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        thread::park();
        Ok(Outcome::Written)
    }
}

fn child(dir: &std::path::Path, mode: &str) {
    let file = LogFile::builder(dir.join("log")).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().build_with_guard(file).unwrap();
    std::mem::forget(guard);
    // What a queue may take for itself hides nothing where it is long.
    let drain = if mode == "slow" { Duration::from_millis(100) } else { Duration::from_secs(3_600) };
    let (slow, slow_guard) = Queue::builder().flush_timeout(drain).build_with_guard(Slow).unwrap();
    std::mem::forget(slow_guard);
    let slow = ["slow", "stuck", "stuck for long"].contains(&mode).then(|| slow.into_layer());
    tracing_subscriber::registry().with(queue.into_layer()).with(slow).init();
    let deadline = match mode {
        "slow" => Duration::from_millis(100),
        "stuck" => Duration::from_secs(1),
        "stuck for long" => Duration::from_secs(3_600),
        _ => Duration::from_secs(20),
    };
    let signals = Signals::terminating().flush_on(10).timeout(deadline);
    let signals = match mode {
        "then" => signals.then(|signal| {
            println!("then {signal}");
            std::io::stdout().flush().unwrap();
            process::exit(40 + signal)
        }),
        _ => signals,
    };
    let guard = signals.install().unwrap();
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

fn wait(child: &mut Child, most: Duration) -> Option<process::ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if began.elapsed() > most {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_deadline_is_that_of_all() {
    const NAME: &str = "exit::signals::the_deadline_is_that_of_all";
    as_child(child);
    let dir = Dir::new();
    let mut child = started(NAME, "stuck", &dir);
    send("TERM", &child);
    // Many times the deadline, and nothing like what the queue would take.
    let status = wait(&mut child, Duration::from_secs(15)).expect("it is waited for longer than the deadline");
    assert_eq!(status.signal(), Some(15));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    const NAME: &str = "exit::signals::a_second_signal_ends_the_process_at_once";
    as_child(child);
    for (first, second, number) in [("TERM", "TERM", 15), ("TERM", "INT", 2), ("INT", "TERM", 15)] {
        let dir = Dir::new();
        let mut child = started(NAME, "stuck for long", &dir);
        send(first, &child);
        // The first is being seen to, for an hour.
        thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "{first}");
        // Two that are alike are one until the first is seen.
        let began = Instant::now();
        let status = loop {
            send(second, &child);
            thread::sleep(Duration::from_millis(100));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the second signal changes nothing");
        };
        assert_eq!(status.signal(), Some(number));
    }
}

const RECORDS: usize = 100;

/// Forks, and sends signals to the child until it ends; what became of it is in the file `ended`.
fn forks(dir: &std::path::Path, mode: &str) {
    let (signal, mode) = mode.split_once(' ').unwrap();
    let signal = if signal == "TERM" { Signal::TERM } else { Signal::INT };
    let file = LogFile::builder(dir.join("log")).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().build_with_guard(file).unwrap();
    std::mem::forget(guard);
    tracing_subscriber::registry().with(queue.into_layer()).init();
    std::mem::forget(Signals::terminating().timeout(Duration::from_secs(20)).install().unwrap());
    let log = || (0..RECORDS).for_each(|number| info!("{number}"));
    let there = |name: &str| std::fs::write(dir.join(name), "").unwrap();
    let wait_for = |name: &str| {
        let began = Instant::now();
        while !dir.join(name).exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "{name}");
            thread::sleep(Duration::from_millis(2));
        }
    };
    match fork().unwrap() {
        Fork::Child => {
            match mode {
                "logs" => log(),
                "told" => shutdown::after_fork(),
                _ => {}
            }
            there("ready");
            if mode == "logs late" {
                wait_for("sent");
                log();
            }
            loop {
                thread::park();
            }
        }
        Fork::Parent(pid) => {
            let pid = Pid::from_raw(pid).unwrap();
            wait_for("ready");
            kill_process(pid, signal).unwrap();
            thread::sleep(Duration::from_millis(100));
            there("sent");
            if mode == "idle" {
                kill_process(pid, signal).unwrap_or_default();
            }
            let began = Instant::now();
            let status = loop {
                match waitpid(Some(pid), WaitOptions::NOHANG).unwrap() {
                    Some((_, status)) => break status.terminating_signal(),
                    None if began.elapsed() > Duration::from_secs(30) => {
                        kill_process(pid, Signal::KILL).unwrap();
                        break None;
                    }
                    None => {
                        thread::sleep(Duration::from_millis(2));
                        if mode == "idle" {
                            // Two that are alike are one until the first is seen.
                            kill_process(pid, signal).unwrap_or_default();
                        }
                    }
                }
            };
            std::fs::write(dir.join("ended"), format!("{status:?}")).unwrap();
        }
    }
    shutdown::set_exit_timeout(Duration::ZERO);
    process::exit(0);
}

#[test]
fn t15_a_child_of_a_fork_is_ended_by_signals() {
    const NAME: &str = "exit::signals::t15_a_child_of_a_fork_is_ended_by_signals";
    as_child(forks);
    for mode in ["TERM logs", "INT logs", "TERM told", "INT told", "TERM logs late", "TERM idle", "INT idle"] {
        let left = super::run(NAME, mode);
        let number = if mode.starts_with("TERM") { 15 } else { 2 };
        assert_eq!(left.lines("ended"), [format!("Some({number})")], "{mode}: {}", left.stderr());
        // What the child logged is written before.
        let records = if mode.contains("logs") { RECORDS } else { 0 };
        assert_eq!(left.lines("log").len(), records, "{mode}: {}", left.stderr());
    }
}

#[test]
fn t16_a_daemon_is_ended_by_signals() {
    const NAME: &str = "exit::signals::t16_a_daemon_is_ended_by_signals";
    as_child(|dir, _| {
        let file = LogFile::builder(dir.join("log")).buffer(64 << 10).format(Bare).build().unwrap();
        tracing_subscriber::registry().with(file.into_layer()).init();
        std::mem::forget(Signals::terminating().install().unwrap());
        if let Fork::Child = fork::daemon(true, false).unwrap() {
            info!("here");
            std::fs::write(dir.join("part"), process::id().to_string()).unwrap();
            std::fs::rename(dir.join("part"), dir.join("pid")).unwrap();
            thread::sleep(Duration::from_secs(60));
            std::fs::write(dir.join("goes on"), "").unwrap();
        }
        process::exit(0);
    });
    let left = super::run(NAME, "");
    let began = Instant::now();
    let pid = loop {
        if let Some(pid) = left.lines("pid").first() {
            break Pid::from_raw(pid.parse().unwrap()).unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no daemon");
        thread::sleep(Duration::from_millis(5));
    };
    kill_process(pid, Signal::TERM).unwrap();
    // It is nobody's child here: what it holds is written before it ends.
    while left.lines("log") != ["here"] {
        assert!(!left.dir.path("goes on").exists() && began.elapsed() < Duration::from_secs(120), "the daemon goes on");
        thread::sleep(Duration::from_millis(5));
    }
}
