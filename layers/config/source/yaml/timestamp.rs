//! Dates and times of YAML 1.1.

/// A date, with or without a time, as Python's `str()` prints it: `2001-12-14 21:59:43.100000-05:00`.
///
/// `None` if it has another form; an error if there is no such date.
pub(super) fn timestamp(text: &str) -> Option<Result<String, String>> {
    let mut rest = Rest(text);
    let year = rest.number(4, 4)?;
    rest.one_of("-")?;
    let month = rest.number(1, 2)?;
    rest.one_of("-")?;
    let day = rest.number(1, 2)?;
    let is_date = year > 0 && (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let checked = |is_right: bool, made: String| {
        if is_right { Ok(made) } else { Err(format!("expected a date that there is, got {text:?}")) }
    };
    if rest.0.is_empty() {
        return (text.len() == date.len()).then(|| checked(is_date, date));
    }
    if rest.one_of("Tt").is_none() && !rest.blanks() {
        return None;
    }
    let hour = rest.number(1, 2)?;
    rest.one_of(":")?;
    let minute = rest.number(2, 2)?;
    rest.one_of(":")?;
    let second = rest.number(2, 2)?;
    let mut made = format!("{date} {hour:02}:{minute:02}:{second:02}");
    if rest.one_of(".").is_some() {
        let digits = rest.digits(usize::MAX);
        if let Some(fraction) = digits.get(..digits.len().min(6)).filter(|digits| digits.contains(|c| c != '0')) {
            made += &format!(".{fraction:0<6}");
        }
    }
    rest.blanks();
    let mut zone = 0;
    if let Some(sign) = rest.one_of("Z+-") {
        if sign != 'Z' {
            zone = rest.number(1, 2)? * 60;
            if rest.one_of(":").is_some() {
                zone += rest.number(2, 2)?;
            }
        }
        let sign = if sign == '-' && zone > 0 { '-' } else { '+' };
        made += &format!("{sign}{:02}:{:02}", zone / 60, zone % 60);
    }
    let is_time = hour < 24 && minute < 60 && second < 60 && zone < 24 * 60;
    rest.0.is_empty().then(|| checked(is_date && is_time, made))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The unread rest of the text.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn digits(&mut self, max: usize) -> &'t str {
        let count = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits
    }

    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let digits = self.digits(max);
        (digits.len() >= min).then(|| digits.parse().ok())?
    }

    fn one_of(&mut self, any: &str) -> Option<char> {
        let c = self.0.chars().next().filter(|c| any.contains(*c))?;
        self.0 = &self.0[c.len_utf8()..];
        Some(c)
    }

    fn blanks(&mut self) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self.0.len() < before
    }
}
