//! Rotation against a naive model of it.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;
use tracing_strata::{
    Flush, Handler,
    clock::ManualClock,
    output::{RotatingFile, When},
};

use super::{File, record, sized};
use crate::{
    places::{Bare, Dir},
    support::Give as _,
};

#[derive(Clone, Debug)]
enum Op {
    /// A record of so many bytes.
    Record(usize),
    /// Seconds.
    Advance(u64),
    Restart,
    RotatedFile,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        20 => (1..60_usize).prop_map(Op::Record),
        1 => (60..300_usize).prop_map(Op::Record),
        3 => (1..5000_u64).prop_map(Op::Advance),
        1 => (1..200_000_u64).prop_map(Op::Advance),
        2 => Just(Op::Restart),
        1 => Just(Op::RotatedFile),
    ];
    prop::collection::vec(op, 0..80)
}

/// Names that look like ours and are not, whatever the settings.
const OTHERS: [&str; 16] = [
    "app.log.0",
    "app.log.01",
    "app.log.1.bak",
    "app.log.1.gz.old",
    "app.log.-1",
    "app.log.+1",
    "app.log.1 ",
    "app.log.2024-03-05_12x",
    "app.log.2024-03-05_",
    "app.log.2024-03-05",
    "app.log.2024-03-05_25",
    "app.log.2024-03-05_12.00",
    "app.log.2024-03-05_12.x",
    "app.logs.1",
    "app.logs.2024-03-05_12",
    "application.log.1",
];

/// What the directory should hold.
#[derive(Default)]
struct Model {
    max: usize,
    backups: usize,
    hourly: bool,
    now: u64,
    current: String,
    /// When the file was written last, or begun.
    touched: u64,
    /// The first second that is too late for the file.
    end: u64,
    start: u64,
    /// By number: the newest first.
    numbered: Vec<String>,
    /// By name; and in the order in which they came.
    dated: BTreeMap<String, String>,
    order: Vec<String>,
}

impl Model {
    fn begin(&mut self, at: u64) {
        self.start = at / 3600 * 3600;
        self.end = self.start + 3600;
    }

    fn rotate(&mut self) {
        let text = std::mem::take(&mut self.current);
        if self.hourly {
            let hour = jiff::Timestamp::from_second(self.start.try_into().unwrap()).unwrap();
            let name = format!("app.log.{}", hour.strftime("%Y-%m-%d_%H"));
            let same = |other: &&String| **other == name || other.starts_with(&format!("{name}."));
            // The number after the highest that is still there.
            let last = self
                .dated
                .keys()
                .filter(same)
                .map(|other| other[name.len()..].trim_start_matches('.').parse().unwrap_or(0));
            let name = match last.max() {
                None => name,
                Some(last) => format!("{name}.{}", last + 1_u64),
            };
            self.dated.insert(name.clone(), text);
            self.order.push(name);
            if self.backups > 0 && self.order.len() > self.backups {
                self.dated.remove(&self.order.remove(0));
            }
        } else if self.backups == 0 {
            self.current = text;
        } else {
            self.numbered.insert(0, text);
            self.numbered.truncate(self.backups);
        }
        self.begin(self.now);
        self.touched = self.now;
    }

    fn record(&mut self, text: &str) {
        let len = text.len() + 1;
        let full = self.max > 0 && !self.current.is_empty() && self.current.len() + len >= self.max;
        if (full && (self.hourly || self.backups > 0)) || (self.hourly && self.now >= self.end) {
            self.rotate();
        }
        self.current.push_str(text);
        self.current.push('\n');
        self.touched = self.now;
    }

    fn files(&self) -> BTreeMap<String, String> {
        let mut files = self.dated.clone();
        files.extend(self.numbered.iter().zip(1..).map(|(text, number)| (format!("app.log.{number}"), text.clone())));
        files.insert("app.log".into(), self.current.clone());
        files.extend(OTHERS.map(|name| (name.into(), "not ours\n".into())));
        files
    }
}

fn read_all(dir: &Dir) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir.path("")).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())).collect()
}

fn open(dir: &Dir, model: &Model, clock: &ManualClock, buffer: Option<usize>) -> File {
    let builder = match model.hourly {
        true => RotatingFile::builder(dir.path("app.log"))
            .when(When::Hour)
            .utc(true)
            .max_bytes(model.max as u64)
            .format(Bare),
        false => sized(dir, model.max as u64, model.backups).allow_unbounded(true),
    };
    let builder = builder.backups(model.backups).clock(clock.clone());
    match buffer {
        Some(bytes) => builder.buffer(bytes).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_directory_is_that_of_the_model(
        ops in ops(), hourly: bool, max in prop_oneof![Just(0_usize), 10..200_usize], backups in 0..6_usize,
        buffer in prop::option::of(0..300_usize),
    ) {
        let dir = Dir::new();
        for name in OTHERS {
            fs::write(dir.path(name), "not ours\n").unwrap();
        }
        let mut model = Model { max, backups, hourly, now: 1_709_640_000, ..Model::default() };
        model.begin(model.now);
        model.touched = model.now;
        let clock = ManualClock::at(model.now);
        let touch = |model: &Model| {
            let file = fs::File::options().append(true).open(dir.path("app.log")).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(model.touched)).unwrap();
        };
        let mut file = open(&dir, &model, &clock, buffer);
        touch(&model);
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Record(len) => {
                    let text = format!("{number}:{}", "x".repeat(len));
                    model.record(&text);
                    file.give(&record(&text)).unwrap();
                }
                Op::Advance(seconds) => {
                    model.now += seconds;
                    clock.advance(Duration::from_secs(seconds));
                }
                Op::Restart => {
                    drop(file);
                    touch(&model);
                    model.begin(model.touched);
                    file = open(&dir, &model, &clock, buffer);
                }
                Op::RotatedFile => {
                    model.rotate();
                    file.as_sink().rollover();
                }
            }
            file.flush(&Flush::PLAIN).unwrap();
            prop_assert_eq!(read_all(&dir), model.files());
            touch(&model);
        }
    }
}
