//! Text in a column, as Rich lays it out: cells, wrapping, markup.

/// How many cells a text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// Wide characters of East Asia and pictographs take two, marks none.
fn cells(c: char) -> usize {
    match u32::from(c) {
        0..=0x1f | 0x7f..=0x9f | 0x300..=0x36f | 0x200b..=0x200f | 0x2028..=0x202e | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x2e80..=0x303e
        | 0x3041..=0x4dbf
        | 0x4e00..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text, with blanks to a width.
pub(super) fn push_padded(text: &str, width: usize, out: &mut String) {
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(width_of(text))));
}

/// The lines of a text, none wider than `width`.
pub(super) fn wrap(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut start = 0;
        for at in breaks(line, width) {
            lines.push(cut(&line[start..at], width));
            start = at;
        }
        lines.push(cut(&line[start..], width));
    }
    lines
}

/// Without the white space that is too much.
fn cut(line: &str, width: usize) -> &str {
    let mut end = line.len();
    let mut over = width_of(line).saturating_sub(width);
    for (at, c) in line.char_indices().rev().take_while(|(_, c)| c.is_whitespace()) {
        if over == 0 {
            break;
        }
        over -= cells(c).min(over);
        end = at;
    }
    &line[..end]
}

/// Where a line is broken: before words, and inside of those that are wider than a line.
fn breaks(line: &str, width: usize) -> Vec<usize> {
    let mut breaks = Vec::new();
    let mut used = 0;
    for (start, word) in words(line) {
        let length = width_of(word.trim_end());
        if width.saturating_sub(used) >= length {
            used += width_of(word);
        } else if length > width {
            let mut at = start;
            let mut room = if start > 0 { 0 } else { width };
            for c in word.chars() {
                if cells(c) > room {
                    if at > 0 {
                        breaks.push(at);
                    }
                    room = width;
                }
                room = room.saturating_sub(cells(c));
                at += c.len_utf8();
            }
            used = width - room;
        } else {
            if used > 0 && start > 0 {
                breaks.push(start);
            }
            used = width_of(word);
        }
    }
    breaks
}

/// Words with the white space behind them, the first one with what is before it as well.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut start = 0;
    let (mut has_word, mut after) = (false, false);
    for (at, c) in line.char_indices() {
        match c.is_whitespace() {
            true => after = has_word,
            false if after => {
                words.push((start, &line[start..at]));
                (start, after) = (at, false);
            }
            false => has_word = true,
        }
    }
    if has_word {
        words.push((start, &line[start..]));
    }
    words
}

/// The text without its tags: `[bold]…[/bold]`. A backslash before a tag takes its meaning away.
///
/// # Errors
/// A closing tag without an opening one, with Rich's message.
pub(super) fn markup(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        let (before, from) = rest.split_at(at);
        let is_tag = from[1..].starts_with(|c: char| c.is_ascii_lowercase() || "#/@".contains(c));
        let Some(end) =
            from[1..].find([']', '[']).map(|end| end + 1).filter(|end| is_tag && from[*end..].starts_with(']'))
        else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        let slashes = before.len() - before.trim_end_matches('\\').len();
        out.push_str(&before[..before.len() - slashes.div_ceil(2)]);
        let tag = &from[..=end];
        let position = text.len() - from.len();
        rest = &from[end + 1..];
        if slashes % 2 == 1 {
            out.push_str(tag);
            continue;
        }
        let name = from[1..end].trim();
        match name.strip_prefix('/').map(str::trim) {
            None => open.push(name.split(['=', '(']).next().unwrap_or(name)),
            Some("") if open.pop().is_none() => {
                return Err(format!("closing tag '{tag}' at position {position} has nothing to close"));
            }
            Some("") => {}
            Some(name) => match open.iter().rposition(|known| *known == name) {
                Some(index) => {
                    open.remove(index);
                }
                None => return Err(format!("closing tag '{tag}' at position {position} doesn't match any open tag")),
            },
        }
    }
    out.push_str(rest);
    Ok(out)
}
