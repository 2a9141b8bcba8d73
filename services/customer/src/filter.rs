//! The `filter` parameter of lists; its grammar is in the README.

use jiff::Timestamp;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::text::search_key;
use stoa_kernel::{FieldError, Problem};
use uuid::Uuid;

/// The most clauses of a filter, and the most values of one `in`.
const MAX_CLAUSES: usize = 8;
const MAX_VALUES: usize = 100;

/// The type of a field.
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

/// A field that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) column: &'static str,
    pub(crate) kind: Kind,
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
}

/// The values of a clause: one, or with `in` several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Ids(Vec<Uuid>),
    Times(Vec<Timestamp>),
}

/// One condition of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) field: Field,
    pub(crate) op: Op,
    pub(crate) values: Values,
}

/// Reads a filter over `fields`.
///
/// # Errors
/// 422 for every clause that is not one; the pointer is `filter/` and the clause's position from 0.
pub(crate) fn parse(text: &str, fields: &[Field]) -> Result<Vec<Clause>, Problem> {
    let parts = split(text, ',');
    if parts.len() > MAX_CLAUSES {
        let detail = format!("a filter has at most {MAX_CLAUSES} clauses");
        return Err(Problem::invalid(vec![FieldError::new(
            "filter", "length", detail,
        )]));
    }
    let (mut clauses, mut errors) = (Vec::new(), Vec::new());
    for (position, part) in parts.iter().enumerate() {
        match clause(part, fields) {
            Ok(clause) => clauses.push(clause),
            Err((rule, detail)) => errors.push(FieldError::new(format!("filter/{position}"), rule, detail)),
        }
    }
    if errors.is_empty() {
        Ok(clauses)
    } else {
        Err(Problem::invalid(errors))
    }
}

type Refusal = (&'static str, String);

fn clause(text: &str, fields: &[Field]) -> Result<Clause, Refusal> {
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(op), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(("format", format!("`{text}` is not field:op:value")));
    };
    let Some(field) = fields.iter().find(|f| f.name == name).copied() else {
        let known: Vec<_> = fields.iter().map(|f| f.name).collect();
        return Err(("unknown", format!("`{name}` is not one of {}", known.join(", "))));
    };
    let op = operator(op, field)?;
    let values = if op == Op::In {
        split(value, '|')
    } else {
        vec![value.to_owned()]
    };
    if values.len() > MAX_VALUES {
        return Err(("length", format!("`in` takes at most {MAX_VALUES} values")));
    }
    let values: Vec<String> = values.iter().map(|v| unescaped(v)).collect();
    Ok(Clause {
        field,
        op,
        values: typed(field, values)?,
    })
}

fn operator(text: &str, field: Field) -> Result<Op, Refusal> {
    let known = [
        ("eq", Op::Eq),
        ("ne", Op::Ne),
        ("in", Op::In),
        ("lt", Op::Lt),
        ("le", Op::Le),
        ("gt", Op::Gt),
        ("ge", Op::Ge),
    ];
    // What has no order that means anything is only equal or not.
    let ordered = !matches!(field.kind, Kind::Status | Kind::Id);
    let known = if ordered { &known[..] } else { known.split_at(3).0 };
    let op = known.iter().find(|(name, _)| *name == text).map(|(_, op)| *op);
    op.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        (
            "unknown",
            format!(
                "`{text}` is not one of {}, which {} knows",
                names.join(", "),
                field.name
            ),
        )
    })
}

fn typed(field: Field, values: Vec<String>) -> Result<Values, Refusal> {
    fn each<T>(values: &[String], what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Refusal> {
        let read = |v: &String| read(v).ok_or_else(|| ("type", format!("`{v}` is not {what}")));
        values.iter().map(read).collect()
    }
    Ok(match field.kind {
        Kind::Text => Values::Texts(each(&values, "a text without NUL", |v| {
            (!v.contains('\0')).then(|| v.to_owned())
        })?),
        Kind::Name => Values::Texts(each(&values, "a text without NUL", |v| {
            (!v.contains('\0')).then(|| search_key(v))
        })?),
        Kind::Email => Values::Texts(each(&values, "a text without NUL", |v| {
            (!v.contains('\0')).then(|| v.to_lowercase())
        })?),
        Kind::Status => Values::Texts(each(&values, "a status", |v| {
            CustomerStatus::named(v).map(|s| s.as_str().to_owned())
        })?),
        Kind::Int => Values::Ints(each(&values, "a whole number", |v| v.parse().ok())?),
        Kind::Id => Values::Ids(each(&values, "an id", |v| v.parse().ok())?),
        Kind::Time => Values::Times(each(&values, "a time such as 2026-01-31T08:00:00Z", |v| {
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
mod tests {
    use super::*;
    use crate::store::FILTER_FIELDS;

    fn parsed(text: &str) -> Vec<Clause> {
        parse(text, FILTER_FIELDS).unwrap()
    }

    fn refused(text: &str) -> (String, String) {
        let error = parse(text, FILTER_FIELDS).unwrap_err().errors.remove(0);
        (error.pointer, error.rule)
    }

    // covers: AP-03
    #[test]
    fn clauses_are_typed() {
        let clauses = parsed("status:in:lead|active,revenueMinor:ge:100,name:eq:Énergie,email:lt:M@x.y");
        assert_eq!(
            clauses[0].values,
            Values::Texts(vec!["lead".into(), "active".into()])
        );
        assert_eq!(
            (clauses[1].op, &clauses[1].values),
            (Op::Ge, &Values::Ints(vec![100]))
        );
        assert_eq!(clauses[2].values, Values::Texts(vec!["energie".into()]));
        assert_eq!(clauses[3].values, Values::Texts(vec!["m@x.y".into()]));
        let time = parsed("createdAt:lt:2026-01-31T08:00:00Z");
        assert!(matches!(&time[0].values, Values::Times(t) if t.len() == 1));
    }

    // covers: AP-03
    #[test]
    fn backslashes_protect_separators() {
        let clauses = parsed(r"sector:in:a\,b|c\|d|e\\f");
        assert_eq!(
            clauses[0].values,
            Values::Texts(vec!["a,b".into(), "c|d".into(), r"e\f".into()])
        );
        assert_eq!(
            parsed("sector:eq:a:b")[0].values,
            Values::Texts(vec!["a:b".into()])
        );
    }

    // covers: AP-03
    #[test]
    fn what_is_wrong_is_pointed_at() {
        let pair = |pointer: &str, rule: &str| (pointer.to_owned(), rule.to_owned());
        assert_eq!(
            refused("status:eq:lead,colour:eq:red"),
            pair("filter/1", "unknown")
        );
        assert_eq!(refused("status:like:lead"), pair("filter/0", "unknown"));
        assert_eq!(refused("status:lt:lead"), pair("filter/0", "unknown"));
        assert_eq!(refused("revenueMinor:eq:many"), pair("filter/0", "type"));
        assert_eq!(refused("branchId:eq:1"), pair("filter/0", "type"));
        assert_eq!(refused("status"), pair("filter/0", "format"));
        assert_eq!(refused(""), pair("filter/0", "format"));
        assert_eq!(
            refused(&["status:eq:lead"; 9].join(",")),
            pair("filter", "length")
        );
    }
}
