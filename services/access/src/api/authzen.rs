//! AuthZEN Authorization API 1.0 (OpenID Foundation): the same decisions in the standard's words.
//!
//! A resource's `type` is ours (`customers`), its `properties` are the row's attributes. About a resource without
//! properties only grants on all rows can answer yes. With the type `endpoint` the id is a path and the action's name
//! a method.

use super::decisions::ask::{Question, Verdict, ask, attributes};
use crate::{App, CheckPermissions};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::transform::TransformOperation;
use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stoa_kernel::allowed::Public;
use stoa_kernel::http::Json;
use stoa_kernel::{Allowed, Problem};
use stoa_types::TenantId;

/// Most questions of one request.
const MAX_EVALUATIONS: usize = 100;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/access/v1/evaluation", post_with(evaluation, evaluation_docs))
        .api_route("/access/v1/evaluations", post_with(evaluations, evaluations_docs))
        .api_route(
            "/.well-known/authzen-configuration",
            get_with(configuration, configuration_docs),
        )
}

/// Properties of any kind, by name.
type Properties = BTreeMap<String, serde_json::Value>;

/// Who wants to (section 5.1).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Subject {
    /// `user`.
    r#type: String,
    /// The user's id.
    id: String,
}

/// What is asked for (section 5.3).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Action {
    /// `read`, or an HTTP method.
    name: String,
}

/// On what (section 5.2).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Resource {
    /// `customers`, or `endpoint`.
    r#type: String,
    /// The row's id, or a path.
    id: String,
    /// The row's attributes.
    #[serde(default)]
    properties: Properties,
}

/// A question (section 6.1), or the defaults of several (section 7.1).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Evaluation {
    /// Who.
    subject: Option<Subject>,
    /// What.
    action: Option<Action>,
    /// On what.
    resource: Option<Resource>,
    /// Circumstances; none matter here.
    #[serde(default)]
    #[allow(dead_code, reason = "part of the standard's request")]
    context: Option<Properties>,
}

/// Several questions (section 7.1).
#[derive(Debug, Deserialize, JsonSchema)]
struct Evaluations {
    /// What the questions have in common.
    #[serde(flatten)]
    common: Evaluation,
    /// The questions, each with what differs.
    #[serde(default)]
    evaluations: Vec<Evaluation>,
    /// How to evaluate them.
    #[serde(default)]
    options: Options,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Options {
    /// Whether to stop early.
    #[serde(default)]
    evaluations_semantic: Semantic,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    /// All are answered.
    #[default]
    ExecuteAll,
    /// The first no is the last answer.
    DenyOnFirstDeny,
    /// The first yes is the last answer.
    PermitOnFirstPermit,
}

/// The decision (section 6.2).
#[derive(Debug, Serialize, JsonSchema)]
struct Decided {
    /// Whether it is allowed.
    decision: bool,
    /// Why, and at which revision of the policy.
    context: DecisionContext,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DecisionContext {
    /// As `reason` of the permission check.
    reason: String,
    /// The policy's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<i64>,
}

/// One decision, or several.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Answer {
    /// In the order of the questions.
    Several {
        /// The decisions.
        evaluations: Vec<Decided>,
    },
    /// To a request without `evaluations`.
    One(Decided),
}

async fn evaluation(
    State(app): State<App>,
    allowed: Allowed<CheckPermissions>,
    body: Result<Json<Evaluation>, Problem>,
) -> Result<Json<Decided>, Problem> {
    let question = readable(body)?;
    Ok(Json(decide(&app, allowed.scope.tenant(), question).await?))
}

async fn evaluations(
    State(app): State<App>,
    allowed: Allowed<CheckPermissions>,
    body: Result<Json<Evaluations>, Problem>,
) -> Result<Json<Answer>, Problem> {
    let body = readable(body)?;
    let tenant = allowed.scope.tenant();
    if body.evaluations.is_empty() {
        return Ok(Json(Answer::One(decide(&app, tenant, body.common).await?)));
    }
    if body.evaluations.len() > MAX_EVALUATIONS {
        let detail = format!("at most {MAX_EVALUATIONS} evaluations a request; send several requests");
        return Err(Problem::bad_request("iam.too_many_evaluations", detail));
    }
    let mut evaluations = Vec::with_capacity(body.evaluations.len());
    for own in body.evaluations {
        let decided = decide(&app, tenant, own.or(&body.common)).await?;
        let last = match body.options.evaluations_semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !decided.decision,
            Semantic::PermitOnFirstPermit => decided.decision,
        };
        evaluations.push(decided);
        if last {
            break;
        }
    }
    Ok(Json(Answer::Several { evaluations }))
}

impl Evaluation {
    /// What the question leaves out is taken from the request's defaults.
    fn or(self, common: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| common.subject.clone()),
            action: self.action.or_else(|| common.action.clone()),
            resource: self.resource.or_else(|| common.resource.clone()),
            context: None,
        }
    }
}

async fn decide(app: &App, tenant: TenantId, question: Evaluation) -> Result<Decided, Problem> {
    let (Some(subject), Some(action), Some(resource)) =
        (question.subject, question.action, question.resource)
    else {
        return Err(Problem::bad_request(
            "iam.incomplete_evaluation",
            "an evaluation needs subject, action and resource",
        ));
    };
    let user = match subject.id.parse() {
        Ok(user) if subject.r#type == "user" => user,
        _ => return Ok(unknown_subject()),
    };
    let question = if resource.r#type == "endpoint" {
        Question::Endpoint {
            method: action.name.to_ascii_uppercase(),
            path: &resource.id,
        }
    } else {
        Question::Action {
            permission: format!("{}:{}", resource.r#type, action.name),
            row: Some(attributes(resource.properties)),
        }
    };
    Ok(ask(app, tenant, user, question, false).await?.into())
}

impl From<Verdict> for Decided {
    fn from(verdict: Verdict) -> Self {
        Self {
            decision: verdict.allowed,
            context: DecisionContext {
                reason: verdict.reason,
                revision: Some(verdict.revision),
            },
        }
    }
}

fn unknown_subject() -> Decided {
    Decided {
        decision: false,
        context: DecisionContext {
            reason: "unknownSubject".to_owned(),
            revision: None,
        },
    }
}

/// The standard wants 400 for every body that it does not allow (section 10.1.2).
fn readable<T>(body: Result<Json<T>, Problem>) -> Result<T, Problem> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(mut problem) => {
            if problem.status == StatusCode::UNPROCESSABLE_ENTITY.as_u16() {
                problem.status = StatusCode::BAD_REQUEST.as_u16();
            }
            Err(problem)
        }
    }
}

/// Where the endpoints are (section 9).
#[derive(Debug, Serialize, JsonSchema)]
struct Configuration {
    /// The decision point's base URL.
    policy_decision_point: String,
    /// One question.
    access_evaluation_endpoint: String,
    /// Several questions.
    access_evaluations_endpoint: String,
}

async fn configuration(State(app): State<App>, _public: Public) -> Json<Configuration> {
    let base = &app.context.config.server.public_url;
    Json(Configuration {
        policy_decision_point: base.clone(),
        access_evaluation_endpoint: format!("{base}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{base}/access/v1/evaluations"),
    })
}

fn evaluation_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("authzen.evaluation")
        .tag("authzen")
        .summary("AuthZEN 1.0: one decision")
        .description(
            "The subject's type is `user`, its id a user of the caller's tenant. The resource's type is one of ours, \
             with the row's attributes as properties, or `endpoint` with a path as its id.",
        )
}

fn evaluations_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("authzen.evaluations")
        .tag("authzen")
        .summary("AuthZEN 1.0: several decisions")
        .description("At most 100. What an entry leaves out is taken from the request.")
}

fn configuration_docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("authzen.configuration")
        .tag("authzen")
        .summary("AuthZEN 1.0: where the endpoints are")
}
