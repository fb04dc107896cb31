//! Names of months and days in other languages.

use jiff::civil::DateTime;
use pure_rust_locales::{Locale, locale_match};

/// A locale of the GNU C Library, such as `de_DE`; what stands behind a `.` (`UTF-8`) does not matter.
pub(super) fn named(name: &str) -> Option<Locale> {
    let (base, modifier) = name.split_once('@').map_or((name, None), |(base, modifier)| (base, Some(modifier)));
    let base = base.split('.').next().unwrap_or_default().replace('-', "_");
    Locale::try_from(&*modifier.map_or_else(|| base.clone(), |modifier| format!("{base}@{modifier}"))).ok()
}

/// The format with its names of months and days (`%a`, `%A`, `%b`, `%h`, `%B`) and halves of the day (`%p`) put in.
pub(super) fn with_names(format: &str, locale: Locale, time: DateTime) -> String {
    let day = usize::from(time.weekday().to_sunday_zero_offset().unsigned_abs());
    let month = usize::from(time.month().unsigned_abs()) - 1;
    let half = usize::from(time.hour() >= 12);
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '%' {
            continue;
        }
        let Some(conversion) = chars.next() else { break };
        let names: &[&str] = match conversion {
            'a' => locale_match!(locale => LC_TIME::ABDAY),
            'A' => locale_match!(locale => LC_TIME::DAY),
            'b' | 'h' => locale_match!(locale => LC_TIME::ABMON),
            'B' => locale_match!(locale => LC_TIME::MON),
            'p' => locale_match!(locale => LC_TIME::AM_PM),
            _ => &[],
        };
        let index = match conversion {
            'a' | 'A' => day,
            'p' => half,
            _ => month,
        };
        match names.get(index) {
            Some(name) => {
                out.pop();
                out.push_str(&name.replace('%', "%%"));
            }
            None => out.push(conversion),
        }
    }
    out
}
