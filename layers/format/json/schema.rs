//! Resolves a table and the options to the rows that are written, and their keys.

use super::{Json, Key, Member, Options, table};
use crate::Error;

/// Who owns a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Key(Key),
    Fields,
    Context,
    /// A constant field, by index.
    Fixed(usize),
    /// A row that only its table names.
    Row,
}

/// A row of the table, or of a table inside it.
pub(super) struct Row {
    owner: Owner,
    pub(super) member: Member,
    /// The object that it is in: 0 is the outermost one; others are the index of their row plus one.
    pub(super) scope: usize,
    /// The name in the table.
    pub(super) table_name: &'static str,
    pub(super) name: String,
}

/// All rows that are written, with their keys.
pub(super) struct Schema {
    /// In the order of the table; the rows of an object follow the object's row.
    all: Vec<Row>,
    /// Keys of the constant fields.
    pub(super) fixed: Vec<String>,
    /// The object that has the constant fields.
    pub(super) fixed_scope: usize,
}

/// The scope of a message inside the object of fields.
pub(super) const SCOPE_FIELDS: usize = usize::MAX;

/// A row or an option asks for a key.
struct NameRequest {
    owner: Owner,
    row: Option<usize>,
    scope: usize,
    name: String,
}

impl Schema {
    pub(super) fn new(options: &Options) -> Self {
        let mut schema = Self { all: Vec::new(), fixed: vec![String::new(); options.fixed.len()], fixed_scope: 0 };
        schema.add(options.table, 0, options);
        let name_requests = schema.name_requests(options);
        let mut given: Vec<(usize, String)> = Vec::new();
        for NameRequest { owner, row, scope, mut name } in name_requests.into_iter().rev() {
            while given.iter().any(|(other, taken)| *other == scope && *taken == name) {
                name.push('_');
            }
            given.push((scope, name.clone()));
            match (row, owner) {
                (Some(row), _) => schema.all[row].name = name,
                (None, Owner::Fixed(index)) => schema.fixed[index] = name,
                _ => {}
            }
        }
        schema
    }

    fn add(&mut self, table: &[(&'static str, Member)], scope: usize, options: &Options) {
        for (name, member) in table {
            if matches!(member, Member::Rest) {
                // Options turned these on, and the table does not have them.
                let own = |key| (key, Member::Key(key));
                let of_key = [own(Key::Span), own(Key::Spans)].map(|(key, member)| (Owner::Key(key), member));
                let [span, spans] = of_key;
                for (owner, member) in [(Owner::Fields, Member::Fields), span, spans, (Owner::Context, Member::Context)]
                {
                    let is_wanted = match owner {
                        Owner::Key(key) => options.is_on(key),
                        owner => options.is_requested(owner),
                    };
                    if is_wanted && !self.all.iter().any(|row| row.owner == owner) {
                        let name = if let Owner::Key(key) = owner { key.default_name() } else { "" };
                        self.push(owner, member, scope, name);
                    }
                }
            }
            let owner = match member {
                Member::Key(key) | Member::Quoted(key) | Member::Decimal(key) => Owner::Key(*key),
                Member::Nanos => Owner::Key(Key::Timestamp),
                Member::LevelName(_) => Owner::Key(Key::Level),
                Member::LevelNumber(_) => Owner::Key(Key::LevelNumber),
                Member::Fields => Owner::Fields,
                Member::Context => Owner::Context,
                _ => Owner::Row,
            };
            let is_on = match owner {
                Owner::Key(key) => options.is_on(key),
                // The default tables have them, but they are off by default.
                Owner::Fields | Owner::Context => !options.is_default() || options.is_requested(owner),
                _ => true,
            };
            if !is_on {
                continue;
            }
            if matches!(member, Member::Rest | Member::RestOfGlobals) {
                self.fixed_scope = scope;
            }
            let inside = options.message_in_fields && owner == Owner::Key(Key::Message);
            let row = self.push(owner, *member, if inside { SCOPE_FIELDS } else { scope }, name);
            if let Member::Object(inner) | Member::List(inner) | Member::Attributes(inner) = member {
                self.add(inner, row + 1, options);
            }
        }
    }

    fn push(&mut self, owner: Owner, member: Member, scope: usize, table_name: &'static str) -> usize {
        self.all.push(Row { owner, member, scope, table_name, name: table_name.to_owned() });
        self.all.len() - 1
    }

    /// In order: the table's, then those of setters.
    fn name_requests(&self, options: &Options) -> Vec<NameRequest> {
        let is_free = |row: &&(usize, &Row)| !row.1.is_rest() && !options.is_requested(row.1.owner);
        let rows: Vec<_> = self.all.iter().enumerate().collect();
        let of_table = rows.iter().filter(is_free).map(|(index, row)| NameRequest {
            owner: row.owner,
            row: Some(*index),
            scope: row.scope,
            name: row.table_name.to_owned(),
        });
        let of_setters = options.name_requests.iter().filter_map(|(owner, name)| {
            let row = self.all.iter().position(|row| row.owner == *owner);
            let scope = match (row, owner) {
                (Some(row), _) => self.all[row].scope,
                (None, Owner::Fixed(_)) => self.fixed_scope,
                _ => return None,
            };
            Some(NameRequest { owner: *owner, row, scope, name: name.clone() })
        });
        of_table.chain(of_setters).collect()
    }

    pub(super) fn of(&self, scope: usize) -> impl Iterator<Item = (usize, &Row)> {
        self.all.iter().enumerate().filter(move |(_, row)| row.scope == scope)
    }

    /// Keys that fields of this object may not have, in records with or without a trace and an error.
    pub(super) fn reserved(&self, scope: usize, has_trace: bool, has_error: bool) -> Vec<String> {
        let is_there = |row: &&(usize, &Row)| match row.1.owner {
            Owner::Key(key) if key.is_of_trace() => has_trace,
            Owner::Key(key) if key.is_of_error() => has_error,
            _ => !row.1.is_rest(),
        };
        let rows: Vec<_> = self.of(scope).collect();
        let names = rows.iter().filter(is_there).map(|(_, row)| row.name.clone());
        let fixed = self.fixed.iter().filter(|_| scope == self.fixed_scope).cloned();
        names.chain(fixed).collect()
    }

    pub(super) fn has(&self, owner: Owner) -> bool {
        self.all.iter().any(|row| row.owner == owner)
    }

    /// All names of global fields that have a row.
    pub(super) fn moved(&self) -> Vec<String> {
        let names = self.all.iter().filter_map(|row| match row.member {
            Member::Global(names) => Some(std::iter::once(row.table_name).chain(names.iter().copied())),
            _ => None,
        });
        names.flatten().map(str::to_owned).collect()
    }
}

impl Row {
    pub(super) fn is_rest(&self) -> bool {
        matches!(self.member, Member::Rest | Member::RestOfRecord | Member::RestOfGlobals)
    }

    /// Whether every record has it.
    pub(super) fn is_always(&self, index: usize, schema: &Schema) -> bool {
        match self.member {
            Member::Key(key) | Member::Quoted(key) => key.is_always(),
            Member::Object(_) | Member::List(_) => {
                schema.of(index + 1).next().is_some_and(|(index, first)| first.is_always(index, schema))
            }
            Member::Global(_) | Member::Decimal(_) => false,
            _ => !self.is_rest() && !matches!(self.member, Member::Reserved),
        }
    }
}

impl Json {
    /// The same format, if no key is asked for twice.
    ///
    /// Otherwise [the last of two options gets the key](Self#names-that-clash).
    ///
    /// # Errors
    /// Two options or rows of the table ask for the same key in the same object. Both are named.
    ///
    /// ```
    /// use tracing_strata::format::{Json, Key};
    ///
    /// assert!(Json::ecs().rename(Key::Target, "logger").checked().is_ok());
    /// let error = Json::ecs().rename(Key::Target, "message").checked().unwrap_err();
    /// assert_eq!(error.to_string(), "the key \"message\" is asked for by `message` and by `target`");
    /// ```
    pub fn checked(self) -> Result<Self, Error> {
        let schema = Schema::new(&self.options);
        match schema.clash(&self.options).or_else(|| schema.misplaced()) {
            Some(problem) => Err(Error::config(problem)),
            None => Ok(self),
        }
    }
}

impl Schema {
    /// Two rows or options that ask for the same key.
    fn clash(&self, options: &Options) -> Option<String> {
        let name_requests = self.name_requests(options);
        name_requests.iter().enumerate().find_map(|(index, request)| {
            let is_same_key = |other: &&NameRequest| other.scope == request.scope && other.name == request.name;
            let first = self.requester(name_requests[..index].iter().find(is_same_key)?);
            Some(format!("the key {:?} is asked for by {first} and by {}", request.name, self.requester(request)))
        })
    }

    fn requester(&self, request: &NameRequest) -> String {
        match (request.owner, request.row) {
            (Owner::Key(key), _) => format!("`{}`", key.default_name()),
            (Owner::Fields, _) => "the event's fields".to_owned(),
            (Owner::Context, _) => "the spans' fields".to_owned(),
            (Owner::Row, Some(row)) => format!("`{:?}`", self.all[row].member),
            (Owner::Fixed(_) | Owner::Row, _) => format!("the field {:?}", request.name),
        }
    }

    /// A member that is not allowed in its position.
    fn misplaced(&self) -> Option<String> {
        let is_attribute = |row: &Row| {
            let outer = row.scope.checked_sub(1).and_then(|index| self.all.get(index));
            outer.is_some_and(|outer| matches!(outer.member, Member::Attributes(_)))
        };
        let fits = |row: &Row| match row.member {
            Member::Key(key) if is_attribute(row) => key.is_value() || key == Key::ErrorStack,
            Member::Key(_) | Member::Global(_) | Member::Reserved => true,
            _ if row.is_rest() => true,
            _ if is_attribute(row) => false,
            Member::Quoted(key) => key.is_value(),
            Member::Decimal(key) => matches!(key, Key::TraceId | Key::SpanId | Key::TraceFlags),
            _ => true,
        };
        if let Some(row) = self.all.iter().find(|row| !fits(row)) {
            return Some(format!("the key {:?} cannot be `{:?}` where it stands", row.table_name, row.member));
        }
        let of_record = |row: &Row| matches!(row.member, Member::Rest | Member::RestOfRecord);
        let of_globals = |row: &Row| matches!(row.member, Member::Rest | Member::RestOfGlobals);
        let twice = self.all.iter().enumerate().find_map(|(index, row)| {
            let is_same = |other: &&Row| {
                other.scope == row.scope && (of_record(other) && of_record(row) || of_globals(other) && of_globals(row))
            };
            Some((self.all[..index].iter().find(is_same)?.member, row.member))
        });
        twice.map(|(first, second)| format!("the same fields are asked for by `{first:?}` and by `{second:?}`"))
    }
}

impl Options {
    pub(super) fn is_default(&self) -> bool {
        std::ptr::eq(self.table, table::FLAT) || std::ptr::eq(self.table, table::TRACING_SUBSCRIBER)
    }
}
