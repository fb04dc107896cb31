//! Reads the JSON lines back with a parser that refuses duplicate keys, and prints what they prove.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt, fs,
    path::Path,
};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use tracing_strata::{NamedHandler, otlp::OtlpGuard};

use super::{Sent, receiver::Receiver};

/// One line: an object whose keys stand once.
struct Line(HashMap<String, Value>);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strict;
        impl<'de> Visitor<'de> for Strict {
            type Value = Line;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut keys = HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if keys.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("key {key:?} stands twice")));
                    }
                }
                Ok(Line(keys))
            }
        }
        deserializer.deserialize_map(Strict)
    }
}

impl Line {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

pub(crate) fn print(path: &Path, sent: &[Sent], handlers: &[NamedHandler]) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;

    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    let mut loggers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut requests: HashMap<&str, Vec<&Line>> = HashMap::new();
    for line in &lines {
        *levels.entry(line.text("level")).or_default() += 1;
        *loggers.entry(line.text("target")).or_default() += 1;
        requests.entry(line.text("request_id")).or_default().push(line);
    }
    println!("\n{} records, {} bytes, each line one JSON object without a duplicate key", lines.len(), text.len());
    println!("  by level:  {}", table(&levels));
    println!("  by logger: {}", table(&loggers));

    // Five records of the cache before it was turned down; one statement for each request after it was turned up.
    let (phase, each) = (super::PHASE, |target: &str| loggers.get(target).copied().unwrap_or_default());
    check("the cache is silent after it was turned down", each("tour::service::cache"), phase * 5)?;
    check("the database tells its statements after it was turned up", each("tour::service::db"), phase * 3 + phase)?;

    let outside = requests.remove("").unwrap_or_default();
    check("requests that were sent have records", requests.len(), sent.len())?;
    let mut found = 0;
    for sent in sent {
        let records = requests.get(sent.request_id.as_str()).ok_or("a request without records")?;
        let right = |line: &&&Line| line.text("trace_id") == sent.trace_id && line.text("service") == "shop";
        found += records.iter().filter(right).count();
    }
    check("every record of a request carries its id and its trace id", found, lines.len() - outside.len())?;
    let answered = |line: &&Line| line.text("message") == "answered" && line.0.get("status") == Some(&200.into());
    check("what was recorded late is there", lines.iter().filter(answered).count(), sent.len())?;

    println!("\nledger");
    for handler in handlers {
        let stats = handler.stats();
        println!("  {:<8} {stats}", handler.name());
        check("  accepted by it", stats.accepted() as usize, lines.len())?;
        check("  lost by it", (stats.failed + stats.dropped + stats.queued) as usize, 0)?;
    }
    Ok(())
}

/// The file and the collector have the same, and the ids tell which record belongs to which span.
pub(crate) fn print_trace(
    collector: &Receiver,
    sent: &[Sent],
    export: &OtlpGuard,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    println!("\ncollector\n  logs     {}\n  spans    {}", export.logs(), export.spans());
    let (logs, spans) = (collector.logs(), collector.spans());
    let text = fs::read_to_string(path)?;
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    check("records of the file that the collector has, too", logs.len(), lines.len())?;
    check("spans: the requests, and a query in each", spans.len(), sent.len() * 2)?;
    let mut of_lines: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for line in &lines {
        *of_lines.entry((line.text("trace_id"), line.text("span_id"), line.text("message"))).or_default() += 1;
    }
    let mut found = 0;
    for log in &logs {
        let ids = (log.text("traceId"), log.text("spanId"), log.message());
        if let Some(left) = of_lines.get_mut(&ids).filter(|left| **left > 0) {
            *left -= 1;
            found += 1;
        }
    }
    check("log records with the ids that their lines have", found, lines.len())?;
    let is_known = |log: &&crate::receiver::Item| {
        spans
            .iter()
            .any(|span| span.text("spanId") == log.text("spanId") && span.text("traceId") == log.text("traceId"))
    };
    let in_requests = logs.iter().filter(|log| !log.text("traceId").is_empty());
    let outside = logs.iter().filter(|log| log.text("traceId").is_empty()).count();
    check("log records inside a span that has arrived", in_requests.filter(is_known).count(), logs.len() - outside)?;
    let unlucky = logs.iter().find(|log| log.message().starts_with("an unlucky item")).ok_or("no unlucky item")?;
    println!("\nThe first unlucky item, as the collector has it:\n{}", collector.tree(unlucky.text("traceId")));
    Ok(())
}

fn table(counts: &BTreeMap<&str, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn check(what: &str, found: usize, expected: usize) -> Result<(), Box<dyn Error>> {
    println!("  {} {what}: {found}", if found == expected { "ok" } else { "NO" });
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}").into()) }
}
