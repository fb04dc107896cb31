//! `metrics`: what Prometheus' own checker and the strict parsers of prometheus_client say, and read back.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

use tracing_strata::{NamedHandler, Queue, Record, Severity, metrics, output::Null};

fn run(command: &mut Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{input}");
    said
}

/// `name`, labels, value of each sample, one JSON array a line.
const READ: &str = "
import importlib, json, sys
parser = importlib.import_module(sys.argv[1])
for family in parser.text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(json.dumps([sample.name, sample.labels, sample.value]))
";

#[test]
fn prometheus_takes_all_and_reads_it_back() {
    // A name may be anything.
    let hostile = "interop \\ \" \n \\n é \u{1f980} {a=\"b\"} # EOF";
    let handler = NamedHandler::new(hostile, Null);
    (0..7).for_each(|_| handler.emit(&Record::new(Severity::INFO, "t", "x")));
    let (queue, _guard) = Queue::builder().name(hostile).build_with_guard(Null).unwrap();
    let text = metrics::prometheus();
    assert_eq!(run(Command::new("promtool").args(["check", "metrics"]), &text), "", "{text}");
    let python = std::env::temp_dir().join("strata-interop-metrics/venv/bin/python");
    for (parser, text) in
        [("prometheus_client.parser", text), ("prometheus_client.openmetrics.parser", metrics::openmetrics())]
    {
        let read = run(Command::new(&python).args(["-c", READ, parser]), &text);
        let mut samples = BTreeMap::new();
        for line in read.lines() {
            let (name, labels, value): (String, BTreeMap<String, String>, f64) = serde_json::from_str(line).unwrap();
            assert_eq!(samples.insert((name, labels), value), None, "{line} twice");
        }
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let written = [label("handler", hostile), label("outcome", "written")].into();
        let of_queue = [label("queue", hostile)].into();
        assert_eq!(samples[&("strata_records_total".into(), written)], 7.0, "{parser}: {text}");
        assert_eq!(samples[&("strata_queue_records".into(), of_queue)], 0.0, "{parser}: {text}");
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples.len(), lines, "{parser}");
    }
    drop(queue);
}
