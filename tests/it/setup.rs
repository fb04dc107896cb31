//! The front door: each test runs itself again as a program that starts logging with one line.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tracing_strata::{Severity, format::Text, output::RotatingFile, setup};

use crate::places::{Dir, again};

const MODE: &str = "STRATA_TEST_MODE";

fn command(test: &str, mode: &str, dir: &Dir) -> Command {
    let mut command = again(&format!("setup::{test}"), &dir.path(""));
    command.env(MODE, mode).env_remove("RUST_BACKTRACE").env_remove("RUST_LOG").env_remove("STRATA_FORMAT");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The lines on standard error, without those of the test harness.
fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}

fn run(test: &str, mode: &str, variables: &[(&str, &str)]) -> (Vec<String>, Dir) {
    let dir = Dir::new();
    let output = command(test, mode, &dir).envs(variables.iter().copied()).output().unwrap();
    (lines(&output), dir)
}

/// In the child: the program. In the parent: false.
fn child(run: impl FnOnce(&Path, &str)) -> bool {
    let Some(dir) = env::var_os("STRATA_TEST_REPORT") else { return false };
    run(Path::new(&dir), &env::var(MODE).unwrap_or_default());
    true
}

fn log_a_little() {
    tracing::debug!(target: "shop::db", "query");
    tracing::info!(target: "shop", user = 7, "paid");
    tracing::warn!(target: "hyper", "slow");
}

#[test]
fn one_line_logs_from_info_as_json_where_there_is_no_terminal() {
    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        log_a_little();
    };
    if child(program) {
        return;
    }
    const NAME: &str = "one_line_logs_from_info_as_json_where_there_is_no_terminal";
    let (lines, _dir) = run(NAME, "", &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&first["message"], &first["user"], &first["target"]), (&"paid".into(), &7.into(), &"shop".into()));

    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", "error,shop=debug"), ("STRATA_FORMAT", "text")]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("DEBUG") && lines[0].ends_with("query") && !lines[0].contains('\x1b'), "{lines:?}");
    let (lines, _dir) = run(NAME, "", &[("STRATA_FORMAT", "pretty")]);
    assert!(lines.len() == 2 && lines[0].contains("\x1b["), "{lines:?}");
}

/// A terminal, and the program's side of it.
#[cfg(target_os = "linux")]
fn terminal(columns: u16) -> (std::fs::File, std::fs::File) {
    use rustix::{pty, termios};

    let ours = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::unlockpt(&ours).unwrap();
    let name = pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let size = termios::Winsize { ws_row: 25, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    termios::tcsetwinsize(&theirs, size).unwrap();
    (ours.into(), theirs)
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_pretty_lines_that_fit() {
    use std::io::Read as _;

    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        let _request = tracing::info_span!("request", id = "7f3a").entered();
        tracing::info!(target: "shop", user = 7, "an order was placed, and paid for at once");
    };
    if child(program) {
        return;
    }
    for (columns, coloured, count) in [(60, true, 2), (200, true, 1), (20, false, 1), (0, false, 1)] {
        let (mut ours, theirs) = terminal(columns);
        let dir = Dir::new();
        let mut command = command("a_terminal_gets_pretty_lines_that_fit", "", &dir);
        command.env("TERM", if coloured { "xterm-256color" } else { "dumb" }).env_remove("NO_COLOR");
        let mut running = command.stderr(theirs).spawn().unwrap();
        // The terminal is theirs alone: reading ends with an error when they have closed it.
        drop(command);
        let mut shown = Vec::new();
        ours.read_to_end(&mut shown).unwrap_or_default();
        running.wait().unwrap();
        let shown = String::from_utf8(shown).unwrap();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), count, "{columns}: {shown:?}");
        assert!(lines[0].contains("INFO") && shown.contains("paid for at"), "{columns}: {shown:?}");
        assert_eq!(shown.contains('\x1b'), coloured, "{columns}: {shown:?}");
        assert_eq!(lines[0].contains("request{id=7f3a}"), count == 1, "{columns}: {shown:?}");
    }
}

#[test]
fn wrong_variables_are_told_and_do_no_harm() {
    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        log_a_little();
    };
    if child(program) {
        return;
    }
    const NAME: &str = "wrong_variables_are_told_and_do_no_harm";
    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", "shop=loud"), ("STRATA_FORMAT", "prety")]);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].contains("RUST_LOG") && lines[0].contains("shop=loud") && lines[0].contains("WARN"), "{lines:?}");
    assert!(lines[1].contains("expected pretty, text or json, got") && lines[1].contains("prety"), "{lines:?}");
    assert!(lines[2].contains("paid") && lines[3].contains("slow"), "{lines:?}");
}

#[test]
fn a_directive_that_matched_nothing_is_named_with_what_was_seen() {
    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        log_a_little();
    };
    if child(program) {
        return;
    }
    const NAME: &str = "a_directive_that_matched_nothing_is_named_with_what_was_seen";
    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", "info,shpo::db=debug,hyper=warn")]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let hint = r#"nothing has logged as \"shpo.db\"; seen: hyper, shop"#;
    assert!(lines[2].contains(hint) && lines[2].contains("RUST_LOG=shop=debug"), "{lines:?}");
    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", "info,shop.db=debug")]);
    assert_eq!(lines.len(), 3, "all matched: {lines:?}");
}

#[test]
fn one_screen_has_a_file_a_console_format_levels_panics_and_the_log_crate() {
    let program = |dir: &Path, _: &str| {
        let logging = tracing_strata::setup()
            .levels("warn,shop=debug")
            .console(Text::plain().time(tracing_strata::format::Time::none()))
            .file(RotatingFile::builder(dir.join("app.jsonl")).max_bytes(10 << 20).backups(1))
            .init()
            .unwrap();
        log_a_little();
        logging.loggers().set_level("shop", Severity::ERROR).unwrap();
        tracing::info!(target: "shop", "off");
        #[cfg(feature = "log")]
        log::warn!(target: "legacy", "by log");
        let _panicked = std::panic::catch_unwind(|| panic!("boom"));
    };
    if child(program) {
        return;
    }
    let (lines, dir) = run("one_screen_has_a_file_a_console_format_levels_panics_and_the_log_crate", "", &[]);
    let file = fs::read_to_string(dir.path("app.jsonl")).unwrap();
    let messages: Vec<_> = file
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect();
    let expected = if cfg!(feature = "log") {
        vec!["query", "paid", "slow", "by log", "boom"]
    } else {
        vec!["query", "paid", "slow", "boom"]
    };
    assert_eq!(messages, expected);
    assert!(lines.iter().any(|line| line.starts_with("DEBUG") && line.ends_with("query")), "{lines:?}");
}

#[test]
fn a_second_start_is_an_error_and_opens_nothing() {
    let program = |dir: &Path, mode: &str| {
        let first = match mode {
            "ours" => Some(tracing_strata::init().unwrap()),
            _ => {
                tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
                None
            }
        };
        let file = RotatingFile::builder(dir.join("second.jsonl")).max_bytes(1 << 20).backups(1);
        let error = tracing_strata::setup().file(file).init().unwrap_err();
        assert!(error.to_string().contains("has a global default subscriber already"), "{error}");
        fs::write(dir.join("done"), "").unwrap();
        drop(first);
    };
    if child(program) {
        return;
    }
    for mode in ["ours", "another"] {
        let (lines, dir) = run("a_second_start_is_an_error_and_opens_nothing", mode, &[]);
        assert!(dir.path("done").exists(), "{lines:?}");
        assert!(!dir.path("second.jsonl").exists());
    }
}

#[test]
fn a_layer_for_a_registry_of_ones_own() {
    use tracing_subscriber::prelude::*;

    let dir = Dir::new();
    let file = RotatingFile::builder(dir.path("app.jsonl")).max_bytes(1 << 20).backups(1);
    let (layer, guard) = setup().levels("debug").no_console().file(file).layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log_a_little);
    // Other tests of this process have handlers that fail.
    guard.flush(std::time::Duration::from_secs(5)).unwrap_or_default();
    assert_eq!(fs::read_to_string(dir.path("app.jsonl")).unwrap().lines().count(), 3);

    let error = setup().levels("shop=loud").layer::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.to_string().contains("shop=loud"), "{error}");
    let error = setup().no_console().file(RotatingFile::builder("/proc/none/app.jsonl").max_bytes(1).backups(1));
    let error = error.layer::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.to_string().contains("/proc/none/app.jsonl"), "{error}");
}
