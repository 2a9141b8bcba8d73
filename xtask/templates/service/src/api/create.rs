//! `POST /api/__resources__`

use crate::model::{__Resource__, __Resource__Input};
use crate::{App, Create__Resources__, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::__Resource__Id;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("create__Resource__")
        .tag(super::TAG)
        .summary("Create __a_resource__")
        .description("409 `__resources__.name_taken` when a live __resource__ has the name.")
        .response::<201, Created<__Resource__>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<Create__Resources__>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<__Resource__Input>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(SERVICE, "__resources__:create", key, &input, &allowed.scope, &app.clock)?;
    let record = Record::new(&allowed.scope.origin(), &app.clock);
    let __resource__ = __Resource__::new(__Resource__Id::new(), input, record);
    allowed.rights.to_become(&__resource__)?;
    let mut tx = match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(answer) => return Ok(answer),
    };
    store::insert(&mut tx, &__resource__);
    stoa_eventlog::append(&mut tx, &app.clock, &__resource__.created())?;
    let location = format!("/api/__resources__/{}", __resource__.id);
    let answer = Answer::created(location, __resource__.record.version, __resource__);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
