//! A strict reader of RFC 5424, section 6, and of RFC 6587's octet counting.

/// A message, with everything unescaped.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) pri: u8,
    pub(crate) time: String,
    pub(crate) host: String,
    pub(crate) app: String,
    pub(crate) process: String,
    pub(crate) id: String,
    pub(crate) elements: Vec<(String, Vec<(String, String)>)>,
    pub(crate) text: String,
    pub(crate) has_bom: bool,
}

impl Message {
    /// The parameters of the only element.
    pub(crate) fn parameters(&self) -> &[(String, String)] {
        match &self.elements[..] {
            [] => &[],
            [(_, parameters)] => parameters,
            more => panic!("{more:?}"),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters().iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

fn header<'t>(rest: &mut &'t str, longest: usize) -> &'t str {
    let (part, tail) = rest.split_once(' ').unwrap_or_else(|| panic!("no space in {rest:?}"));
    assert!(!part.is_empty() && part.len() <= longest && part.bytes().all(|b| b.is_ascii_graphic()), "{part:?}");
    *rest = tail;
    part
}

pub(crate) fn parse(message: &[u8]) -> Message {
    let mut rest = std::str::from_utf8(message).unwrap();
    let (pri, tail) = rest.strip_prefix('<').unwrap().split_once(">1 ").unwrap();
    assert!(pri == "0" || !pri.starts_with('0'), "{pri}");
    let pri: u8 = pri.parse().unwrap();
    assert!(pri <= 191);
    rest = tail;
    let time = header(&mut rest, 32).to_owned();
    assert!(time.strip_suffix('Z').unwrap().parse::<jiff::civil::DateTime>().is_ok(), "{time}");
    let host = header(&mut rest, 255).to_owned();
    let app = header(&mut rest, 48).to_owned();
    let process = header(&mut rest, 128).to_owned();
    let id = header(&mut rest, 32).to_owned();
    let elements = match rest.strip_prefix('-') {
        Some(tail) => {
            rest = tail;
            Vec::new()
        }
        None => elements(&mut rest),
    };
    let text = match rest {
        "" => "",
        rest => rest.strip_prefix(' ').unwrap_or_else(|| panic!("{rest:?}")),
    };
    let (has_bom, text) = match text.strip_prefix('\u{feff}') {
        Some(text) => (true, text),
        None => (false, text),
    };
    Message { pri, time, host, app, process, id, elements, text: text.to_owned(), has_bom }
}

fn sd_name(text: &str) -> String {
    let valid = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
    assert!((1..=32).contains(&text.len()) && text.bytes().all(valid), "{text:?}");
    text.to_owned()
}

fn elements(rest: &mut &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut all: Vec<(String, Vec<(String, String)>)> = Vec::new();
    while let Some(tail) = rest.strip_prefix('[') {
        let end = tail.find([' ', ']']).unwrap();
        let id = sd_name(&tail[..end]);
        assert!(all.iter().all(|(known, _)| *known != id), "{id} twice");
        let mut tail = &tail[end..];
        let mut parameters = Vec::new();
        while let Some(after) = tail.strip_prefix(' ') {
            let (name, after) = after.split_once("=\"").unwrap();
            let name = sd_name(name);
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (end, '"') => break end,
                    (_, ']') => panic!("a bare bracket in {after:?}"),
                    (_, '\\') => match chars.next().unwrap().1 {
                        c @ ('"' | '\\' | ']') => value.push(c),
                        c => panic!("an escape of {c:?} in {after:?}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            parameters.push((name, value));
            tail = &after[end + 1..];
        }
        *rest = tail.strip_prefix(']').unwrap();
        all.push((id, parameters));
    }
    assert!(!all.is_empty(), "{rest:?}");
    all
}

/// The messages of a stream with octet counting; nothing may be left.
pub(crate) fn counted(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !stream.is_empty() {
        let space = stream.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&stream[..space]).unwrap().parse().unwrap();
        all.push(stream[space + 1..space + 1 + length].to_vec());
        stream = &stream[space + 1 + length..];
    }
    all
}
