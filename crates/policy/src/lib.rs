//! The decision engine: may this subject do this, to which rows, and why.
//!
//! Pure: no I/O, no clock. A [`TenantPolicy`] is compiled into a [`CompiledPolicy`], a user's [`SubjectGrants`]
//! against it into a [`CompiledSubject`]; then [`decide()`] answers for one resource, [`row_filter`] for lists,
//! [`explain()`] for people, and [`EndpointRules`] say what an endpoint asks for.
//!
//! The rules: nothing is allowed without a grant; a denial always wins; what is unknown (a null was compared) does
//! not allow and does not lift a denial.
//!
//! ```
//! use stoa_policy::*;
//! use uuid::Uuid;
//!
//! let (tenant, role, user) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
//! let policy = CompiledPolicy::compile(TenantPolicy {
//!     tenant,
//!     revision: 7,
//!     roles: vec![Role { id: role, name: "sales".into(), parents: vec![] }],
//!     grants: vec![Grant {
//!         id: Uuid::from_u128(4),
//!         role,
//!         permission: "customers:read".into(),
//!         effect: Effect::Allow,
//!         scope: DataScope::Own,
//!         condition: None,
//!     }],
//!     endpoint_rules: vec![],
//! })?;
//! let assignments = vec![Assignment { role, valid_from: None, valid_until: None }];
//! let grants = SubjectGrants { tenant, user, assignments, ..SubjectGrants::default() };
//! let subject = CompiledSubject::compile(&policy, grants)?;
//!
//! let mine = [("ownerId", Value::Uuid(user))];
//! let now = Context::at(0);
//! assert!(decide(&policy, &subject, "customers:read", Some(&mine), &now).allowed);
//! assert!(!decide(&policy, &subject, "customers:delete", Some(&mine), &now).allowed);
//!
//! let filter = row_filter(&policy, &subject, "customers:read", None, &now);
//! let sql = filter.to_sql(&Schema::with_owner_and_branch("owner_id", "branch_id"), 3);
//! assert_eq!(sql.sql, "owner_id = $3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod condition;
mod decide;
mod endpoint;
mod error;
mod evaluate;
mod explain;
mod filter;
mod model;
mod permission;
mod schema;
mod sql;
mod subject;
mod validate;
mod value;

pub use compile::{CompiledPolicy, PermissionKey};
pub use condition::{CompareOp, Condition, Operand, Truth};
pub use decide::{Context, Decision, GrantIds, Reason, decide, decide_key};
pub use endpoint::{CompiledRule, EndpointRules, LayeredRules, MAX_PATTERN_SEGMENTS};
pub use error::{CompileError, Problem, TenantMismatch};
pub use evaluate::Outcome;
pub use explain::{Considered, Explanation, MAX_NEAR_MISSES, Missing, NearMiss, explain};
pub use filter::{RowFilter, row_filter};
pub use model::{
    Assignment, BRANCH_ATTRIBUTE, DataScope, Effect, EndpointRule, Grant, OWNER_ATTRIBUTE, Requirement, Role,
    SubjectGrants, TenantPolicy,
};
pub use permission::permission_includes;
pub use schema::{
    AttributeType, MAX_CONDITION_DEPTH, MAX_CONDITION_NODES, MAX_LIST_ENTRIES, ResourceAttribute, Schema,
    Schemas,
};
pub use sql::{SqlFilter, SqlParam};
pub use subject::CompiledSubject;
pub use validate::{MAX_GRANTS, MAX_NAME_CHARS, MAX_ROLES, validate};
pub use value::{Attributes, Value, ValueRef};
