//! The actions, in order.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Error, Logger, Severity,
    clock::ManualClock,
    config::{BasicConfig, Config, ConfigErrors, ConfigFilter, HandlerHandle, Logging},
    ledger::ErrorHandler,
    record,
};
use tracing_subscriber::prelude::*;

use crate::{kit, mtimes::Mtimes};

pub(crate) struct Player {
    pub(crate) logging: Logging,
    clock: ManualClock,
    now: f64,
    tick: f64,
    pub(crate) raise_exceptions: Arc<AtomicBool>,
    pub(crate) adapters: HashMap<String, Adapter>,
    filters: HashMap<String, ConfigFilter>,
    mtimes: Mtimes,
}

/// Python's `LoggerAdapter`: a logger with values, perhaps around another one.
#[derive(Clone)]
pub(crate) struct Adapter {
    pub(crate) logger: String,
    /// From the inside out: values, and whether those of a call are merged.
    pub(crate) layers: Vec<(serde_json::Map<String, Json>, bool)>,
}

/// What went wrong: a message, then those of its causes.
pub(crate) type Chain = Vec<String>;

pub(crate) fn chain(error: &Error) -> Chain {
    if let Some(problem) = ConfigErrors::of(error).and_then(|problems| problems.iter().next()) {
        let python = problem.python_messages();
        return if python.is_empty() { vec![problem.message().to_owned()] } else { python.to_vec() };
    }
    vec![error.to_string()]
}

pub(crate) fn text<'j>(action: &'j Json, key: &str) -> &'j str {
    action[key].as_str().unwrap_or_default()
}

pub(crate) fn play(scenario: &Json, outdir: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let scratch = outdir.join("files");
    env::set_current_dir(&scratch)?;
    let start = scenario["clock"]["start"].as_f64().unwrap_or_default();
    let clock = ManualClock::default();
    clock.set(UNIX_EPOCH + Duration::from_secs_f64(start));
    record::set_start(UNIX_EPOCH + Duration::from_secs_f64(start));
    record::set_process_name("MainProcess");
    let raise_exceptions = Arc::new(AtomicBool::new(true));
    let raises = Arc::clone(&raise_exceptions);
    let error_handler = ErrorHandler::new(move |failure| {
        if raises.load(Ordering::SeqCst)
            && let Some(record) = failure.record()
        {
            let message = json!(record.message());
            eprintln!("--- Logging error ---\n{}\nMessage: {message}\nArguments: ()", failure.error());
        }
    });
    let logging = Logging::builder()
        .python_defaults()
        .clock(clock.clone())
        .registry(kit::registry())
        .error_handler(error_handler)
        .empty();
    tracing_subscriber::registry().with(logging.layer()).init();
    let mut player = Player {
        logging,
        clock,
        now: start,
        tick: scenario["clock"]["tick"].as_f64().unwrap_or_default(),
        raise_exceptions,
        adapters: HashMap::new(),
        filters: HashMap::new(),
        mtimes: Mtimes::of(&scratch),
    };
    let mut results = Vec::new();
    let config = scenario.get("config").map(|config| json!({"op": "reconfigure", "config": config}));
    let actions = scenario["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let numbered = actions.iter().enumerate().map(|(index, action)| (index as i64, action));
    for (index, action) in config.iter().map(|config| (-1, config)).chain(numbered) {
        match player.act(action) {
            Ok(Some(value)) => results.push(json!({"action": index, "value": value})),
            Ok(None) => {}
            Err(error) => results.push(json!({"action": index, "error": error})),
        }
        player.settle(action);
    }
    fs::write(outdir.join("results.json"), serde_json::to_string_pretty(&results)?)?;
    player.logging.shutdown()?;
    // Python's `shutdown` says nothing of records that were lost before: they were told when it happened, here as well.
    tracing_strata::flush_all().unwrap_or_default();
    Ok(())
}

impl Player {
    fn settle(&mut self, action: &Json) {
        let kept = (action["op"] == "write_file" && action["mtime"].is_number()).then(|| text(action, "path"));
        self.mtimes.settle(self.now, kept);
    }

    fn set_now(&mut self, now: f64) {
        self.now = now;
        self.clock.set(UNIX_EPOCH + Duration::from_secs_f64(now));
    }

    /// One action, and what it answers.
    fn act(&mut self, action: &Json) -> Result<Option<Json>, Chain> {
        let op = text(action, "op");
        match op {
            "log" => {
                self.log(action)?;
                self.set_now(self.now + self.tick);
            }
            "repeat" => {
                for count in 0..action["times"].as_u64().unwrap_or_default() {
                    for inner in action["actions"].as_array().into_iter().flatten() {
                        let inner = inner.to_string().replace("{i}", &count.to_string());
                        let inner: Json = serde_json::from_str(&inner).map_err(|error| vec![error.to_string()])?;
                        self.act(&inner)?;
                        self.settle(&inner);
                    }
                }
            }
            "advance" => self.set_now(self.now + action["seconds"].as_f64().unwrap_or_default()),
            "set_clock" => self.set_now(action["time"].as_f64().unwrap_or_default()),
            "get" => return self.get(action).map(Some),
            "format" => return self.format(action).map(Some),
            "uses_time" => return self.uses_time(action).map(Some),
            "format_many" => return self.format_many(action).map(Some),
            "move_file" => io(fs::rename(text(action, "src"), text(action, "dst")))?,
            "delete_file" => io(fs::remove_file(text(action, "path")))?,
            "mkdir" => io(fs::create_dir_all(text(action, "path")))?,
            "write_file" => io(write_file(action))?,
            "server" => io(server(action))?,
            _ => self.change(op, action)?,
        }
        Ok(None)
    }

    fn change(&mut self, op: &str, action: &Json) -> Result<(), Chain> {
        let done = match op {
            "set_level" if action.get("handler").is_some() => {
                let level = level(&action["level"])?;
                self.handler(action)?.set_level(level);
                Ok(())
            }
            "set_level" => {
                let (name, level) = (self.logger(action)?, level(&action["level"])?);
                match level {
                    Severity::ALL => {
                        self.logging.loggers().clear_level(&name);
                        Ok(())
                    }
                    level => self.logging.loggers().set_level(&name, level),
                }
            }
            "disable" => {
                let up_to = action.get("level").map_or(Ok(Severity::CRITICAL), level)?;
                self.logging.loggers().disable(up_to);
                Ok(())
            }
            "set_propagate" => {
                let name = self.logger(action)?;
                self.logging.loggers().set_propagate(&name, action["value"] == true)
            }
            "set_disabled" => {
                let name = self.logger(action)?;
                self.logging.loggers().set_disabled(&name, action["value"] == true)
            }
            "reconfigure" => Config::from_value(&action["config"]).and_then(|config| self.reload(&config)),
            "file_config" => self.file_config(action),
            "basic_config" => self.basic_config(action),
            "listen_config" => return self.listen_config(action),
            "add_handler" => self.add_handler(action),
            "remove_handler" => {
                let (name, handler) = (self.logger(action)?, self.handler(action)?);
                self.logging.loggers().remove_handler(&name, handler.handler());
                Ok(())
            }
            "add_filter" => {
                let filter = self.filter(action)?;
                if action.get("handler").is_some() {
                    self.handler(action)?.add_filter(&filter);
                    Ok(())
                } else {
                    let name = self.logger(action)?;
                    self.logging.add_filter(&name, &filter)
                }
            }
            "remove_filter" => {
                let filter = self.filter(action)?;
                if action.get("handler").is_some() {
                    self.handler(action)?.remove_filter(&filter);
                } else {
                    let name = self.logger(action)?;
                    self.logging.remove_filter(&name, &filter);
                }
                Ok(())
            }
            "set_formatter" => self.handler(action)?.set_formatter(&action["formatter"]),
            "set_target" => self.handler(action)?.set_target(action["target"].as_str()),
            "set_stream" => self.handler(action)?.set("stream", &action["stream"]),
            "set_attr" => self.handler(action)?.set(&format!(".{}", text(action, "attr")), &action["value"]),
            "flush" => self.handler(action)?.flush(),
            "close" => self.handler(action)?.close(),
            "rollover" => self.handler(action)?.rollover(),
            "shutdown" => self.logging.shutdown(),
            "listener" => self.handler(action)?.listen(action["do"] == "start"),
            "raise_exceptions" => {
                self.raise_exceptions.store(action["value"] == true, Ordering::SeqCst);
                Ok(())
            }
            "last_resort" => self.last_resort(action),
            "add_level_name" => {
                let number = action["level"].as_i64().unwrap_or_default();
                Severity::add_name(number as i32, text(action, "name")).map(drop)
            }
            "adapter" => {
                self.adapter(action)?;
                Ok(())
            }
            other => return Err(vec![format!("unknown op {other:?}")]),
        };
        done.map_err(|error| chain(&error))
    }

    fn reload(&self, config: &Config) -> Result<(), Error> {
        self.logging.reload(config).map(drop)
    }

    /// `getLogger`: the name, under which a logger exists from now on. The root's is empty.
    pub(crate) fn logger(&self, action: &Json) -> Result<String, Chain> {
        let name = text(action, "logger");
        self.logging.loggers().add(name).map_err(|error| chain(&error))?;
        Ok(if name == "root" { String::new() } else { name.to_owned() })
    }

    pub(crate) fn handler(&self, action: &Json) -> Result<HandlerHandle, Chain> {
        let name = text(action, "handler");
        self.logging.handler(name).ok_or_else(|| vec![name.to_owned()])
    }

    fn filter(&mut self, action: &Json) -> Result<ConfigFilter, Chain> {
        let mut spec = action["filter"].clone();
        if let Some(known) = spec["ref"].as_str() {
            return self.filters.get(known).cloned().ok_or_else(|| vec![known.to_owned()]);
        }
        let mut name = None;
        if let Some(map) = spec.as_object_mut() {
            name = map.remove("id").and_then(|name| name.as_str().map(str::to_owned));
            if let Some(callable) = map.remove("callable") {
                map.insert("()".into(), callable);
            }
        }
        let filter = self.logging.make_filter(&spec).map_err(|error| chain(&error))?;
        if let Some(name) = name {
            self.filters.insert(name, filter.clone());
        }
        Ok(filter)
    }

    fn add_handler(&self, action: &Json) -> Result<(), Error> {
        let handler = match &action["handler"] {
            Json::String(name) => match self.logging.handler(name) {
                Some(handler) => handler,
                None => return Err(Error::new(name)),
            },
            spec => {
                let mut spec = spec.clone();
                let name = spec.as_object_mut().and_then(|map| map.remove("name"));
                let name = name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
                self.logging.set_handler(&name, &spec)?
            }
        };
        self.logging.loggers().add_handler(text(action, "logger"), handler.handler().clone())
    }

    fn file_config(&self, action: &Json) -> Result<(), Error> {
        let defaults = action["defaults"].as_object().into_iter().flatten();
        let defaults: Vec<_> =
            defaults.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect();
        let config = match action["path"].as_str() {
            Some(path) => Config::from_ini_file(path, defaults)?,
            None => Config::from_ini_with(text(action, "text"), defaults)?,
        };
        match action["disable_existing_loggers"].as_bool() {
            None => self.reload(&config),
            Some(disable) => self.reload(&config.disable_existing_loggers(disable)),
        }
    }

    pub(crate) fn basic_config(&self, action: &Json) -> Result<(), Error> {
        let arguments = action.get("kwargs").cloned().unwrap_or_else(|| json!({}));
        self.logging.basic_config(BasicConfig::from_value(&arguments)?)
    }

    fn last_resort(&self, action: &Json) -> Result<(), Error> {
        match &action["level"] {
            Json::Null => {
                // Python tells once in a process that nobody was there.
                let told = AtomicBool::new(false);
                let raises = Arc::clone(&self.raise_exceptions);
                let tell = kit::Calls(move |record: &tracing_strata::Record| {
                    if raises.load(Ordering::SeqCst) && !told.swap(true, Ordering::SeqCst) {
                        let name = if record.target().is_empty() { "root" } else { record.target() };
                        eprintln!("No handlers could be found for logger \"{name}\"");
                    }
                    Ok(())
                });
                let tell = tracing_strata::NamedHandler::new("nobody", tell);
                self.logging.loggers().set_last_resort(Some(tell));
                Ok(())
            }
            other => {
                let level = level(other).map_err(|chain| Error::new(chain.join(": ")))?;
                self.logging.set_last_resort(Some(level));
                Ok(())
            }
        }
    }

    fn adapter(&mut self, action: &Json) -> Result<(), Chain> {
        let mut adapter = match action["adapter"].as_str() {
            Some(inner) => self.adapters.get(inner).cloned().ok_or_else(|| vec![inner.to_owned()])?,
            None => Adapter { logger: self.logger(action)?, layers: Vec::new() },
        };
        let extra = action["extra"].as_object().cloned().unwrap_or_default();
        adapter.layers.push((extra, action["merge_extra"] == true));
        self.adapters.insert(text(action, "name").to_owned(), adapter);
        Ok(())
    }

    fn listen_config(&self, action: &Json) -> Result<(), Chain> {
        let verify = text(action, "verify").to_owned();
        let listener = self.logging.listen("127.0.0.1:0", move |bytes: Vec<u8>| match &*verify {
            "refuse" => None,
            "reverse" => Some(bytes.into_iter().rev().collect()),
            _ => Some(bytes),
        });
        let listener = listener.map_err(|error| chain(&error))?;
        let mut bytes = match action.get("config") {
            Some(config) => config.to_string().into_bytes(),
            None => text(action, "text").as_bytes().to_vec(),
        };
        if action["send_reversed"] == true {
            bytes.reverse();
        }
        let send = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(listener.address())?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(&(bytes.len() as u32).to_be_bytes())?;
            stream.write_all(&bytes)?;
            // The listener hangs up when it is done.
            let mut rest = Vec::new();
            BufReader::new(stream).read_until(0, &mut rest)?;
            Ok(())
        };
        io(send())?;
        drop(listener);
        Ok(())
    }
}

pub(crate) fn level(value: &Json) -> Result<Severity, Chain> {
    match value {
        Json::String(name) => Severity::from_python(name).map_err(|error| vec![error.to_string()]),
        number => Ok(Severity::new(number.as_i64().unwrap_or_default() as i32)),
    }
}

pub(crate) fn event_logger(name: &str) -> Logger {
    Logger::new(name)
}

fn io<T>(result: std::io::Result<T>) -> Result<T, Chain> {
    result.map_err(|error| vec![error.to_string()])
}

fn write_file(action: &Json) -> std::io::Result<()> {
    let path = text(action, "path");
    let append = action["append"] == true;
    let mut file = fs::File::options().create(true).write(true).append(append).truncate(!append).open(path)?;
    file.write_all(text(action, "text").as_bytes())?;
    if let Some(mtime) = action["mtime"].as_f64() {
        file.set_modified(UNIX_EPOCH + Duration::from_secs_f64(mtime))?;
    }
    Ok(())
}

/// Asks the kit to start or stop one of its servers.
fn server(action: &Json) -> std::io::Result<()> {
    let address = env::var("KIT_CONTROL").map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("{} {}\n", text(action, "do"), text(action, "name")).as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.trim() == "ok" { Ok(()) } else { Err(std::io::Error::other(answer)) }
}
