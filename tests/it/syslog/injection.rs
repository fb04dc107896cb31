//! T56: nothing in a record can make a second one.

use std::{io::Read as _, net::TcpListener};

use proptest::prelude::*;
use tracing_strata::{
    Fields, Record, Severity,
    format::SyslogFormat as Form,
    output::Syslog,
    sink::net::{Address, Connection, Framing},
};

use super::parser::{counted, parse};
use crate::support::Give as _;

/// Text that tries to be more than text.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "(?s).{0,20}",
        3 => prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\r\n", "\0", "\"", "\\", "]", "[", "] ", "\" ", "x@1 a=\"", "<34>1 ", "\n<34>1 - - - - - - forged", "12 <1>",
                " ", "=", "\x1b[31m", "\u{85}", "\u{2028}", "\u{feff}", "é", "…", "-", "%", "~", "a", "1",
            ]),
            0..12,
        )
        .prop_map(|parts| parts.concat()),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let fields = || prop::collection::vec((hostile(), hostile()), 0..5);
    (hostile(), hostile(), prop::option::of(hostile()), fields(), fields()).prop_map(
        |(message, target, name, event, span)| {
            let mut record = Record::new(Severity::WARN, &target, &message);
            if let Some(name) = name {
                record.set_name(&name);
            }
            event.iter().for_each(|(name, value)| record.set(name.clone(), value.as_str()));
            let mut fields = Fields::new();
            span.iter().for_each(|(name, value)| fields.set(name.clone(), value.as_str()));
            record.push_span("span", fields);
            record
        },
    )
}

fn sent(framing: Framing, format: Form, records: &[Record]) -> Vec<u8> {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp("127.0.0.1", peer.local_addr().unwrap().port());
    let to = Connection::builder(address).framing(framing);
    let handler = Syslog::builder(to).format(format).build_sync().unwrap();
    records.iter().for_each(|record| assert!(handler.give(record).is_ok()));
    drop(handler);
    let mut stream = Vec::new();
    peer.accept().unwrap().0.read_to_end(&mut stream).unwrap();
    stream
}

fn split(stream: &[u8], end: u8) -> Vec<Vec<u8>> {
    let body = stream.strip_suffix(&[end]).unwrap();
    body.split(|byte| *byte == end).map(<[u8]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn t56_octet_counting_carries_every_value_as_it_is(records in prop::collection::vec(record(), 1..6)) {
        let messages = counted(&sent(Framing::OctetCounting, Form::rfc5424(), &records));
        prop_assert_eq!(messages.len(), records.len());
        for (message, record) in messages.iter().zip(&records) {
            let message = parse(message);
            let mut values: Vec<String> =
                message.parameters().iter().filter(|(name, _)| name != "target").map(|(_, value)| value.clone()).collect();
            let mut expected: Vec<String> = record.fields().iter().map(|(_, value)| value.to_string()).collect();
            for span in record.spans() {
                let new = span.fields().iter().filter(|(name, _)| !record.fields().contains(name));
                expected.extend(new.map(|(_, value)| value.to_string()));
            }
            values.sort();
            expected.sort();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn t56_line_framing_and_nul_framing_cannot_be_forged(records in prop::collection::vec(record(), 1..6)) {
        for (framing, end) in [(Framing::Lines, b'\n'), (Framing::Nul, 0)] {
            let messages = split(&sent(framing, Form::rfc5424().multi_line(true), &records), end);
            prop_assert_eq!(messages.len(), records.len());
            for message in &messages {
                parse(message);
                // No control at all is left, so that a reader of either framing sees one message.
                prop_assert!(std::str::from_utf8(message).unwrap().chars().all(|c| !c.is_control()), "{message:?}");
            }
        }
    }

    #[test]
    fn t56_the_older_forms_cannot_be_forged(records in prop::collection::vec(record(), 1..6)) {
        for format in [Form::rfc3164(), Form::local(), Form::local().host("a b\n").app("x]: <1>y\n")] {
            let messages = split(&sent(Framing::Lines, format, &records), b'\n');
            prop_assert_eq!(messages.len(), records.len());
            for message in &messages {
                prop_assert!(message.starts_with(b"<12>") && !message.iter().any(|byte| *byte < 0x20), "{message:?}");
            }
        }
        let messages = split(&sent(Framing::None, Form::python(), &records), 0);
        prop_assert_eq!(messages.len(), records.len());
    }
}
