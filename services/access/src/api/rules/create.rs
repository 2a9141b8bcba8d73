//! `POST /api/iam/endpoint-rules`

use crate::model::{Rule, RuleInput, Saved};
use crate::store::{self, Change, PolicyWrite, snapshot};
use crate::{App, SERVICE, WritePolicy};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::RuleId;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<WritePolicy>,
    key: IdempotencyKey,
    Json(body): Json<RuleInput>,
) -> Result<Response, Problem> {
    let body = body.normalised();
    let clock = &app.context.clock;
    let command = Command::new(SERVICE, "rule:create", key, &body, &allowed.scope, clock)?;
    let tx = match command.begin(&app.context.db.app, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return Ok(response),
    };
    let (mut write, mut results) = PolicyWrite::lock(tx, clock.now(), [store::endpoint::all()]).await?;
    let id = RuleId::new();
    if let Err(problem) = body.check(id, &results.all(store::endpoint::read)?) {
        return write.refuse(problem).await;
    }
    let rule = Rule {
        id,
        pattern: body.pattern,
        methods: body.methods,
        requirement: body.requirement,
        version: 1,
        created_at: write.now,
        created_by: write.actor.clone(),
        updated_at: write.now,
        updated_by: write.actor.clone(),
    };
    write.change(store::endpoint::insert(write.tenant(), &rule));
    write.record(Change {
        kind: "endpoint_rule.created",
        entity: Some(id.uuid()),
        user: None,
        before: None,
        after: snapshot(&rule),
    });
    let saved = Saved {
        revision: write.revision,
        record: rule,
    };
    let location = format!("/api/iam/endpoint-rules/{id}");
    write.answer(&command, Answer::created(location, 1, saved)).await
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.endpointRules.create")
        .tag("iam")
        .summary("Add an endpoint rule of the tenant")
        .description(
            "It holds for the tenant's signed-in callers, in every process within milliseconds. The most specific \
             pattern wins; for the same pattern and method the tenant's rule wins over the platform's. Without any \
             rule a request is refused.",
        )
        .response::<201, Created<Saved<Rule>>>()
}
