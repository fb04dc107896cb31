//! YAML with the types of YAML 1.1, as PyYAML's `safe_load` reads it.

mod scalar;
mod timestamp;

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{MAX_DEPTH, Parsed};
use crate::config::{
    error::ConfigError,
    node::{Data, Key, Map, Node, Position, quoted_key},
};

pub(super) fn parse(text: &str) -> Result<Parsed, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = Parser::new_from_str(text);
    let length = text.chars().count();
    let mut reader =
        Reader { text, length, parser, anchors: HashMap::new(), count: 0, path: Vec::new(), strict_errors: Vec::new() };
    let mut document = None;
    while let Some((event, at)) = reader.next()? {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if document.is_some() => {
                return Err(ConfigError::new("", Some(at), "expected one document, got another"));
            }
            event => document = Some(reader.node(event, at, 0)?),
        }
    }
    let nothing = Node { at: Some(Position::START), ..Node::default() };
    Ok((document.unwrap_or(nothing), reader.strict_errors))
}

/// The size limit: aliases can expand a small text into a huge configuration.
const MAX_NODES: usize = 1_000_000;

struct Reader<'t, I: saphyr_parser::Input> {
    text: &'t str,
    /// In characters.
    length: usize,
    parser: Parser<'t, I>,
    anchors: HashMap<usize, Node>,
    count: usize,
    /// The keys that lead to the current value.
    path: Vec<String>,
    strict_errors: Vec<ConfigError>,
}

fn position(marker: &Marker) -> Position {
    Position::new(marker.line(), marker.col() + 1)
}

impl<'t, I: saphyr_parser::Input> Reader<'t, I> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Position)>, ConfigError> {
        let text = self.text;
        let refused = |error: ScanError| {
            let at = position(error.marker());
            // The parser reports a tab at the end of the previous value.
            let at = if error.info().contains("tab") { indented_by_tab(text, at).unwrap_or(at) } else { at };
            ConfigError::new("", Some(at), format!("not YAML: {}", error.info()))
        };
        let Some((mut event, span)) = self.parser.next_event().transpose().map_err(refused)? else { return Ok(None) };
        // The parser adds a line break to a block at the end of the text.
        if let Event::Scalar(block, ScalarStyle::Literal | ScalarStyle::Folded, ..) = &mut event {
            if !text.ends_with('\n') && span.end.index() >= self.length && block.ends_with('\n') {
                block.to_mut().pop();
            }
        }
        Ok(Some((event, position(&span.start))))
    }

    fn next_or_error(&mut self) -> Result<(Event<'t>, Position), ConfigError> {
        let text = self.text;
        let end = || Some(Position::of(text, text.len()));
        self.next()?.ok_or_else(|| ConfigError::new("", end(), "not YAML: the text ends too early"))
    }

    fn wrong(&self, at: Position, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.path.join("."), Some(at), message)
    }

    fn node(&mut self, event: Event<'t>, at: Position, depth: usize) -> Result<Node, ConfigError> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(at, format!("expected at most {MAX_DEPTH} levels, got more")));
        }
        let (data, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let data = match tag {
                    Some(tag) => scalar::tagged(&text, &full(&tag)),
                    None if style == ScalarStyle::Plain => scalar::plain(&text),
                    None => Ok(Data::Str(text.into_owned())),
                };
                (data.map_err(|message| self.wrong(at, message))?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "seq", at)?;
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "map", at)?;
                (self.map(depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.wrong(at, "expected no alias to a value that contains it"));
                };
                self.add(size(&node), at)?;
                return Ok(Node { at: Some(at), ..node });
            }
            _ => return Err(self.wrong(at, "not YAML: expected a value")),
        };
        self.add(1, at)?;
        let node = Node { data, at: Some(at) };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Tags such as `!!python/tuple` are refused.
    fn expect_tag(&self, tag: Option<&Tag>, wanted: &str, at: Position) -> Result<(), ConfigError> {
        match tag.map(full) {
            Some(tag) if tag != "!" && tag.strip_prefix(scalar::YAML) != Some(wanted) => {
                Err(self.wrong(at, format!("expected no tag, got `{tag}`")))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, more: usize, at: Position) -> Result<(), ConfigError> {
        self.count += more;
        if self.count <= MAX_NODES {
            return Ok(());
        }
        Err(self.wrong(at, format!("expected at most {MAX_NODES} values, got more, by references")))
    }

    fn list(&mut self, depth: usize) -> Result<Data, ConfigError> {
        let mut list = Vec::new();
        loop {
            match self.next_or_error()? {
                (Event::SequenceEnd, _) => return Ok(Data::List(list)),
                (event, at) => list.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data, ConfigError> {
        let mut map = Map::default();
        // `Map` would search linearly for each key.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.next_or_error()?;
            let (written, is_plain) = match &event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, _, tag) => {
                    (Some(text.to_string()), *style == ScalarStyle::Plain && tag.is_none())
                }
                _ => (None, false),
            };
            let text = match written {
                Some(text) if is_plain && matches!(&*text, "<<" | "=") => text,
                written => match self.node(event, at, depth + 1)? {
                    Node { data: Data::List(_) | Data::Map(_), .. } => {
                        return Err(self.wrong(at, "expected a text as key"));
                    }
                    // A key stays as written, whatever its type.
                    key => written.unwrap_or_else(|| key.python_str()),
                },
            };
            self.path.push(quoted_key(&text));
            let (event, value_at) = self.next_or_error()?;
            let node = self.node(event, value_at, depth + 1)?;
            if is_plain && text == "<<" {
                merged.push((node, value_at));
            } else if let Some(index) = known.get(&text) {
                let (first, value): &mut (Key, Node) = &mut map.0[*index];
                let before = first.at.map(|at| format!("line {}, column {}", at.line, at.column)).unwrap_or_default();
                self.strict_errors.push(self.wrong(at, format!("duplicate key {text:?}; the first is at {before}")));
                (first.at, *value) = (Some(at), node);
            } else {
                known.insert(text.clone(), map.0.len());
                map.0.push((Key { text, at: Some(at) }, node));
            }
            self.path.pop();
        }
        // The mapping's own keys win, then the first of a list, and the last of several `<<`.
        for (node, at) in merged.into_iter().rev() {
            let list = match node.data {
                Data::List(list) => list,
                _ => vec![node],
            };
            for node in list {
                let Data::Map(more) = node.data else {
                    return Err(self.wrong(at, "expected a mapping to merge, or a list of mappings"));
                };
                for (key, node) in more.0 {
                    if known.insert(key.text.clone(), 0).is_none() {
                        map.0.push((key, node));
                    }
                }
            }
        }
        Ok(Data::Map(map))
    }
}

/// The full form of a tag.
fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn size(node: &Node) -> usize {
    1 + match &node.data {
        Data::List(list) => list.iter().map(size).sum(),
        Data::Map(map) => map.iter().map(|(_, node)| size(node)).sum::<usize>(),
        _ => 0,
    }
}

/// The first tab in an indentation, from a position on.
fn indented_by_tab(text: &str, from: Position) -> Option<Position> {
    let lines = text.lines().enumerate().skip(from.line.saturating_sub(1) as usize);
    let mut tabs = lines.filter_map(|(index, line)| {
        let blanks = line.len() - line.trim_start().len();
        let column = line[..blanks].chars().position(|c| c == '\t')? + 1;
        (blanks < line.len()).then_some(Position::new(index + 1, column))
    });
    tabs.next()
}
