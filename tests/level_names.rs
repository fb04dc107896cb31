//! Names of levels are the process's; here one changes while a call site is in use.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex, Once};

use tracing_strata::{
    Delivery, Error, Outcome, Severity,
    format::{Buffer, Json, Text, Time},
    prelude::*,
};
use tracing_subscriber::prelude::*;

struct Levels(Json, Text, Arc<Mutex<Vec<String>>>);

impl Handler for Levels {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let mut out = Buffer::new();
        self.0.format(&record, &mut out)?;
        self.1.format(&record, &mut out)?;
        self.2.lock().unwrap().push(out.to_string());
        Ok(Outcome::Written)
    }
}

#[test]
fn a_name_that_is_added_later_is_shown() {
    // The other one leaves no name to be added.
    static FIRST: Once = Once::new();
    FIRST.call_once(show_a_later_name);
}

fn show_a_later_name() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let levels = Levels(Json::new(), Text::plain().time(Time::none()), Arc::clone(&lines));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(levels.into_layer()), || {
        for turn in 0..3 {
            if turn == 2 {
                Severity::add_name(20, "NOTE").unwrap();
            }
            tracing::info!(target: "t", "m");
        }
    });
    let lines = lines.lock().unwrap();
    assert!(
        lines[..2].iter().all(|line| line.contains(r#""level":"INFO""#) && line.ends_with("INFO  t: m")),
        "{lines:?}"
    );
    assert!(lines[2].contains(r#""level":"NOTE""#) && lines[2].ends_with("NOTE  t: m"), "{lines:?}");
}

/// As in Python, where `addLevelName` asks nobody.
#[test]
fn of_two_numbers_with_one_name_the_later_one_is_meant() {
    a_name_that_is_added_later_is_shown();
    for number in [15, 25] {
        Severity::add_name(number, "NOTICE").unwrap();
        assert_eq!("NOTICE".parse::<Severity>().unwrap().number(), number);
        assert_eq!(Severity::from_python("NOTICE").unwrap().number(), number);
    }
    assert_eq!((Severity::new(15).name(), Severity::new(25).name()), (Some("NOTICE"), Some("NOTICE")));
    assert_eq!(Severity::python_names().iter().filter(|(name, _)| *name == "NOTICE").count(), 1);
    let one_name_for_all = (100..1000).map(|number| Severity::add_name(number, "MANY")).find_map(Result::err).unwrap();
    assert!(one_name_for_all.to_string().contains("256 names were added already"), "{one_name_for_all}");
}
