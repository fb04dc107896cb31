//! Plays a scenario of the conformance kit (README.md beside this file) with this crate, through its public API:
//! `conformance SCENARIO OUTDIR`.
#![allow(clippy::print_stderr)]

#[path = "driver/kit.rs"]
mod kit;
#[path = "driver/log.rs"]
mod log;
#[path = "driver/look.rs"]
mod look;
#[path = "driver/mtimes.rs"]
mod mtimes;
#[path = "driver/player.rs"]
mod player;

use std::{fs, path::PathBuf, process::ExitCode, thread};

use serde_json::Value as Json;

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [scenario, outdir] = &args[..] else {
        eprintln!("usage: conformance SCENARIO OUTDIR");
        return ExitCode::FAILURE;
    };
    let scenario: Json = match fs::read_to_string(scenario).map(|text| serde_json::from_str(&text)) {
        Ok(Ok(scenario)) => scenario,
        Ok(Err(error)) => return fail(&error),
        Err(error) => return fail(&error),
    };
    let outdir = match outdir.canonicalize() {
        Ok(outdir) => outdir,
        Err(error) => return fail(&error),
    };
    // Records carry the name of their thread.
    let play = thread::Builder::new().name("MainThread".into()).spawn(move || player::play(&scenario, &outdir));
    match play.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(error))) => fail(&error),
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
