//! `POST /api/customers/imports/{id}/start`

use crate::api::operations::location;
use crate::import::mapping::{Target, targets};
use crate::import::step::Import;
use crate::import::{ColumnMapping, Defaults, FileFacts, KeyField, Mode, Settings, StoredUpload};
use crate::model::Field;
use crate::store::{self, import};
use crate::{App, CreateCustomers, ImportCustomers, SERVICE, UpdateCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use stoa_contracts::organization::FindBranches;
use stoa_contracts::user::FindUsers;
use stoa_eventlog::jobs::{self, NewJob, Operation};
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Rights};
use stoa_types::{BranchId, UploadId};

/// Without it every row that is a new customer would be refused.
const NO_BRANCH: &str = "nothing says in which branch new customers are, and you have no branch of your own: map a column to \
    branch, or give defaults.branchId (on the command line --branch ID); with the mode update none is needed";

/// How to import a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(example = &serde_json::json!({ "mode": "upsert", "dryRun": true }))]
pub(crate) struct ImportInput {
    /// Which column is which field; columns that are left out are ignored. The upload's own `mapping` unless given.
    mapping: Option<Vec<ColumnMapping>>,
    /// What rows are found by; with it given, a row whose cell is empty has no key. Unless given, each row's key is the
    /// first of `id`, `externalKey` and `email` whose column is mapped and whose cell is not empty; with `create` nothing.
    key: Option<KeyField>,
    /// What becomes of rows; `upsert` unless given.
    mode: Mode,
    /// Whether to judge every row and write none.
    dry_run: bool,
    /// What new customers get where their row says nothing.
    defaults: Defaults,
    /// Give up once more rows than this have failed; never unless given.
    max_errors: Option<u32>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("startCustomerImport")
        .tag(super::TAG)
        .summary("Import a file that was sent")
        .description(
            "The operation works through the file in batches of 500 rows. Each row is decided as a request would be, with \
             what the caller holds at that moment; a row that is refused is among the import's errors and does not stop \
             the others. Unless `key` is given, each row finds its customer by the first of `id`, `externalKey` and \
             `email` whose cell is not empty; a row without any is a new customer, or refused with `update`: an export is \
             imported again as it is. Of a customer that the caller may not see, no row says more than that a key is taken. \
             An empty cell of a mapped column empties the field (of owner, branch and status: leaves it). \
             422 `/defaults/branchId` when rows could become customers and neither a column, nor the defaults, nor the \
             caller's own branch says in which branch. 409 `operation.running` while the same file is being imported.",
        )
        .response::<202, Json<Operation>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ImportCustomers>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
    key: IdempotencyKey,
    Json(input): Json<ImportInput>,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "customers:startImport",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    if input.mode != Mode::Update {
        Rights::<CreateCustomers>::of(&app.decisions, &allowed.scope).await?;
    }
    if input.mode != Mode::Create {
        Rights::<UpdateCustomers>::of(&app.decisions, &allowed.scope).await?;
    }
    let defaults = defaults(&mut allowed, &app, input.defaults).await?;
    let (sender, all) = super::visible(&allowed);
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            import::find_upload(tx, id, sender, all);
            store::all_fields(tx);
        })
        .await?;
    let [upload, fields, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let fields = store::fields(fields)?;
    let verdict = import::upload(upload)?.ok_or_else(|| Problem::not_found(super::WHAT));
    let verdict = verdict.and_then(|upload| settings(upload, input, defaults, &fields));
    let (mut tx, settings) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let total = i64::try_from(settings.rows).ok();
    let job = NewJob::<Import>::new(settings)
        .total(total)
        .unique(id.to_string());
    let operation = jobs::enqueue(&mut tx, &app.clock, job)?;
    import::note_operation(&mut tx, id, operation.id);
    let answer = jobs::accepted(&operation, location(&operation));
    command.commit(tx, answer).await.map_err(jobs::conflict)
}

/// The defaults with the caller and the caller's branch; what was given must exist.
async fn defaults(
    allowed: &mut Allowed<ImportCustomers>,
    app: &App,
    given: Defaults,
) -> Result<Defaults, Problem> {
    let unknown =
        |pointer: &str, detail: &str| Problem::invalid(vec![FieldError::new(pointer, "unknown", detail)]);
    if let Some(owner) = given.owner {
        let keys = vec![owner.to_string()];
        let found = app.mesh.call(&mut allowed.scope, FindUsers { keys }).await?;
        if found.users.first() != Some(&Some(owner)) {
            return Err(unknown("/defaults/ownerId", "there is no such user"));
        }
    }
    if let Some(branch) = given.branch {
        let keys = vec![branch.to_string()];
        let found = app.mesh.call(&mut allowed.scope, FindBranches { keys }).await?;
        if found.branches.first() != Some(&Some(branch)) {
            return Err(unknown("/defaults/branchId", "there is no such live branch"));
        }
    }
    Ok(Defaults {
        owner: given.owner.or(allowed.scope.user()),
        branch: given.branch.or(allowed.caller().grants().branch.map(BranchId)),
        status: given.status,
    })
}

/// The input of the job.
fn settings(
    upload: StoredUpload,
    input: ImportInput,
    defaults: Defaults,
    fields: &[Field],
) -> Result<Settings, Problem> {
    let FileFacts {
        format,
        columns,
        mapping,
        rows,
        start,
        bytes,
        ..
    } = upload.facts;
    let live = fields.iter().filter(|field| !field.record.is_archived());
    let custom: Vec<_> = live
        .map(|field| (field.key.clone(), field.label.clone()))
        .collect();
    let mapping = input.mapping.unwrap_or(mapping);
    let targets = targets(&mapping, &columns, &custom)?;
    let is_mapped = |name: &str| {
        targets
            .iter()
            .flatten()
            .any(|t| matches!(t, Target::Field(f) if *f == name))
    };
    let mut keys = match (input.key, input.mode) {
        (Some(key), _) => vec![key],
        (None, Mode::Create) => Vec::new(),
        (None, Mode::Update | Mode::Upsert) => [KeyField::Id, KeyField::ExternalKey, KeyField::Email]
            .into_iter()
            .filter(|key| is_mapped(key.field()))
            .collect(),
    }
    .into_iter();
    let (key, other_keys) = (keys.next(), keys.collect());
    let required =
        |pointer: &str, detail: String| Problem::invalid(vec![FieldError::new(pointer, "required", detail)]);
    if let Some(key) = key.filter(|key| !is_mapped(key.field())) {
        let detail = format!(
            "no column is mapped to {}, by which rows are to be found",
            key.field()
        );
        return Err(required("/mapping", detail));
    }
    if key.is_none() && input.mode == Mode::Update {
        return Err(required(
            "/key",
            "map a column to externalKey, id or email, to find customers by".to_owned(),
        ));
    }
    if input.mode != Mode::Update && !is_mapped("name") {
        return Err(required(
            "/mapping",
            "map a column to name, which new customers need".to_owned(),
        ));
    }
    if input.mode != Mode::Update && defaults.branch.is_none() && !is_mapped("branch") {
        return Err(required("/defaults/branchId", NO_BRANCH.to_owned()));
    }
    let fields = targets.iter().map(|target| match target {
        Some(target) => target.to_string(),
        None => "ignore".to_owned(),
    });
    Ok(Settings {
        upload: upload.id,
        format,
        fields: fields.collect(),
        columns,
        start,
        bytes,
        rows,
        key,
        other_keys,
        mode: input.mode,
        dry_run: input.dry_run,
        defaults,
        max_errors: input.max_errors,
    })
}
