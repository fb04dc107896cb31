//! Writes a message.

use std::mem;

use tracing_core::Metadata;

use super::{
    Form, Priority, SyslogFormat,
    element::{self, Element},
    names::MESSAGE_ID,
};
use crate::{
    Error, Format, Record, Severity,
    format::{
        Buffer,
        callsite_cache::{Callsite, CallsiteCache},
        line::{Fragment, Line},
    },
    record::mark_truncated,
    text::next_special,
};

/// The parts that are the same in all messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Precomputed {
    /// By priority: the text before the time.
    headers: Vec<Fragment>,
    /// The text between the time and the process id; with that id, if it was given.
    source: Fragment,
    /// `[` and the SD-ID.
    pub(super) element: Fragment,
    callsites: CallsiteCache,
}

/// Marks UTF-8 (RFC 5424, 6.4).
const BOM: &[u8] = "\u{feff}".as_bytes();

impl SyslogFormat {
    /// Computes the parts that depend on the options alone.
    pub(super) fn precompute(mut self) -> Self {
        let version = if self.form == Form::Rfc5424 { "1 " } else { "" };
        let begin = |priority: u8| {
            let number = self.facility.code() * 8 + priority;
            [&self.token, format!("<{number}>{version}").as_bytes()].concat().into()
        };
        let headers = (0..8).map(begin).collect();
        let process = self.process_id.as_deref().unwrap_or_default();
        let source = match self.form {
            Form::Rfc5424 => format!(" {} {} {process}", self.host, self.app),
            Form::Rfc3164 => format!("{} {}[{process}", self.host, self.app),
            Form::Local => format!("{}[{process}", self.app),
            Form::Python => String::new(),
        };
        let element = self.sd_id.as_ref().map(|id| format!("[{id}")).unwrap_or_default();
        self.precomputed = Precomputed {
            headers,
            source: source.into_bytes().into(),
            element: element.into_bytes().into(),
            callsites: CallsiteCache::default(),
        };
        self
    }

    pub(super) fn write(&self, record: &Record, limit: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let priority = self.priority_for(record.severity());
        let Some(begin) = self.precomputed.headers.get(usize::from(priority.code())) else {
            return Err(std::fmt::Error.into());
        };
        if self.form == Form::Python {
            out.extend_from_slice(begin.text());
            return self.write_python(record, limit, out);
        }
        let mut line = Line::new(out, false);
        line.fragment(begin);
        match self.form {
            Form::Rfc5424 => self.write_5424(record, limit, &mut line)?,
            _ => self.write_3164(record, limit, &mut line)?,
        }
        line.finish();
        Ok(())
    }

    fn write_5424(&self, record: &Record, limit: usize, line: &mut Line<'_>) -> Result<(), Error> {
        line.digits(|digits| self.zone.put(record.time(), digits));
        self.put_source(line);
        line.byte(b' ');
        let callsite = match &self.sd_id {
            Some(_) if limit == usize::MAX && !record.has_own_name() => {
                self.precomputed.callsites.of(record, |site| self.callsite(record, site))
            }
            _ => None,
        };
        match callsite {
            Some(callsite) => {
                line.fragment(&callsite.text);
                self.cached_element(callsite, record, line);
            }
            None => {
                let has_target = put_message_id(record, line);
                line.byte(b' ');
                // Structured data gets three quarters of the room if the message must be cut.
                let room = limit.saturating_sub(line.len());
                let share = if limit == usize::MAX { 0 } else { (record.message().len() + 2).min(room / 4).max(1) };
                self.structured_data(record, limit.saturating_sub(share), has_target, line);
            }
        }
        let message = record.message();
        let is_message_alone = self.body.is_none() && self.sd_id.is_some();
        if is_message_alone && limit == usize::MAX && message.is_ascii() {
            if message.is_empty() {
                // RFC 5424, 6: without MSG there is no space either.
                return Ok(());
            }
            line.byte(b' ');
            if line.push_if_plain::<false>(message) {
                return Ok(());
            }
        } else {
            line.byte(b' ');
        }
        self.put_message_with_bom(record, limit, line.bytes())
    }

    /// Writes the message after its space, with a byte order mark if it needs one.
    #[inline(never)]
    fn put_message_with_bom(&self, record: &Record, limit: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        self.put_body(record, out)?;
        if out.len() == start {
            out.truncate(start - 1);
        } else if self.bom && !out[start..].is_ascii() && !out[start..].starts_with(BOM) {
            out.splice(start..start, BOM.iter().copied());
        }
        cut(out, start, limit);
        Ok(())
    }

    /// MSGID, and the structured data that all records of a call site share.
    #[cold]
    fn callsite(&self, record: &Record, site: &'static Metadata<'static>) -> Callsite {
        let text = Fragment::of(false, |line| {
            let has_target = put_message_id(record, line);
            line.byte(b' ');
            line.raw_bytes(&self.elements);
            line.fragment(&self.precomputed.element);
            if has_target {
                Element::new(line, usize::MAX, self.one_line).put("target", record.target().into());
            }
        });
        Callsite::new(site, text, element::parameter)
    }

    fn write_3164(&self, record: &Record, limit: usize, line: &mut Line<'_>) -> Result<(), Error> {
        let mut digits = [b'0'; 48];
        let part = self.zone.put(record.time(), &mut digits);
        let [_, _, _, _, _, tens, ones, _, day_tens, day, _, time @ ..] = &digits[part] else {
            return Err(std::fmt::Error.into());
        };
        let [h, hh, _, m, mm, _, s, ss, ..] = time else { return Err(std::fmt::Error.into()) };
        let month = usize::from((tens - b'0') * 10 + (ones - b'0'));
        let [a, b, c] = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or(b"Jan");
        let day_tens = if *day_tens == b'0' { &b' ' } else { day_tens };
        line.array(&[*a, *b, *c, b' ', *day_tens, *day, b' ', *h, *hh, b':', *m, *mm, b':', *s, *ss, b' ']);
        self.put_source(line);
        line.array(b"]: ");
        if limit == usize::MAX && self.body.is_none() && self.sd_id.is_none() {
            self.text.plain_line(record, line);
            return Ok(());
        }
        let out = line.bytes();
        let start = out.len();
        self.put_body(record, out)?;
        cut(out, start, limit);
        Ok(())
    }

    fn write_python(&self, record: &Record, limit: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.extend_from_slice(self.ident.as_bytes());
        match &self.body {
            Some(body) => with_buffer(out, |out| body.format(record, out))?,
            None => out.extend_from_slice(record.message().as_bytes()),
        }
        cut(out, start, limit.saturating_sub(1));
        if self.append_nul {
            if out[start..].contains(&0) {
                out[start..].iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
            }
            out.push(0);
        }
        Ok(())
    }

    /// Host, application and process.
    #[inline]
    fn put_source(&self, line: &mut Line<'_>) {
        line.fragment(&self.precomputed.source);
        if self.process_id.is_none() {
            // Not cached: fork(2) changes it.
            line.raw(itoa::Buffer::new().format(crate::fork::process_id()));
        }
    }

    fn put_body(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        match &self.body {
            Some(body) => with_buffer(out, |out| body.format(record, out)),
            None if self.sd_id.is_none() => with_buffer(out, |out| self.text.format(record, out)),
            None => {
                self.put_message(record.message(), out);
                Ok(())
            }
        }
    }

    /// The message, escaped.
    fn put_message(&self, message: &str, out: &mut Vec<u8>) {
        if next_special(message, 0, false).is_none() && !message.contains('\\') {
            return out.extend_from_slice(message.as_bytes());
        }
        escape(message, self.multi_line, out);
    }

    #[inline]
    fn priority_for(&self, severity: Severity) -> Priority {
        if !self.by_name.is_empty() || !self.by_severity.is_empty() {
            if let Some(priority) = self.chosen_priority(severity) {
                return priority;
            }
        }
        match self.form {
            Form::Python => match severity.name() {
                Some("DEBUG") => Priority::Debug,
                Some("INFO") => Priority::Informational,
                Some("ERROR") => Priority::Error,
                Some("CRITICAL") => Priority::Critical,
                _ => Priority::Warning,
            },
            _ => Priority::from_code(severity.syslog()).unwrap_or(Priority::Debug),
        }
    }

    fn chosen_priority(&self, severity: Severity) -> Option<Priority> {
        let name = severity.name();
        let by_name =
            self.by_name.iter().rev().find(|(known, _)| name.is_some_and(|name| known.eq_ignore_ascii_case(name)));
        let by_severity =
            || self.by_severity.iter().rev().find(|(known, _)| *known == severity).map(|(_, priority)| *priority);
        by_name.map(|(_, priority)| *priority).or_else(by_severity)
    }
}

/// Lends the bytes to another format as a buffer.
fn with_buffer<R>(out: &mut Vec<u8>, write: impl FnOnce(&mut Buffer) -> R) -> R {
    let mut buffer = Buffer::from(mem::take(out));
    let result = write(&mut buffer);
    *out = buffer.into_bytes();
    result
}

/// Writes MSGID. Whether the target must be written elsewhere.
fn put_message_id(record: &Record, line: &mut Line<'_>) -> bool {
    let target = record.target();
    match record.name() {
        None if MESSAGE_ID.is_valid(target) => {
            line.raw(target);
            return false;
        }
        name => match name.unwrap_or(target) {
            "" => line.byte(b'-'),
            name => MESSAGE_ID.put(name, line),
        },
    }
    !target.is_empty()
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Cuts a message to the limit, on a character boundary, with a mark. Nothing before `start` is cut.
fn cut(out: &mut Vec<u8>, start: usize, limit: usize) {
    if out.len() <= limit {
        return;
    }
    let mut mark = String::new();
    mark_truncated(&mut mark, Some(out.len().saturating_sub(start)));
    let mut end = limit.saturating_sub(mark.len()).max(start).min(out.len());
    while end > start && out[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    mark.clear();
    mark_truncated(&mut mark, Some(out.len() - end));
    out.truncate(end);
    if end + mark.len() <= limit {
        out.extend_from_slice(mark.as_bytes());
    }
}

/// Escapes controls and backslashes as [`Text`](crate::format::Text) does; may keep line breaks and tabs.
pub(super) fn escape(text: &str, keep_lines: bool, out: &mut Vec<u8>) {
    let mut from = 0;
    while let Some(at) = next_special(text, from, true) {
        out.extend_from_slice(&text.as_bytes()[from..at]);
        let Some(special) = text[at..].chars().next() else { break };
        match special {
            '"' => out.push(b'"'),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' | '\t' if keep_lines => out.push(special as u8),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend(special.escape_unicode().map(|c| c as u8)),
        }
        from = at + special.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
}
