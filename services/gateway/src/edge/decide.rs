//! Stage 5: may this caller call this endpoint. In memory once warm; what has no rule is denied.

use super::Refusal;
use super::authenticate::Credentials;
use super::record::Record;
use http::Method;
use stoa_kernel::Problem;
use stoa_kernel::decisions::{Caller, Decisions};
use stoa_policy::Requirement;

/// Decides the endpoint, and tells the record which rule decided and how. The caller is `None` when anonymous.
///
/// # Errors
/// 401, 403, or 503 when the policies cannot be had.
pub(super) async fn decide(
    decisions: &Decisions,
    credentials: Credentials,
    method: &Method,
    path: &str,
    record: &mut Record,
) -> Result<Option<Caller>, Refusal> {
    // HEAD is GET without the body (RFC 9110, section 9.3.2), so it needs what GET needs.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let Credentials::Good(identity) = credentials else {
        anonymous(decisions, credentials, method, path, record).await?;
        return Ok(None);
    };
    let caller = decisions.caller(identity).await.map_err(unavailable)?;
    record.decision = "refused";
    let Some(rule) = caller.endpoint_rule(method, path) else {
        let others = METHODS
            .iter()
            .filter(|other| caller.endpoint_rule(other, path).is_some());
        return Err(other_methods(others).unwrap_or_else(|| {
            Refusal::new(
                "rule.none",
                Problem::forbidden("no rule admits this endpoint; an administrator can add one"),
            )
        }));
    };
    record.decided_by(&rule.pattern);
    let decision = match &rule.requirement {
        Requirement::Public => "public",
        Requirement::Authenticated => "authenticated",
        Requirement::Permission(permission) if caller.decide(permission, None).allowed => "allowed",
        Requirement::Permission(permission) => {
            return Err(Refusal::new(
                "permission.missing",
                caller.refusal(permission, None),
            ));
        }
    };
    record.decision = decision;
    Ok(Some(caller))
}

/// What a path may answer.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// 405, when a path without a rule for the method has rules for others.
fn other_methods<'m>(others: impl Iterator<Item = &'m &'static str>) -> Option<Refusal> {
    let allow = others.copied().collect::<Vec<_>>().join(", ");
    (!allow.is_empty()).then(|| Refusal::new("method.none", Problem::method_not_allowed(Some(allow))))
}

async fn anonymous(
    decisions: &Decisions,
    credentials: Credentials,
    method: &str,
    path: &str,
    record: &mut Record,
) -> Result<(), Refusal> {
    let rule = decisions
        .anonymous_rule(method, path)
        .await
        .map_err(unavailable)?;
    if let Some(rule) = &rule {
        record.decided_by(&rule.pattern);
    }
    if rule.is_some_and(|rule| rule.requirement == Requirement::Public) {
        record.decision = "public";
        return Ok(());
    }
    record.decision = "refused";
    Err(match credentials {
        Credentials::Refused(error) => {
            record.challenge = Some(error);
            Refusal::new(error.reason(), Problem::unauthenticated(error.to_string()))
        }
        _ => Refusal::new(
            "token.none",
            Problem::unauthenticated("send an access token as Authorization: Bearer …"),
        ),
    })
}

fn unavailable(problem: Problem) -> Refusal {
    Refusal::new("policy.unavailable", problem)
}
