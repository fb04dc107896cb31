//! Datadog's receiver of logs after its page, v2, and stricter: what Datadog cuts off is refused.

use serde_json::{Value as Json, value::RawValue};

use super::receiver::{Got, Reply};

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn judge(got: &Got) -> Reply {
    let refused = |code, body| Reply::Status(code, &[("content-type", "application/json")], body);
    let header = |name: &str| got.headers.get(name).map(String::as_str);
    if (&*got.method, &*got.path) != ("POST", "/api/v2/logs") {
        return refused(404, r#"{"errors":["Not found"]}"#);
    }
    match header("dd-api-key") {
        None => return refused(401, r#"{"errors":["Unauthorized"]}"#),
        Some(KEY) => {}
        Some(_) => return refused(403, r#"{"errors":["Forbidden"]}"#),
    }
    if header("content-type") != Some("application/json") {
        return refused(415, r#"{"errors":["Unsupported media type"]}"#);
    }
    if got.body.len() > 5_000_000 {
        return refused(413, r#"{"errors":["More than 5 MB"]}"#);
    }
    let Ok(entries) = serde_json::from_str::<Vec<Box<RawValue>>>(&got.body) else {
        return refused(400, r#"{"errors":["No array"]}"#);
    };
    if entries.len() > 1_000 || entries.iter().any(|entry| entry.get().len() > 1_000_000) {
        return refused(413, r#"{"errors":["More than 1,000 entries, or 1 MB of one"]}"#);
    }
    if entries.is_empty() || !entries.iter().all(|entry| is_entry(entry.get())) {
        return refused(400, r#"{"errors":["No entry"]}"#);
    }
    refused(202, "{}")
}

fn is_entry(text: &str) -> bool {
    let Ok(Json::Object(entry)) = serde_json::from_str(text) else { return false };
    let is_text = |name: &str| entry.get(name).is_none_or(Json::is_string);
    let is_tag = |tag: &str| tag.split_once(':').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    let tags = entry.get("ddtags").and_then(Json::as_str);
    entry.contains_key("message")
        && ["message", "status", "service", "hostname", "ddsource", "ddtags"].into_iter().all(is_text)
        && tags.is_none_or(|tags| tags.split(',').all(is_tag))
        && entry.get("timestamp").is_none_or(Json::is_u64)
}
