//! Fields in order and in taste.

use tracing_strata::{
    Record, Severity,
    config::{Config, Logging},
    format::{Buffer, Color, Format, Layout, Text, Time},
};

use super::line;

fn record() -> Record {
    let mut record = Record::new(Severity::INFO, "shop::http::server", "answered");
    record.set("b", "two words");
    record.set("a", 1);
    record.set("wait_ms", 93_784);
    record.set("c", "a very long text indeed");
    record
}

fn text(layout: Layout) -> Text {
    Text::plain().time(Time::none()).level(false).layout(layout)
}

fn on_terminal(format: &impl Format) -> String {
    let mut out = Buffer::new();
    out.set_terminal(true);
    format.format(&record(), &mut out).unwrap();
    out.to_str().unwrap().to_owned()
}

#[test]
fn fields_are_ordered_chosen_and_left_out() {
    let first = text(Layout::new().first(["c", "gone", "a"]));
    let full = r#"shop::http::server: answered c="a very long text indeed" a=1 b="two words" wait_ms=93784"#;
    assert_eq!(line(&first, &record()), full);
    let only = text(Layout::new().only(["b", "a"]).omit(["b"]));
    assert_eq!(line(&only, &record()), "shop::http::server: answered a=1");
    let none = text(Layout::new().only::<String>([]));
    assert_eq!(line(&none, &record()), "shop::http::server: answered");
    // What is left out stands nowhere, not even below.
    let mut broken = record();
    broken.set("sql", "select 1\nfrom t");
    let below = text(Layout::new().omit(["sql", "c", "b"])).multi_line(true);
    assert_eq!(line(&below, &broken), "shop::http::server: answered a=1 wait_ms=93784");
    let pretty = Text::pretty().color(Color::Never).time(Time::none()).layout(Layout::new().omit(["sql", "c", "b"]));
    assert_eq!(line(&pretty, &broken), "INFO     answered  a=1 wait_ms=93784  shop::…::server");
}

#[test]
fn values_are_cut_and_padded_and_stay_one_value() {
    let cut = text(Layout::new().max_width(6).pad("a", 3).rename("b", "first name"));
    assert_eq!(
        line(&cut, &record()),
        "shop::http::server: answered \"first name\"=\"two w…\" a=1   wait_ms=93784 c=\"a ver…\""
    );
    let mut hostile = Record::new(Severity::INFO, "t", "m");
    hostile.set("x", "\"\\\n\u{202e}=}{ and more");
    for width in 1..12 {
        let shown = line(&text(Layout::new().max_width(width)), &hostile);
        assert!(
            !shown.contains('\n')
                && !shown.contains('\u{202e}')
                && shown.ends_with(if width == 1 { "x=…" } else { "…\"" }),
            "{shown}"
        );
    }
    let chinese = text(Layout::new().max_width(2));
    hostile.set("x", "中文字");
    assert_eq!(line(&chinese, &hostile), "t: m x=中…");
}

#[test]
fn durations_are_for_people_on_a_terminal_only() {
    let format = text(Layout::new().durations(true).only(["wait_ms"])).color(Color::Never);
    assert_eq!(line(&format, &record()), "shop::http::server: answered wait_ms=93784");
    assert_eq!(on_terminal(&format), "shop::http::server: answered wait=1m33.784s");
    let pretty = Text::pretty().color(Color::Never).time(Time::none());
    let pretty = pretty.layout(Layout::new().durations(true).only(["wait_ms"]).target_alias("shop", "s"));
    assert_eq!(on_terminal(&pretty), "INFO     answered  wait=1m33.784s  s::…::server");
}

#[test]
fn a_configuration_has_all_of_it() {
    let path = std::env::temp_dir().join(format!("strata-layout-{}.log", std::process::id()));
    let yaml = format!(
        "version: 1
formatters:
  f:
    class: text
    time: none
    layout:
      first: [c]
      omit: [b]
      rename: {{a: alpha}}
      pad: {{a: 3}}
      max_width: 4
      durations: true
      target_names: 2
      target_aliases: {{'shop::http': web}}
handlers: {{file: {{class: file, filename: {}, formatter: f}}}}
root: {{level: DEBUG, handlers: [file]}}
",
        path.display()
    );
    let logging = Logging::builder().build(&Config::from_yaml(&yaml).unwrap()).unwrap();
    logging.handler("file").unwrap().handler().emit(&record());
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "INFO  web::server: answered c=\"a v…\" alpha=1   wait_ms=93784\n"
    );
    std::fs::remove_file(path).unwrap();
    let both = yaml.replace("omit: [b]", "only: [b]");
    let error = Logging::new().reload(&Config::from_yaml(&both).unwrap()).unwrap_err().to_string();
    assert!(error.contains("formatters.f.layout.first") && error.contains("\"only\""), "{error}");
}
