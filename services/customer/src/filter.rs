//! Conditions on customers: the `filter` parameter of lists, whose grammar is in the README, and the trees of segments.

mod condition;

use crate::model::value::{Key, Refusal, key_of_text};
use crate::model::{self, FieldType, tag_key};
use crate::store::FILTER_FIELDS;
use jiff::Timestamp;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::text::search_key;
use stoa_kernel::{FieldError, Problem};
use stoa_types::FieldId;
use uuid::Uuid;

pub use condition::ConditionBody;

/// The most clauses of a filter, and the most values of one `in`.
const MAX_CLAUSES: usize = 8;
const MAX_VALUES: usize = 100;
/// The most characters of a value.
const MAX_CHARS: usize = 1_000;
/// What the names of custom fields begin with.
const CUSTOM: &str = "custom.";

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Compared byte by byte.
    Text,
    /// Compared as in searches.
    Name,
    /// Compared in lower case.
    Email,
    Status,
    Int,
    Id,
    Time,
}

/// A column that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) column: &'static str,
    pub(crate) kind: Kind,
}

/// What a clause is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Column(Column),
    Tag,
    Custom(FieldId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    /// Of several values, one is this.
    Has,
    /// Of several values, none is this.
    Lacks,
}

const ORDERED: &[(&str, Op)] = &[
    ("eq", Op::Eq),
    ("ne", Op::Ne),
    ("in", Op::In),
    ("lt", Op::Lt),
    ("le", Op::Le),
    ("gt", Op::Gt),
    ("ge", Op::Ge),
];
/// Of what has no order that means anything.
const UNORDERED: &[(&str, Op)] = &[("eq", Op::Eq), ("ne", Op::Ne), ("in", Op::In)];
/// Of what has several values.
const SEVERAL: &[(&str, Op)] = &[("has", Op::Has), ("lacks", Op::Lacks), ("in", Op::In)];

/// The values of a clause: one, or with `in` several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Ids(Vec<Uuid>),
    Times(Vec<Timestamp>),
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) target: Target,
    pub(crate) op: Op,
    pub(crate) values: Values,
}

/// Conditions joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    Clause(Clause),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

/// Whether a filter cannot be read without the custom fields' definitions. It may say so of one that can.
pub(crate) fn needs_fields(text: &str) -> bool {
    text.contains(CUSTOM)
}

/// Reads a filter; `custom` are the tenant's fields.
///
/// # Errors
/// 422 for every clause that is not one; the pointer is `filter/` and the clause's position from 0.
pub(crate) fn parse(text: &str, custom: &[model::Field]) -> Result<Tree, Problem> {
    let parts = split(text, ',');
    if parts.len() > MAX_CLAUSES {
        let detail = format!("a filter has at most {MAX_CLAUSES} clauses");
        return Err(Problem::invalid(vec![FieldError::new(
            "filter", "length", detail,
        )]));
    }
    let (mut clauses, mut errors) = (Vec::new(), Vec::new());
    for (position, part) in parts.iter().enumerate() {
        match text_clause(part, custom) {
            Ok(clause) => clauses.push(Tree::Clause(clause)),
            Err((rule, detail)) => errors.push(FieldError::new(format!("filter/{position}"), rule, detail)),
        }
    }
    if errors.is_empty() {
        Ok(Tree::All(clauses))
    } else {
        Err(Problem::invalid(errors))
    }
}

fn text_clause(text: &str, custom: &[model::Field]) -> Result<Clause, Refusal> {
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(op), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(("format", format!("`{text}` is not field:op:value")));
    };
    let values = if op == "in" {
        split(value, '|')
    } else {
        vec![value.to_owned()]
    };
    let values: Vec<String> = values.iter().map(|v| unescaped(v)).collect();
    clause(name, op, &values, custom)
}

/// A clause from its texts; with `in` several values, else one.
fn clause(name: &str, op: &str, values: &[String], custom: &[model::Field]) -> Result<Clause, Refusal> {
    if values.is_empty() || values.len() > MAX_VALUES {
        return Err(("length", format!("`in` takes 1 to {MAX_VALUES} values")));
    }
    if values.iter().any(|value| value.chars().count() > MAX_CHARS) {
        return Err(("length", format!("a value has at most {MAX_CHARS} characters")));
    }
    let (target, known, values) = if name == "tag" {
        let tags = values.iter().map(|tag| tag_key(tag)).collect();
        (Target::Tag, SEVERAL, Values::Texts(no_nul(tags)?))
    } else if let Some(field) = custom_field(name, custom) {
        let known = match field.kind {
            FieldType::Multiselect => SEVERAL,
            FieldType::Boolean | FieldType::Select => UNORDERED,
            _ => ORDERED,
        };
        (Target::Custom(field.id), known, custom_values(field, values)?)
    } else {
        let column = column(name)?;
        let known = match column.kind {
            Kind::Status | Kind::Id => UNORDERED,
            _ => ORDERED,
        };
        (Target::Column(column), known, column_values(column, values)?)
    };
    let op = known.iter().find(|(text, _)| *text == op).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(text, _)| *text).collect();
        let detail = format!("`{op}` is not one of {}, which {name} knows", known.join(", "));
        ("unknown", detail)
    })?;
    Ok(Clause {
        target,
        op: op.1,
        values,
    })
}

fn custom_field<'f>(name: &str, custom: &'f [model::Field]) -> Option<&'f model::Field> {
    let key = name.strip_prefix(CUSTOM)?;
    custom.iter().find(|field| field.key == key)
}

fn column(name: &str) -> Result<Column, Refusal> {
    let found = FILTER_FIELDS.iter().find(|column| column.name == name).copied();
    found.ok_or_else(|| {
        let known: Vec<_> = FILTER_FIELDS.iter().map(|column| column.name).collect();
        let known = known.join(", ");
        let detail =
            format!("`{name}` is not one of {known}, tag, or custom. with the key of a custom field");
        ("unknown", detail)
    })
}

fn custom_values(field: &model::Field, values: &[String]) -> Result<Values, Refusal> {
    let (mut texts, mut ints) = (Vec::new(), Vec::new());
    for value in values {
        match key_of_text(field, value)? {
            Key::Text(text) => texts.push(text),
            Key::Int(int) => ints.push(int),
        }
    }
    // A field has keys of one kind.
    Ok(if ints.is_empty() {
        Values::Texts(texts)
    } else {
        Values::Ints(ints)
    })
}

fn no_nul(texts: Vec<String>) -> Result<Vec<String>, Refusal> {
    match texts.iter().find(|text| text.contains('\0')) {
        Some(_) => Err(("type", "a text must not contain NUL".to_owned())),
        None => Ok(texts),
    }
}

fn column_values(column: Column, values: &[String]) -> Result<Values, Refusal> {
    fn each<T>(values: &[String], what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Refusal> {
        let read = |v: &String| read(v).ok_or_else(|| ("type", format!("`{v}` is not {what}")));
        values.iter().map(read).collect()
    }
    let texts = |read: fn(&str) -> String| no_nul(values.iter().map(|v| read(v)).collect());
    Ok(match column.kind {
        Kind::Text => Values::Texts(texts(str::to_owned)?),
        Kind::Name => Values::Texts(texts(search_key)?),
        Kind::Email => Values::Texts(texts(str::to_lowercase)?),
        Kind::Status => Values::Texts(each(values, "a status", |v| {
            CustomerStatus::named(v).map(|s| s.as_str().to_owned())
        })?),
        Kind::Int => Values::Ints(each(values, "a whole number", |v| v.parse().ok())?),
        Kind::Id => Values::Ids(each(values, "an id", |v| v.parse().ok())?),
        Kind::Time => Values::Times(each(values, "a time such as 2026-01-31T08:00:00Z", |v| {
            v.parse().ok()
        })?),
    })
}

/// Splits at a separator that no backslash stands before; the backslashes stay.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        escaped = c == '\\' && !escaped;
        part.push(c);
    }
    parts.push(part);
    parts
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut escaped) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests;
