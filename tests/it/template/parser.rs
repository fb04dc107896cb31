//! Formats of any kind: no panic, the same answer twice, and literals that read back.

use proptest::prelude::*;
use tracing_strata::{
    Record, Severity,
    format::{Buffer, Format as _, Style, Template},
};

fn formats() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,6}",
        Just("%(message)s".to_owned()),
        "%\\([a-z]{1,8}\\)[-+ #0]{0,3}[0-9]{0,3}(\\.[0-9]{0,2})?[diouxXeEfFgGcrsa%]",
        "\\{[a-z]{1,8}(![rsax])?(:[*0<>=^+,_.0-9a-z{}#%]{0,8})?\\}",
        "\\$\\{?[a-z]{1,8}\\}?",
        "[%{}$()!:.\\[\\]]{1,4}",
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn all(format: &str, record: &Record) -> Vec<Result<String, String>> {
    let mut results = Vec::new();
    for style in [Style::Percent, Style::Brace, Style::Dollar] {
        for validate in [true, false] {
            let made = Template::builder(format).style(style).validate(validate).build();
            results.push(made.map_err(|error| error.to_string()).and_then(|template| {
                let mut out = Buffer::from("é".as_bytes().to_vec());
                template.format(record, &mut out).map(|()| out.to_string()).map_err(|error| error.to_string())
            }));
        }
    }
    results
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_format_is_taken_or_refused(format in formats(), text in "\\PC{0,20}", number in any::<f64>(), whole in any::<i64>()) {
        let mut record = Record::new(Severity::INFO, "a.b", &text);
        record.set("x", number);
        record.set("y", whole);
        record.set("z", text.as_str());
        prop_assert_eq!(all(&format, &record), all(&format, &record));
    }

    #[test]
    fn escaped_literals_read_back(text in "\\PC{1,30}") {
        let record = Record::new(Severity::INFO, "a", "");
        let percent = format!("{}%(message)s", text.replace('%', "%%"));
        let brace = format!("{}{{message}}", text.replace('{', "{{").replace('}', "}}"));
        let dollar = format!("{}${{message}}", text.replace('$', "$$"));
        for template in [Template::percent(&percent), Template::brace(&brace), Template::dollar(&dollar)] {
            let mut out = Buffer::new();
            template.unwrap().format(&record, &mut out).unwrap();
            prop_assert_eq!(out, text.as_str());
        }
    }
}
