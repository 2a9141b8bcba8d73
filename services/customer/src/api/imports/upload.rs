//! `POST /api/customers/imports`

use crate::import::charset::Charset;
use crate::import::intake::Intake;
use crate::import::mapping::guessed;
use crate::import::rows::Format;
use crate::import::{FileFacts, StoredUpload, Upload};
use crate::store::{self, import};
use crate::{App, ImportCustomers, SERVICE, error};
use aide::transform::TransformOperation;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::response::Response;
use encoding_rs::Encoding;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Query};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::openapi::{LARGE_BODY, LONG};
use stoa_kernel::{Allowed, FieldError, Problem, Scope};
use stoa_types::UploadId;

/// How much of the body is taken at a time: a packed piece may become a thousand times its size.
const PIECE: usize = 4 << 10;
/// How many chunks are written at a time.
const CHUNKS: usize = 4;
/// The most files of a tenant, and the bytes of text in them beyond which no other is taken: they are kept for days.
const MAX_FILES: i64 = 500;
const MAX_KEPT: i64 = 4 << 30;
/// How much of a refused body is still read, so that the client can finish sending and see the refusal.
const COURTESY: usize = 16 << 20;

/// What a client knows of its file.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// The encoding, such as `utf-8`, `utf-16le` or `windows-1252`; found unless given here or as the charset of
    /// Content-Type.
    encoding: Option<String>,
    /// What stands between cells: `,` `;` `|` or `tab`; found unless given.
    delimiter: Option<String>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let mut op = op
        .id("uploadCustomerImport")
        .tag(super::TAG)
        .summary("Send a file of customers to be imported")
        .description(
            "CSV with a header, or one JSON object a line; packed with gzip or not. The answer shows what the file turned \
             out to be, its first rows, and which column most likely is which field; nothing is imported before \
             `start`. At most 256 MiB (server.max_upload_bytes) that unpack to at most 1 GiB, 200 columns, and 32 KiB a \
             cell. Kept for seven days; a file that does not arrive whole for one. 409 `customers.too_many_uploads` while \
             the tenant keeps 500 files, or 4 GiB of text.",
        )
        .response::<201, Created<Upload>>();
    let extensions = &mut op.inner_mut().extensions;
    extensions.insert(LARGE_BODY.to_owned(), true.into());
    extensions.insert(LONG.to_owned(), true.into());
    let example = "name,email\nAcme Corporation,office@acme.example\n";
    crate::api::media::consumes(
        &mut op,
        &["text/csv", "application/x-ndjson", "application/gzip"],
        example,
    );
    op
}

pub(super) async fn handle(
    mut allowed: Allowed<ImportCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
    key: IdempotencyKey,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut receiver = Receiver {
        app: &app,
        id: UploadId::new(),
        intake: intake(&parameters, &headers)?,
        digest: Sha256::new(),
        chunks: 0,
        at: app.clock.now(),
    };
    let mut frames = body.into_data_stream();
    receiver.begin(&mut allowed.scope).await?;
    let received = receiver.receive(&mut allowed.scope, &mut frames).await;
    let facts = match received {
        Ok(facts) => facts,
        Err(problem) => {
            receiver.forget(&mut allowed.scope).await;
            finish_reading(frames).await;
            return Err(problem);
        }
    };
    let completed = receiver.complete(&mut allowed, key, &parameters, facts).await;
    if !matches!(completed, Ok((_, true))) {
        receiver.forget(&mut allowed.scope).await;
    }
    completed.map(|(answer, _)| answer)
}

/// The reader of the file, told what is known of it.
fn intake(parameters: &Parameters, headers: &HeaderMap) -> Result<Intake, Problem> {
    let coding = headers
        .get(header::CONTENT_ENCODING)
        .map_or("identity", |v| v.to_str().unwrap_or("?"));
    if !matches!(coding, "identity" | "gzip" | "x-gzip") {
        return Err(unsupported(&format!(
            "{coding} is not understood; send the file plain or as gzip"
        )));
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let format = match media.as_str() {
        "text/csv"
        | "application/csv"
        | "text/tab-separated-values"
        | "text/plain"
        | "application/vnd.ms-excel" => None,
        "application/gzip" | "application/x-gzip" | "application/octet-stream" | "" => None,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
        other => {
            let detail = format!("{other} is not understood; send text/csv or application/x-ndjson");
            return Err(unsupported(&detail));
        }
    };
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let charset = charset.map(|(_, value)| value.trim_matches('"').to_owned());
    let encoding = match parameters.encoding.as_ref().or(charset.as_ref()) {
        Some(label) => Some(encoding(label)?),
        None => None,
    };
    let stated = parameters.delimiter.as_deref().map(delimiter).transpose()?;
    let format = stated.map(|delimiter| Format::Csv { delimiter }).or(format);
    Ok(Intake::new(encoding, format))
}

fn encoding(label: &str) -> Result<&'static Encoding, Problem> {
    Charset::named(label).ok_or_else(|| {
        let detail = format!("`{label}` is not an encoding such as utf-8 or windows-1252");
        Problem::invalid(vec![FieldError::new("encoding", "unknown", detail)])
    })
}

fn delimiter(text: &str) -> Result<u8, Problem> {
    match text {
        "," => Ok(b','),
        ";" => Ok(b';'),
        "|" => Ok(b'|'),
        "\t" | "tab" => Ok(b'\t'),
        _ => {
            let detail = "must be `,` `;` `|` or `tab`";
            Err(Problem::invalid(vec![FieldError::new(
                "delimiter",
                "unknown",
                detail,
            )]))
        }
    }
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "request.media_type",
        "Unsupported media type",
        detail,
    )
}

/// Takes a file and writes it down in chunks, each committed before more of the body is read.
struct Receiver<'a> {
    app: &'a App,
    id: UploadId,
    intake: Intake,
    digest: Sha256,
    chunks: i32,
    at: Timestamp,
}

impl Receiver<'_> {
    async fn begin(&self, scope: &mut Scope) -> Result<(), Problem> {
        let sender = scope.actor().to_string();
        let mut tx = self.app.db.begin(scope);
        import::count_uploads(&mut tx);
        let rows = tx.flush().await?;
        let (files, bytes) = import::kept(rows.first().map_or(&[], |r| r))?;
        if files >= MAX_FILES || bytes >= MAX_KEPT {
            return tx.refuse(error::too_many_uploads()).await;
        }
        import::insert_upload(&mut tx, self.id, self.at, sender);
        tx.commit().await?;
        Ok(())
    }

    async fn receive(
        &mut self,
        scope: &mut Scope,
        frames: &mut BodyDataStream,
    ) -> Result<FileFacts, Problem> {
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|error| {
                let detail = format!("the body broke off: {error}; send the file again");
                Problem::bad_request("request.body", detail)
            })?;
            self.digest.update(&frame);
            for piece in frame.chunks(PIECE) {
                self.intake.push(piece)?;
                self.store(scope, false).await?;
            }
        }
        let about = self.intake.finish()?;
        self.store(scope, true).await?;
        Ok(FileFacts::new(about, Vec::new()))
    }

    /// Writes the chunks that are whole; with `last`, all.
    async fn store(&mut self, scope: &mut Scope, last: bool) -> Result<(), Problem> {
        loop {
            let mut tx = self.app.db.begin(scope);
            let before = self.chunks;
            for _ in 0..CHUNKS {
                let Some(chunk) = self.intake.chunk(last) else {
                    break;
                };
                import::insert_chunk(&mut tx, self.id, self.chunks, chunk);
                self.chunks += 1;
            }
            if self.chunks == before {
                return Ok(());
            }
            tx.commit().await?;
        }
    }

    /// Finishes the upload, unless the same request has done so before: then its answer, and `false`.
    async fn complete(
        &self,
        allowed: &mut Allowed<ImportCustomers>,
        key: IdempotencyKey,
        parameters: &Parameters,
        mut facts: FileFacts,
    ) -> Result<(Response, bool), Problem> {
        let digest = hex::encode(self.digest.clone().finalize());
        let app = self.app;
        let command = Command::new(
            SERVICE,
            "customers:upload",
            key,
            &(digest, parameters),
            &allowed.scope,
            &app.clock,
        )?;
        let created_by = allowed.scope.actor().to_string();
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, store::all_fields)
            .await?;
        let fields = store::fields(rows.first().map_or(&[], |r| r))?;
        let live = fields.into_iter().filter(|field| !field.record.is_archived());
        let custom: Vec<_> = live.map(|field| (field.key, field.label)).collect();
        facts.mapping = guessed(&facts.columns, &custom);
        let mut tx = match begun.judged(Ok(())).await? {
            ControlFlow::Continue((tx, ())) => tx,
            ControlFlow::Break(answer) => return Ok((answer, false)),
        };
        import::complete_upload(&mut tx, self.id, &facts)?;
        let upload = Upload::from(StoredUpload {
            id: self.id,
            created_at: self.at,
            created_by,
            facts,
            operation_id: None,
        });
        let location = format!("/api/customers/imports/{}", self.id);
        Ok((
            command.commit(tx, Answer::created(location, 1, upload)).await?,
            true,
        ))
    }

    /// Forgets what was written; what cannot be forgotten now is swept later.
    async fn forget(&self, scope: &mut Scope) {
        let mut tx = self.app.db.begin(scope);
        import::delete_upload(&mut tx, self.id);
        if let Err(error) = tx.commit().await {
            tracing::debug!(%error, upload = %self.id, "left to the sweep");
        }
    }
}

/// Reads on for a while without keeping anything: HTTP/1.1 clients see no answer before they have sent their body.
async fn finish_reading(mut frames: BodyDataStream) {
    let mut left = COURTESY;
    while let Some(Ok(frame)) = frames.next().await {
        left = left.saturating_sub(frame.len());
        if left == 0 {
            return;
        }
    }
}
