//! Records that try to break out of every protocol, the same in each run.

use tracing_strata::{Record, Severity};

/// What frames, fields and values are told apart by, somewhere.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\0",
    "=",
    "\"",
    "\\",
    "]",
    "[",
    " ",
    "<13>",
    "\nMESSAGE=forged",
    "\u{1b}[31m",
    "\u{2028}",
    "\u{feff}",
    "é",
    "日本",
    "\u{1f600}",
    "'",
    "{",
    "}",
    "\u{85}",
    "\t",
    "%n",
    "PRIORITY=0",
    "u.",
    "cos\nsystem\n(",
    "\u{1e}\u{f}",
    "_id",
];

const NAMES: &[&str] = &[
    "user_id",
    "http.method",
    "id",
    "_id",
    "message",
    "MESSAGE",
    "priority",
    "_PID",
    "1st",
    "a b",
    "a\nb",
    "é",
    "",
    "msg",
    "args",
    "userId",
    "USER_ID",
    "a__b",
    "x]y",
    "x\"y",
    "=",
    "level",
    "host",
    "process",
    "exc_text_",
    "timestamp",
    "a.b.c",
    "a-b",
    "a--b",
];

/// A generator that needs no seed from outside.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    pub(crate) fn text(&mut self) -> String {
        (0..self.below(6)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn name(&mut self) -> String {
        let name = NAMES[self.below(NAMES.len())];
        match self.below(4) {
            0 => [name, PIECES[self.below(PIECES.len())], NAMES[self.below(NAMES.len())]].concat(),
            1 => name.repeat(1 + self.below(20)),
            _ => name.to_owned(),
        }
    }
}

/// A record with a number in its message, with hostile texts in all parts.
pub(crate) fn record(number: usize) -> Record {
    let mut dice = Dice::new(number as u64);
    let severity =
        [Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR, Severity::CRITICAL][dice.below(5)];
    let message = format!("{number} {}", dice.text());
    let mut record = Record::new(severity, &dice.text(), &message);
    record.set_thread(&dice.text(), 7);
    record.set_source(&dice.text(), 8);
    for _ in 0..dice.below(5) {
        let (name, value) = (dice.name(), dice.text());
        record.set(name, value.as_str());
    }
    record
}
