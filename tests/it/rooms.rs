//! The picture of the rooms in CONTRIBUTING.md is true: imports point downwards only, and no files import each other in a
//! circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module: its file, the modules in it, and the names it re-exports with the paths they stand for.
#[derive(Default)]
struct Module {
    file: PathBuf,
    uses: Vec<Vec<String>>,
    /// Public or private: a child sees both by `super::`.
    names: BTreeMap<String, Vec<String>>,
}

/// By path: `["handler", "queue"]`.
type Modules = BTreeMap<Vec<String>, Module>;

fn layers() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("layers")
}

/// Without comments and what is only for tests; and the modules that are only for tests.
fn code(source: &str) -> (String, Vec<String>) {
    let (mut code, mut tests) = (String::new(), Vec::new());
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") || line.trim_start().starts_with("#[cfg(all(test") {
            // The item behind the attributes: to its `;`, or to the brace that closes it.
            let indent = line.len() - line.trim_start().len();
            for line in lines.by_ref() {
                let is_attribute = line.trim_start().starts_with("#[");
                let closes = line.len() - line.trim_start().len() == indent && line.trim_end().ends_with('}');
                let is_item = line.len() - line.trim_start().len() == indent && line.trim_end().ends_with(';');
                if !is_attribute && (is_item || closes) {
                    tests.extend(line.trim().strip_prefix("mod ").map(|name| name.trim_end_matches(';').to_owned()));
                    break;
                }
            }
            continue;
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    (code, tests)
}

/// All paths of `a::{b, c::{d, e as f}}`, each with the name it is known by.
fn paths(tree: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    if let Some((head, rest)) = tree.split_once("::")
        && !head.contains(['{', ','])
    {
        let mut path = before.to_vec();
        path.push(head.trim().trim_start_matches("r#").to_owned());
        return paths(rest, &path, found);
    }
    if let Some(inner) = tree.strip_prefix('{') {
        let mut depth = 0;
        let mut from = 0;
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    if !inner[from..at].trim().is_empty() {
                        paths(&inner[from..at], before, found);
                    }
                    from = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let (name, known) = tree.split_once(" as ").unwrap_or((tree, tree));
    let mut path = before.to_vec();
    let known = if name.trim() == "self" {
        path.last().cloned().unwrap_or_default()
    } else {
        path.push(name.trim().to_owned());
        known.trim().to_owned()
    };
    found.push((path, known));
}

fn read(dir: &Path, path: &[String], modules: &mut Modules) {
    for entry in fs::read_dir(dir).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        let mut inner = path.to_vec();
        if file.is_dir() {
            inner.push(name);
            read(&file, &inner, modules);
        } else if name != "mod" && name != "lib" {
            inner.push(name);
            modules.entry(inner).or_default().file = file;
        } else {
            modules.entry(inner).or_default().file = file;
        }
    }
}

/// Where a path starts from: `crate`, `self` and `super` are resolved.
fn absolute(path: &[String], at: &[String], modules: &Modules) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => at.to_vec(),
        "super" => at[..at.len().checked_sub(1)?].to_vec(),
        _ => {
            let mut child = at.to_vec();
            child.push(first.clone());
            if !modules.contains_key(&child) {
                return None;
            }
            child
        }
    };
    for part in rest {
        if part == "super" {
            base.pop();
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

/// The module in whose file the last name of a path is defined.
fn owner(path: &[String], modules: &Modules, depth: usize) -> Option<Vec<String>> {
    let mut module = Vec::new();
    for (index, part) in path.iter().enumerate() {
        let mut child = module.clone();
        child.push(part.clone());
        if modules.contains_key(&child) {
            module = child;
            continue;
        }
        let Some(target) = modules[&module].names.get(part) else { return Some(module) };
        let mut target = target.clone();
        target.extend_from_slice(&path[index + 1..]);
        return if depth == 0 { Some(module) } else { owner(&target, modules, depth - 1) };
    }
    Some(module)
}

fn modules() -> Modules {
    let mut modules = Modules::new();
    read(&layers(), &[], &mut modules);
    let source = |(at, module): (&Vec<String>, &Module)| (at.clone(), code(&fs::read_to_string(&module.file).unwrap()));
    let sources: Vec<_> = modules.iter().map(source).collect();
    for (at, (_, tests)) in &sources {
        modules.retain(|path, _| {
            !tests.iter().any(|test| path.len() > at.len() && path.starts_with(at) && path[at.len()] == *test)
        });
    }
    for (at, (code, _)) in sources {
        if !modules.contains_key(&at) {
            continue;
        }
        let (mut uses, mut names) = (Vec::new(), BTreeMap::new());
        let mut rest = code.as_str();
        // Items that are imported …
        while let Some(begin) = rest.find("use ") {
            let before = rest[..begin].trim_end();
            let is_word = rest[..begin].chars().next_back().is_none_or(char::is_whitespace);
            let is_door = before.ends_with("pub") || before.ends_with(')');
            rest = &rest[begin + 4..];
            let Some(end) = rest.find(';') else { break };
            if !is_word || rest[..end].contains(['(', '"']) {
                continue;
            }
            let mut found = Vec::new();
            paths(&rest[..end], &[], &mut found);
            for (path, known) in found {
                if let Some(path) = absolute(&path, &at, &modules) {
                    // A module that hands on what its own files define imports nothing.
                    if !(is_door && path.starts_with(&at)) {
                        uses.push(path.clone());
                    }
                    names.insert(known, path);
                }
            }
            rest = &rest[end..];
        }
        // … and those that are named where they are used.
        for root in ["crate::", "super::"] {
            for (begin, _) in code.match_indices(root) {
                let is_start =
                    code[..begin].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"_:$".contains(c));
                let text: String =
                    code[begin..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
                let path: Vec<_> = text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
                if is_start && path.len() > 1 {
                    uses.extend(absolute(&path, &at, &modules));
                }
            }
        }
        let module = modules.get_mut(&at).unwrap();
        (module.uses, module.names) = (uses, names);
    }
    modules
}

/// Which modules each module imports from.
fn arrows() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let modules = modules();
    let arrows = |(at, module): (&Vec<String>, &Module)| {
        let to = module.uses.iter().filter_map(|path| owner(path, &modules, 8)).filter(|to| to != at && !to.is_empty());
        (at.clone(), to.collect())
    };
    // `lib.rs` is the door: it re-exports from every room.
    modules.iter().filter(|(at, _)| !at.is_empty()).map(arrows).collect()
}

/// The picture: rooms by level.
fn levels() -> BTreeMap<String, usize> {
    let guide = fs::read_to_string(layers().parent().unwrap().join("CONTRIBUTING.md")).unwrap();
    let picture = guide.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let mut levels = BTreeMap::new();
    for line in picture.lines() {
        let Some((level, rooms)) = line.split_once("  ") else { continue };
        let Ok(level) = level.parse() else { continue };
        // Rooms and what they are for stand at least three blanks apart.
        for room in rooms.split("   ").next().unwrap_or(rooms).split_whitespace() {
            assert!(levels.insert(room.trim_end_matches('/').to_owned(), level).is_none(), "{room} stands there twice");
        }
    }
    levels
}

#[test]
fn imports_between_rooms_point_downwards_only() {
    let levels = levels();
    let mut wrong = BTreeSet::new();
    for (from, to) in arrows() {
        let level = |room: &String| *levels.get(room).unwrap_or_else(|| panic!("CONTRIBUTING.md: no room {room:?}"));
        for to in to {
            if from[0] != to[0] && level(&from[0]) <= level(&to[0]) {
                wrong.insert(format!("{} -> {}", from.join("/"), to.join("/")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} imports point upwards or sideways:\n{}",
        wrong.len(),
        Vec::from_iter(wrong).join("\n")
    );
}

/// Folders: a room, and the rooms in it. A folder may use what the folders around it define, and hands on what those in it
/// define.
#[test]
fn no_rooms_import_each_other_in_a_circle() {
    let room = |path: &Vec<String>| path[..path.len() - usize::from(!is_folder(path))].to_vec();
    let mut rooms = BTreeMap::<Vec<String>, BTreeSet<Vec<String>>>::new();
    for (from, to) in arrows() {
        let from = room(&from);
        let to = to.iter().map(room).filter(|to| !from.starts_with(to) && !to.starts_with(&from)).collect::<Vec<_>>();
        rooms.entry(from).or_default().extend(to);
    }
    let reached = |from: &Vec<String>| {
        let (mut found, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(rooms.get(at).into_iter().flatten().filter(|to| found.insert(*to)).collect::<Vec<_>>());
        }
        found
    };
    let circles: Vec<_> = rooms.keys().filter(|room| reached(room).contains(room)).map(|room| room.join("/")).collect();
    assert!(circles.is_empty(), "these rooms stand in circles: {}", circles.join(", "));
}

fn is_folder(path: &[String]) -> bool {
    path.iter().fold(layers(), |folder, part| folder.join(part)).is_dir() || path.len() == 1
}

#[test]
fn every_room_stands_in_the_picture() {
    let mut rooms: Vec<_> = arrows().into_keys().map(|path| path[0].clone()).collect();
    rooms.dedup();
    assert_eq!(rooms, levels().into_keys().collect::<Vec<_>>());
}
