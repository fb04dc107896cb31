//! The front door: each test runs itself again as a program that starts logging with one line.

#[cfg(target_os = "linux")]
mod terminal;

use std::{
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tracing_strata::{Severity, format::Text, output::RotatingFile, setup};

use crate::places::{Dir, again, apart};

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
    // Levels that hide it.
    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", "error,shpo=error"), ("STRATA_FORMAT", "prety")]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("tracing-strata: STRATA_FORMAT: ") && lines[0].contains("prety"), "{lines:?}");
    assert!(lines[1].starts_with("tracing-strata: RUST_LOG: ") && lines[1].contains("shpo"), "{lines:?}");
    // No directive at all.
    let (lines, _dir) = run(NAME, "", &[("RUST_LOG", " , ")]);
    assert_eq!(lines.len(), 2, "{lines:?}");
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
    let program = |dir: &Path, mode: &str| {
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
        tracing::error!("the end");
        if mode == "the guard is not dropped" {
            std::process::exit(0);
        }
    };
    if child(program) {
        return;
    }
    for mode in ["", "the guard is not dropped"] {
        let (lines, dir) = run("one_screen_has_a_file_a_console_format_levels_panics_and_the_log_crate", mode, &[]);
        let file = fs::read_to_string(dir.path("app.jsonl")).unwrap();
        let messages: Vec<_> = file
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned()
            })
            .collect();
        let expected = if cfg!(feature = "log") {
            vec!["query", "paid", "slow", "by log", "boom", "the end"]
        } else {
            vec!["query", "paid", "slow", "boom", "the end"]
        };
        assert_eq!(messages, expected, "{mode}");
        assert!(lines.iter().any(|line| line.starts_with("DEBUG") && line.ends_with("query")), "{lines:?}");
    }
}

#[test]
#[cfg(feature = "log")]
fn a_logger_of_the_log_crate_that_is_there_stays_and_is_told() {
    struct Other;
    impl log::Log for Other {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            eprintln!("other: {}", record.args());
        }
        fn flush(&self) {}
    }
    let program = |_: &Path, _: &str| {
        log::set_boxed_logger(Box::new(Other)).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        let _logging = tracing_strata::init().unwrap();
        log::info!("by log");
        tracing::info!("by tracing");
    };
    if child(program) {
        return;
    }
    let (lines, _dir) = run("a_logger_of_the_log_crate_that_is_there_stays_and_is_told", "", &[]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("logger"), "{lines:?}");
    assert!(lines[1] == "other: by log" && lines[2].contains("by tracing"), "{lines:?}");
}

#[test]
fn a_second_start_is_an_error_and_opens_nothing() {
    let program = |dir: &Path, mode: &str| {
        let first = match mode {
            "ours" => Some(tracing_strata::init().unwrap()),
            "of `fmt`" => {
                tracing_subscriber::fmt().with_writer(std::io::stderr).init();
                None
            }
            _ => {
                tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
                None
            }
        };
        let file = RotatingFile::builder(dir.join("second.jsonl")).max_bytes(1 << 20).backups(1);
        let error = tracing_strata::setup().file(file).init().unwrap_err();
        assert!(error.to_string().contains("has a global default subscriber already"), "{error}");
        // What was there goes on.
        tracing::info!("still here");
        fs::write(dir.join("done"), "").unwrap();
        drop(first);
    };
    if child(program) {
        return;
    }
    for mode in ["ours", "of `fmt`", "another"] {
        let (lines, dir) = run("a_second_start_is_an_error_and_opens_nothing", mode, &[]);
        assert!(dir.path("done").exists(), "{lines:?}");
        assert!(!dir.path("second.jsonl").exists());
        assert_eq!(lines.iter().filter(|line| line.contains("still here")).count(), usize::from(mode != "another"));
    }
}

/// Tests of an application: each starts logging, or has a subscriber for itself.
#[test]
fn of_tests_in_parallel_one_starts_and_no_other_opens_anything() {
    let program = |dir: &Path, mode: &str| {
        if mode == "scoped before" {
            tracing::subscriber::with_default(tracing_subscriber::registry(), log_a_little);
        }
        let start = std::sync::Barrier::new(8);
        let test = |number: usize| {
            let file = RotatingFile::builder(dir.join(format!("{number}.jsonl"))).max_bytes(1 << 20).backups(1);
            let _scope = (mode == "scoped").then(|| tracing::subscriber::set_default(tracing_subscriber::registry()));
            start.wait();
            let started = tracing_strata::setup().no_console().file(file).init();
            tracing::info!(number);
            started.map_err(|error| assert!(error.to_string().contains("already"), "{error}"))
        };
        let started: Vec<_> = std::thread::scope(|scope| {
            let tests: Vec<_> = (0..8).map(|number| scope.spawn(move || test(number))).collect();
            tests.into_iter().map(|test| test.join().unwrap()).collect()
        });
        assert_eq!(started.iter().filter(|started| started.is_ok()).count(), 1);
        tracing::info!("after all");
        drop(started);
        fs::write(dir.join("done"), "").unwrap();
    };
    if child(program) {
        return;
    }
    for mode in ["", "scoped before", "scoped"] {
        let (lines, dir) = run("of_tests_in_parallel_one_starts_and_no_other_opens_anything", mode, &[]);
        assert!(dir.path("done").exists(), "{mode}: {lines:?}");
        let files: Vec<_> = (0..8).filter(|number| dir.path(&format!("{number}.jsonl")).exists()).collect();
        let [number] = files[..] else { panic!("{mode}: {files:?}") };
        let text = fs::read_to_string(dir.path(&format!("{number}.jsonl"))).unwrap();
        assert!(text.contains("after all"), "{mode}: {text}");
    }
}

/// A library cannot take logging from its application.
#[test]
fn a_library_that_starts_first_or_later_changes_nothing_else() {
    mod library {
        pub(super) fn work() {
            let _logging = tracing_strata::init();
            tracing::info!(target: "library", "worked");
        }
    }
    let program = |_: &Path, mode: &str| {
        if mode == "first" {
            library::work();
        }
        let started = tracing_strata::setup().console(Text::plain()).init();
        assert_eq!(started.is_ok(), mode == "later", "{started:?}");
        library::work();
        tracing::info!(target: "app", "goes on");
    };
    if child(program) {
        return;
    }
    for (mode, worked) in [("first", 2), ("later", 1)] {
        let (lines, _dir) = run("a_library_that_starts_first_or_later_changes_nothing_else", mode, &[]);
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!((count("worked"), count("goes on"), lines.len()), (worked, 1, worked + 1), "{mode}: {lines:?}");
    }
}

#[test]
fn whatever_rust_log_says_the_program_runs_and_says_why() {
    let program = |dir: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        log_a_little();
        fs::write(dir.join("done"), "").unwrap();
    };
    if child(program) {
        return;
    }
    const NAME: &str = "whatever_rust_log_says_the_program_runs_and_says_why";
    // The value, and what its WARN record says.
    let long = format!("{}=loud", "x".repeat(100_000));
    let many = (0..200_000).map(|number| format!("a{number}=info,")).collect::<String>();
    let rows = [
        ("inof", "did you mean"),
        ("shop=inof", "did you mean"),
        ("shop==debug", "column 1"),
        ("=debug", "expected a logger's name before '='"),
        ("info,shop=debug=info", "column 6"),
        ("debug=shop", "did you mean `shop=debug`?"),
        ("shop[request]=debug", "levels by span or field are not supported"),
        ("\"shop", "directive 1"),
        ("sh\nop=debug", "directive 1"),
        ("\u{1b}[2Jshop=debug", "directive 1"),
        (&long, "loud"),
    ];
    for (value, says) in rows {
        let (lines, dir) = run(NAME, "", &[("RUST_LOG", value), ("STRATA_FORMAT", "text")]);
        let value: String = value.chars().take(40).collect();
        assert!(dir.path("done").exists(), "{value:?}: {lines:?}");
        assert_eq!(lines.len(), 3, "{value:?}: {lines:?}");
        assert!(lines[0].contains("WARN") && lines[0].contains("RUST_LOG"), "{value:?}: {lines:?}");
        assert!(lines[0].replace('\\', "").contains(says) && !lines[0].contains('\x1b'), "{value:?}: {lines:?}");
        assert!(lines[0].len() < 500, "{value:?}: {lines:?}");
    }
    // Nothing at all, as if it were not set; commas without anything between.
    for value in ["", ",,,", " , info , "] {
        let (lines, dir) = run(NAME, "", &[("RUST_LOG", value)]);
        assert!(
            dir.path("done").exists() && lines.iter().all(|line| !line.contains("RUST_LOG")),
            "{value:?}: {lines:?}"
        );
    }
    let dir = Dir::new();
    let (mut big, mut no_text) = (command(NAME, "", &dir), command(NAME, "", &dir));
    // One string of the environment has 128 KiB at most.
    big.env("RUST_LOG", &many[..100_000]);
    #[cfg(unix)]
    no_text.env("RUST_LOG", std::os::unix::ffi::OsStrExt::from_bytes(b"shop=\xff\xfe") as &std::ffi::OsStr);
    for mut command in [big, no_text] {
        let lines = lines(&command.output().unwrap());
        assert!(dir.path("done").exists() && lines.iter().any(|line| line.contains("RUST_LOG")), "{lines:?}");
        fs::remove_file(dir.path("done")).unwrap();
    }
}

#[test]
fn a_layer_for_a_registry_of_ones_own() {
    // Its guard flushes all handlers of the process.
    apart("setup::a_layer_for_a_registry_of_ones_own", a_layer_of_ones_own);
}

fn a_layer_of_ones_own() {
    use tracing_subscriber::prelude::*;

    let dir = Dir::new();
    let file = RotatingFile::builder(dir.path("app.jsonl")).max_bytes(1 << 20).backups(1);
    let (layer, guard) = setup().levels("debug").no_console().file(file).layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log_a_little);
    guard.flush(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(fs::read_to_string(dir.path("app.jsonl")).unwrap().lines().count(), 3);

    let error = setup().levels("shop=loud").layer::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.to_string().contains("shop=loud"), "{error}");
    let error = setup().no_console().file(RotatingFile::builder("/proc/none/app.jsonl").max_bytes(1).backups(1));
    let error = error.layer::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.to_string().contains("/proc/none/app.jsonl"), "{error}");
}
