//! One question to the policy, as the check and AuthZEN put it.

use crate::App;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;
use stoa_kernel::Problem;
use stoa_kernel::decisions::Caller;
use stoa_kernel::request::Identity;
use stoa_policy::{Attributes, DataScope, Requirement, Value};
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;
use uuid::Uuid;

/// What is asked.
pub(crate) enum Question<'a> {
    /// May the user call this endpoint?
    Endpoint {
        /// The method, in upper case.
        method: String,
        /// The normalised path.
        path: &'a str,
    },
    /// May the user do this, to the row with these attributes, or (without) to some row?
    Action {
        /// `resource:action`.
        permission: String,
        /// The row.
        row: Option<BTreeMap<String, Value>>,
    },
}

/// What the policy says.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) reason: String,
    pub(crate) permission: Option<String>,
    pub(crate) scope: Option<DataScope>,
    pub(crate) determining: Vec<Uuid>,
    pub(crate) revision: i64,
    pub(crate) explanation: Option<Json>,
}

/// Asks for a user of `tenant`; with `explain` the verdict says why. What cannot be answered is an error, never a yes.
pub(crate) async fn ask(
    app: &App,
    tenant: TenantId,
    user: UserId,
    question: Question<'_>,
    explain: bool,
) -> Result<Verdict, Problem> {
    let caller = app.context.decisions.caller(Identity { tenant, user }).await?;
    Ok(match question {
        Question::Endpoint { method, path } => endpoint(&caller, &method, path, explain),
        Question::Action { permission, row } => {
            let row = row.as_ref().map(|row| row as &dyn Attributes);
            action(&caller, permission, row, explain)
        }
    })
}

/// How long a question waits for the revision that it must not be older than.
const CATCH_UP: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until this process decides by `revision` of the tenant's policy or a newer one, as the answer to a write named
/// it: what one process wrote is then seen here too.
pub(crate) async fn catch_up(
    app: &App,
    tenant: TenantId,
    user: UserId,
    revision: i64,
) -> Result<(), Problem> {
    let decisions = &app.context.decisions;
    let deadline = Instant::now() + CATCH_UP;
    while decisions.followed(tenant) < revision {
        // Loaded after the change was made, although it was never heard of.
        let caller = decisions.caller(Identity { tenant, user }).await?;
        if caller.policy().revision().min(caller.grants().revision) >= revision {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Problem::unavailable(format!(
                "revision {revision} of the policy has not arrived here; try again"
            )));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

fn endpoint(caller: &Caller, method: &str, path: &str, explain: bool) -> Verdict {
    let Some(rule) = caller.endpoint_rule(method, path) else {
        return plain(caller, false, "noRule", Vec::new());
    };
    match &rule.requirement {
        Requirement::Public => plain(caller, true, "public", vec![rule.id]),
        Requirement::Authenticated => plain(caller, true, "authenticated", vec![rule.id]),
        Requirement::Permission(permission) => {
            let mut verdict = action(caller, permission.clone(), None, explain);
            verdict.determining.insert(0, rule.id);
            verdict
        }
    }
}

fn action(caller: &Caller, permission: String, row: Option<&dyn Attributes>, explain: bool) -> Verdict {
    let decision = caller.decide(&permission, row);
    let explanation = explain
        .then(|| serde_json::to_value(caller.explain(&permission, row)).ok())
        .flatten();
    Verdict {
        allowed: decision.allowed,
        reason: word(&decision.reason),
        scope: decision.scope,
        determining: decision.determining.as_slice().to_vec(),
        revision: revision(caller),
        permission: Some(permission),
        explanation,
    }
}

fn plain(caller: &Caller, allowed: bool, reason: &str, determining: Vec<Uuid>) -> Verdict {
    Verdict {
        allowed,
        reason: reason.to_owned(),
        permission: None,
        scope: None,
        determining,
        revision: revision(caller),
        explanation: None,
    }
}

/// A change of assignments alone does not reload the policy, so the newer of both counts.
pub(crate) fn revision(caller: &Caller) -> i64 {
    caller.policy().revision().max(caller.grants().revision)
}

/// A word of the engine's vocabulary as its JSON has it.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Json::String(word)) => word,
        _ => String::new(),
    }
}

/// Attributes as JSON has them. A text that is a UUID is an id; lists, objects and fractions are unknown to conditions,
/// and so never allow.
pub(crate) fn attributes(given: BTreeMap<String, Json>) -> BTreeMap<String, Value> {
    let value = |json: Json| match json {
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map_or(Value::Null, Value::Int),
        Json::String(text) => match Uuid::try_parse(&text) {
            Ok(id) if text.len() == 36 => Value::Uuid(id),
            _ => Value::Text(text),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => Value::Null,
    };
    given
        .into_iter()
        .map(|(name, json)| (name, value(json)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // covers: AZ-05
    #[test]
    fn json_attributes_become_typed_values() {
        let id = Uuid::from_u128(7);
        let given = [
            ("ownerId", json!(id)),
            ("status", json!("lead")),
            ("revenue", json!(12)),
            ("share", json!(0.5)),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value));
        let typed = attributes(given.into());
        assert_eq!(typed.get("ownerId"), Some(&Value::Uuid(id)));
        assert_eq!(typed.get("status"), Some(&Value::Text("lead".into())));
        assert_eq!(typed.get("revenue"), Some(&Value::Int(12)));
        assert_eq!(typed.get("share"), Some(&Value::Null));
    }
}
