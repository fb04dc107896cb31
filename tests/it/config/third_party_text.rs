//! Classes of other Python packages that write lines: the same bytes as the packages themselves
//! (`python/third_party.md`).

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Fields, HandlerExt as _, Record, Severity, Value,
    clock::ManualClock,
    config::{ClassRegistry, Config, ConfigFilter, Logging},
    format::Buffer,
    ledger::ErrorHandler,
    record::JsonText,
};

use super::{
    Calls,
    third_party::{Row, assert_all, compare, formatter_has, localized, ours},
};

const PACKAGES: &[&str] = &[
    "uvicorn.",
    "colorlog.",
    "coloredlogs.",
    "celery.",
    "django.",
    "asgi_correlation_id.",
    "gunicorn.",
    "logging.Formatter",
];

/// What differs: class, how many records or refusals, and why.
const DIFFERENT: &[(&str, usize, &str)] = &[
    ("asgi_correlation_id.CorrelationIdFilter", 1, "a length that is no number is refused at once, not at each record"),
    ("coloredlogs.ColoredFormatter", 1, "an unknown colour is refused at once, not at each record"),
    (
        "colorlog.ColoredFormatter",
        7,
        "four exceptions, which CPython 3.13 colours; two unknown colours and one `validate`, which are refused at once, not at \
         each record",
    ),
    ("django.utils.log.CallbackFilter", 1, "a text for the callback is refused at once, not at each record"),
    ("gunicorn.glogging.Logger", 1, "messages come merged: quotes in them are not ours to escape"),
];

#[test]
fn lines_are_those_of_the_packages() {
    // Whether there are colours is asked of the process.
    let is_terminal = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let mut tally = Tally::default();
    for (index, row) in rows(PACKAGES) {
        if row["formatter"].to_string().contains("pythonjsonlogger") || (row["terminal"] == true) != is_terminal {
            continue;
        }
        for (expected, got) in play(&row) {
            tally.add(index, &row, &expected, &got);
        }
    }
    tally.finish(DIFFERENT);
}

/// Without Python's defaults, colours stand as they are, and what comes from a record cannot forge a line.
#[test]
fn values_are_escaped_and_colours_are_not() {
    let line = |formatter: Json, record: &Record| {
        let written: Arc<Mutex<Vec<Json>>> = Arc::default();
        let handler = json!({"class": "test.Sink", "formatter": "f"});
        let config = json!({"version": 1, "formatters": {"f": formatter}, "handlers": {"h": handler}});
        let builder = Logging::builder().registry(registry(&Json::Null, &written));
        let logging = builder.build(&Config::from_value(&config).unwrap()).unwrap();
        logging.handler("h").unwrap().handler().emit(record);
        written.lock().unwrap().pop().unwrap().as_str().unwrap().to_owned()
    };
    let mut record = Record::new(Severity::INFO, "shop", "a\nb");
    for (name, value) in [("client_addr", "::1"), ("method", "GET"), ("full_path", "/\n"), ("http_version", "1.1")] {
        record.set(name, value);
    }
    record.set("status_code", 404);
    record.set("color_message", "\x1b[1ma\x1b[0m");
    let access =
        json!({"()": "uvicorn.logging.AccessFormatter", "fmt": "%(request_line)s %(status_code)s", "use_colors": true});
    assert_eq!(line(access, &record), "\x1b[1mGET /\\n HTTP/1.1\x1b[0m \x1b[31m404 Not Found\x1b[0m");
    let default =
        json!({"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s", "use_colors": true});
    assert_eq!(line(default, &record), "\x1b[32mINFO\x1b[0m:     a\\nb");
    let colored = json!({"()": "coloredlogs.ColoredFormatter", "fmt": "%(name)s %(message)s %(full_path)s"});
    assert_eq!(line(colored, &record), "\x1b[34mshop\x1b[0m a\\nb /\\n");
    let task = json!({"()": "celery.app.log.TaskFormatter", "fmt": "%(task_name)s %(message)s"});
    record.set("task_name", "t\n");
    assert_eq!(line(task, &record), "t\\n a\\nb");
}

/// Rows of packages, with their numbers.
fn rows(packages: &'static [&'static str]) -> impl Iterator<Item = (usize, Json)> {
    let rows = include_str!("python/third_party.jsonl").lines().map(|line| serde_json::from_str(line).unwrap());
    let rows = rows.zip(Row::all()).map(|(mut row, raw): (Json, _)| {
        // In its order.
        row["formatter_text"] = raw.formatter.map(|formatter| formatter.get().to_owned()).into();
        row
    });
    let is_ours = |row: &Json| packages.iter().any(|package| row["class"].as_str().unwrap().starts_with(package));
    rows.enumerate().filter(move |(_, row)| is_ours(row))
}

/// Equal and played, by class; what differs.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize)>, BTreeMap<String, Vec<String>>);

impl Tally {
    fn add(&mut self, index: usize, row: &Json, expected: &Json, got: &Json) {
        let class = row["class"].as_str().unwrap();
        let (equal, all) = self.0.entry(class.to_owned()).or_default();
        *all += 1;
        if is_same(expected, got) {
            *equal += 1;
        } else {
            let text =
                format!("{index} {} {} {}:\n  {expected}\n  {got}", row["formatter"], row["handler"], row["filter"]);
            self.1.entry(class.to_owned()).or_default().push(text);
        }
    }

    /// Exactly what is listed differs.
    fn finish(self, listed: &[(&str, usize, &str)]) {
        let Self(tally, wrong) = self;
        for (class, (equal, all)) in &tally {
            println!("{class}: equal {equal} of {all}");
        }
        let listed: BTreeMap<_, _> = listed.iter().map(|(class, count, _)| ((*class).to_owned(), *count)).collect();
        let counted: BTreeMap<_, _> = wrong.iter().map(|(class, texts)| (class.clone(), texts.len())).collect();
        let texts: Vec<_> = wrong.values().flatten().map(String::as_str).collect();
        assert_eq!(counted, listed, "{}", texts.join("\n"));
    }
}

/// Files of concurrent-log-handler that differ, and why.
const DIFFERENT_FILES: &[(&str, usize, &str)] = &[(
    "concurrent_log_handler.ConcurrentRotatingFileHandler",
    1,
    "a text for maxBytes is refused: with it, Python never rotates",
)];

#[test]
fn files_are_those_of_concurrent_log_handler() {
    let mut tally = Tally::default();
    for (index, row) in rows(&["concurrent_log_handler."]) {
        let (expected, got) = play_files(&row);
        tally.add(index, &row, &expected, &got);
    }
    tally.finish(DIFFERENT_FILES);
}

fn play_files(row: &Json) -> (Json, Json) {
    let dir = super::Dir::new();
    let mut handler = row["handler"].clone();
    handler["filename"] = dir.path(handler["filename"].as_str().unwrap()).into();
    if handler["class"].as_str().unwrap().contains("Timed") && handler["utc"] != true {
        handler["strata"] = json!({"zone": row["zone"].as_str().unwrap_or("UTC")});
    }
    let config = json!({"version": 1, "handlers": {"h": handler}});
    let config = Config::from_json(&config.to_string()).unwrap();
    let clock = ManualClock::at(1_700_000_000);
    let builder = Logging::builder().python_defaults().clock(clock.clone()).error_handler(ErrorHandler::new(|_| {}));
    let logging = match (builder.build(&config), row.get("error")) {
        (Err(_), Some(error)) => return (error.clone(), error.clone()),
        (Err(error), None) => return (row["files"].clone(), error.to_string().into()),
        (Ok(_), Some(error)) => return (error.clone(), "not refused".into()),
        (Ok(logging), None) => logging,
    };
    let handler = logging.handler("h").unwrap();
    for given in row["records"].as_array().unwrap() {
        if let Some(record) = record(given, row) {
            clock.set(record.time());
            handler.handler().emit(&record);
        }
    }
    drop(handler);
    logging.shutdown().unwrap();
    drop(logging);
    // Locks have other names.
    let is_log = |name: &str| !name.ends_with(".lock");
    let expected: BTreeMap<_, _> = row["files"].as_object().unwrap().iter().filter(|(name, _)| is_log(name)).collect();
    // Rotated files are compressed in the background.
    let began = std::time::Instant::now();
    loop {
        let got = files(&dir, is_log);
        if json!(got) == json!(expected) || began.elapsed() > Duration::from_secs(3) {
            return (json!(expected), json!(got));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn files(dir: &super::Dir, is_log: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let mut got = BTreeMap::new();
    for entry in std::fs::read_dir(&dir.0).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if is_log(&name) && !name.ends_with(".part") {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let text = if name.ends_with(".gz") { unpacked(&bytes) } else { String::from_utf8(bytes).unwrap() };
            got.insert(name, text);
        }
    }
    got
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text).unwrap();
    text
}

#[test]
fn messages_are_those_of_graypy() {
    assert_all(&compare(
        &["graypy"],
        |row, given| {
            let has_frames = given.exc.as_ref().is_some_and(|raised| !raised.frames.is_empty());
            (has_frames && !formatter_has(row, "")).then_some("an error has no frames, each of which is a line")
        },
        |row| (row.class == "graypy.GELFHandler").then_some("files from before 1.0, which name it, are what is common"),
    ));
}

/// Fields of records as the journal gets them; those with names that it throws away are left out.
#[cfg(target_os = "linux")]
#[test]
fn fields_are_those_of_the_journals_packages() {
    let mut tally = Tally::default();
    for ((index, json), row) in rows(&[""]).zip(Row::all()) {
        if !row.class.contains("systemd") {
            continue;
        }
        let dir = super::Dir::new();
        let path = dir.path("socket");
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut handler = json["handler"].clone();
        handler["strata"] = json!({"socket": path});
        let mut config = json!({"version": 1, "handlers": {"h": handler}});
        if let Some(formatter) = json.get("formatter") {
            config["formatters"] = json!({"f": formatter});
            config["handlers"]["h"]["formatter"] = "f".into();
        }
        let builder = Logging::builder().python_defaults().error_handler(ErrorHandler::new(|_| {}));
        let logging = match (builder.build(&Config::from_value(&config).unwrap()), &row.error) {
            (Ok(logging), None) => logging,
            (result, error) => {
                let got = if result.is_err() { json!({"error": "refused"}) } else { json!("taken") };
                tally.add(index, &json, &json!({"error": error}), &got);
                continue;
            }
        };
        for (number, given) in row.records.iter().enumerate() {
            let record = given.record().unwrap();
            logging.handler("h").unwrap().handler().emit(&record);
            let mut bytes = vec![0; 65_536];
            let got = match socket.recv(&mut bytes) {
                Ok(length) => {
                    sent(&bytes[..length]).iter().map(|(name, value)| (name.clone(), ours(value, &record))).collect()
                }
                Err(_) => Vec::new(),
            };
            let comparable = |(name, value): (String, String)| {
                let is_known = name.starts_with(|c: char| c.is_ascii_uppercase())
                    && !name.contains(|c: char| c.is_ascii_lowercase());
                // Messages come merged; an error has no frames; its id and its own source are another matter.
                let is_merged = name == "CODE_ARGS" || name.starts_with("ARGUMENT_");
                let is_raw = name == "MESSAGE_RAW" && given.args.to_string().len() > 2;
                let is_framed =
                    name == "TRACEBACK" && given.exc.as_ref().is_some_and(|raised| !raised.frames.is_empty());
                let is_own = row.class.contains("cysystemd") && (name == "MESSAGE_ID" || name == "RELATIVE_TS");
                let has_value = is_known && !is_merged && !is_raw && !is_framed && !is_own;
                has_value.then_some((name, value))
            };
            let expected = match row.expected[number].as_array() {
                None => json!({"error": "nothing"}),
                Some(fields) => {
                    let own = if row.class.contains("cysystemd") { 3 } else { 0 };
                    let program = std::env::args().next().unwrap();
                    let fields = fields[..fields.len() - own].iter().map(|field| {
                        let text = field[1].as_str().unwrap();
                        let text = if text == "shop.py" && field[0] == "SYSLOG_IDENTIFIER" { &program } else { text };
                        (field[0].as_str().unwrap().to_owned(), localized(text, given.exc.as_ref()))
                    });
                    json!(fields.filter_map(comparable).collect::<Vec<_>>())
                }
            };
            let got = match got.is_empty() {
                true => json!({"error": "nothing"}),
                false => json!(got.into_iter().filter_map(comparable).collect::<Vec<_>>()),
            };
            tally.add(index, &json, &expected, &got);
        }
    }
    tally.finish(DIFFERENT_FIELDS);
}

/// Journal fields that differ, and why.
#[cfg(target_os = "linux")]
const DIFFERENT_FIELDS: &[(&str, usize, &str)] = &[(
    "systemd.journal.JournaldLogHandler",
    1,
    "files from when the package systemd had this class mean what cysystemd has now",
)];

/// The fields of an entry in the journal's native protocol.
#[cfg(target_os = "linux")]
fn sent(mut bytes: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| matches!(byte, b'=' | b'\n')).unwrap();
        let (name, rest) = (text(&bytes[..end]), &bytes[end + 1..]);
        let (value, after) = if bytes[end] == b'=' {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            (&rest[..end], &rest[end + 1..])
        } else {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            (&rest[8..8 + length], &rest[8 + length + 1..])
        };
        fields.push((name, text(value)));
        bytes = after;
    }
    fields
}

/// Lines of Rich that differ, and why.
const DIFFERENT_COLUMNS: &[(&str, usize, &str)] =
    &[("rich.logging.RichHandler", 1, "there is no source to show in a box for rich_tracebacks")];

const THIS: &str = "config::third_party_text::columns_are_those_of_rich";

/// It writes to standard output: in processes of their own, which have the width and the zone.
#[test]
fn columns_are_those_of_rich() {
    let in_row = |row: &Json| (row["width"].to_string(), row["zone"].as_str().unwrap_or("UTC").to_owned());
    let here = || (std::env::var("COLUMNS").unwrap_or_default(), std::env::var("TZ").unwrap_or_default());
    let rows: Vec<_> = rows(&["rich."]).collect();
    let mut tally = Tally::default();
    let kinds: std::collections::BTreeSet<_> = rows.iter().map(|(_, row)| in_row(row)).collect();
    for (width, zone) in kinds {
        let Some(output) = crate::loggers::alone(THIS, &[("COLUMNS", &width), ("TZ", &zone)]) else {
            rows.iter().filter(|(_, row)| in_row(row) == here()).for_each(|(index, row)| play_columns(*index, row));
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        for (index, row) in rows.iter().filter(|(_, row)| in_row(row) == (width.clone(), zone.clone())) {
            if let Some(error) = row.get("error") {
                let refused = text.contains(&format!("<{index} refused>"));
                tally.add(*index, row, error, if refused { error } else { &Json::Null });
                continue;
            }
            for (number, expected) in row["expected"].as_array().unwrap().iter().enumerate() {
                let (begin, end) = (format!("<{index} {number}>"), format!("</{index} {number}>"));
                let got = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
                let got = match got {
                    Some(("", _)) => json!({"error": "nothing"}),
                    Some((got, _)) => got.into(),
                    None => Json::Null,
                };
                tally.add(*index, row, expected, &got);
            }
        }
    }
    tally.finish(DIFFERENT_COLUMNS);
}

fn play_columns(index: usize, row: &Json) {
    let mut handler = row["handler"].clone();
    let mut formatters = json!({});
    if let Some(formatter) = row.get("formatter") {
        formatters["f"] = formatter.clone();
        handler["formatter"] = "f".into();
    }
    let config = json!({"version": 1, "formatters": formatters, "handlers": {"h": handler}});
    let config = Config::from_json(&config.to_string()).unwrap();
    let builder = Logging::builder().python_defaults().error_handler(ErrorHandler::new(|_| {}));
    let Ok(logging) = builder.build(&config) else {
        println!("<{index} refused>");
        return;
    };
    let handler = logging.handler("h").unwrap();
    handler.set_level(Severity::ALL);
    for (number, given) in row["records"].as_array().unwrap().iter().enumerate() {
        let record = record(given, row).unwrap();
        print!("<{index} {number}>");
        std::io::stdout().flush().unwrap();
        handler.handler().emit(&record);
        print!("</{index} {number}>");
    }
    println!();
}

/// An error of theirs is an error of ours, whatever it says.
fn is_same(expected: &Json, got: &Json) -> bool {
    let is_error = |json: &Json| json.get("error").is_some() || json.get("raised").is_some();
    expected == got || is_error(expected) && is_error(got)
}

/// Expected and own result: of each record, or of the configuration.
fn play(row: &Json) -> Vec<(Json, Json)> {
    let written: Arc<Mutex<Vec<Json>>> = Arc::default();
    let registry = registry(row, &written);
    let logging = config(row).and_then(|config| {
        let builder = Logging::builder().python_defaults().registry(registry);
        builder.error_handler(ErrorHandler::new(|_| {})).build(&config)
    });
    let logging = match (logging, row.get("error")) {
        (Err(_), Some(error)) => return vec![(json!({"error": error}), json!({"error": error}))],
        (Err(error), None) => return vec![(row["expected"].clone(), json!({"refused": error.to_string()}))],
        (Ok(_), Some(error)) => return vec![(json!({"error": error}), json!("not refused"))],
        (Ok(logging), None) => logging,
    };
    let handler = logging.handler("h").unwrap();
    let mut results = Vec::new();
    for (given, expected) in row["records"].as_array().unwrap().iter().zip(row["expected"].as_array().unwrap()) {
        // Messages come merged: what cannot be merged, nobody sends.
        let Some(record) = record(given, row) else { continue };
        handler.handler().emit(&record);
        let got = written.lock().unwrap().pop().unwrap_or_default();
        results.push((of_this_process(expected, &record), got));
    }
    results
}

fn registry(row: &Json, written: &Arc<Mutex<Vec<Json>>>) -> ClassRegistry {
    let written = Arc::clone(written);
    let registry = ClassRegistry::new().handler("test.Sink", move |_, format| {
        let written = Arc::clone(&written);
        let handler = move |record: &Record| {
            let mut line = Buffer::new();
            let result = format.format(record, &mut line);
            written.lock().unwrap().push(match result {
                Ok(()) => line.to_str().unwrap().strip_suffix('\n').unwrap().into(),
                Err(error) => json!({"error": error.to_string()}),
            });
            Ok(())
        };
        Ok(Calls(handler).boxed())
    });
    registry
        .object("django.conf.settings.DEBUG", row["settings"]["DEBUG"] == true)
        .object("builtins.bool", ConfigFilter::decides(|_: &Record| true))
}

fn config(row: &Json) -> Result<Config, tracing_strata::Error> {
    let zone = row["zone"].as_str().unwrap_or("UTC");
    if row["ini"] == true {
        let options = row["formatter"].as_object().unwrap();
        let options: String =
            options.iter().map(|(key, value)| format!("{key}={}\n", value.as_str().unwrap())).collect();
        let ini = format!(
            "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nhandlers=h\n\
             [handler_h]\nclass=test.Sink\nformatter=f\n[formatter_f]\n{options}"
        );
        return Config::from_ini(&ini);
    }
    let mut handler = json!({"class": "test.Sink", "formatter": "f"});
    let mut filters = json!({});
    if let Some(filter) = row.get("filter") {
        filters["x"] = filter.clone();
        handler["filters"] = json!(["x"]);
    }
    let formatter = row["formatter_text"].as_str().unwrap();
    let formatter = formatter.replacen('{', &format!("{{\"zone\": {zone:?}, "), 1);
    Config::from_json(&format!(
        "{{\"version\": 1, \"formatters\": {{\"f\": {formatter}}}, \"filters\": {filters}, \"handlers\": {{\"h\": {handler}}}}}"
    ))
}

/// The record of a row; `None` if its message cannot be merged.
fn record(given: &Json, row: &Json) -> Option<Record> {
    let text = |name: &str| given[name].as_str().unwrap_or_default();
    let name = if text("name") == "root" { "" } else { text("name") };
    let level = Severity::new(given["level"].as_i64().unwrap() as i32);
    let mut record = Record::new(level, name, &merged(&given["msg"], &given["args"])?);
    record.set_time(UNIX_EPOCH + Duration::from_secs_f64(given["created"].as_f64().unwrap()));
    record.set_source(text("pathname"), given["lineno"].as_u64().unwrap() as u32);
    record.set_function(text("funcName"));
    record.set_thread(text("threadName"), given["thread"].as_u64().unwrap());
    // A record of ours has no frames: their text is given as the stack, which stands at the same place.
    let traceback = given["exc"]["text"].as_str();
    let stack = [traceback, given["stack"].as_str()].into_iter().flatten().collect::<Vec<_>>().join("\n");
    record.set_stack(&stack);
    for (name, value) in given["extra"].as_object().into_iter().flatten() {
        match (&**name, value) {
            ("color_message", Json::String(text)) => {
                record.set(name.clone(), &*merged(&Json::from(&**text), &given["args"])?);
            }
            _ => set(&mut record, name, value),
        }
    }
    if row["class"] == "uvicorn.logging.AccessFormatter"
        && let Some([client, method, path, version, status]) = given["args"].as_array().map(Vec::as_slice)
    {
        let names = ["client_addr", "method", "full_path", "http_version", "status_code"];
        for (name, value) in names.into_iter().zip([client, method, path, version, status]) {
            set(&mut record, name, value);
        }
    }
    if let Some(task) = row.get("task") {
        let mut fields = Fields::new();
        fields.set("task_name", task["name"].as_str().unwrap());
        fields.set("task_id", task["id"].as_str().unwrap());
        record.push_span("task", fields);
    }
    if let Some(id) = row["correlation_id"].as_str() {
        record.push_span("request", {
            let mut fields = Fields::new();
            fields.set("request_id", id);
            fields
        });
    }
    Some(record)
}

fn set(record: &mut Record, name: &str, value: &Json) {
    let name = name.to_owned();
    match value {
        Json::Bool(value) => record.set(name, *value),
        Json::String(text) => record.set(name, &**text),
        Json::Number(number) => match (number.as_i64(), number.to_string().parse::<i128>()) {
            (Some(number), _) => record.set(name, number),
            (None, Ok(number)) => record.set(name, number),
            (None, Err(_)) => record.set(name, number.as_f64().unwrap()),
        },
        other => record.set(name, Value::Json(JsonText::new(&other.to_string()).unwrap())),
    }
}

/// `msg % args`, of the conversions that the rows have.
fn merged(msg: &Json, args: &Json) -> Option<String> {
    let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let format = shown(msg);
    if args.as_array().is_none_or(Vec::is_empty) && args.as_object().is_none_or(serde_json::Map::is_empty) {
        return Some(format);
    }
    let mut out = String::new();
    let mut rest = &*format;
    let mut position = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let value = match rest.strip_prefix('(').and_then(|named| named.split_once(')')) {
            Some((name, after)) => {
                rest = after;
                args.get(name)?
            }
            None => {
                position += 1;
                args.get(position - 1)?
            }
        };
        match rest.chars().next()? {
            's' => out.push_str(&shown(value)),
            'd' if value.is_number() => out.push_str(&shown(value)),
            _ => return None,
        }
        rest = &rest[1..];
    }
    out.push_str(rest);
    Some(out)
}

/// With the process of this test.
fn of_this_process(expected: &Json, record: &Record) -> Json {
    match expected {
        Json::String(text) => {
            let text = text.replace("MainProcess", record.process_name());
            text.replace("4242", &record.process_id().to_string()).into()
        }
        other => other.clone(),
    }
}
