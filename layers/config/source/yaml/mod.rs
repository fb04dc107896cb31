//! YAML, with the types of YAML 1.1: what PyYAML's `safe_load` makes of a configuration.

mod scalar;
mod timestamp;

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{MAX_DEPTH, Read};
use crate::config::{
    build::quoted_key,
    node::{At, Data, Key, Map, Node},
    problem::ConfigError,
};

pub(super) fn parse(text: &str) -> Result<Read, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = Parser::new_from_str(text);
    let length = text.chars().count();
    let mut reader =
        Reader { text, length, parser, anchors: HashMap::new(), made: 0, path: Vec::new(), doubts: Vec::new() };
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
    Ok((document.unwrap_or_default(), reader.doubts))
}

/// References can make a small text into a huge configuration.
const MAX_NODES: usize = 1_000_000;

struct Reader<'t, I: saphyr_parser::Input> {
    text: &'t str,
    /// In characters.
    length: usize,
    parser: Parser<'t, I>,
    anchors: HashMap<usize, Node>,
    made: usize,
    /// The keys down to where it is.
    path: Vec<String>,
    doubts: Vec<ConfigError>,
}

fn place(marker: &Marker) -> At {
    At { line: marker.line(), column: marker.col() + 1 }
}

impl<'t, I: saphyr_parser::Input> Reader<'t, I> {
    fn next(&mut self) -> Result<Option<(Event<'t>, At)>, ConfigError> {
        let text = self.text;
        let told = |error: ScanError| {
            let at = place(error.marker());
            // The parser notices a tab when it looks for what comes after the value before.
            let at = if error.info().contains("tab") { indented_by_tab(text, at).unwrap_or(at) } else { at };
            ConfigError::new("", Some(at), format!("not YAML: {}", error.info()))
        };
        let Some((mut event, span)) = self.parser.next_event().transpose().map_err(told)? else { return Ok(None) };
        // A block that ends with the text has no line break there if the text has none.
        if let Event::Scalar(block, ScalarStyle::Literal | ScalarStyle::Folded, ..) = &mut event
            && !text.ends_with('\n')
            && span.end.index() >= self.length
            && block.ends_with('\n')
        {
            block.to_mut().pop();
        }
        Ok(Some((event, place(&span.start))))
    }

    fn inside(&mut self) -> Result<(Event<'t>, At), ConfigError> {
        self.next()?.ok_or_else(|| ConfigError::new("", None, "not YAML: the text ends too early"))
    }

    fn wrong(&self, at: At, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.path.join("."), Some(at), message)
    }

    fn node(&mut self, event: Event<'t>, at: At, depth: usize) -> Result<Node, ConfigError> {
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
                    return Err(self.wrong(at, "a reference to what it stands in"));
                };
                self.count(size(&node), at)?;
                return Ok(Node { at: Some(at), ..node });
            }
            _ => return Err(self.wrong(at, "not YAML: expected a value")),
        };
        self.count(1, at)?;
        let node = Node { data, at: Some(at) };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// `!!python/tuple` and its like would be an invitation.
    fn expect_tag(&self, tag: Option<&Tag>, wanted: &str, at: At) -> Result<(), ConfigError> {
        match tag.map(full) {
            Some(tag) if tag != "!" && tag.strip_prefix(scalar::YAML) != Some(wanted) => {
                Err(self.wrong(at, format!("expected no tag, got `{tag}`")))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, more: usize, at: At) -> Result<(), ConfigError> {
        self.made += more;
        if self.made <= MAX_NODES {
            return Ok(());
        }
        Err(self.wrong(at, format!("expected at most {MAX_NODES} values, got more, by references")))
    }

    fn list(&mut self, depth: usize) -> Result<Data, ConfigError> {
        let mut list = Vec::new();
        loop {
            match self.inside()? {
                (Event::SequenceEnd, _) => return Ok(Data::List(list)),
                (event, at) => list.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data, ConfigError> {
        let mut map = Map::default();
        // A list of a thousand keys must not be searched a thousand times.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.inside()?;
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
                    // A key stays as it is written, whatever it stands for.
                    key => written.unwrap_or_else(|| key.python_str()),
                },
            };
            self.path.push(quoted_key(&text));
            let (event, value_at) = self.inside()?;
            let node = self.node(event, value_at, depth + 1)?;
            if is_plain && text == "<<" {
                merged.push((node, value_at));
            } else if let Some(index) = known.get(&text) {
                let (first, value): &mut (Key, Node) = &mut map.0[*index];
                let before = first.at.map(|at| format!("line {}, column {}", at.line, at.column)).unwrap_or_default();
                self.doubts
                    .push(self.wrong(at, format!("the key {text:?} stands here twice; the first is at {before}")));
                (first.at, *value) = (Some(at), node);
            } else {
                known.insert(text.clone(), map.0.len());
                map.0.push((Key { text, at: Some(at) }, node));
            }
            self.path.pop();
        }
        // What the mapping itself says wins; then the first of a list, and the last of several `<<`.
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

/// A tag without abbreviations.
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
