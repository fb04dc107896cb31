//! How records become a request, and what its answer means.

use std::borrow::Cow;

use crate::{
    Error, Format,
    format::{Buffer, Form, Json},
    output::{Answer, Attempt},
    record::OwnedRecord,
    sink::http::{Client, Method, Response},
};

/// What one kind of receiver understands.
pub(super) trait Protocol: Send + Sync + 'static {
    /// The format of a record, unless the user chose one.
    fn default_format(&self) -> Box<dyn Format> {
        Box::new(Json::new())
    }

    /// # Errors
    /// Some record is to blame, or the size of the batch.
    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error>;

    fn answer(&self, _records: &[OwnedRecord], response: &Response, client: &Client, _: &Attempt) -> Answer {
        by_status(response, client)
    }
}

/// What a status means where the receiver says no more.
pub(super) fn by_status(response: &Response, client: &Client) -> Answer {
    match response.status {
        200..=299 => Answer::Accepted,
        // One of the records, or all of them together.
        400 | 413 | 422 => Answer::Split(client.refusal(response)),
        // A token may be renewed; a receiver may come back.
        401 | 403 | 407 | 408 | 425 | 429 | 500 | 502..=504 | 506..=599 => {
            Answer::Retry { after: response.after, error: client.refusal(response) }
        }
        _ => Answer::Refused(client.refusal(response)),
    }
}

/// How records stand in a request.
///
/// | | method, content type | body |
/// |---|---|---|
/// | [`lines`](Self::lines) (default) | POST, `application/x-ndjson` | each record on a line |
/// | [`array`](Self::array) | POST, `application/json` | `[` records `]` |
/// | [`around`](Self::around) | POST, `application/json` | your text around the records and between them |
/// | [`single`](Self::single) | POST, `application/json` | one record a request, as the format makes it |
/// | [`form`](Self::form) | POST, `application/x-www-form-urlencoded` | one record a request, as Python's `HTTPHandler` sends it: [`Form`] |
/// | [`query`](Self::query) | GET | the same behind the URL |
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpBody {
    pub(super) method: Method,
    pub(super) content_type: Cow<'static, str>,
    before: Cow<'static, str>,
    between: Cow<'static, str>,
    after: Cow<'static, str>,
    pub(super) is_single: bool,
    is_form: bool,
    /// A record is a text, not JSON.
    is_text: bool,
    max_record: usize,
}

impl HttpBody {
    /// JSON lines.
    pub fn lines() -> Self {
        Self::around("", "\n", "\n").content_type("application/x-ndjson")
    }

    /// A JSON array.
    pub fn array() -> Self {
        Self::around("[", ",", "]")
    }

    /// Text of your own: `{"logs":[`, `,` and `]}`.
    pub fn around(
        before: impl Into<Cow<'static, str>>,
        between: impl Into<Cow<'static, str>>,
        after: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            method: Method::Post,
            content_type: "application/json".into(),
            before: before.into(),
            between: between.into(),
            after: after.into(),
            is_single: false,
            is_form: false,
            is_text: false,
            max_record: usize::MAX,
        }
    }

    /// One record a request.
    pub fn single() -> Self {
        Self { is_single: true, ..Self::around("", "", "") }
    }

    /// One record a request, as a form.
    pub fn form() -> Self {
        Self { is_form: true, ..Self::single() }.content_type("application/x-www-form-urlencoded")
    }

    /// One record a request, as a query.
    pub fn query() -> Self {
        Self { method: Method::Get, ..Self::form() }
    }

    /// One record a request, as a JSON string in a text.
    pub(super) fn string(before: String, after: String) -> Self {
        Self { is_single: true, is_text: true, ..Self::around(before, "", after) }
    }

    /// The header `Content-Type`.
    pub fn content_type(mut self, content_type: impl Into<Cow<'static, str>>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// The most bytes of one record, as text: a larger one failed without being sent. Default: no limit.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record = bytes;
        self
    }
}

/// How long a URL may become; longer ones are cut by servers and refused by our client.
const MAX_QUERY: usize = 60_000;

impl Protocol for HttpBody {
    fn default_format(&self) -> Box<dyn Format> {
        if self.is_form { Box::new(Form::new()) } else { Box::new(Json::new()) }
    }

    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        // A notice of losses comes beside the one record: each goes alone.
        if self.is_single && records.len() > 1 {
            return Err(Error::new("expected one record a request"));
        }
        let max = if self.method == Method::Get { self.max_record.min(MAX_QUERY) } else { self.max_record };
        out.push_str(&self.before);
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                out.push_str(&self.between);
            }
            let start = out.len();
            if self.is_text {
                let mut text = Buffer::new();
                format.format(record, &mut text)?;
                out.push_json(&String::from_utf8_lossy(text.as_bytes()));
            } else {
                format.format(record, out)?;
            }
            let bytes = out.len() - start;
            if bytes > max {
                return Err(Error::new(format_args!("a record of {bytes} bytes: expected {max} at most")));
            }
            if self.between == "\n" {
                out.flatten(start);
            }
        }
        out.push_str(&self.after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, Severity};

    #[test]
    fn one_record_a_request_is_never_two() {
        let record = || OwnedRecord::new(Record::new(Severity::INFO, "shop", "paid"));
        for body in [HttpBody::single(), HttpBody::form(), HttpBody::query()] {
            let encode = |records: &[OwnedRecord]| body.encode(&*body.default_format(), records, &mut Buffer::new());
            assert!(encode(&[record()]).is_ok() && encode(&[record(), record()]).is_err(), "{body:?}");
        }
    }
}
