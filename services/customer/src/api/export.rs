//! `GET /api/customers/export`

use crate::conditions::Conditions;
use crate::export::csv::{Csv, MEDIA};
use crate::export::table::Table;
use crate::export::{Pages, answer};
use crate::model::{Customer, SCHEMA};
use crate::store::{self, export};
use crate::{App, ExportCustomers, ReadCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Query};
use stoa_kernel::openapi::LONG;
use stoa_kernel::{Allowed, Problem, Rights, Scope};
use stoa_types::{CustomerId, SegmentId};

const NDJSON: &str = "application/x-ndjson";

/// How the file is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FileKind {
    #[default]
    Csv,
    Ndjson,
}

/// What to export.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// `csv` (default) or `ndjson`.
    format: FileKind,
    /// Whether CSV begins with a byte order mark, which some spreadsheets need to read UTF-8.
    bom: bool,
    /// The beginning of the name, without regard to case and accents, or of the e-mail address.
    search: Option<String>,
    /// Only customers of this status.
    status: Option<CustomerStatus>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
    /// Clauses as in the list.
    filter: Option<String>,
    /// Only customers of this segment.
    segment: Option<SegmentId>,
    /// The columns, joined by commas; `custom.KEY` for a custom field. All unless given.
    fields: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    let mut op = op
        .id("exportCustomers")
        .tag(super::TAG)
        .summary("Export the customers that the caller may see as a file")
        .description(
            "A stream in the order of the ids, read in pages of 1,000: not one snapshot, so a customer that is changed \
             meanwhile is in it as it was or as it is, and one that is created may be missing. Cells that begin as a \
             formula (`=` `+` `-` `@`, also full-width, tab, line break) have a `'` in front, which an import takes off again. A \
             stream that breaks off does not end as HTTP says it should.",
        )
        .response_with::<200, String, _>(|response| response.description("CSV (RFC 4180), or one JSON object a line"));
    op.inner_mut().extensions.insert(LONG.to_owned(), true.into());
    super::media::produces(&mut op, &["text/csv", NDJSON]);
    op
}

pub(super) async fn handle(
    mut allowed: Allowed<ExportCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let mut tx = app.db.begin(&mut allowed.scope);
    store::all_fields(&mut tx);
    let rows = tx.commit().await?;
    let fields = store::fields(rows.first().map_or(&[], |r| r))?;
    let kind = parameters.format;
    let mut pages = CustomerPages {
        app,
        scope: allowed.scope,
        table: Table::new(parameters.fields.as_deref(), &fields)?,
        kind,
        conditions: Conditions {
            search: parameters.search,
            status: parameters.status,
            filter: parameters.filter,
            condition: None,
            segment: parameters.segment,
        },
        data_scope: parameters.data_scope,
        archived: parameters.archived,
        after: None,
        over: false,
    };
    let mut beginning = String::new();
    if kind == FileKind::Csv {
        let mut header = Csv::new(parameters.bom);
        pages.table.header(&mut header);
        beginning = header.take();
    }
    // The first page before the answer's head: what is wrong with the question is a problem, not a broken stream.
    if let Some(first) = pages.read().await? {
        beginning.push_str(&first);
    }
    let (media, file) = match kind {
        FileKind::Csv => (MEDIA, "customers.csv"),
        FileKind::Ndjson => (NDJSON, "customers.ndjson"),
    };
    Ok(answer(beginning.into(), pages, media, file))
}

struct CustomerPages {
    app: App,
    scope: Scope,
    table: Table,
    kind: FileKind,
    conditions: Conditions,
    data_scope: Option<DataScopeParam>,
    archived: bool,
    after: Option<CustomerId>,
    over: bool,
}

impl CustomerPages {
    /// The next page as text. What the caller holds is asked again for each: an export may take minutes.
    async fn read(&mut self) -> Result<Option<String>, Problem> {
        if self.over {
            return Ok(None);
        }
        let rights = Rights::<ExportCustomers>::of(&self.app.decisions, &self.scope).await?;
        let head = if self.archived {
            store::ARCHIVED
        } else {
            store::LIVE
        };
        let mut select = Select::new(head);
        self.conditions
            .add_to(&mut select, &self.app, &mut self.scope)
            .await?;
        select.and_rows(&rights.rows(self.data_scope.map(Into::into)), &SCHEMA);
        select.and_rows(&rights.rows_of::<ReadCustomers>(), &SCHEMA);
        export::page(&mut select, self.after);
        let rows = select.read(self.app.db.begin(&mut self.scope)).await?;
        let customers = store::customers(&rows)?;
        self.over = customers.len() < export::PAGE;
        self.after = customers.last().map(|customer| customer.id);
        self.text(&customers).map(Some)
    }

    fn text(&self, customers: &[Customer]) -> Result<String, Problem> {
        match self.kind {
            FileKind::Csv => {
                let mut rows = Csv::default();
                for customer in customers {
                    self.table.csv(customer, &mut rows)?;
                }
                Ok(rows.take())
            }
            FileKind::Ndjson => {
                let mut lines = String::new();
                for customer in customers {
                    self.table.ndjson(customer, &mut lines)?;
                }
                Ok(lines)
            }
        }
    }
}

impl Pages for CustomerPages {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Problem>> {
        Box::pin(async move { Ok(self.read().await?.map(Bytes::from)) })
    }
}
