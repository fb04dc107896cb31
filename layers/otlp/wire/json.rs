//! The JSON of protobuf messages, with `"NaN"`, `"Infinity"` and `"-Infinity"` for the numbers that JSON has no literal for
//! ([ProtoJSON](https://protobuf.dev/programming-guides/json/)). `serde_json` alone writes `null`, which is no number.

use std::io;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::Request;

pub(super) fn encode(request: &Request) -> serde_json::Result<Vec<u8>> {
    let (bytes, is_complete) = write(request, &[])?;
    if is_complete {
        return Ok(bytes);
    }
    let mut request = request.clone();
    each_double(&mut request, stand_in);
    Ok(write(&request, &STAND_INS)?.0)
}

/// The text, and whether it has all numbers.
fn write(request: &Request, stand_ins: &[StandIn]) -> serde_json::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::with_capacity(4 << 10);
    let mut is_complete = true;
    let mut out =
        Serializer::with_formatter(&mut bytes, Numbers { stand_ins, is_double: false, is_complete: &mut is_complete });
    match request {
        Request::Logs(logs) => logs.serialize(&mut out)?,
        Request::Spans(spans) => spans.serialize(&mut out)?,
    }
    Ok((bytes, is_complete))
}

type StandIn = (f64, &'static [u8]);

/// Unlikely finite numbers, which are replaced while writing.
const STAND_INS: [StandIn; 3] = [
    (f64::from_bits(0x7a5c_01d3_8e4b_f6a1), b"\"NaN\""),
    (f64::from_bits(0x7a5c_01d3_8e4b_f6a2), b"\"Infinity\""),
    (f64::from_bits(0x7a5c_01d3_8e4b_f6a3), b"\"-Infinity\""),
];

fn stand_in(number: &mut f64) {
    let which = match *number {
        number if number.is_nan() => 0,
        f64::INFINITY => 1,
        f64::NEG_INFINITY => 2,
        _ => return,
    };
    *number = STAND_INS[which].0;
}

struct Numbers<'a> {
    stand_ins: &'a [StandIn],
    /// The last key says that a number follows.
    is_double: bool,
    is_complete: &'a mut bool,
}

impl Formatter for Numbers<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.is_double = fragment == "doubleValue";
        writer.write_all(fragment.as_bytes())
    }

    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.is_complete &= !self.is_double;
        CompactFormatter.write_null(writer)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        match self.stand_ins.iter().find(|(other, _)| other.to_bits() == number.to_bits()) {
            Some((_, text)) => writer.write_all(text),
            None => CompactFormatter.write_f64(writer, number),
        }
    }
}

fn each_double(request: &mut Request, change: fn(&mut f64)) {
    let pairs = |pairs: &mut Vec<KeyValue>| {
        pairs.iter_mut().filter_map(|pair| pair.value.as_mut()).for_each(|value| each_double_of(value, change));
    };
    match request {
        Request::Logs(logs) => {
            for resource in &mut logs.resource_logs {
                resource.resource.iter_mut().for_each(|resource| pairs(&mut resource.attributes));
                for scope in &mut resource.scope_logs {
                    scope.scope.iter_mut().for_each(|scope| pairs(&mut scope.attributes));
                    for record in &mut scope.log_records {
                        record.body.iter_mut().for_each(|body| each_double_of(body, change));
                        pairs(&mut record.attributes);
                    }
                }
            }
        }
        Request::Spans(spans) => {
            for resource in &mut spans.resource_spans {
                resource.resource.iter_mut().for_each(|resource| pairs(&mut resource.attributes));
                for scope in &mut resource.scope_spans {
                    scope.scope.iter_mut().for_each(|scope| pairs(&mut scope.attributes));
                    for span in &mut scope.spans {
                        pairs(&mut span.attributes);
                        span.events.iter_mut().for_each(|event| pairs(&mut event.attributes));
                        span.links.iter_mut().for_each(|link| pairs(&mut link.attributes));
                    }
                }
            }
        }
    }
}

fn each_double_of(value: &mut AnyValue, change: fn(&mut f64)) {
    match &mut value.value {
        Some(Any::DoubleValue(number)) => change(number),
        Some(Any::ArrayValue(array)) => array.values.iter_mut().for_each(|value| each_double_of(value, change)),
        Some(Any::KvlistValue(list)) => {
            list.values
                .iter_mut()
                .filter_map(|pair| pair.value.as_mut())
                .for_each(|value| each_double_of(value, change));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::ArrayValue,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    };

    use super::*;

    #[test]
    fn numbers_without_a_literal_are_text() {
        let any = |value| AnyValue { value: Some(value) };
        let attribute =
            |key: &str, value| KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() };
        let list = vec![any(Any::DoubleValue(f64::INFINITY)), any(Any::DoubleValue(0.5))];
        let record = LogRecord {
            body: Some(any(Any::DoubleValue(f64::NEG_INFINITY))),
            attributes: vec![
                attribute("a", Any::DoubleValue(f64::NAN)),
                attribute("b", Any::ArrayValue(ArrayValue { values: list })),
                attribute("doubleValue", Any::StringValue("doubleValue".into())),
                KeyValue { key: "doubleValue".into(), ..KeyValue::default() },
            ],
            ..LogRecord::default()
        };
        let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
        let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
        let mut logs = ExportLogsServiceRequest { resource_logs: vec![resource] };
        let text = String::from_utf8(encode(&Request::Logs(logs.clone())).unwrap()).unwrap();
        assert!(text.contains(r#""body":{"doubleValue":"-Infinity"}"#), "{text}");
        assert!(text.contains(r#""key":"a","value":{"doubleValue":"NaN"}"#), "{text}");
        assert!(text.contains(r#"[{"doubleValue":"Infinity"},{"doubleValue":0.5}]"#), "{text}");
        // All others are as they were.
        let record = &mut logs.resource_logs[0].scope_logs[0].log_records[0];
        record.attributes = vec![attribute("big", Any::DoubleValue(STAND_INS[0].0))];
        record.body = None;
        let plain = serde_json::to_string(&logs).unwrap();
        assert_eq!(String::from_utf8(encode(&Request::Logs(logs)).unwrap()).unwrap(), plain);
    }
}
