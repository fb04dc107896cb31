//! W3C `traceparent`: which trace a record belongs to.

use std::{fmt, str::FromStr};

use crate::{Error, text::head};

/// The ids of a W3C `traceparent` header.
///
/// Put the header into a span field named `traceparent` and every record inside that span carries the ids:
/// `trace_id`, `span_id` and `trace_flags` in JSON. The span id is the caller's, as the header gave it, unless ids
/// [are made](crate::SpanContextLayer::trace_ids) here or a tracing SDK is in the stack.
///
/// Source: [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header), level 1. Parsed strictly:
/// lower-case hexadecimal, no all-zero id, version `ff` refused, longer headers only of later versions.
///
/// ```
/// use tracing_strata::record::TraceParent;
///
/// let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
/// assert!(parent.is_sampled());
/// assert_eq!(parent.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// assert!("00-00000000000000000000000000000000-00f067aa0ba902b7-01".parse::<TraceParent>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// The name of the span field.
    pub const FIELD: &'static str = "traceparent";

    /// From ids; `None` if one is zero, which the specification forbids.
    pub const fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        if trace_id == 0 || span_id == 0 { None } else { Some(Self { trace_id, span_id, flags }) }
    }

    /// New random ids, sampled.
    pub fn random() -> Self {
        crate::fork::check();
        Self { trace_id: fastrand::u128(1..), span_id: fastrand::u64(1..), flags: 1 }
    }

    /// The trace id; 32 lower-case hexadecimal digits when printed with `{:032x}`.
    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The id of the span; 16 hexadecimal digits.
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// The flags byte; bit 0 is "sampled".
    pub const fn flags(self) -> u8 {
        self.flags
    }

    /// Whether the caller may have recorded trace data.
    pub const fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl FromStr for TraceParent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text.as_bytes()).ok_or_else(|| {
            let shown = head(text, 80);
            Error::config(format_args!(
                "traceparent {shown:?}: expected \"00-<32 hex>-<16 hex>-<2 hex>\", ids not zero"
            ))
        })
    }
}

fn parse(text: &[u8]) -> Option<TraceParent> {
    let (head, rest) = text.split_at_checked(55)?;
    let version = hex(&head[0..2])?;
    let dashes = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
    // A later version may append more, after another dash.
    let tail = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
    if !dashes || !tail || version == 0xff {
        return None;
    }
    let trace_id = hex(&head[3..35])?;
    let span_id = hex(&head[36..52])? as u64;
    let flags = hex(&head[53..55])? as u8;
    TraceParent::new(trace_id, span_id, flags)
}

fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(good.parse::<TraceParent>().is_ok());
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(later.parse::<TraceParent>().is_ok());
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "é0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(bad.parse::<TraceParent>().unwrap_err().to_string().contains("traceparent"), "{bad}");
        }
    }
}
