//! Classes of other packages, and what the packages themselves write (`python/third_party.jsonl`, explained in
//! `python/third_party.md`): the same bytes.
//!
//! What no two programs have in common is put in place before the comparison: the process, its name, the host, the program,
//! the interpreter (which has no version here), the time since the start, and the frames of a traceback, which no error of
//! Rust has (for ECS, they are the backtrace beside it). What differs otherwise is in a table, each with the reason; nothing stands there that does not differ.

use std::{
    collections::BTreeMap,
    error, fmt,
    io::{BufReader, Read as _},
    net::{TcpListener, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, UNIX_EPOCH},
};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::{Value as Json, value::RawValue};
use tracing_strata::{
    Fields, Format, HandlerExt as _, Record, Severity, Value,
    config::{ClassRegistry, Config, Logging, LoggingBuilder},
    exception,
    format::Buffer,
    ledger::ErrorHandler,
    record::{Globals, JsonText, OwnedRecord},
};

use super::{Calls, with};

/// A line of `third_party.jsonl`.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) class: String,
    pub(super) package: String,
    #[serde(default)]
    pub(super) formatter: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) handler: Option<Box<RawValue>>,
    #[serde(default)]
    ini: bool,
    #[serde(default)]
    pub(super) as_read: bool,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    pub(super) records: Vec<Given>,
    #[serde(default)]
    pub(super) expected: Vec<Json>,
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// What a record is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Given {
    level: i32,
    pub(super) name: String,
    pub(super) msg: Json,
    pub(super) args: Json,
    #[serde(deserialize_with = "in_order")]
    pub(super) extra: Vec<(String, Box<RawValue>)>,
    pub(super) exc: Option<Raised>,
    pub(super) stack: Option<String>,
    created: f64,
    pathname: String,
    lineno: u32,
    func_name: String,
    thread: u64,
    thread_name: String,
}

#[derive(Deserialize)]
pub(super) struct Raised {
    r#type: String,
    message: String,
    text: String,
    pub(super) frames: Vec<String>,
}

fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Box<RawValue>)>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Entries)
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Got {
    Text(String),
    Failed,
    Nothing,
}

impl Row {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        include_str!("python/third_party.jsonl").lines().map(|line| serde_json::from_str(line).unwrap())
    }

    /// What Python made of a record, with what is another in this process put in place.
    pub(super) fn expected(&self, index: usize) -> Got {
        // There is nothing to expect where the configuration was refused.
        match self.expected.get(index).unwrap_or(&Json::Null) {
            Json::Null => Got::Nothing,
            Json::String(text) => {
                Got::Text(localized(text, self.records[index].exc.as_ref().filter(|_| !self.has_frames())))
            }
            _ => Got::Failed,
        }
    }

    /// Plays all records that can be made.
    ///
    /// # Errors
    /// The configuration was refused.
    pub(super) fn play(&self) -> Result<Vec<Option<Got>>, String> {
        match &self.handler {
            Some(handler) => self.play_handler(handler.get()),
            None => self.play_formatter(),
        }
    }

    /// Whether frames have a place of their own.
    fn has_frames(&self) -> bool {
        self.package.starts_with("ecs")
    }

    /// The record, with frames as the backtrace beside its error where they have a place.
    fn record(&self, given: &Given) -> Option<Record> {
        let mut record = given.record()?;
        if let Some(raised) = given.exc.as_ref().filter(|raised| self.has_frames() && !raised.frames.is_empty()) {
            record.set("exc_info.backtrace", raised.frames.concat().trim_end());
        }
        Some(record)
    }

    fn formatter_text(&self) -> Option<String> {
        let text = self.formatter.as_ref()?.get();
        let zone = self.zone.as_deref().unwrap_or("UTC");
        // Our keys beside theirs.
        let ours = match &*self.package {
            package if package.starts_with("ecs") || package.contains("logstash") => return Some(text.to_owned()),
            package if package.starts_with("python-json-logger==2") => {
                format!(r#""zone": {zone:?}, "strata": {{"version": 2}}, "#)
            }
            _ => format!(r#""zone": {zone:?}, "#),
        };
        Some(text.replacen('{', &format!("{{{ours}"), 1))
    }

    fn play_formatter(&self) -> Result<Vec<Option<Got>>, String> {
        type Slot = Arc<Mutex<Option<Box<dyn Format>>>>;
        let taken = Slot::default();
        let registry = {
            let taken = Arc::clone(&taken);
            ClassRegistry::new().handler("test.Take", move |_, format| {
                *taken.lock().unwrap() = Some(format);
                Ok(Calls(|_: &Record| Ok(())).boxed())
            })
        };
        let config = if self.ini {
            let Json::Object(section) = serde_json::from_str(self.formatter.as_ref().unwrap().get()).unwrap() else {
                unreachable!()
            };
            let options: String =
                section.iter().map(|(key, value)| format!("{key}={}\n", value.as_str().unwrap())).collect();
            let head = "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nhandlers=h\n";
            Config::from_ini(&format!("{head}[handler_h]\nclass=test.Take\nformatter=f\n[formatter_f]\n{options}"))
        } else {
            let formatter = self.formatter_text().unwrap();
            Config::from_json(&format!(
                r#"{{"version": 1, "formatters": {{"f": {formatter}}}, "handlers": {{"h": {{"class": "test.Take", "formatter": "f"}}}}, "root": {{"handlers": ["h"]}}}}"#
            ))
        };
        let config = config.map_err(|error| error.to_string())?;
        python().registry(registry).build(&config).map_err(|error| error.to_string())?;
        let format = taken.lock().unwrap().take().unwrap();
        let play = |given: &Given| {
            let record = self.record(given)?;
            let mut text = Buffer::new();
            Some(match format.format(&record, &mut text) {
                Ok(()) => Got::Text(ours(text.to_str().unwrap().strip_suffix('\n').unwrap(), &record)),
                Err(_) => Got::Failed,
            })
        };
        Ok(self.records.iter().map(play).collect())
    }

    fn play_handler(&self, handler: &str) -> Result<Vec<Option<Got>>, String> {
        let is_udp = handler.contains("Udp")
            || handler.contains("UDP")
            || handler.contains("logstash.LogstashHandler")
            || handler.contains("graypy.GELFHandler");
        let (port, lines) = receive(is_udp);
        let formatter = self.formatter_text();
        let named = if formatter.is_some() { ", \"formatter\": \"f\"}" } else { "}" };
        let handler = handler.replace("5959", &port.to_string()).replace("12201", &port.to_string());
        let handler = format!("{}{named}", handler.strip_suffix('}').unwrap());
        let formatters =
            formatter.map(|formatter| format!("\"formatters\": {{\"f\": {formatter}}}, ")).unwrap_or_default();
        let config =
            format!(r#"{{"version": 1, {formatters}"handlers": {{"h": {handler}}}, "root": {{"handlers": ["h"]}}}}"#);
        let config = Config::from_json(&config).map_err(|error| error.to_string())?;
        let failed = Arc::new(Mutex::new(0));
        let count = Arc::clone(&failed);
        let error_handler = ErrorHandler::new(move |_| *count.lock().unwrap() += 1);
        let logging = python().error_handler(error_handler).build(&config).map_err(|error| error.to_string())?;
        let play = |(index, given): (usize, &Given)| {
            let record = self.record(given)?;
            logging.handler("h").unwrap().handler().emit(&record);
            let (length, wait) = match self.expected(index) {
                Got::Text(text) => (text.len(), 3_000),
                _ => (1, 200),
            };
            let mut text = String::new();
            let is_one = self.class.starts_with("graypy");
            while text.len() < length
                && (text.is_empty() || !is_one)
                && let Ok(more) = lines.recv_timeout(Duration::from_millis(wait))
            {
                text += &more;
            }
            Some(match text.is_empty() {
                false => Got::Text(ours(&text, &record)),
                true if *failed.lock().unwrap() > 0 => Got::Failed,
                true => Got::Nothing,
            })
        };
        let all = self.records.iter().enumerate().map(play).collect();
        logging.shutdown().unwrap();
        Ok(all)
    }
}

fn python() -> LoggingBuilder {
    Logging::builder().python_defaults()
}

/// Lines of connections, or datagrams.
fn receive(is_udp: bool) -> (u16, mpsc::Receiver<String>) {
    let (sender, lines) = mpsc::channel();
    if is_udp {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut bytes = vec![0; 65_536];
            let mut chunks = Vec::new();
            while let Ok(length) = socket.recv(&mut bytes) {
                let Some(text) = message(&bytes[..length], &mut chunks) else { continue };
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
        return (port, lines);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            loop {
                let mut line = Vec::new();
                while !line.ends_with(b"\n") && !line.ends_with(&[0]) {
                    let mut byte = [0];
                    match stream.read(&mut byte) {
                        Ok(0) | Err(_) => break,
                        Ok(_) => line.push(byte[0]),
                    }
                }
                if line.is_empty() {
                    break;
                }
                if sender.send(String::from_utf8(line).unwrap()).is_err() {
                    return;
                }
            }
        }
    });
    (port, lines)
}

/// A datagram, unpacked; of GELF's chunks the whole, when all are there.
fn message(datagram: &[u8], chunks: &mut Vec<u8>) -> Option<String> {
    let mut bytes = datagram;
    if datagram.starts_with(&[0x1e, 0x0f]) {
        if datagram[10] == 0 {
            chunks.clear();
        }
        chunks.extend_from_slice(&datagram[12..]);
        if datagram[10] + 1 < datagram[11] {
            return None;
        }
        bytes = chunks;
    }
    let mut text = String::new();
    if bytes.starts_with(&[0x78]) {
        flate2::read::ZlibDecoder::new(bytes).read_to_string(&mut text).unwrap();
        return Some(text);
    }
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

impl Given {
    /// `None` if no record of ours is like it: the message is a map, or does not go with its arguments.
    pub(super) fn record(&self) -> Option<Record> {
        let mut record =
            Record::new(Severity::new(self.level), if self.name == "root" { "" } else { &self.name }, &self.message()?);
        record.set_time(UNIX_EPOCH + Duration::from_micros((self.created * 1e6).round() as u64));
        record.set_source(&self.pathname, self.lineno);
        record.set_function(&self.func_name);
        record.set_stack(self.stack.as_deref().unwrap_or_default());
        record.set_thread(&self.thread_name, self.thread);
        for (name, value) in &self.extra {
            set(&mut record, name, value.get());
        }
        if let Some(raised) = &self.exc {
            let caught = raised.caught();
            record.set("exc_info", caught.get("error").unwrap());
        }
        Some(record)
    }

    /// The message with its arguments.
    fn message(&self) -> Option<String> {
        let mut message = match &self.msg {
            Json::String(text) => text.clone(),
            Json::Object(_) => return None,
            Json::Null => "None".to_owned(),
            Json::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
            other => other.to_string().replace(',', ", "),
        };
        let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match &self.args {
            Json::Object(named) => {
                named.iter().for_each(|(name, value)| message = message.replace(&format!("%({name})s"), &shown(value)))
            }
            args => {
                for value in args.as_array().into_iter().flatten() {
                    let (text, number) = (message.find("%s"), message.find("%d"));
                    let at = text.into_iter().chain(number).min()?;
                    if number == Some(at) && !value.is_number() {
                        return None;
                    }
                    message.replace_range(at..at + 2, &shown(value));
                }
            }
        }
        Some(message)
    }
}

/// A field of any value of JSON.
fn set(record: &mut Record, name: &str, text: &str) {
    let name = name.to_owned();
    match serde_json::from_str::<Json>(text).unwrap() {
        Json::Bool(value) => record.set(name, value),
        Json::String(text) => record.set(name, text.as_str()),
        Json::Number(_) => match text.parse() {
            Ok(number) => record.set(name, Value::I128(number)),
            Err(_) => record.set(name, text.parse::<f64>().unwrap()),
        },
        _ => {
            // Without blanks, as all such values are.
            let mut quoted = false;
            let compact: String = text
                .chars()
                .filter(|c| {
                    quoted ^= *c == '"';
                    quoted || *c != ' '
                })
                .collect();
            record.set(name, JsonText::new(&compact).unwrap());
        }
    }
}

macro_rules! errors {
    ($($name:ident),*) => {$(
        #[derive(Debug)]
        struct $name(String, Option<Cause>);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl error::Error for $name {
            fn source(&self) -> Option<&(dyn error::Error + 'static)> {
                self.1.as_ref().map(|cause| cause as _)
            }
        }
    )*};
}

errors!(ValueError, RuntimeError);

/// A cause has no type in a record.
#[derive(Debug)]
struct Cause(&'static str);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl error::Error for Cause {}

impl Raised {
    /// A record with the field `error`.
    fn caught(&self) -> OwnedRecord {
        let caught = Arc::new(Mutex::new(None));
        let registry = {
            let caught = Arc::clone(&caught);
            ClassRegistry::new().handler("test.Keep", move |_, _| {
                let caught = Arc::clone(&caught);
                Ok(Calls(move |record: &Record| {
                    *caught.lock().unwrap() = Some(record.keep());
                    Ok(())
                })
                .boxed())
            })
        };
        let config = r#"{"version": 1, "handlers": {"h": {"class": "test.Keep"}}, "root": {"level": "INFO", "handlers": ["h"]}}"#;
        let logging = Logging::builder().registry(registry).build(&Config::from_json(config).unwrap()).unwrap();
        with(&logging, || match &*self.r#type {
            "ValueError" => drop(exception!(Err::<(), _>(ValueError(self.message.clone(), None)))),
            "RuntimeError" => {
                let cause = Some(Cause("KeyError: 'pear'"));
                drop(exception!(Err::<(), _>(RuntimeError(self.message.clone(), cause))));
            }
            other => panic!("{other}"),
        });
        let record = caught.lock().unwrap().take();
        record.unwrap()
    }
}

/// Our text without the modules of the errors above.
pub(super) fn ours(text: &str, record: &Record) -> String {
    let relative = format!("\"relativeCreated\": {:?}", record.uptime().as_nanos() as f64 / 1e6);
    text.replace(&format!("{}::", module_path!()), "").replace(&relative, "\"relativeCreated\": 1500.25")
}

/// Python's text as this process would write it.
pub(super) fn localized(text: &str, raised: Option<&Raised>) -> String {
    let host: Fields = Globals::new().host().into();
    let host = host.get("host").unwrap().as_str().unwrap().to_owned();
    let program = std::env::args().next().unwrap();
    let interpreter = std::env::current_exe().unwrap().display().to_string();
    let mut text = text.to_owned();
    for (theirs, ours) in [
        ("\"shop.py\", \"type\"", format!("{program:?}, \"type\"")),
        ("\"executable\": \"shop.py\"", format!("\"executable\": {program:?}")),
        ("\"/usr/bin/python3\"", format!("{interpreter:?}")),
        (", \"interpreter_version\": \"3.13.0\"", String::new()),
        (", \"logstash_async_version\": \"4.1.0\"", String::new()),
        ("shop-1.example.org", host.clone()),
        ("shop-1", host),
        ("4242", std::process::id().to_string()),
        ("MainProcess", Record::default().process_name().to_owned()),
    ] {
        text = text.replace(theirs, &ours);
    }
    let Some(raised) = raised else { return text };
    for line in raised.text.lines().filter(|line| line.starts_with("Traceback ") || line.starts_with("  File ")) {
        let escaped = line.replace('"', "\\\"");
        // As it is, in JSON, in a list of JSON, in Python's `repr()`.
        for form in [format!("{line}\n"), format!("{escaped}\\n"), format!("\"{escaped}\", "), format!("{line}\\n")] {
            text = text.replace(&form, "");
        }
    }
    text.replace("<traceback object at 0x7f0000000000>", "None").replace("')\", \"None\"]", "')\", null]")
}

/// Why a record comes out otherwise than Python writes it; `None` if it is the same.
pub(super) type Why = fn(&Row, &Given) -> Option<&'static str>;

/// Why a configuration that Python refuses is taken, or the other way.
pub(super) type WhyTaken = fn(&Row) -> Option<&'static str>;

pub(super) fn formatter_has(row: &Row, text: &str) -> bool {
    row.formatter.as_ref().is_some_and(|formatter| formatter.get().contains(text))
}

fn handler_has(row: &Row, text: &str) -> bool {
    row.handler.as_ref().is_some_and(|handler| handler.get().contains(text))
}

const DIFFERENT: Why = |row, given| {
    let class = row.class.as_str();
    let is_with_arguments = given.msg.as_str().is_some_and(|text| text.contains('%')) && !given.args.is_null();
    Some(match () {
        () if given.name.is_empty() && !class.starts_with("pythonjson") => "a logger without a name is the root",
        () if class.starts_with("structlog") && row.as_read => {
            "CPython fails at each record, as the text is no object: here it is the object that was meant"
        }
        () if formatter_has(row, "pass_foreign_args") || formatter_has(row, "use_get_message") => {
            "messages come merged"
        }
        () if formatter_has(row, "\"reserved_attrs\": []") && is_with_arguments => "messages come merged",
        () if class.starts_with("structlog")
            && formatter_has(row, "processors\": [{\"()\": \"structlog.processors.JSONRenderer\"}]") =>
        {
            "there is no LogRecord to show"
        }
        () if formatter_has(row, "\"stack_trace_limit\": 1}") || formatter_has(row, "\"stack_trace_limit\": true") => {
            given.exc.as_ref().filter(|raised| raised.frames.len() > 1)?;
            "frames begin with their numbers"
        }
        () if class.starts_with("ecs") && given.extra.iter().any(|(name, _)| name == "process") => {
            "a field does not replace an attribute of the record"
        }
        () if class.starts_with("logstash.")
            && (row.handler.is_none() || formatter_has(row, "\"format\": \"%(message)s\"")) =>
        {
            "CPython fails at each record, as the formatter gives bytes or the handler expects them"
        }
        () => return None,
    })
};

const REFUSED_OR_TAKEN: WhyTaken = |row| {
    Some(match () {
        () if row.class.starts_with("structlog") && formatter_has(row, "ext://structlog.processors.JSONRenderer()") => {
            "the object that was meant"
        }
        () if row.class.starts_with("structlog") && formatter_has(row, "\"format\"") => {
            "by position the format is the processor: no record could ever be written"
        }
        () if formatter_has(row, "\"processor\": \"\"") => "no record could ever be written",
        () if handler_has(row, "nonsense") => "an unknown key is a mistake, not an argument of the transport",
        () => return None,
    })
};

/// Plays the rows of some packages, and prints how many are equal.
pub(super) fn compare(packages: &[&str], different: Why, taken: WhyTaken) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for (number, row) in
        Row::all().enumerate().filter(|(_, row)| packages.iter().any(|package| row.package.starts_with(package)))
    {
        let what = format!(
            "{}: {} {:.300}",
            number + 1,
            row.class,
            [&row.formatter, &row.handler].into_iter().flatten().map(|text| text.get()).collect::<Vec<_>>().join(" ")
        );
        let [equal, all, listed, unmade] = counts.entry(format!("{} ({})", row.class, row.package)).or_default();
        let played = row.play();
        let played = match (played, &row.error, taken(&row)) {
            (Err(_), Some(_), None) => {
                *equal += 1;
                *all += 1;
                continue;
            }
            (Ok(_), Some(_), Some(_)) | (Err(_), None, Some(_)) => {
                *all += 1;
                *listed += 1;
                continue;
            }
            (Ok(played), None, None) => played,
            (got, error, why) => {
                wrong.push(format!("{what}\n   expected {error:?}, got {:?} ({why:?})", got.map(|_| "it was taken")));
                continue;
            }
        };
        for (index, (given, got)) in row.records.iter().zip(played).enumerate() {
            *all += 1;
            // It cannot be made.
            let Some(got) = got else {
                *unmade += 1;
                continue;
            };
            let expected = row.expected(index);
            match (got == expected, different(&row, given)) {
                (true, None) => *equal += 1,
                (false, Some(_)) => *listed += 1,
                (is_equal, why) => {
                    wrong.push(format!(
                        "{what}\n   {}: expected {expected:?}\n   got      {got:?} ({why:?}, {is_equal})",
                        given.msg
                    ));
                }
            }
        }
    }
    for (class, [equal, all, listed, unmade]) in counts {
        println!("{class}: equal {equal} of {all}; {listed} differ for a reason, {unmade} cannot be made here");
    }
    wrong
}

#[track_caller]
pub(super) fn assert_all(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

#[test]
fn python_json_logger_4() {
    assert_all(&compare(&["python-json-logger==4"], DIFFERENT, REFUSED_OR_TAKEN));
}

/// With our key `strata: {version: 2}`.
#[test]
fn python_json_logger_2() {
    assert_all(&compare(&["python-json-logger==2"], DIFFERENT, REFUSED_OR_TAKEN));
}

#[test]
fn ecs_logging() {
    assert_all(&compare(&["ecs-logging"], DIFFERENT, REFUSED_OR_TAKEN));
}

#[test]
fn logstash() {
    assert_all(&compare(&["python-logstash==", "python-logstash-async"], DIFFERENT, REFUSED_OR_TAKEN));
}

#[test]
fn structlog() {
    assert_all(&compare(&["structlog"], DIFFERENT, REFUSED_OR_TAKEN));
}

#[test]
fn the_report_says_what_a_class_is_built_as() {
    let config = Config::from_yaml(
        "version: 1
formatters:
  json: {(): pythonjsonlogger.json.JsonFormatter, fmt: '%(message)s'}
  mine: {(): shop.logs.JSONFormatter}
  fluent: {(): fluent.handler.FluentRecordFormatter}
handlers:
  stash: {class: logstash.TCPLogstashHandler, host: localhost, port: 1, version: 1}
  kept: {class: logstash_async.handler.AsynchronousLogstashHandler, host: localhost, port: 1, database_path: /var/x.db}
  mine: {class: shop.logs.RotatingHandler}
  aws: {class: watchtower.CloudWatchLogHandler}
filters: {mine: {(): shop.logs.Throttle}}
",
    )
    .unwrap();
    let report = Logging::new().migration_report(&config);
    let notes = |path: &str| {
        let entry = report.entries().iter().find(|entry| entry.path() == path).unwrap();
        (entry.verdict().to_string(), entry.notes().join("\n"))
    };
    assert_eq!(notes("formatters.json").0, "changed");
    assert!(notes("formatters.json").1.contains("built as ours"), "{report}");
    assert_eq!(notes("handlers.stash").0, "taken", "{report}");
    let (verdict, told) = notes("handlers.kept");
    assert!(verdict == "changed" && told.contains("`database_path` has no effect"), "{report}");
    for (path, nearest, register) in [
        ("formatters.mine", "`class: json`", "ClassRegistry::new().formatter(\"shop.logs.JSONFormatter\""),
        ("handlers.mine", "`class: logging.handlers.RotatingFileHandler`", ".handler(\"shop.logs.RotatingHandler\""),
        ("formatters.fluent", "`class: json` chooses and renames them", "\"fluent.handler.FluentRecordFormatter\""),
        ("handlers.aws", "`class: otlp` to a collector", "\"watchtower.CloudWatchLogHandler\""),
        ("filters.mine", "`class: rate_limit`", ".filter(\"shop.logs.Throttle\""),
    ] {
        let (verdict, notes) = notes(path);
        assert_eq!(verdict, "not supported");
        assert!(notes.contains(nearest) && notes.contains(register) && notes.contains("registry(registry)"), "{notes}");
    }
}

/// What a formatter makes of one record, without Python's defaults.
fn line(formatter: &str, record: &Record) -> String {
    let taken = Arc::new(Mutex::new(Buffer::new()));
    let registry = {
        let taken = Arc::clone(&taken);
        ClassRegistry::new().handler("test.Take", move |_, format| {
            let taken = Arc::clone(&taken);
            Ok(Calls(move |record: &Record| format.format(record, &mut taken.lock().unwrap())).boxed())
        })
    };
    let config = format!(
        "{{version: 1, formatters: {{f: {formatter}}}, handlers: {{h: {{class: test.Take, formatter: f}}}}, root: {{handlers: [h]}}}}"
    );
    let logging = Logging::builder().registry(registry).build(&Config::from_yaml(&config).unwrap()).unwrap();
    logging.handler("h").unwrap().handler().emit(record);
    let text = std::mem::take(&mut *taken.lock().unwrap());
    let text = text.to_str().unwrap();
    text.strip_suffix('\n').unwrap_or(text).to_owned()
}

#[test]
fn processors_of_structlog_are_named_in_several_ways() {
    let mut record = Record::new(Severity::INFO, "shop", "paid\x1b[0m\nEND");
    record.set("b", 1);
    record.set("a", "x\ny");
    let class = "(): structlog.stdlib.ProcessorFormatter";
    for processor in [
        "processor: structlog.processors.JSONRenderer(sort_keys=True)",
        r#"processor: "ext://structlog.processors.JSONRenderer(sort_keys=True, indent=None)""#,
        "processor: {(): structlog.processors.JSONRenderer, sort_keys: true}",
        "processors: [structlog.stdlib.ProcessorFormatter.remove_processors_meta, {JSONRenderer: {sort_keys: true}}]",
    ] {
        for chain in ["[structlog.stdlib.ExtraAdder()]", "[ext://structlog.stdlib.ExtraAdder]", "[{ExtraAdder: {}}]"] {
            let line = line(&format!("{{{class}, foreign_pre_chain: {chain}, {processor}}}"), &record);
            assert_eq!(line, r#"{"a": "x\ny", "b": 1, "event": "paid\u001b[0m\nEND"}"#, "{processor} {chain}");
        }
    }
    // Nobody forges a record or a colour.
    for (renderer, expected) in [
        ("structlog.dev.ConsoleRenderer(colors=False)", r"paid\u{1b}[0m\nEND             a='x\ny' b=1"),
        ("structlog.processors.LogfmtRenderer()", r"event=paid\u{1b}[0m\nEND b=1 a=x\ny"),
        ("structlog.processors.KeyValueRenderer(repr_native_str=False)", r"event=paid\u{1b}[0m\nEND b=1 a=x\ny"),
    ] {
        let line = line(
            &format!("{{{class}, foreign_pre_chain: [structlog.stdlib.ExtraAdder], processor: {renderer:?}}}"),
            &record,
        );
        assert_eq!(line, expected, "{renderer}");
    }
}

#[test]
fn keys_that_nothing_can_honour_are_refused_by_name() {
    let refused = |section: &str| super::refused(&Logging::new(), &format!("{{version: 1, {section}}}")).join("\n");
    for (section, expected) in [
        (
            "formatters: {f: {(): pythonjsonlogger.json.JsonFormatter, json_encoder: shop.Encoder}}",
            "formatters.f.json_encoder (line 1, column 86): expected pythonjsonlogger.json.JsonEncoder or \
             pythonjsonlogger.jsonlogger.JsonEncoder or json.JSONEncoder, got \"shop.Encoder\"",
        ),
        (
            "formatters: {f: {(): structlog.stdlib.ProcessorFormatter, processor: shop.render}}",
            "formatters.f.processor (line 1, column 83): expected a processor or a renderer of structlog, got \"shop.render\"",
        ),
        (
            "handlers: {h: {class: logstash_async.handler.SynchronousLogstashHandler, host: h, port: 1, transport: logstash_async.transport.HttpTransport}}",
            "handlers.h.transport (line 1, column 116): expected logstash_async.transport.TcpTransport or UdpTransport, got \
             \"logstash_async.transport.HttpTransport\"",
        ),
    ] {
        assert_eq!(refused(section), expected);
    }
}

/// As files in the wild spell it: no conversions, calls as text, processors with arguments.
#[test]
fn common_spellings() {
    let mut record = Record::new(Severity::WARN, "shop", "low");
    record.set_time(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250));
    record.set("item", "tea");
    let json = line(
        "{(): pythonjsonlogger.jsonlogger.JsonFormatter, format: '%(levelname) %(name) %(message)', rename_fields: {levelname: level}}",
        &record,
    );
    assert_eq!(json, r#"{"level": "WARNING", "name": "shop", "message": "low", "item": "tea"}"#);
    let chain = r#"
      - structlog.contextvars.merge_contextvars
      - structlog.stdlib.add_logger_name
      - structlog.stdlib.add_log_level
      - structlog.processors.TimeStamper(fmt="iso", utc=True)
      - structlog.processors.TimeStamper: {fmt: "%H:%M:%S.%f", key: clock}
      - structlog.processors.StackInfoRenderer()
      - structlog.processors.format_exc_info
      - structlog.processors.UnicodeDecoder()"#;
    let formatter = format!(
        "
    (): structlog.stdlib.ProcessorFormatter
    processor: structlog.processors.JSONRenderer()
    foreign_pre_chain:{chain}
"
    );
    let yaml = format!("formatters:\n  f:{formatter}");
    let parsed: Json =
        serde_json::from_str(&Config::from_yaml(&format!("version: 1\n{yaml}")).unwrap().to_json()).unwrap();
    let event = line(&parsed["formatters"]["f"].to_string(), &record);
    assert_eq!(
        event,
        r#"{"event": "low", "logger": "shop", "level": "warning", "timestamp": "2023-11-14T22:13:20.250000Z", "clock": "22:13:20.250000"}"#
    );
}
