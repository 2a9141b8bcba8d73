//! One step of an import: some rows, read, decided, written and counted in one transaction.

use super::intake::CHUNK;
use super::mapping::Target;
use super::piece::{FileRow, Piece, ROWS, Taking};
use super::plan::{Batch, Counts, Holder, Known, Surroundings};
use super::reading::{References, Said, mentioned};
use super::rows::{Fault, Place};
use super::{KeyField, Mode, Settings};
use crate::store::bulk::Changes;
use crate::store::operation::{self, Failure};
use crate::store::{self, bulk, import};
use crate::{App, CreateCustomers, ImportCustomers, UpdateCustomers};
use serde::{Deserialize, Serialize};
use stoa_contracts::organization::FindBranches;
use stoa_contracts::user::FindUsers;
use stoa_eventlog::jobs::{JobKind, Next, Step, StepError};
use stoa_kernel::{DbError, Problem, Rights, Scope};
use uuid::Uuid;

/// When a constraint refuses a batch, because somebody else was quicker, smaller ones are tried: of one row it is known
/// which is at fault.
const SIZES: [usize; 3] = [ROWS, 25, 1];
/// How many chunks are read at a time: 500 rows of 500 bytes.
const CHUNKS: i64 = 2;

/// The job.
pub(crate) enum Import {}

impl JobKind for Import {
    const NAME: &'static str = "customer.import";
    type Input = Settings;
    type State = State;
}

/// Where an import stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    /// Bytes of text that are done; 0 before the first step.
    at: u64,
    /// What stands there, which may be the inside of a row that is too long.
    place: Place,
    /// How that row begins.
    beginning: String,
    /// Rows that are done.
    rows: i64,
    /// Bytes of the errors that are kept.
    kept: i64,
    #[serde(flatten)]
    result: ImportResult,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ImportResult {
    created: i64,
    updated: i64,
    unchanged: i64,
    failed: i64,
    dry_run: bool,
}

/// Runs a step.
pub(crate) async fn run(app: App, mut step: Step<Import>) -> Result<Next, StepError> {
    let holder = holder(&app, &step.input, &step.scope).await?;
    // Here as well as at the end of a step: its process may die between the commit and the verdict.
    give_up(&step.input, &step.state.result)?;
    let at = step.state.at.max(step.input.start);
    let piece = read(&app, &mut step, at).await?;
    let targets = step.input.targets();
    let references = resolve(&app, &mut step.scope, &step.input, &targets, &piece.rows).await?;
    for size in SIZES {
        let rows = piece.rows.get(..size.min(piece.rows.len())).unwrap_or_default();
        let last = piece.last && rows.len() == piece.rows.len();
        let batch = Portion {
            rows,
            piece: &piece,
            last,
            at,
            targets: &targets,
            references: &references,
            holder: &holder,
            refused: None,
        };
        match batch.write(&app, &mut step).await {
            Err(Stopped::ByConstraint(name)) if size == 1 => {
                let batch = Portion {
                    refused: Some(refusal(&name)),
                    ..batch
                };
                return batch.write(&app, &mut step).await.map_err(StepError::from);
            }
            Err(Stopped::ByConstraint(_)) => {}
            Err(Stopped::Other(error)) => return Err(error),
            Ok(next) => return Ok(next),
        }
    }
    Err(StepError::Retry("constraints refused every batch".to_owned()))
}

/// What the user of the import holds at this moment; without it the import is over.
async fn holder(app: &App, settings: &Settings, scope: &Scope) -> Result<Holder, Problem> {
    Rights::<ImportCustomers>::of(&app.decisions, scope).await?;
    let create = match settings.mode {
        Mode::Update => None,
        Mode::Create | Mode::Upsert => Some(Rights::<CreateCustomers>::of(&app.decisions, scope).await?),
    };
    let update = match settings.mode {
        Mode::Create => None,
        Mode::Update | Mode::Upsert => Some(Rights::<UpdateCustomers>::of(&app.decisions, scope).await?),
    };
    Ok(Holder { create, update })
}

/// Reads rows from where the import stands: enough chunks for a step, of which only the rows are kept.
async fn read(app: &App, step: &mut Step<Import>, at: u64) -> Result<Piece, StepError> {
    let settings = &step.input;
    let chunk = CHUNK as u64;
    let (mut n, mut skip) = (at / chunk, usize::try_from(at % chunk).unwrap_or(0));
    let mut taking = Taking::new(
        settings.format,
        &settings.columns,
        step.state.place,
        &step.state.beginning,
    );
    loop {
        let mut tx = app.db.begin(&mut step.scope);
        let first = i32::try_from(n).unwrap_or(i32::MAX);
        import::find_chunks(&mut tx, settings.upload, first, CHUNKS);
        let rows = tx.commit().await?;
        let chunks = rows.first().map_or(&[][..], |rows| rows);
        if chunks.is_empty() {
            if n * chunk < settings.bytes {
                return Err(gone().into());
            }
            taking.push(&[], true);
            return Ok(taking.piece());
        }
        for row in chunks {
            n += 1;
            let text = import::chunk(row)?.get(skip..).unwrap_or_default();
            skip = 0;
            if taking.push(text, n * chunk >= settings.bytes) {
                return Ok(taking.piece());
            }
        }
    }
}

fn gone() -> Problem {
    Problem::conflict(
        "customers.upload_gone",
        "the file is no longer kept; send it again",
    )
}

/// Asks who and which the owners and branches are that the rows name, all at once.
async fn resolve(
    app: &App,
    scope: &mut Scope,
    settings: &Settings,
    targets: &[Option<Target>],
    rows: &[FileRow],
) -> Result<References, StepError> {
    let cells = rows.iter().filter_map(|row| row.cells.as_deref().ok());
    let (owners, branches) = mentioned(settings, targets, cells);
    let mut references = References::default();
    if !owners.is_empty() {
        let keys = owners.clone();
        let found = app.mesh.call(scope, FindUsers { keys }).await?;
        references.owners = owners.into_iter().zip(found.users).collect();
    }
    if !branches.is_empty() {
        let keys = branches.clone();
        let found = app.mesh.call(scope, FindBranches { keys }).await?;
        references.branches = branches.into_iter().zip(found.branches).collect();
    }
    Ok(references)
}

/// What a unique index refused, when the row of a batch is alone.
fn refusal(constraint: &str) -> Fault {
    let detail = match constraint {
        "customer_email_live" => "another customer has this e-mail address",
        "customer_external_key_live" => "this key is taken",
        _ => "the row contradicts another customer",
    };
    Fault::of_row("unique", detail)
}

/// Why a batch was not written.
enum Stopped {
    ByConstraint(String),
    Other(StepError),
}

impl From<DbError> for Stopped {
    fn from(error: DbError) -> Self {
        match error.constraint() {
            Some(name @ ("customer_email_live" | "customer_external_key_live")) => {
                Self::ByConstraint(name.to_owned())
            }
            _ => Self::Other(error.into()),
        }
    }
}

impl From<Stopped> for StepError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::ByConstraint(name) => Self::Retry(format!("{name} refused the batch")),
            Stopped::Other(error) => error,
        }
    }
}

/// The rows of one transaction.
#[derive(Clone)]
struct Portion<'a> {
    rows: &'a [FileRow],
    piece: &'a Piece,
    last: bool,
    at: u64,
    targets: &'a [Option<Target>],
    references: &'a References,
    holder: &'a Holder,
    /// Why the only row is refused, once that is known.
    refused: Option<Fault>,
}

impl Portion<'_> {
    async fn write(&self, app: &App, step: &mut Step<Import>) -> Result<Next, Stopped> {
        let settings = &step.input;
        let origin = step.scope.origin();
        let mut tx = app.db.begin(&mut step.scope);
        let (keys, emails, externals) = self.looked_up(settings);
        bulk::by_index(&mut tx);
        if settings.key.is_some() {
            bulk::lock_by_keys(&mut tx, keys);
        }
        bulk::find_taken(&mut tx, emails, externals);
        store::all_fields(&mut tx);
        let mut found = tx.flush().await?;
        let fields = store::fields(&found.pop().unwrap_or_default())?;
        let known = Known {
            keys: bulk::taken(&found.pop().unwrap_or_default())?,
            emails: bulk::taken(&found.pop().unwrap_or_default())?,
            customers: match settings.key {
                Some(_) => store::customers(&found.pop().unwrap_or_default())?,
                None => Vec::new(),
            },
        };
        let around = Surroundings {
            settings,
            targets: self.targets,
            fields: &fields,
            references: self.references,
            holder: self.holder,
            origin: &origin,
            clock: &app.clock,
        };
        let mut state = step.state.clone();
        let (changes, counts, failures) = self.decide(around, known, state.rows);
        if !settings.dry_run {
            bulk::write(&mut tx, &app.clock, &changes, &fields)?;
        }
        let kept = operation::to_keep(&failures, state.result.failed, &mut state.kept);
        operation::add_errors(&mut tx, step.id, kept, app.clock.now())?;
        state.advance(self, counts, failures.len() as i64, settings.dry_run);
        if self.last {
            step.ticket.save(&mut tx, &state, state.rows, Some(state.rows))?;
            step.ticket.finish(&mut tx, &state.result)?;
        } else {
            let total = i64::try_from(settings.rows).ok();
            step.ticket.save(&mut tx, &state, state.rows, total)?;
        }
        tx.commit().await?;
        if self.last {
            return Ok(Next::Finished);
        }
        give_up(settings, &state.result)
            .map(|()| Next::Again)
            .map_err(|problem| Stopped::Other(StepError::Fail(problem)))
    }

    /// What the rows find their customers by, and the e-mail addresses and external keys that they name besides.
    fn looked_up(&self, settings: &Settings) -> (bulk::Keys, Vec<String>, Vec<String>) {
        let (mut keys, mut emails, mut externals) = (bulk::Keys::default(), Vec::new(), Vec::new());
        for cells in self.rows.iter().filter_map(|row| row.cells.as_ref().ok()) {
            let said = Said {
                columns: &settings.columns,
                targets: self.targets,
                cells,
                escaped: settings.is_csv(),
            };
            let full = |field| said.cell(field).filter(|cell| !cell.is_empty());
            emails.extend(full("email").map(str::to_lowercase));
            match said.key(settings.keys()) {
                Ok(Some((KeyField::ExternalKey, key))) => {
                    keys.external_keys.push(key);
                    continue;
                }
                Ok(Some((KeyField::Email, email))) => keys.emails.push(email),
                Ok(Some((KeyField::Id, id))) => keys.ids.extend(id.parse::<Uuid>().ok()),
                Ok(None) | Err(_) => {}
            }
            externals.extend(full("externalKey").map(str::to_owned));
        }
        (keys, emails, externals)
    }

    fn decide(&self, around: Surroundings<'_>, known: Known, done: i64) -> (Changes, Counts, Vec<Failure>) {
        // Of CSV the header is row 1; of NDJSON a row is a line.
        let first = if around.settings.is_csv() { 2 } else { 1 };
        let mut batch = Batch::new(around, known);
        let mut failures = Vec::new();
        for (position, row) in (done + first..).zip(self.rows) {
            let outcome = match (&row.cells, &self.refused) {
                (Err(fault), _) => Err(vec![fault.clone()]),
                (_, Some(fault)) => Err(vec![fault.clone()]),
                (Ok(cells), None) => batch.row(cells),
            };
            if let Err(faults) = outcome {
                failures.push(Failure {
                    position,
                    customer_id: None,
                    faults,
                    cells: row.cells.as_ref().ok().or(row.unread.as_ref()).cloned(),
                });
            }
        }
        let counts = batch.counts;
        (batch.changes(), counts, failures)
    }
}

impl State {
    fn advance(&mut self, portion: &Portion<'_>, counts: Counts, failed: i64, dry_run: bool) {
        let (taken, place, beginning) = match portion.rows.last() {
            Some(row) => (row.end, Place::Row, String::new()),
            None => (
                portion.piece.taken,
                portion.piece.place,
                portion.piece.beginning.clone(),
            ),
        };
        (self.at, self.place, self.beginning) = (portion.at + taken, place, beginning);
        self.rows += portion.rows.len() as i64;
        let result = &mut self.result;
        result.created += counts.created;
        result.updated += counts.updated;
        result.unchanged += counts.unchanged;
        result.failed += failed;
        result.dry_run = dry_run;
    }
}

/// An import with more errors than it may have is over.
fn give_up(settings: &Settings, result: &ImportResult) -> Result<(), Problem> {
    match settings.max_errors {
        Some(most) if result.failed > i64::from(most) => Err(too_many(most, result)),
        _ => Ok(()),
    }
}

fn too_many(most: u32, result: &ImportResult) -> Problem {
    let ImportResult {
        created,
        updated,
        unchanged,
        failed,
        ..
    } = result;
    Problem::conflict(
        "customers.too_many_errors",
        format!(
            "{failed} rows failed, more than {most}; by then {created} were created, {updated} updated and {unchanged} \
             unchanged, and they stay so. Correct the file, and import it again"
        ),
    )
}
