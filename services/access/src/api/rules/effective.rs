//! `GET /api/iam/endpoint-rules/effective`

use crate::model::Rule;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::http::{Json, ListPlan, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_policy::{EndpointRule, EndpointRules, Requirement};
use stoa_types::Page;
use uuid::Uuid;

/// A rule that the tenant's callers meet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EffectiveRule {
    /// Its id.
    id: Uuid,
    /// Its pattern.
    pattern: String,
    /// HTTP methods; empty means any.
    methods: Vec<String>,
    /// What is asked of the caller.
    #[schemars(with = "serde_json::Value")]
    requirement: Requirement,
    /// Whose rule it is: `platform` or `tenant`.
    layer: &'static str,
    /// Whether a rule of the tenant stands in its place, for every one of its methods.
    overridden: bool,
}

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<EffectiveRule>>, Problem> {
    let sort = store::endpoint::SORT.get(..1).unwrap_or_default();
    let plan = query.plan(sort)?;
    let db = &app.context.db;
    let (_, platform) = store::endpoint::platform(db.system.begin_system(&mut allowed.scope)).await?;
    let tenant = store::endpoint::get_all(db.app.begin(&mut allowed.scope)).await?;
    Ok(Json(page(&plan, effective(platform, &tenant))))
}

fn effective(platform: Vec<EndpointRule>, tenant: &[Rule]) -> Vec<EffectiveRule> {
    let own = tenant
        .iter()
        .map(Rule::to_policy)
        .map(|rule| show(rule, "tenant", false));
    let shown: Vec<EffectiveRule> = own.collect();
    let theirs = platform.into_iter().map(|rule| {
        let overridden = tenant.iter().any(|own| replaces(&own.to_policy(), &rule));
        show(rule, "platform", overridden)
    });
    shown.into_iter().chain(theirs).collect()
}

/// Two rules that cannot stand in one layer are for the same pattern and method.
fn replaces(own: &EndpointRule, platform: &EndpointRule) -> bool {
    let clash = |method: Vec<String>| {
        let one = EndpointRule {
            methods: method,
            ..platform.clone()
        };
        EndpointRules::compile(&[own.clone(), one]).is_err()
    };
    match platform.methods.as_slice() {
        [] => clash(Vec::new()),
        methods => methods.iter().all(|method| clash(vec![method.clone()])),
    }
}

fn show(rule: EndpointRule, layer: &'static str, overridden: bool) -> EffectiveRule {
    EffectiveRule {
        id: rule.id,
        pattern: rule.pattern,
        methods: rule.methods,
        requirement: rule.requirement,
        layer,
        overridden,
    }
}

/// The rules are few and come from two places, so the page is cut here.
fn page(plan: &ListPlan, mut rules: Vec<EffectiveRule>) -> Page<EffectiveRule> {
    let end = |rule: &EffectiveRule| (rule.pattern.clone(), rule.id);
    rules.sort_by_cached_key(end);
    if plan.descending {
        rules.reverse();
    }
    if let Some(after) = &plan.after {
        let last = (after.value.clone().unwrap_or_default(), after.id);
        rules.retain(|rule| {
            if plan.descending {
                end(rule) < last
            } else {
                end(rule) > last
            }
        });
    }
    rules.truncate(plan.limit + 1);
    plan.page(rules, end)
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.effective")
        .tag("iam")
        .summary("List the platform's and the tenant's endpoint rules together")
        .description("`POST /api/iam/permissions/check` with a path says which of them decides for it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, methods: &[&str]) -> EndpointRule {
        EndpointRule {
            id: Uuid::nil(),
            pattern: pattern.into(),
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            requirement: Requirement::Authenticated,
        }
    }

    // covers: AZ-02
    #[test]
    fn only_the_same_pattern_and_method_is_replaced() {
        let platform = rule("/a/{id}", &["GET"]);
        assert!(replaces(&rule("/a/{name}", &["GET", "PUT"]), &platform));
        assert!(!replaces(&rule("/a/{name}", &["PUT"]), &platform));
        assert!(
            !replaces(&rule("/a/{name}", &[]), &platform),
            "a rule for GET is more specific"
        );
        assert!(!replaces(&rule("/a/**", &["GET"]), &platform));
    }
}
