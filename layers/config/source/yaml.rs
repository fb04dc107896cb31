//! YAML 1.2, by the core schema, with 1.1's `yes`, `no`, `on` and `off` left as texts.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::MAX_DEPTH;
use crate::config::{
    node::{At, Data, Key, Map, Node},
    problem::Problem,
};

pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { text, parser: Parser::new_from_str(text), anchors: HashMap::new(), made: 0 };
    let mut document = None;
    while let Some((event, at)) = reader.next()? {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if document.is_some() => return Err(Problem::new("", Some(at), "expected one document, got another")),
            event => document = Some(reader.node(event, at, 0)?),
        }
    }
    Ok(document.unwrap_or_default())
}

/// References can make a small text into a huge configuration.
const MAX_NODES: usize = 1_000_000;

struct Reader<'t, I: saphyr_parser::Input> {
    text: &'t str,
    parser: Parser<'t, I>,
    anchors: HashMap<usize, Node>,
    made: usize,
}

fn place(marker: &Marker) -> At {
    At { line: marker.line(), column: marker.col() + 1 }
}

impl<'t, I: saphyr_parser::Input> Reader<'t, I> {
    fn next(&mut self) -> Result<Option<(Event<'t>, At)>, Problem> {
        let text = self.text;
        let told = |error: ScanError| {
            let at = place(error.marker());
            // The parser notices a tab when it looks for what comes after the value before.
            let at = if error.info().contains("tab") { indented_by_tab(text, at).unwrap_or(at) } else { at };
            Problem::new("", Some(at), format!("not YAML: {}", error.info()))
        };
        let event = self.parser.next_event().transpose().map_err(told)?;
        Ok(event.map(|(event, span)| (event, place(&span.start))))
    }

    fn inside(&mut self) -> Result<(Event<'t>, At), Problem> {
        self.next()?.ok_or_else(|| Problem::new("", None, "not YAML: the text ends too early"))
    }

    fn node(&mut self, event: Event<'t>, at: At, depth: usize) -> Result<Node, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::new("", Some(at), format!("expected at most {MAX_DEPTH} levels, got more")));
        }
        let (data, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(text, style, tag.as_deref(), at)?, anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Problem::new("", Some(at), "a reference to what it stands in"));
                };
                self.count(size(&node), at)?;
                return Ok(Node { at: Some(at), ..node });
            }
            _ => return Err(Problem::new("", Some(at), "not YAML: expected a value")),
        };
        self.count(1, at)?;
        let node = Node { data, at: Some(at) };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, more: usize, at: At) -> Result<(), Problem> {
        self.made += more;
        if self.made <= MAX_NODES {
            return Ok(());
        }
        Err(Problem::new("", Some(at), format!("expected at most {MAX_NODES} values, got more, by references")))
    }

    fn list(&mut self, depth: usize) -> Result<Data, Problem> {
        let mut list = Vec::new();
        loop {
            match self.inside()? {
                (Event::SequenceEnd, _) => return Ok(Data::List(list)),
                (event, at) => list.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data, Problem> {
        let mut map = Map::default();
        // A list of a thousand keys must not be searched a thousand times.
        let mut known = HashSet::new();
        let mut merged = Vec::new();
        loop {
            let (text, at) = match self.inside()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, ..), at) => (text.into_owned(), at),
                (_, at) => return Err(Problem::new("", Some(at), "expected a text as key")),
            };
            let (event, value_at) = self.inside()?;
            let node = self.node(event, value_at, depth + 1)?;
            if text == "<<" {
                merged.push((node, at));
                continue;
            }
            if !known.insert(text.clone()) {
                return Err(Problem::new("", Some(at), format!("the key {text:?} stands here twice")));
            }
            map.0.push((Key { text, at: Some(at) }, node));
        }
        // What the mapping itself says wins.
        for (node, at) in merged {
            let list = match node.data {
                Data::List(list) => list,
                _ => vec![node],
            };
            for node in list {
                let Data::Map(more) = node.data else {
                    return Err(Problem::new("", Some(at), "expected a mapping to merge"));
                };
                for (key, node) in more.0 {
                    if known.insert(key.text.clone()) {
                        map.0.push((key, node));
                    }
                }
            }
        }
        Ok(Data::Map(map))
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.data {
        Data::List(list) => list.iter().map(size).sum(),
        Data::Map(map) => map.iter().map(|(_, node)| size(node)).sum::<usize>(),
        _ => 0,
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, at: At) -> Result<Data, Problem> {
    if let Some(tag) = tag {
        return match (tag.is_yaml_core_schema(), &*tag.suffix) {
            (true, "str") => Ok(Data::Str(text.into_owned())),
            (true, "null" | "bool" | "int" | "float") => Ok(plain(&text)),
            // `!!python/object` and its like would be an invitation.
            _ => Err(Problem::new("", Some(at), format!("expected no tag, got `{}{}`", tag.handle, tag.suffix))),
        };
    }
    Ok(match style {
        ScalarStyle::Plain => plain(&text),
        _ => Data::Str(text.into_owned()),
    })
}

fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Data::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Data::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        _ => {}
    }
    let based = |prefix, base| text.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, base).ok());
    let number = based("0x", 16).or_else(|| based("0o", 8)).or_else(|| text.parse().ok());
    if let Some(number) = number {
        return Data::Int(number);
    }
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse() {
        Ok(number) if looks_like_a_number => Data::Float(number),
        _ => Data::Str(text.to_owned()),
    }
}

/// The first tab among the blanks that a line begins with, from a place on.
fn indented_by_tab(text: &str, from: At) -> Option<At> {
    let lines = text.lines().enumerate().skip(from.line.saturating_sub(1));
    let mut tabs = lines.filter_map(|(index, line)| {
        let blanks = line.len() - line.trim_start().len();
        let column = line[..blanks].chars().position(|c| c == '\t')? + 1;
        (blanks < line.len()).then_some(At { line: index + 1, column })
    });
    tabs.next()
}
