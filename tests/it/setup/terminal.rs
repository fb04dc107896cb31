//! At terminals: narrow, wide, lying, closed; with what is huge or hostile.

use std::{
    fs,
    io::{self, BufRead as _, Read as _, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing_strata::{Severity, output::RotatingFile};

use super::{child, command};
use crate::{hostile::is_control, places::Dir, pty};

/// Never a hang.
const DEADLINE: Duration = Duration::from_secs(60);

fn ended(mut child: Child) -> ExitStatus {
    let id = child.id();
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || done.send(child.wait().unwrap()));
    is_done.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        let killed = Command::new("kill").args(["-9", &id.to_string()]).status();
        panic!("it hangs; killed: {killed:?}")
    })
}

/// What a program shows at a terminal of so many columns.
fn shown(mut command: Command, columns: u16) -> String {
    let (mut ours, theirs) = pty::open(columns);
    let running = command.stderr(theirs).spawn().unwrap();
    // The terminal is the program's alone: reading ends with an error when it has closed it.
    drop(command);
    let mut shown = Vec::new();
    ours.read_to_end(&mut shown).unwrap_or_default();
    assert!(ended(running).success(), "{}", String::from_utf8_lossy(&shown));
    String::from_utf8(shown).unwrap()
}

#[test]
fn pretty_lines_fit() {
    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        let _request = tracing::info_span!("request", id = "7f3a").entered();
        tracing::info!(target: "shop", user = 7, "an order was placed, and paid for at once");
    };
    if child(program) {
        return;
    }
    // A terminal that says nothing of its width, or what cannot be, gets whole lines.
    let rows = [(60, true, 2), (200, true, 1), (20, false, 1), (1, true, 1), (0, false, 1), (u16::MAX, true, 1)];
    for (columns, coloured, count) in rows {
        let dir = Dir::new();
        let mut command = command("terminal::pretty_lines_fit", "", &dir);
        command.env("TERM", if coloured { "xterm-256color" } else { "dumb" }).env_remove("NO_COLOR");
        let shown = shown(command, columns);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), count, "{columns}: {shown:?}");
        assert!(lines[0].contains("INFO") && shown.contains("paid for at"), "{columns}: {shown:?}");
        assert_eq!(shown.contains('\x1b'), coloured, "{columns}: {shown:?}");
        assert_eq!(lines[0].contains("request{id=7f3a}"), count == 1, "{columns}: {shown:?}");
    }
}

#[test]
fn what_is_huge_is_cut_and_says_so_and_what_is_hostile_is_escaped() {
    const ENEMY: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\nINFO     all is well\u{202e}\0";
    let program = |_: &Path, _: &str| {
        let _logging = tracing_strata::init().unwrap();
        tracing::info!("{}", "x".repeat(1 << 20));
        tracing::info!("{}", "a line\n".repeat(10_000));
        let _span = tracing::info_span!("request", path = ENEMY).entered();
        tracing::error!(enemy = ENEMY, error = &io::Error::other(ENEMY) as &dyn std::error::Error, "{ENEMY}");
        tracing_strata::Logger::new(ENEMY).at(Severity::WARN).log(ENEMY);
        let _panicked = std::panic::catch_unwind(|| panic!("{ENEMY}"));
    };
    if child(program) {
        return;
    }
    for columns in [20, 80] {
        let dir = Dir::new();
        let mut command = command("terminal::what_is_huge_is_cut_and_says_so_and_what_is_hostile_is_escaped", "", &dir);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let shown = shown(command, columns).replace("\r\n", "\n");
        // A value has 64 KiB, unless the application says otherwise.
        assert_eq!(
            (shown.matches(&"x".repeat(64 << 10)).count(), shown.matches("…[cut]").count()),
            (1, 2),
            "{columns}"
        );
        assert!(shown.matches("a line").count() >= 9_000, "{columns}");
        // What std says of the panic is std's, which this test binary lets it say.
        let ours = shown.split("\nthread '").next().unwrap();
        let mut parts = ours.split("\x1b[");
        let plain = parts.next().unwrap().to_owned();
        let plain = parts.fold(plain, |plain, part| {
            let (colour, text) = part.split_once('m').unwrap();
            assert!(colour.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{columns}: {colour:?}");
            plain + text
        });
        assert!(!plain.chars().any(|c| c != '\n' && is_control(c)), "{columns}");
        let records = plain.lines().filter(|line| !line.starts_with("    | ")).count();
        assert!((4..=5).contains(&records), "{columns}: {records}");
        assert!(plain.contains("\\u{1b}]0;owned") && plain.contains("CRITICAL"), "{columns}");
    }
}

/// The other end is closed before the first record, or between two.
#[test]
fn one_that_is_closed_costs_only_what_it_would_have_shown() {
    const RECORDS: usize = 1_000;
    let program = |dir: &Path, _: &str| {
        let file = RotatingFile::builder(dir.join("app.jsonl")).max_bytes(100 << 20).backups(1);
        let logging = tracing_strata::setup().file(file).init().unwrap();
        tracing::info!("begun");
        io::stdin().lock().read_line(&mut String::new()).unwrap();
        (0..RECORDS).for_each(|number| tracing::info!(number, "later"));
        tracing::info!("{}", "x".repeat(1 << 20));
        // The console has failed, and says so, once.
        let told = logging.flush(Duration::from_secs(10)).map_err(|error| error.to_string());
        assert!(std::panic::catch_unwind(|| panic!("out of cheese")).is_err());
        fs::write(dir.join("done"), format!("{told:?}")).unwrap();
    };
    if child(program) {
        return;
    }
    for is_shown in [true, false] {
        let (mut ours, theirs) = pty::open(80);
        let dir = Dir::new();
        let mut command = command("terminal::one_that_is_closed_costs_only_what_it_would_have_shown", "", &dir);
        if is_shown {
            let mut running = command.stdin(Stdio::piped()).stderr(theirs).spawn().unwrap();
            drop(command);
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains("begun") {
                let mut bytes = [0; 1024];
                let count = ours.read(&mut bytes).unwrap();
                seen.extend_from_slice(&bytes[..count]);
            }
            drop(ours);
            running.stdin.take().unwrap().write_all(b"\n").unwrap();
            assert!(ended(running).success());
        } else {
            drop(ours);
            assert!(ended(command.stderr(theirs).spawn().unwrap()).success());
        }
        let told = fs::read_to_string(dir.path("done")).unwrap();
        // With the long one, and the first.
        let lost = RECORDS + if is_shown { 1 } else { 2 };
        assert!(told.contains(&format!(r#"console\": {lost} records were lost"#)), "{told}");
        let text = fs::read_to_string(dir.path("app.jsonl")).unwrap();
        let count = |message: &str| text.lines().filter(|line| line.contains(message)).count();
        assert_eq!((count("begun"), count("later"), count("out of cheese")), (1, RECORDS, 1));
    }
}

/// Standard error is closed before the program starts.
#[test]
fn without_standard_error_the_file_has_all() {
    let program = |dir: &Path, _: &str| {
        let file = RotatingFile::builder(dir.join("app.jsonl")).max_bytes(100 << 20).backups(1);
        let _logging = tracing_strata::setup().file(file).init().unwrap();
        tracing::info!("begun");
        assert!(std::panic::catch_unwind(|| panic!("out of cheese")).is_err());
    };
    if child(program) {
        return;
    }
    let dir = Dir::new();
    let whole = command("terminal::without_standard_error_the_file_has_all", "", &dir);
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$0" "$@" 2>&-"#]).arg(whole.get_program()).args(whole.get_args());
    for (name, value) in whole.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    assert!(ended(command.spawn().unwrap()).success());
    let text = fs::read_to_string(dir.path("app.jsonl")).unwrap();
    assert_eq!((text.lines().count(), text.contains("out of cheese")), (2, true), "{text}");
}
