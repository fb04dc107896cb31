//! Processes that are killed in the midst of it.

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{Dir, Writer, shell};

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn writer(path: &Path) -> Writer {
    // Whatever runs it: the writer is the process that is killed.
    Writer::start("packed,1000000,3", path, &mut Command::new("env"))
}

#[test]
fn t32_killed_while_it_compresses() {
    let dir = Dir::new();
    // Takes some seconds to compress, and is rotated by the first record.
    shell("head -c 30000000 /dev/urandom | base64 > app.log; cp app.log before", &dir.0);
    let mut killed = writer(&dir.path("app.log"));
    killed.ask("log 1");
    wait_for("it compresses", || dir.names("app.log").len() > 2);
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    // What is not whole has no name of a log file.
    assert_eq!(shell("ls app.log app.log.*", &dir.0).lines().take(2).collect::<Vec<_>>(), ["app.log", "app.log.1"]);
    shell("cmp before app.log.1; ! ls app.log.1.gz 2>/dev/null", &dir.0);
    // The next one finishes it.
    let mut next = writer(&dir.path("app.log"));
    next.ask("log 1");
    wait_for("it is finished", || dir.names("app.log") == ["app.log", "app.log.1.gz"]);
    shell("zcat app.log.1.gz | cmp before -; [ $(wc -l < app.log) = 2 ]", &dir.0);
    next.end();
}
