//! T14: a program that panics in `main`, which the harness of the other tests does not let it do.
#![allow(clippy::unwrap_used, reason = "a test")]

#[cfg(target_os = "linux")]
#[path = "it/pty.rs"]
mod pty;

use std::{
    env, fs, panic,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use tracing::info;
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Queue, Severity, format::Json, output::LogFile, shutdown,
};
use tracing_subscriber::prelude::*;

const MODE: &str = "STRATA_TEST_MODE";
const LOG: &str = "STRATA_TEST_REPORT";
const RECORDS: usize = 100;

fn main() {
    match env::var(MODE) {
        Ok(mode) if mode.starts_with("terminal") => at_a_terminal(&mode),
        Ok(mode) => program(&mode, &PathBuf::from(env::var_os(LOG).unwrap())),
        Err(_) => {
            ["hook", "no hook"].into_iter().for_each(look);
            #[cfg(target_os = "linux")]
            look_at_terminals();
        }
    }
}

fn at_a_terminal(mode: &str) {
    if mode.contains("hook") {
        panic::set_hook(Box::new(|_| eprintln!("of the application")));
    }
    let logging = tracing_strata::init().unwrap();
    if mode.contains("twice") {
        shutdown::panic_hook();
    }
    if mode.contains("off") {
        logging.loggers().set_level("panic", Severity::OFF).unwrap();
    }
    panic!("out of cheese");
}

/// A panic is told once: std's own message is left out where the record was read, and nowhere else.
#[cfg(target_os = "linux")]
fn look_at_terminals() {
    use std::io::Read as _;

    let test = env::current_exe().unwrap();
    // As `cargo run` finds it: not in the folder of tests.
    let program = test.parent().unwrap().parent().unwrap().join(format!("main_panics-{}", std::process::id()));
    fs::hard_link(&test, &program).unwrap();
    let shown = |program: &Path, mode: &str| {
        let (mut ours, theirs) = pty::open(200);
        let mut command = Command::new(program);
        command.env(MODE, mode).env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("STRATA_FORMAT");
        let mut running = command.stderr(theirs).spawn().unwrap();
        drop(command);
        let mut shown = Vec::new();
        ours.read_to_end(&mut shown).unwrap_or_default();
        assert_eq!(running.wait().unwrap().code(), Some(101));
        String::from_utf8(shown).unwrap()
    };
    let rows = [
        ("terminal", true, false, false),
        ("terminal, twice", true, false, false),
        ("terminal, off", false, true, false),
        ("terminal, hook", true, false, true),
    ];
    let looks = |text: &str| {
        let is_recorded = text.contains("CRITICAL out of cheese");
        (is_recorded, text.contains("panicked at"), text.contains("of the application"))
    };
    let found: Vec<_> = rows.iter().map(|(mode, ..)| shown(&program, mode)).collect();
    fs::remove_file(&program).unwrap();
    for ((mode, record, of_std, of_the_application), text) in rows.into_iter().zip(&found) {
        assert_eq!(looks(text), (record, of_std, of_the_application), "{mode}: {text}");
        assert_eq!(text.matches("out of cheese").count(), 1, "{mode}: {text}");
    }
    // The harness shows what std says with the test that failed.
    let text = shown(&test, "terminal");
    assert_eq!(looks(&text), (true, true, false), "{text}");
}

/// Takes its time, so that the queue has hardly begun when `main` ends.
struct Unhurried<H>(H);

impl<H: Handler> Handler for Unhurried<H> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        thread::sleep(Duration::from_millis(5));
        self.0.handle(record)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.flush(how)
    }
}

fn program(mode: &str, log: &Path) {
    if mode == "hook" {
        shutdown::panic_hook();
    }
    let file = LogFile::builder(log).buffer(64 << 10).format(Json::new()).build().unwrap();
    let queue = Queue::builder().build(Unhurried(file)).unwrap();
    tracing_subscriber::registry().with(queue.into_layer()).init();
    (0..RECORDS).for_each(|number| info!("{number}"));
    panic!("out of cheese");
}

fn look(mode: &str) {
    let log = env::temp_dir().join(format!("strata-main-{}-{}", std::process::id(), mode.len()));
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.env(MODE, mode).env(LOG, &log).output().unwrap();
    let text = fs::read_to_string(&log).unwrap_or_default();
    fs::remove_file(&log).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{mode}: {stderr}");
    assert!(stderr.contains("out of cheese") && !stderr.contains("lost"), "{mode}: {stderr}");
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The record of a panic is made on another thread: it may come before what waits of this one.
    let (panics, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record["level"] == "CRITICAL");
    let message = |record: &&serde_json::Value| record["message"].as_str().unwrap().to_owned();
    assert!(others.iter().map(message).eq((0..RECORDS).map(|number| number.to_string())), "{mode}: {others:?}");
    let expected: &[&str] = if mode == "hook" { &["out of cheese"] } else { &[] };
    assert_eq!(panics.iter().map(message).collect::<Vec<_>>(), expected, "{mode}");
}
