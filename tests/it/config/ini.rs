//! Files of Python's INI, reloaded and watched.

use std::{path::Path, sync::mpsc, time::Duration};

use tracing_strata::{
    Severity,
    config::{Config, ConfigErrors, Logging},
};

use super::{Dir, with};

/// Far longer than it takes; only what does not work waits for it.
const LONG: Duration = Duration::from_secs(60);

fn text(dir: &Dir, root_level: &str, other: &str) -> String {
    format!(
        "[loggers]\nkeys=root,shop\n[handlers]\nkeys=a,b,m\n[formatters]\nkeys=f\n\
         [logger_root]\nlevel={root_level}\nhandlers=a,b\n[logger_shop]\nlevel=DEBUG\nhandlers=m\nqualname=shop\npropagate=0\n\
         [handler_a]\nclass=FileHandler\nformatter=f\nargs=('{dir}/a.log', 'w')\n\
         [handler_b]\nclass=handlers.RotatingFileHandler\nformatter=f\nargs=('{dir}/{other}.log',)\n\
         kwargs={{'maxBytes': 10_000, 'backupCount': 2, 'strata': {{'create_dirs': True}}}}\n\
         [handler_m]\nclass=handlers.MemoryHandler\nargs=(100, ERROR)\ntarget=a\n[formatter_f]\nformat=%(name)s %(message)s\n",
        dir = dir.0.display()
    )
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_reload_keeps_the_files_of_handlers_that_stay() {
    let dir = Dir::new();
    let path = dir.0.join("logging.ini");
    write(&path, &text(&dir, "INFO", "b"));
    let logging = Logging::from_path(&path).unwrap();
    let shared = |name: &str| logging.handler(name).unwrap().handler().clone();
    let (a, b) = (shared("a"), shared("b"));
    with(&logging, || {
        tracing::info!(target: "web", "1");
        tracing::info!(target: "shop", "held");

        // Another level and another file: `a` is not emptied again, and the memory holds what it held.
        write(&path, &text(&dir, "WARNING", "deep/c"));
        let changes = logging.reload(&Config::from_path(&path).unwrap()).unwrap();
        assert_eq!(changes.to_string(), "replaced b; kept a, m");
        assert!(shared("a").is_same(&a) && !shared("b").is_same(&b));
        tracing::info!(target: "web", "below");
        tracing::warn!(target: "web", "2");

        // A fault: all of it stays.
        let faulty = text(&dir, "ERROR", "d").replace("args=(100, ERROR)", "args=(100, __import__('os'))");
        let error = Config::from_ini(&faulty).unwrap_err();
        assert!(ConfigErrors::of(&error).is_some() && error.to_string().contains("expected a literal"), "{error}");
        let faulty = text(&dir, "ERROR", "d").replace("class=FileHandler", "class=FileHandlr");
        let error = logging.reload(&Config::from_ini(&faulty).unwrap()).unwrap_err();
        assert!(error.to_string().contains("did you mean \"FileHandler\""), "{error}");
        assert!(shared("a").is_same(&a));
        assert_eq!(logging.loggers().level("root"), Some(Severity::WARN));
        assert!(!dir.0.join("d.log").exists());
        tracing::error!(target: "shop", "3");
    });
    assert_eq!(dir.read("a.log"), "web 1\nweb 2\nshop held\nshop 3\n");
    assert_eq!((dir.read("b.log"), dir.read("deep/c.log")), ("web 1\n".into(), "web 2\n".into()));
    assert_eq!(shared("a").stats().written, 4, "also what came by the memory");
}

#[test]
fn a_watched_file_with_a_fault_leaves_the_old_configuration_and_the_next_change_counts() {
    let dir = Dir::new();
    let path = dir.0.join("logging.ini");
    write(&path, &text(&dir, "INFO", "b"));
    let logging = Logging::from_path(&path).unwrap();
    let a = logging.handler("a").unwrap().handler().clone();
    let (told, results) = mpsc::channel();
    let report = move |result: Result<_, tracing_strata::Error>| {
        let _ = told.send(
            result
                .map(|changes: tracing_strata::config::Changes| changes.to_string())
                .map_err(|error| error.to_string()),
        );
    };
    let watch = logging.watch_with(&path, report).unwrap();
    with(&logging, || {
        tracing::info!(target: "web", "1");
        write(&path, &text(&dir, "LOUD", "b"));
        assert!(results.recv_timeout(LONG).unwrap().unwrap_err().contains("LOUD"));
        tracing::info!(target: "web", "2");
        // Half a file, as some editors leave it for a moment; then none; then the right one.
        write(&path, &text(&dir, "ERROR", "b")[..200]);
        assert!(results.recv_timeout(LONG).unwrap().is_err());
        std::fs::remove_file(&path).unwrap();
        let new = dir.0.join("new");
        write(&new, &text(&dir, "ERROR", "b"));
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(results.recv_timeout(LONG).unwrap().unwrap(), "kept a, b, m");
        tracing::warn!(target: "web", "below");
        tracing::error!(target: "web", "3");
    });
    assert!(logging.handler("a").unwrap().handler().is_same(&a));
    assert_eq!(dir.read("a.log"), "web 1\nweb 2\nweb 3\n");
    drop(watch);
    assert!(results.recv_timeout(LONG).is_err());
}

/// As Kubernetes does it: the file is a link to one in a directory that is a link, which is replaced.
#[cfg(unix)]
#[test]
fn a_link_that_leads_elsewhere_is_a_change() {
    use std::os::unix::fs::symlink;

    let dir = Dir::new();
    for (version, level) in [("v1", "INFO"), ("v2", "DEBUG")] {
        std::fs::create_dir(dir.0.join(version)).unwrap();
        write(&dir.0.join(version).join("logging.ini"), &text(&dir, level, "b"));
    }
    symlink("v1", dir.0.join("data")).unwrap();
    symlink("data/logging.ini", dir.0.join("logging.ini")).unwrap();
    let path = dir.0.join("logging.ini");
    let logging = Logging::from_path(&path).unwrap();
    let (told, results) = mpsc::channel();
    let report = move |result: Result<_, tracing_strata::Error>| {
        drop(told.send(result.map(drop).map_err(|error| error.to_string())))
    };
    let _watch = logging.watch_with(&path, report).unwrap();
    symlink("v2", dir.0.join("data.new")).unwrap();
    std::fs::rename(dir.0.join("data.new"), dir.0.join("data")).unwrap();
    results.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(logging.loggers().level("root"), Some(Severity::DEBUG));
}

/// The names of `logging`, as the example in Python's documentation of the format has them.
#[test]
fn names_of_logging_in_args() {
    let text = "[loggers]\nkeys=root\n[handlers]\nkeys=a,b,c,d,e\n[formatters]\nkeys=\n\
         [logger_root]\nlevel=NOTSET\nhandlers=a,b,c,d\n\
         [handler_a]\nclass=handlers.SocketHandler\nargs=('localhost', handlers.DEFAULT_TCP_LOGGING_PORT)\n\
         [handler_b]\nclass=handlers.DatagramHandler\nargs=('localhost', handlers.DEFAULT_UDP_LOGGING_PORT)\n\
         [handler_c]\nclass=handlers.SysLogHandler\nargs=(('localhost', handlers.SYSLOG_UDP_PORT), handlers.SysLogHandler.LOG_USER)\n\
         [handler_d]\nclass=handlers.MemoryHandler\nlevel=NOTSET\ntarget=e\nargs=(10, ERROR)\n\
         [handler_e]\nclass=StreamHandler\nargs=(sys.stdout,)\n";
    Logging::new().reload(&Config::from_ini(text).unwrap()).unwrap();
    let wrong = text.replace("SYSLOG_UDP_PORT", "SYSLOG_UPD_PORT").replace("LOG_USER", "LOG_USR");
    let told = super::problems(&Logging::new().reload(&Config::from_ini(&wrong).unwrap()).unwrap_err());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("did you mean \"logging.handlers.SYSLOG_UDP_PORT\"?"), "{told:?}");
    assert!(told[1].contains("did you mean \"logging.handlers.SysLogHandler.LOG_USER\"?"), "{told:?}");
}

#[test]
fn an_argument_among_args_can_be_set_by_its_name() {
    let dir = Dir::new();
    let text = format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=a,m\n[formatters]\nkeys=\n[logger_root]\nlevel=INFO\nhandlers=a\n\
         [handler_a]\nclass=handlers.RotatingFileHandler\nargs=('{dir}/a.log', 'a', 1000, 2)\n\
         [handler_m]\nclass=handlers.MemoryHandler\nargs=(10, ERROR, 'a')\n",
        dir = dir.0.display()
    );
    let logging = Logging::builder().build(&Config::from_ini(&text).unwrap()).unwrap();
    let file = logging.handler("a").unwrap();
    file.set("maxBytes", &10).unwrap();
    with(&logging, || (0..3).for_each(|number| tracing::info!("line {number}")));
    assert_eq!(
        (dir.read("a.log"), dir.read("a.log.1"), dir.read("a.log.2")),
        ("line 2\n".into(), "line 1\n".into(), "line 0\n".into())
    );
    // What is named among them leads there.
    assert!(logging.handler("m").unwrap().set("target", &"m").is_err());
    logging.handler("m").unwrap().set("capacity", &1).unwrap();
    with(&logging, || tracing::info!("line 3"));
}
