//! A database with the jobs of a service `user`, whose schema must be quoted everywhere, and a kind of job whose steps
//! note what they did.

use crate::harness::{PASSWORD, options};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use stoa_eventlog::jobs::{
    self, JobKind, NewJob, Next, Operation, OperationStatus, Step, StepError, View, Worker,
};
use stoa_kernel::config::{ConfigError, Role};
use stoa_kernel::db::Pools;
use stoa_kernel::migrate::{Migration, Schema};
use stoa_kernel::scope::JobEnvelope;
use stoa_kernel::service::Task;
use stoa_kernel::{Actor, Clock, Database, Problem, Scope};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_types::{OperationId, TenantId, UserId};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const SERVICE: &str = "user";
const PATIENCE: Duration = Duration::from_secs(20);

const USER: Schema = Schema {
    name: SERVICE,
    migrations: &[Migration {
        name: "0001_init",
        sql: "call stoa.job_table('user');
              -- Without a key: an effect that happens twice must be seen.
              create table \"user\".effect (
                position bigint generated always as identity, tenant_id uuid not null, job uuid not null,
                step bigint not null, acted text not null, correlation uuid not null);
              create index on \"user\".effect (tenant_id, job);
              call stoa.tenant_table('\"user\".effect');",
    }],
};

/// A kind of job that counts, an effect a step.
pub(crate) struct Count;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Steps {
    pub(crate) steps: i64,
    /// What a step shall do: see [`count`].
    pub(crate) wish: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct At {
    pub(crate) step: i64,
}

impl JobKind for Count {
    const NAME: &'static str = "user.count";
    type Input = Steps;
    type State = At;
}

/// Another kind, which does the same.
pub(crate) struct Other;

impl JobKind for Other {
    const NAME: &'static str = "user.other";
    type Input = Steps;
    type State = At;
}

pub(crate) fn wish(steps: i64, wish: &str) -> NewJob<Count> {
    NewJob::new(Steps {
        steps,
        wish: wish.to_owned(),
    })
}

/// Where steps that wish so wait for the test.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    opened: Option<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            reached: Notify::new(),
            opened: Some(Semaphore::new(0)),
        })
    }

    /// A gate that holds nobody up.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Returns when a step waits.
    pub(crate) async fn reached(&self) {
        tokio::time::timeout(PATIENCE, self.reached.notified())
            .await
            .expect("no step came to the gate in time");
    }

    /// Lets one step go on.
    pub(crate) fn let_one_go(&self) {
        self.opened.as_ref().unwrap().add_permits(1);
    }

    async fn pass(&self) {
        if let Some(opened) = &self.opened {
            self.reached.notify_one();
            opened.acquire().await.unwrap().forget();
        }
    }
}

/// One step: its effect and where the work stands, or its end, in one transaction.
pub(crate) async fn count(db: Database, gate: Arc<Gate>, mut step: Step<Count>) -> Result<Next, StepError> {
    let wish = step.input.wish.clone();
    match wish.as_str() {
        "retry" => return Err(StepError::Retry("not now".into())),
        "fail" => return Err(StepError::Fail(Problem::conflict("user.never", "never"))),
        "panic" => panic!("as wished"),
        "done" => return Ok(Next::Done(json!({ "by": "returning" }))),
        "pretend" => return Ok(Next::Finished),
        "hold" => gate.pass().await,
        _ => {}
    }
    step.state.step += 1;
    let (at, steps) = (step.state.step, step.input.steps);
    let acted = step.scope.actor().to_string();
    let mut tx = db.begin(&mut step.scope);
    let correlation = tx.origin().correlation;
    let params = stoa_kernel::params![tx.tenant(), step.id.uuid(), at, acted, correlation];
    tx.defer(
        "insert into \"user\".effect (tenant_id, job, step, acted, correlation) values ($1, $2, $3, $4, $5)",
        params,
    );
    if at < steps {
        step.ticket.save(&mut tx, &step.state, at, Some(steps))?;
    } else {
        step.ticket.finish(&mut tx, &json!({ "steps": at }))?;
    }
    if wish == "hold open" {
        tx.flush().await?;
        gate.pass().await;
    }
    tx.commit().await?;
    if wish == "hold after" {
        gate.pass().await;
    }
    Ok(if at < steps { Next::Again } else { Next::Finished })
}

/// The service `user` on a database of its own.
pub(crate) struct Desk {
    pub(crate) pools: Pools,
    pub(crate) clock: Clock,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) admin: tokio_postgres::Client,
    _database: TestDatabase,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let server = postgres::shared().await.unwrap();
        let template = server
            .template("jobs", |database| async move {
                let superuser = database.superuser_config();
                let password = String::from_utf8(superuser.get_password().unwrap().to_vec())?;
                let mut options = options(&superuser, superuser.get_user().unwrap(), &password);
                options.on_connect = None;
                let passwords = |_: &str, _: Role| -> Result<String, ConfigError> { Ok(PASSWORD.to_owned()) };
                let schemas = [stoa_eventlog::SCHEMA, USER];
                stoa_kernel::migrate::migrate(&options, &schemas, &passwords, &[], &mut |_| {}).await
            })
            .await
            .unwrap();
        let database = server.create_database(Some(&template)).await.unwrap();
        let config = database.superuser_config();
        let open = |role: &str| Database::open(&options(&config, role, PASSWORD)).unwrap();
        Self {
            pools: Pools {
                app: open("stoa_user_app"),
                system: open("stoa_user_system"),
            },
            clock: Clock::adjustable(),
            tenant: TenantId::new(),
            user: UserId::new(),
            admin: database.connect_as_superuser().await.unwrap(),
            _database: database,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The scope of a request of `user` in `tenant`.
    pub(crate) fn scope_of(&self, tenant: TenantId, user: UserId) -> Scope {
        let envelope = JobEnvelope {
            tenant,
            handler: "user.test",
            actor: Actor::User(user),
            causation: None,
            correlation: stoa_types::new_id(),
            traceparent: None,
        };
        Scope::from_job(&envelope, PATIENCE)
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope_of(self.tenant, self.user)
    }

    pub(crate) async fn queue_in<K: JobKind>(
        &self,
        tenant: TenantId,
        job: NewJob<K>,
    ) -> Result<Operation, Problem> {
        let mut scope = self.scope_of(tenant, self.user);
        let mut tx = self.pools.app.begin(&mut scope);
        let operation = jobs::enqueue(&mut tx, &self.clock, job)?;
        tx.commit().await.map_err(jobs::conflict)?;
        Ok(operation)
    }

    pub(crate) async fn queue<K: JobKind>(&self, job: NewJob<K>) -> OperationId {
        self.queue_in(self.tenant, job).await.unwrap().id
    }

    /// A worker with one slot, whose steps meet `gate`.
    pub(crate) fn worker(&self, gate: &Arc<Gate>) -> Worker {
        let (db, gate) = (self.pools.app.clone(), gate.clone());
        Worker::with(self.pools.clone(), self.clock.clone(), "user.jobs")
            .slots(1)
            .on::<Count, _, _>(move |step| count(db.clone(), gate.clone(), step))
    }

    pub(crate) fn run(&self, worker: Worker) {
        stoa_kernel::lifecycle::supervise(worker.task(), &self.tasks, self.stop.clone());
    }

    /// Starts a worker that holds nobody up.
    pub(crate) fn start(&self) {
        self.run(self.worker(&Gate::open()));
    }

    /// Stops what was started, and waits for it.
    pub(crate) async fn stopped(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) async fn find(&self, id: OperationId) -> Operation {
        let mut scope = self.scope();
        let view = View::own(SERVICE, &scope);
        view.find(self.pools.app.begin(&mut scope), id).await.unwrap()
    }

    pub(crate) async fn cancel(&self, id: OperationId) -> Result<Operation, Problem> {
        let mut scope = self.scope();
        let view = View::own(SERVICE, &scope);
        let tx = self.pools.app.begin(&mut scope);
        let (tx, operation) = view.cancel(tx, &self.clock, id).await?;
        tx.commit().await?;
        Ok(operation)
    }

    pub(crate) async fn until(&self, id: OperationId, wanted: OperationStatus) -> Operation {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.find(id).await;
            if found.status == wanted {
                return found;
            }
            assert!(Instant::now() < deadline, "not {wanted:?} in time: {found:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Moves the clock to the time that a job waits for.
    async fn skip_wait(&self, id: OperationId) {
        let waiting = "select run_at from \"user\".job where id = $1 and status = 'queued' and not ready";
        if let Some(row) = self.admin.query_opt(waiting, &[&id.uuid()]).await.unwrap() {
            let at: jiff::Timestamp = row.get(0);
            let wait = at.duration_since(self.clock.now());
            self.clock.advance(wait.max(SignedDuration::ZERO));
        }
    }

    /// As [`Desk::until`], moving the clock so that nobody waits for a time.
    pub(crate) async fn hurry_until(&self, id: OperationId, wanted: OperationStatus) -> Operation {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.find(id).await;
            if found.status == wanted {
                return found;
            }
            assert!(Instant::now() < deadline, "not {wanted:?} in time: {found:?}");
            self.skip_wait(id).await;
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.admin
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
            .get(0)
    }

    pub(crate) async fn until_count(&self, sql: &str, wanted: impl Fn(i64) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.count(sql).await;
            if wanted(found) {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {found} in time");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.admin
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }

    /// Lets every lease run out, as when its worker is not heard of any more.
    pub(crate) async fn expire_leases(&self) {
        self.execute("update \"user\".job set lease_until = now() - interval '1 s' where status = 'running'")
            .await;
    }

    /// The steps whose effects there are, in the order in which they happened.
    pub(crate) async fn effects(&self, id: OperationId) -> Vec<i64> {
        self.admin
            .query(
                "select step from \"user\".effect where job = $1 order by position",
                &[&id.uuid()],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A worker that can be killed: aborting it drops everything it does.
pub(crate) fn killable(task: &Task) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    tokio::spawn((task.run)(CancellationToken::new()))
}
