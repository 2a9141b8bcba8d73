//! `PUT /api/iam/endpoint-rules/{id}`

use crate::api::RulePath;
use crate::model::{Rule, RuleInput, Saved};
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::RuleId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    Path(RulePath { id }): Path<RulePath>,
    if_match: IfMatch,
    key: IdempotencyKey,
    Json(body): Json<RuleInput>,
) -> Result<Response, Problem> {
    let body = body.normalised();
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "rule:update", key, &(id, &body), &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), [store::endpoint::all()]).await?;
    let rules = results.all(store::endpoint::read)?;
    let before = match changeable(rules, id, if_match, &body) {
        Ok(rule) => rule,
        Err(problem) => return write.refuse(problem).await,
    };
    let after = Rule {
        pattern: body.pattern,
        methods: body.methods,
        requirement: body.requirement,
        version: before.version + 1,
        updated_at: write.now,
        updated_by: write.actor.clone(),
        ..before.clone()
    };
    write.change(store::endpoint::update(&after));
    write.record(Change {
        kind: "endpoint_rule.updated",
        entity: Some(id.uuid()),
        user: None,
        before: snapshot(&before),
        after: snapshot(&after),
    });
    let answer = Answer::ok(
        after.version,
        Saved {
            revision: write.revision,
            record: after,
        },
    );
    write.answer(&command, answer).await
}

fn changeable(rules: Vec<Rule>, id: RuleId, if_match: IfMatch, body: &RuleInput) -> Result<Rule, Problem> {
    let rule = rules.iter().find(|rule| rule.id == id);
    if_match.check(rule.ok_or_else(|| Problem::not_found("endpoint rule"))?.version)?;
    body.check(id, &rules)?;
    let rule = rules.into_iter().find(|rule| rule.id == id);
    rule.ok_or_else(|| Problem::not_found("endpoint rule"))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.update")
        .tag("iam")
        .summary("Replace an endpoint rule of the tenant")
        .response::<200, Versioned<Saved<Rule>>>()
}
