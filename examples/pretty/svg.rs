//! A terminal that is drawn as SVG.

use std::{
    fmt::Write as _,
    io,
    num::NonZeroU16,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_strata::sink::{Lines, Sink, SinkProperties};

#[derive(Clone)]
pub(crate) struct Terminal {
    columns: Option<NonZeroU16>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn new(columns: Option<NonZeroU16>) -> Self {
        Self { columns, bytes: Arc::default() }
    }

    /// What was written, light or dark as the reader's system is.
    pub(crate) fn picture(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let columns = usize::from(self.columns.map_or(80, NonZeroU16::get));
        let (width, height) = (columns * 9 + 32, text.lines().count() * 20 + 28);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n{STYLE}"
        );
        let _written = write!(svg, "<rect width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n<text>\n");
        for (row, line) in text.lines().enumerate() {
            let _written = write!(svg, "<tspan x=\"16\" y=\"{}\" xml:space=\"preserve\">", row * 20 + 30);
            let mut parts = line.split("\u{1b}[");
            svg.push_str(&escaped(parts.next().unwrap_or_default()));
            for part in parts {
                let (code, shown) = part.split_once('m').unwrap_or(("0", part));
                let _written = match (code, shown) {
                    (_, "") => Ok(()),
                    ("0", shown) => write!(svg, "{}", escaped(shown)),
                    (code, shown) => {
                        write!(svg, "<tspan class=\"c{}\">{}</tspan>", code.replace(';', "-"), escaped(shown))
                    }
                };
            }
            svg.push_str("</tspan>\n");
        }
        svg + "</text>\n</svg>\n"
    }
}

const STYLE: &str = "<style>
text { font: 15px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #24292f }
rect { fill: #f6f8fa; stroke: #d0d7de }
.c2 { fill-opacity: .65 } .c1 { font-weight: bold } .c1-31 { font-weight: bold; fill: #cf222e }
.c31 { fill: #cf222e } .c32 { fill: #1a7f37 } .c33 { fill: #9a6700 } .c34 { fill: #0969da } .c35 { fill: #8250df } .c36 { fill: #1b7c83 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
rect { fill: #0d1117; stroke: #30363d }
.c31, .c1-31 { fill: #ff7b72 } .c32 { fill: #7ee787 } .c33 { fill: #e3b341 } .c34 { fill: #79c0ff } .c35 { fill: #d2a8ff } .c36 { fill: #76e3ea }
}
</style>
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Sink for Terminal {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            self.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
            Ok(())
        })
    }

    fn properties(&self) -> SinkProperties {
        SinkProperties { is_terminal: true, columns: self.columns, ..SinkProperties::default() }
    }
}
