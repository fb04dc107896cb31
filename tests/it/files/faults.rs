//! Faults of files that need no privileges: counted, told, gone on; nothing overwritten; all well again by itself.
//! Small disks and read-only remounts are in `tests/interop`.

use std::{fs, path::Path};

use tracing_strata::{NamedHandler, output::LogFile, sink::ReopenPolicy};

use super::{buffered, read, record};
use crate::places::{Dir, in_a_child, remembering};

#[test]
fn t12_a_deleted_directory_is_made_again_where_asked_for() {
    for buffer in [None, Some(1)] {
        let dir = Dir::new();
        let path = dir.path("logs/app.log");
        let (error_handler, told) = remembering();
        let builder = buffered(LogFile::builder(&path).watch(ReopenPolicy::each_record()), buffer).create_dirs(true);
        let file = NamedHandler::with_error_handler("w", builder.build().unwrap(), error_handler);
        file.emit(&record("1"));
        fs::remove_dir_all(dir.path("logs")).unwrap();
        file.emit(&record("2"));
        file.flush().unwrap();
        assert_eq!((read(&path).as_str(), told.lock().unwrap().len()), ("2\n", 0));
    }
}

#[test]
fn t12_a_deleted_directory_is_told_and_when_it_is_back_so_are_the_records() {
    for buffer in [None, Some(4)] {
        let dir = Dir::new();
        let path = dir.path("logs/app.log");
        fs::create_dir(dir.path("logs")).unwrap();
        let (error_handler, told) = remembering();
        let file = NamedHandler::with_error_handler(
            "w",
            buffered(LogFile::builder(&path).watch(ReopenPolicy::each_record()), buffer).build().unwrap(),
            error_handler,
        );
        file.emit(&record("1"));
        file.flush().unwrap();
        fs::remove_dir_all(dir.path("logs")).unwrap();
        for number in 2..=5 {
            file.emit(&record(&number.to_string()));
        }
        // A buffer has room for two.
        let (failed, queued) = if buffer.is_some() { (2, 2) } else { (4, 0) };
        assert_eq!((file.stats().failed, file.stats().queued), (failed, queued));
        let expected = format!("cannot write to {}: cannot find the directory of it: ", path.display());
        let told = told.lock().unwrap();
        assert!(told.len() as u64 == failed && told.iter().all(|told| told.starts_with(&expected)), "{told:?}");
        fs::create_dir(dir.path("logs")).unwrap();
        file.emit(&record("6"));
        file.flush().unwrap();
        assert_eq!(read(&path), if buffer.is_some() { "2\n3\n6\n" } else { "6\n" });
        assert_eq!(file.stats().accepted(), 6);
    }
}

/// A disk that is full in the middle of a record: a limit on the length of files stands for it, which needs no privileges.
#[cfg(target_os = "linux")]
#[test]
fn t41_a_disk_that_fills_up_in_the_middle_of_a_record() {
    const NAME: &str = "files::faults::t41_a_disk_that_fills_up_in_the_middle_of_a_record";
    if std::env::var_os("STRATA_TEST_REPORT").is_none()
        && std::process::Command::new("sh").arg("-c").arg("").status().is_err()
    {
        return;
    }
    let child = |report: &Path| {
        // Within a shell that has set a limit of 1 KiB for files, and ignores the signal.
        let path = report.with_file_name("app.log");
        let (error_handler, told) = remembering();
        let file = NamedHandler::with_error_handler(
            "file",
            LogFile::builder(&path).format(crate::places::Bare).build().unwrap(),
            error_handler,
        );
        for number in 0..20 {
            file.emit(&record(&format!("{number:099}")));
        }
        let stats = file.stats();
        assert_eq!((stats.written, stats.failed), (10, 10), "{told:?}");
        // Somebody makes room: the torn record is told from the next.
        let text = read(&path);
        assert_eq!(text.len(), 1_024);
        fs::rename(&path, report.with_file_name("app.log.1")).unwrap();
        file.emit(&record("in vain"));
        assert_eq!(file.stats().failed, 11);
        fs::File::options().write(true).open(report.with_file_name("app.log.1")).unwrap().set_len(1_010).unwrap();
        file.emit(&record("next"));
        let text = read(&report.with_file_name("app.log.1"));
        assert!(text.lines().take(10).enumerate().all(|(number, line)| line == format!("{number:099}")));
        assert_eq!(&text[1_000..], "0000000000\nnext\n");
        fs::write(report, "all well").unwrap();
    };
    let text = in_a_child(
        NAME,
        |command| {
            let inner = std::mem::replace(command, std::process::Command::new("sh"));
            command.arg("-c").arg("trap '' XFSZ; ulimit -f 2 && exec \"$0\" \"$@\"").arg(inner.get_program());
            command.args(inner.get_args()).stdin(std::process::Stdio::null());
            command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        },
        child,
    );
    assert_eq!(text, "all well");
}
