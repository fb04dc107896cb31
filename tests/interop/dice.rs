//! Records that try to be more than records; the same ones each time.

use tracing_strata::{Record, Severity};

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    pub(crate) fn text(&mut self, parts: usize) -> String {
        const PARTS: [&str; 34] = [
            "\n",
            "\r\n",
            "\"",
            "\\",
            "]",
            "[",
            "] ",
            "\" ",
            "x@1 a=\"",
            "<34>1 ",
            "\n<34>1 - - - - - - forged",
            "12 <1>",
            " ",
            "=",
            "\x1b[31m",
            "\x07",
            "\x7f",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "é",
            "…",
            "中文",
            "\u{10ffff}",
            "-",
            "%",
            "%n",
            "~",
            "a",
            "B7",
            "${HOST}",
            "$(id)",
            "\t",
            "'",
        ];
        (0..self.below(parts)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    /// A message that no other has, and up to five fields.
    pub(crate) fn record(&mut self, number: usize) -> Record {
        let mut record = Record::new(Severity::WARN, "", &format!("{number} {}", self.text(8)));
        record.set_target(&self.text(5));
        for _ in 0..self.below(6) {
            let name = self.text(4);
            record.set(name, self.text(10).as_str());
        }
        record.set("number", number);
        record
    }
}
