//! The condition language: one typed, total tree with SQL's three-valued logic.
//!
//! Evaluation here and the SQL of a [`RowFilter`](crate::RowFilter) are the two back ends of the same tree.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::value::{Value, ValueRef};

/// A test over resource, subject and context.
///
/// In JSON: `{"all": […]}`, `{"any": […]}`, `{"not": …}`, `{"compare": {"left": …, "op": "eq", "right": …}}`,
/// `{"in": {"operand": …, "list": […]}}`, `{"isNull": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// True when every part is; true when empty.
    All(Vec<Condition>),
    /// True when a part is; false when empty.
    Any(Vec<Condition>),
    /// The opposite; unknown stays unknown.
    Not(Box<Condition>),
    /// Compares two values of one type; unknown when one is null.
    Compare {
        /// Left side.
        left: Operand,
        /// Comparison.
        op: CompareOp,
        /// Right side.
        right: Operand,
    },
    /// Equal to an entry of the list; unknown when nothing equals and a null was in the way.
    In {
        /// What is looked up.
        operand: Operand,
        /// The entries.
        list: Vec<Value>,
    },
    /// Whether the value is absent; never unknown.
    IsNull(Operand),
}

/// Where a value comes from. In JSON `{"resource": "status"}`, `{"literal": "open"}` and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operand {
    /// An attribute of the resource.
    Resource(String),
    /// `id`, `branch`, or an attribute of the subject.
    Subject(String),
    /// `now` (epoch milliseconds), `ip`, or an attribute of the request.
    Context(String),
    /// A constant.
    Literal(Value),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
}

impl CompareOp {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

/// SQL's three truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Holds.
    True,
    /// Does not hold.
    False,
    /// A null was in the way.
    Unknown,
}

impl Truth {
    /// Neither widens nor guesses: unknown stays unknown.
    pub fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Where evaluation finds the values of operands.
pub(crate) trait Lookup {
    /// The value of one operand; null when absent.
    fn operand<'a>(&'a self, operand: &'a Operand) -> ValueRef<'a>;
}

impl Condition {
    /// Evaluates without allocating. Recursion is bounded by the depth limit that validation enforces.
    pub(crate) fn evaluate(&self, lookup: &dyn Lookup) -> Truth {
        match self {
            Self::All(parts) => {
                let mut result = Truth::True;
                for part in parts {
                    match part.evaluate(lookup) {
                        Truth::False => return Truth::False,
                        Truth::Unknown => result = Truth::Unknown,
                        Truth::True => {}
                    }
                }
                result
            }
            Self::Any(parts) => {
                let mut result = Truth::False;
                for part in parts {
                    match part.evaluate(lookup) {
                        Truth::True => return Truth::True,
                        Truth::Unknown => result = Truth::Unknown,
                        Truth::False => {}
                    }
                }
                result
            }
            Self::Not(part) => part.evaluate(lookup).negate(),
            Self::Compare { left, op, right } => match lookup.operand(left).compare(lookup.operand(right)) {
                Some(ordering) => op.holds(ordering).into(),
                None => Truth::Unknown,
            },
            Self::In { operand, list } => contains(lookup.operand(operand), list),
            Self::IsNull(operand) => (lookup.operand(operand) == ValueRef::Null).into(),
        }
    }

    /// Always true.
    pub(crate) fn always() -> Self {
        Self::All(Vec::new())
    }

    /// Always false.
    pub(crate) fn never() -> Self {
        Self::Any(Vec::new())
    }

    /// Always unknown.
    pub(crate) fn unknown() -> Self {
        Self::Compare {
            left: Operand::Literal(Value::Null),
            op: CompareOp::Eq,
            right: Operand::Literal(Value::Null),
        }
    }

    /// The truth value, when the tree is one of the three constants.
    pub(crate) fn as_constant(&self) -> Option<Truth> {
        match self {
            Self::All(parts) if parts.is_empty() => Some(Truth::True),
            Self::Any(parts) if parts.is_empty() => Some(Truth::False),
            Self::Compare {
                left: Operand::Literal(Value::Null),
                right: Operand::Literal(Value::Null),
                ..
            } => Some(Truth::Unknown),
            _ => None,
        }
    }
}

impl From<Truth> for Condition {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::always(),
            Truth::False => Self::never(),
            Truth::Unknown => Self::unknown(),
        }
    }
}

/// SQL's `value = any(list)`.
fn contains(value: ValueRef<'_>, list: &[Value]) -> Truth {
    let mut result = Truth::False;
    for entry in list {
        match value.compare(entry.as_ref()) {
            Some(Ordering::Equal) => return Truth::True,
            Some(_) => {}
            None => result = Truth::Unknown,
        }
    }
    result
}
