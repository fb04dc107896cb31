//! Reads the JSON lines back with a parser that refuses duplicate keys, and prints what they prove.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt, fs,
    path::Path,
};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use tracing_strata::Shared;

use super::Sent;

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

pub(crate) fn print(path: &Path, sent: &[Sent], handlers: &[Shared]) -> Result<(), Box<dyn Error>> {
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

fn table(counts: &BTreeMap<&str, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn check(what: &str, found: usize, expected: usize) -> Result<(), Box<dyn Error>> {
    println!("  {} {what}: {found}", if found == expected { "ok" } else { "NO" });
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}").into()) }
}
