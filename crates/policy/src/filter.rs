//! The row filter: the same decision for a list of rows, in memory and as SQL.

use crate::compile::CompiledPolicy;
use crate::condition::{Condition, Lookup, Operand, Truth};
use crate::decide::{Context, candidates_in_force};
use crate::evaluate::scope_condition;
use crate::model::{DataScope, Effect};
use crate::subject::CompiledSubject;
use crate::value::{Attributes, Value, ValueRef};

/// Which rows a subject may act on: a condition over the row alone, every other value filled in.
///
/// A row is in when the condition is true; false and unknown are out, as in a `where` clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFilter {
    pub(crate) condition: Condition,
}

/// Builds the filter for one permission (`resource:action`). `narrow` keeps, of the rows permitted, those that
/// are also in that scope; it never adds any.
///
/// For every row, [`RowFilter::matches`] equals [`decide`](crate::decide()) with that row as the resource. With a
/// subject of another compilation the filter is empty.
pub fn row_filter(
    policy: &CompiledPolicy,
    subject: &CompiledSubject,
    permission: &str,
    narrow: Option<DataScope>,
    context: &Context<'_>,
) -> RowFilter {
    if !subject.belongs_to(policy) {
        return RowFilter::none();
    }
    let fill = Fill { subject, context };
    let mut allows = Vec::new();
    let mut denials = Vec::new();
    let key = policy.permission_key(permission);
    for grant in candidates_in_force(policy, subject, key, context.now_ms) {
        let scope = scope_condition(grant.scope, subject);
        let rule = match &grant.condition {
            Some(condition) => all(vec![scope, fill.condition(condition)]),
            None => scope,
        };
        match grant.effect {
            // Order by shape, not by role, so that subjects with the same rights share a prepared statement.
            Effect::Allow => allows.push(((grant.condition.is_some(), std::cmp::Reverse(grant.scope)), rule)),
            Effect::Deny => denials.push(rule),
        }
    }
    allows.sort_by_key(|(shape, _)| *shape);

    let mut parts = vec![any(allows.into_iter().map(|(_, rule)| rule).collect())];
    // An unknown denial makes the whole unknown, which is out.
    parts.extend(denials.into_iter().map(not));
    parts.extend(narrow.map(|scope| scope_condition(scope, subject)));
    RowFilter {
        condition: all(parts),
    }
}

impl RowFilter {
    /// A filter that lets no row through.
    pub fn none() -> Self {
        Self {
            condition: Condition::never(),
        }
    }

    /// A filter that lets every row through, for system work.
    pub fn all() -> Self {
        Self {
            condition: Condition::always(),
        }
    }

    /// Whether every row is in.
    pub fn is_all(&self) -> bool {
        self.condition.as_constant() == Some(Truth::True)
    }

    /// Whether certainly no row is in, so that the query can be spared.
    pub fn is_none(&self) -> bool {
        matches!(self.condition.as_constant(), Some(Truth::False | Truth::Unknown))
    }

    /// Whether a row is in: exactly when the SQL of [`RowFilter::to_sql`] is true for it.
    pub fn matches(&self, row: &dyn Attributes) -> bool {
        self.condition.evaluate(&Row(row)) == Truth::True
    }
}

struct Row<'a>(&'a dyn Attributes);

impl Lookup for Row<'_> {
    fn operand<'a>(&'a self, operand: &'a Operand) -> ValueRef<'a> {
        match operand {
            Operand::Resource(name) => self.0.attribute(name),
            Operand::Literal(value) => value.as_ref(),
            // Filled in when the filter was built.
            Operand::Subject(_) | Operand::Context(_) => ValueRef::Null,
        }
    }
}

/// Replaces subject and context by their values and folds what is then constant.
struct Fill<'a> {
    subject: &'a CompiledSubject,
    context: &'a Context<'a>,
}

impl Fill<'_> {
    fn condition(&self, condition: &Condition) -> Condition {
        match condition {
            Condition::All(parts) => all(parts.iter().map(|part| self.condition(part)).collect()),
            Condition::Any(parts) => any(parts.iter().map(|part| self.condition(part)).collect()),
            Condition::Not(part) => not(self.condition(part)),
            Condition::Compare { left, op, right } => {
                let (left, right) = (self.operand(left), self.operand(right));
                let has_null = [&left, &right].contains(&&Operand::Literal(Value::Null));
                match (&left, &right) {
                    _ if has_null => Condition::unknown(),
                    (Operand::Literal(_), Operand::Literal(_)) => {
                        constant(&Condition::Compare { left, op: *op, right })
                    }
                    _ => Condition::Compare { left, op: *op, right },
                }
            }
            Condition::In { list, .. } if list.is_empty() => Condition::never(),
            Condition::In { operand, list } => {
                let operand = self.operand(operand);
                let is_constant = matches!(operand, Operand::Literal(_));
                let filled = Condition::In {
                    operand,
                    list: list.clone(),
                };
                if is_constant { constant(&filled) } else { filled }
            }
            Condition::IsNull(operand) => match self.operand(operand) {
                Operand::Literal(value) => Truth::from(value == Value::Null).into(),
                operand => Condition::IsNull(operand),
            },
        }
    }

    fn operand(&self, operand: &Operand) -> Operand {
        match operand {
            Operand::Subject(name) => Operand::Literal(self.subject.attribute(name).to_value()),
            Operand::Context(name) => Operand::Literal(self.context.attribute(name).to_value()),
            Operand::Resource(_) | Operand::Literal(_) => operand.clone(),
        }
    }
}

/// Folds a condition that asks nothing of the row.
fn constant(condition: &Condition) -> Condition {
    struct Nothing;
    impl Lookup for Nothing {
        fn operand<'a>(&'a self, operand: &'a Operand) -> ValueRef<'a> {
            match operand {
                Operand::Literal(value) => value.as_ref(),
                _ => ValueRef::Null,
            }
        }
    }
    condition.evaluate(&Nothing).into()
}

fn not(part: Condition) -> Condition {
    match part.as_constant() {
        Some(truth) => truth.negate().into(),
        None => Condition::Not(Box::new(part)),
    }
}

fn all(parts: Vec<Condition>) -> Condition {
    fold(parts, Truth::True)
}

fn any(parts: Vec<Condition>) -> Condition {
    fold(parts, Truth::False)
}

/// Combines parts with "and" (neutral: true) or "or" (neutral: false): drops neutral and repeated parts, stops at
/// a deciding one, flattens its own kind and unwraps a single one.
fn fold(parts: Vec<Condition>, neutral: Truth) -> Condition {
    let mut kept: Vec<Condition> = Vec::with_capacity(parts.len());
    for part in parts {
        let truth = part.as_constant();
        if truth == Some(neutral) {
            continue;
        }
        if truth == Some(neutral.negate()) {
            return part;
        }
        match (part, neutral) {
            (Condition::All(inner), Truth::True) | (Condition::Any(inner), Truth::False) => {
                inner.into_iter().for_each(|part| keep_once(&mut kept, part));
            }
            (part, _) => keep_once(&mut kept, part),
        }
    }
    match (kept.pop(), kept.is_empty()) {
        (None, _) => neutral.into(),
        (Some(only), true) => only,
        (Some(last), false) => {
            kept.push(last);
            if neutral == Truth::True {
                Condition::All(kept)
            } else {
                Condition::Any(kept)
            }
        }
    }
}

fn keep_once(kept: &mut Vec<Condition>, part: Condition) {
    if !kept.contains(&part) {
        kept.push(part);
    }
}
