//! Names and levels: rules 1.2, 2.x and 3.x of the behaviours.

use tracing_strata::{HandlerExt as _, Loggers, Severity, loggers::Decision};

use crate::places::apart;

const ALL_NUMBERS: [i32; 12] = [i32::MIN, -1, 0, 1, 5, 10, 25, 30, 31, 50, i32::MAX - 1, i32::MAX];

#[test]
fn rule_2_names_split_at_both_separators_and_at_nothing_else() {
    let loggers =
        Loggers::parse("off,a.b=info,x:y=debug,Пр.и вет=trace".replace("Пр.и вет", "\"Пр.и вет\"").as_str()).unwrap();
    for name in ["a.b", "a::b", "a.b.c", "a::b::c", "a::b.c", "a.b.", "a.b..c"] {
        assert_eq!(loggers.effective_level(name), Severity::INFO, "{name}");
    }
    for name in ["a", "a.bb", "a:b", "A.b", " a.b", "a .b", "", "root", "rooted", ".a.b"] {
        assert_eq!(loggers.effective_level(name), Severity::OFF, "{name}");
    }
    assert_eq!(loggers.effective_level("x:y::z"), Severity::DEBUG);
    assert_eq!(loggers.effective_level("Пр::и вет.ä"), Severity::TRACE);
}

#[test]
fn rule_2_parents_and_children() {
    let loggers = Loggers::new();
    loggers.add("a.b.c").unwrap();
    assert_eq!(loggers.parent("a.b.c").as_deref(), Some("root"));
    assert_eq!(loggers.children("a"), [""; 0]);
    loggers.add("a").unwrap();
    assert_eq!(loggers.parent("a::b::c").as_deref(), Some("a"));
    assert_eq!(loggers.children("a"), [""; 0], "a.b is no logger, and a.b.c no child of a");
    loggers.add("a::b").unwrap();
    assert_eq!((loggers.parent("a.b.c").as_deref(), loggers.parent("a")), (Some("a.b"), Some("root".into())));
    assert_eq!((loggers.children("a"), loggers.children("a::b")), (vec!["a.b".into()], vec!["a.b.c".into()]));
    loggers.add("rooted").unwrap();
    loggers.add("a.bx.c").unwrap();
    assert_eq!(loggers.children(""), ["a", "rooted"]);
    assert_eq!(loggers.parent("root"), None);
    assert_eq!(loggers.names(), ["root", "a", "a.b", "a.b.c", "a.bx.c", "rooted"]);
    // 2.7
    for (name, parent) in [("a.", "a"), ("a..b", "a."), (".a", "root"), ("z.", "root")] {
        loggers.add(name).unwrap();
        assert_eq!(loggers.parent(name).as_deref(), Some(parent), "{name}");
    }
    assert!(loggers.remove("a.") && !loggers.remove("a.") && !loggers.remove("root"));
    assert_eq!(loggers.parent("a..b").as_deref(), Some("a"));
}

#[test]
fn rule_2_4_asking_makes_no_logger() {
    let loggers = Loggers::new();
    loggers.clear_level("a");
    assert_eq!((loggers.level("a"), loggers.propagate("a"), loggers.disabled("a")), (None, true, false));
    assert!(loggers.handlers("a").is_empty() && loggers.filters("a").is_empty() && !loggers.has_handlers("a"));
    assert!(!loggers.is_enabled_for("a.b", Severity::INFO) && !loggers.remove("a"));
    assert_eq!(loggers.names(), ["root"]);
}

#[test]
fn rule_2_5_root_is_the_root_and_rooted_is_not() {
    let loggers = Loggers::new();
    loggers.set_level("root", Severity::INFO).unwrap();
    assert_eq!((loggers.level(""), loggers.level("root")), (Some(Severity::INFO), Some(Severity::INFO)));
    loggers.set_level("rooted", Severity::ERROR).unwrap();
    loggers.set_level("root.x", Severity::DEBUG).unwrap();
    assert_eq!(loggers.effective_level("root"), Severity::INFO);
    assert_eq!(loggers.parent("root.x").as_deref(), Some("root"));
}

#[test]
fn rule_3_the_nearest_level_counts_through_loggers_that_do_not_propagate() {
    let loggers = Loggers::new();
    assert_eq!(loggers.effective_level("a.b.c"), Severity::WARN);
    loggers.set_level("a", Severity::DEBUG).unwrap();
    loggers.set_propagate("a.b", false).unwrap();
    loggers.set_disabled("a.b", true).unwrap();
    assert_eq!(loggers.effective_level("a.b.c"), Severity::DEBUG);
    assert!(loggers.is_enabled_for("a.b.c", Severity::DEBUG), "3.5: disabled is not inherited");
    assert!(!loggers.is_enabled_for("a.b", Severity::CRITICAL));
    loggers.clear_level("a");
    loggers.clear_level("root");
    assert_eq!(loggers.effective_level("a.b.c"), Severity::ALL);
    assert!(loggers.is_enabled_for("a.b.c", Severity::new(1)));
}

#[test]
fn rule_3_3_disable_counts_before_all_levels() {
    let loggers = Loggers::parse("all").unwrap();
    let passing =
        || ALL_NUMBERS.into_iter().filter(|n| loggers.is_enabled_for("a", Severity::new(*n))).collect::<Vec<_>>();
    assert_eq!(passing()[0], 1, "0 and less never pass");
    loggers.disable(Severity::WARN);
    assert_eq!((passing()[0], loggers.disabled_up_to()), (31, Severity::WARN));
    loggers.disable(Severity::CRITICAL);
    assert_eq!(passing(), [i32::MAX - 1, i32::MAX]);
    loggers.disable(Severity::OFF);
    assert_eq!(passing(), [0; 0]);
    loggers.apply("trace").unwrap();
    assert_eq!(loggers.disabled_up_to(), Severity::OFF, "3.4: no part of a configuration");
    loggers.enable();
    assert_eq!(passing()[0], 5);
    // Off is off, also for the highest number there is.
    loggers.apply("off").unwrap();
    assert_eq!(passing(), [0; 0]);
}

#[test]
fn apply_replaces_levels_and_nothing_else() {
    let loggers = Loggers::parse("info,a=debug,b=trace").unwrap();
    loggers.set_propagate("b", false).unwrap();
    loggers.add("c").unwrap();
    loggers.apply("d=error").unwrap();
    assert_eq!(loggers.to_string(), "warn,d=error");
    assert!(!loggers.propagate("b"));
    assert_eq!(loggers.names(), ["root", "b", "d"], "loggers with nothing on them are forgotten");
}

#[test]
fn copying_takes_over_everything_at_once() {
    let (live, prepared) = (Loggers::parse("info,a=debug").unwrap(), Loggers::parse("error,b=trace").unwrap());
    prepared.set_disabled("b", true).unwrap();
    prepared.disable(Severity::DEBUG);
    prepared.set_span_level(Severity::INFO);
    prepared.set_last_resort(None);
    live.copy_from(&prepared);
    assert_eq!(live.to_string(), "error,b=trace");
    assert!(live.disabled("b") && live.last_resort().is_none());
    assert_eq!((live.disabled_up_to(), live.span_level()), (Severity::DEBUG, Severity::INFO));
    prepared.set_level("b", Severity::INFO).unwrap();
    assert_eq!(live.level("b"), Some(Severity::TRACE), "they are two");
    live.copy_from(&live.clone());
    assert_eq!(live.to_string(), "error,b=trace");
}

#[test]
fn explaining_tells_what_decided() {
    let loggers = Loggers::parse("warn,shop=info").unwrap();
    let text = |name: &str, severity| loggers.explain(name, severity).to_string();
    assert_eq!(text("shop::db", Severity::INFO), "shop.db at INFO passes: level info of shop", "levels only");
    let _layer = loggers.router().into_layer();
    assert_eq!(
        text("shop::db", Severity::INFO),
        "shop.db at INFO passes: level info of shop\n  no handler found: \"last resort\" refuses it: its own level is warn"
    );
    let messages = super::Messages::default();
    let (console, file) = (messages.handler("console"), messages.handler("file"));
    loggers.add_handler("root", console.clone()).unwrap();
    loggers.add_handler("shop", file.clone()).unwrap();
    console.set_level(Severity::ERROR);
    assert_eq!(
        text("shop.db", Severity::WARN),
        "shop.db at WARN passes: level info of shop\n  shop: \"file\" gets it\n  root: \"console\" refuses it: its own level is error"
    );
    loggers.set_propagate("shop", false).unwrap();
    let explanation = loggers.explain("shop.db", Severity::DEBUG);
    assert_eq!(explanation.decision(), Decision::BelowLevel);
    assert_eq!((explanation.level(), explanation.level_of()), (Severity::INFO, Some("shop")));
    assert!(explanation.receivers().is_empty());
    assert_eq!(
        explanation.to_string(),
        "shop.db at DEBUG is refused: level info of shop\n  shop: \"file\" would get it\n  \
         root: \"console\" is not reached: shop does not propagate"
    );
    assert_eq!(loggers.explain("shop", Severity::ERROR).receivers(), ["file"]);
    loggers.set_disabled("shop", true).unwrap();
    assert_eq!(loggers.explain("shop", Severity::ERROR).decision(), Decision::LoggerDisabled);
    assert_eq!(loggers.explain("shop.db", Severity::ERROR).decision(), Decision::Enabled);
    loggers.disable(Severity::ERROR);
    assert_eq!(loggers.explain("shop.db", Severity::ERROR).decision(), Decision::DisabledUpTo(Severity::ERROR));
    assert!(
        text("a\nb", Severity::ERROR)
            .starts_with("\"a\\u{a}b\" at ERROR is refused: everything up to ERROR is disabled\n")
    );
    loggers.enable();
    loggers.clear_level("");
    assert!(text("lib", Severity::TRACE).starts_with("lib at TRACE passes: no level is set\n"));
    loggers.set_propagate("alone", false).unwrap();
    loggers.set_last_resort(None);
    assert!(text("alone", Severity::ERROR).ends_with("no handler found, and no last resort"));
}

#[test]
fn t70_loggers_are_bounded_in_number_and_names_in_length() {
    apart("loggers::levels::t70_loggers_are_bounded_in_number_and_names_in_length", || {
        let loggers = Loggers::new();
        // With the root they are 65,536.
        for number in 1..65_536 {
            loggers.add(&format!("user.{number}")).unwrap();
        }
        let error = loggers.add("one.more").unwrap_err();
        assert!(error.is_config() && error.to_string().contains("65536"), "{error}");
        assert!(loggers.set_level("one.more", Severity::INFO).is_err());
        assert!(loggers.set_propagate("one.more", false).is_err());
        assert!(loggers.set_disabled("one.more", true).is_err());
        assert_eq!(loggers.names().len(), 65_536);
        loggers.set_level("user.7", Severity::INFO).unwrap();
        assert_eq!(loggers.effective_level("user.7.cart"), Severity::INFO);
        assert!(loggers.remove("user.8"));
        loggers.set_level("one.more", Severity::INFO).unwrap();

        let many: String = (0..70_000).map(|number| format!("u{number}=info,")).collect();
        assert!(loggers.apply(&many).unwrap_err().to_string().contains("65536"));
        assert_eq!(loggers.to_string(), "warn,one.more=info,user.7=info", "nothing was changed");
        loggers.apply("info").unwrap();
        assert_eq!(loggers.names(), ["root"]);

        // Loggers that stay because of something else count, too.
        for number in 1..65_536 {
            loggers.set_propagate(&format!("kept.{number}"), false).unwrap();
        }
        assert!(loggers.apply("debug,kept.1=info,more=info").unwrap_err().to_string().contains("65536"));
        assert_eq!(loggers.to_string(), "info");
        loggers.apply("debug,kept.1=info").unwrap();
        loggers.copy_from(&Loggers::parse("info").unwrap());

        let long = "x".repeat(257);
        assert!(loggers.add(&long).unwrap_err().to_string().contains("256"));
        assert!(loggers.apply(&format!("{long}=info")).unwrap_err().to_string().contains("256"));
        loggers.set_level(&long[1..], Severity::DEBUG).unwrap();
        assert_eq!(loggers.effective_level(&format!("{}::{}", &long[1..], "y".repeat(10_000))), Severity::DEBUG);
        assert_eq!(loggers.effective_level(&long), Severity::INFO);
    });
}
