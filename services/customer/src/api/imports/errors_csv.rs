//! `GET /api/customers/imports/{id}/errors.csv`

use super::super::operations::Errors;
use super::OfOperation;
use crate::export::csv::{Csv, MEDIA};
use crate::export::{Pages, answer};
use crate::import::formula::unescape;
use crate::import::{Fault, OperationError};
use crate::store::operation;
use crate::{App, ImportCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use stoa_kernel::http::{ListQuery, Path, Query};
use stoa_kernel::openapi::LONG;
use stoa_kernel::{Allowed, Problem, Scope};
use stoa_types::{MAX_LIMIT, OperationId, UploadId};

/// The columns behind the file's own.
const ADDED: [&str; 5] = ["Row", "Faulty column", "Rule", "Message", "Not read"];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let mut op = op
        .id("exportCustomerImportErrors")
        .tag(super::TAG)
        .summary("Read the rows that could not be imported as CSV, to correct and import again")
        .description(
            "The file's own columns, and behind them the row's number, the faulty columns, the rules, what they say, and the \
             text that belongs to no column: cells beyond the last, a line that is not JSON, or the first 200 characters of \
             a row of CSV that cannot be read. \
             Cells that begin as a formula have a `'` in front, which an import takes off again.",
        )
        .response_with::<200, String, _>(|response| response.description("CSV (RFC 4180)"));
    op.inner_mut().extensions.insert(LONG.to_owned(), true.into());
    crate::api::media::produces(&mut op, &["text/csv"]);
    op
}

pub(super) async fn handle(
    mut allowed: Allowed<ImportCustomers>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
    Query(parameters): Query<OfOperation>,
) -> Result<Response, Problem> {
    let (stored, operation) = super::with_operation(&mut allowed, &app, id, parameters.operation).await?;
    let columns = stored.facts.columns;
    let mut header = Csv::new(true);
    columns
        .iter()
        .map(String::as_str)
        .chain(ADDED)
        .for_each(|column| header.text(column));
    header.end();
    let pages = ErrorPages {
        app,
        scope: allowed.scope,
        width: columns.len(),
        operation,
        cursor: None,
    };
    let file = format!("import-{id}-errors.csv");
    Ok(answer(header.take().into(), pages, MEDIA, &file))
}

struct ErrorPages {
    app: App,
    scope: Scope,
    width: usize,
    /// Of which the errors are; none before the import was started, or after the last page.
    operation: Option<OperationId>,
    cursor: Option<String>,
}

impl Pages for ErrorPages {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Problem>> {
        Box::pin(async move {
            let Some(operation) = self.operation else {
                return Ok(None);
            };
            let query = ListQuery {
                limit: Some(MAX_LIMIT),
                cursor: self.cursor.take(),
                sort: None,
            };
            let plan = query.plan(operation::ERROR_SORT)?;
            let page = Errors {
                operation,
                plan,
                whole: true,
            }
            .page(&self.app, &mut self.scope)
            .await?;
            let mut rows = Csv::default();
            for error in &page.items {
                push(&mut rows, error, self.width);
            }
            self.cursor = page.next_cursor;
            if self.cursor.is_none() {
                self.operation = None;
            }
            Ok(Some(Bytes::from(rows.take())).filter(|bytes| !bytes.is_empty()))
        })
    }
}

fn push(rows: &mut Csv, error: &OperationError, width: usize) {
    let cells = error.cells.as_deref().unwrap_or_default();
    for n in 0..width {
        // As they were in the file: what was made harmless there is so already.
        let cell = cells.get(n).map_or("", String::as_str);
        rows.text(unescape(cell));
    }
    rows.plain(&error.row.to_string());
    let joined = |part: fn(&Fault) -> Option<&str>| {
        error
            .faults
            .iter()
            .filter_map(part)
            .collect::<Vec<_>>()
            .join("; ")
    };
    rows.text(&joined(|fault| fault.column.as_deref()));
    rows.text(&joined(|fault| Some(&fault.rule)));
    rows.text(&joined(|fault| Some(&fault.detail)));
    let rest = cells.get(width..).unwrap_or_default().iter();
    rows.text(&rest.map(|cell| unescape(cell)).collect::<Vec<_>>().join(","));
    rows.end();
}
