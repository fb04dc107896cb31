//! Configurations that went wrong, a hundred of each of `cases/`: an error with its place, or what CPython takes, too.

use std::{collections::HashMap, env, fs, io::Write as _, path::Path, sync::mpsc, thread, time::Duration};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Error,
    config::{Config, ConfigErrors, Logging},
};

use super::{
    Dir,
    mutations::{Dice, mutated, mutated_text},
    trace::{Trace, cases, parse},
};
use crate::places::apart;

const EACH: usize = 100;

/// The same for each run: those in `python/mutants.jsonl` are what CPython made of them.
fn mutants(name: &str, text: &str) -> Vec<Vec<u8>> {
    let mut dice = Dice(name.bytes().map(u64::from).sum());
    let tree = parse(name, text).ok().filter(|_| !name.ends_with("ini"));
    let tree: Option<Json> = tree.map(|config| serde_json::from_str(&config.to_json()).unwrap());
    let mutant = |number: usize| match &tree {
        // JSON is YAML, too.
        Some(tree) if number.is_multiple_of(2) => mutated(tree, &mut dice).to_string().into_bytes(),
        _ => mutated_text(name, text, &mut dice),
    };
    (0..EACH).map(mutant).collect()
}

fn load(name: &str, bytes: &[u8]) -> Result<Config, Error> {
    let path = Path::new("..").join(name);
    fs::write(&path, bytes).unwrap();
    Config::from_path(&path)
}

fn has_its_place(error: &Error) -> Result<(), String> {
    // An error of a file has that of its text within.
    let mut error: &dyn std::error::Error = error;
    let problems = loop {
        if let Some(problems) = error.downcast_ref::<ConfigErrors>() {
            break problems;
        }
        error = error.source().ok_or_else(|| error.to_string())?;
    };
    match problems.iter().find(|problem| problem.line().is_none() || problem.column().is_none()) {
        None => Ok(()),
        Some(problem) => Err(format!("without a place: {problem}")),
    }
}

/// Whether a system that runs takes a mutant, or what is wrong with how it is refused.
fn play(name: &str, bytes: &[u8], logging: &Logging) -> Result<bool, String> {
    let here = Path::new(".");
    let config = match load(name, bytes) {
        Ok(config) => config,
        Err(error) => return has_its_place(&error).map(|()| false),
    };
    let state = || (format!("{:?}", logging.loggers()), logging.handler_names(), logging.config());
    let (before, state_before) = (Trace::of(here), state());
    let Err(error) = logging.reload(&config) else { return Ok(true) };
    let news = before.news(here);
    if !news.is_empty() || state() != state_before {
        return Err(format!("half applied: {news:?}"));
    }
    has_its_place(&error).map(|()| false)
}

/// Taken here and not by CPython: a part of the text or of its error, and why.
const NOT_PYTHONS: &[(&str, &str)] = &[
    ("\"strata\"", "what goes beyond Python"),
    ("TypeError: 'NoneType' object is not iterable", "a section without entries"),
];

#[test]
fn a_hundred_mutants_of_each_case() {
    apart("config::bad_input::a_hundred_mutants_of_each_case", || {
        let dir = Dir::new();
        fs::create_dir(dir.0.join("here")).unwrap();
        env::set_current_dir(dir.0.join("here")).unwrap();
        let python: HashMap<String, Json> = include_str!("python/mutants.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap())
            .map(|line| (format!("{} {}", line["name"], line["text"]), line["error"].clone()))
            .collect();
        // For `make_mutants.py`, which has CPython read them.
        let mut candidates = env::var_os("STRATA_TEST_MUTANTS").map(|path| fs::File::create(path).unwrap());
        let running =
            "{version: 1, handlers: {r: {class: file, filename: running.log}}, root: {level: INFO, handlers: [r]}}";
        let running = Config::from_yaml(running).unwrap();
        let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
        for (name, text) in cases() {
            for bytes in mutants(&name, &text) {
                let (done, is_done) = mpsc::channel();
                let (name, running, logged) = (name.clone(), running.clone(), bytes.clone());
                let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(3_000)]).into_owned();
                let thread = thread::spawn({
                    let name = name.clone();
                    move || {
                        let logging = Logging::builder().build(&running).unwrap();
                        done.send(play(&name, &logged, &logging)).unwrap();
                    }
                });
                // Far longer than it takes: only what hangs for ever waits for it.
                match is_done.recv_timeout(Duration::from_secs(60)) {
                    Ok(Err(error)) => wrong.push(format!("{error}\n  {name}: {shown}")),
                    Ok(Ok(false)) => refused += 1,
                    Ok(Ok(true)) => {
                        taken += 1;
                        let text = String::from_utf8(bytes).unwrap();
                        if let Some(candidates) = &mut candidates {
                            writeln!(candidates, "{}", json!({"name": name, "text": text})).unwrap();
                        }
                        match python.get(&format!("{} {}", json!(name), json!(text))) {
                            Some(Json::Null) => {}
                            Some(error) => {
                                let told = format!("{text}\n{error}");
                                if !NOT_PYTHONS.iter().any(|(part, _)| told.contains(part)) {
                                    wrong.push(format!("CPython refuses {name}: {told}"));
                                }
                            }
                            None => wrong.push(format!("what does CPython say to {name}: {text}")),
                        }
                    }
                    Err(_) => panic!("{name} hangs or has panicked: {shown}"),
                }
                thread.join().unwrap();
                for entry in fs::read_dir(".").unwrap().flatten() {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        wrong.retain(|what| candidates.is_none() || !what.contains("CPython"));
        assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
        assert!(taken > 150 && refused > 1_500, "{taken} {refused}");
    });
}

/// More than anybody would write: an error, or taken, in a moment.
#[test]
fn ten_megabytes_and_what_becomes_as_much() {
    const BYTES: usize = 10 << 20;
    let dir = Dir::new();
    let head = "version: 1\nhandlers:\n  h: {class: 'null'}\n";
    let ini = "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n[handler_h]\nclass=NullHandler\n";
    let bomb = |levels: usize, width: usize| {
        let mut text = String::from("a0: &a0 [x]\n");
        for level in 1..levels {
            let aliases = vec![format!("*a{}", level - 1); width].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        text
    };
    for (name, text, is_taken) in [
        ("text.yaml", format!("{head}x-a: {}\n", "x".repeat(BYTES)), true),
        ("comment.yaml", format!("{head}#{}\n", "x".repeat(BYTES)), true),
        ("deep.yaml", format!("{head}x-a: {}", "[".repeat(BYTES)), false),
        ("bomb.yaml", format!("{head}{}", bomb(30, 10)), false),
        ("merge.yaml", format!("{head}x-a: &a {{<<: *a}}\n"), false),
        ("text.json", format!("{{\"version\": 1, \"x-a\": \"{}\"}}", "x".repeat(BYTES)), true),
        ("deep.json", "[".repeat(BYTES), false),
        (
            "list.json",
            format!("{{\"version\": 1, \"x-a\": [{}1]}}", format!("\"{}\",", "x".repeat(1_000)).repeat(BYTES / 1_000)),
            true,
        ),
        ("comment.ini", format!("{ini}#{}\n", "x".repeat(BYTES)), true),
        ("value.ini", format!("{ini}args=('{}',)\n", "x".repeat(BYTES)), false),
        ("deep.ini", format!("{ini}args={}\n", "(".repeat(BYTES)), false),
        ("power.ini", format!("{ini}args=({}2)\n", "9**".repeat(BYTES / 3)), false),
        (
            "bomb.ini",
            format!(
                "{ini}a=xxxxxxxxxx\nb={0}\nc={1}\nd={2}\ne={3}\nlevel=%(e)s\n",
                "%(a)s".repeat(100),
                "%(b)s".repeat(100),
                "%(c)s".repeat(100),
                "%(d)s".repeat(100)
            ),
            false,
        ),
    ] {
        let path = dir.0.join(name);
        fs::write(&path, text).unwrap();

        let built = Config::from_path(&path).and_then(|config| Logging::builder().build(&config));
        assert_eq!(
            built.is_ok(),
            is_taken,
            "{name}: {}",
            built.map(drop).unwrap_err().to_string().chars().take(300).collect::<String>()
        );
        if let Err(error) = built {
            has_its_place(&error).unwrap();
            assert!(error.to_string().len() < 1_000, "{name}: {} bytes", error.to_string().len());
        }
    }
}
