//! How long a receiver asks to wait.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// `Retry-After`; else, for 429, the time until the limit of requests is reset, as services send it.
pub(super) fn wait_asked_for(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(after) = text("retry-after").and_then(|text| retry_after(text, now)) {
        return Some(after);
    }
    // Some send the limits with every answer, where they are no reason to wait.
    if status != 429 {
        return None;
    }
    let reset: u64 =
        ["ratelimit-reset", "x-ratelimit-reset"].into_iter().find_map(|name| text(name)?.trim().parse().ok())?;
    // Some send seconds from now, others the time.
    let is_time = reset > 1_000_000_000;
    let reset = Duration::from_secs(reset);
    if !is_time {
        return Some(reset);
    }
    SystemTime::UNIX_EPOCH.checked_add(reset).map(|at| at.duration_since(now).unwrap_or_default())
}

/// Seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:40 GMT", now), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn limits_of_requests() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let of_status = |status, pairs: &[(&'static str, &str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            wait_asked_for(status, &headers.collect(), now)
        };
        let of = |pairs| of_status(429, pairs);
        assert_eq!(of_status(503, &[("x-ratelimit-reset", "3600")]), None);
        assert_eq!(
            of_status(503, &[("retry-after", "2"), ("x-ratelimit-reset", "3600")]),
            Some(Duration::from_secs(2))
        );
        assert_eq!(of(&[("x-ratelimit-reset", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(&[("ratelimit-reset", "1800000009")]), Some(Duration::from_secs(9)));
        assert_eq!(of(&[("retry-after", "1"), ("ratelimit-reset", "9")]), Some(Duration::from_secs(1)));
        assert_eq!(of(&[("retry-after", "soon")]), None);
        assert_eq!(of(&[("ratelimit-reset", "-1")]), None);
        assert_eq!(of(&[("ratelimit-reset", "18446744073709551615")]), None);
    }
}
