//! Numbers, texts and times as bytes, and back. Numbers are LEB128, texts have their length before them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::TraceParent;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    put_option(out, text, |out, text| put_bytes(out, text.as_bytes()));
}

pub(super) fn put_trace(out: &mut Vec<u8>, trace: TraceParent) {
    out.extend_from_slice(&trace.trace_id().to_le_bytes());
    out.extend_from_slice(&trace.span_id().to_le_bytes());
    out.push(trace.flags());
}

pub(super) fn put_time(out: &mut Vec<u8>, time: SystemTime) {
    let (is_before, since) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (false, since),
        Err(before) => (true, before.duration()),
    };
    out.push(u8::from(is_before));
    put_number(out, since.as_secs());
    put_number(out, since.subsec_nanos().into());
}

// --- reading

/// The rest of an entry. Each step is `None` where that is not what a writer wrote.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Nothing follows.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// How many parts follow, of so many bytes each at least.
    pub(super) fn count(&mut self, least: usize) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len() / least)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(super) fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The outer `None` is damage.
    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        Some(if self.flag()? { Some(read(self)?) } else { None })
    }

    pub(super) fn text(&mut self) -> Option<Option<&'a str>> {
        self.option(Self::str)
    }

    pub(super) fn trace(&mut self) -> Option<TraceParent> {
        let (trace_id, span_id) = (u128::from_le_bytes(self.array()?), u64::from_le_bytes(self.array()?));
        TraceParent::new(trace_id, span_id, self.byte()?)
    }

    pub(super) fn time(&mut self) -> Option<SystemTime> {
        let is_before = self.flag()?;
        let (seconds, nanos) = (self.number()?, u32::try_from(self.number()?).ok()?);
        let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?;
        if is_before { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) }
    }
}
