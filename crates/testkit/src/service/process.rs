//! A service, wired and running.

use super::exchange::{Answer, exchange};
use super::{catalogue, database, until};
use crate::postgres::TestDatabase;
use axum::Router;
use axum::body::Body;
use http::Request;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::config::Config;
use stoa_kernel::decisions::{Decisions, Follower};
use stoa_kernel::lifecycle::supervise;
use stoa_kernel::mesh::{Calls, Place, Wiring};
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::service::{Catalogue, Task};
use stoa_kernel::{Clock, Mesh, Service, ServiceContext};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request may take.
const BUDGET: Duration = Duration::from_secs(20);

/// What to start; change what is different: `Setup { config, ..Setup::of(service) }`.
pub struct Setup {
    /// The service.
    pub service: fn() -> Service,
    /// What other services would answer, the access service among them if the service is not that.
    pub others: Vec<Calls>,
    /// Routers of other services in this process, for the gateway.
    pub places: Vec<(&'static str, Router)>,
    /// What all services declare; the service's own unless set.
    pub catalogue: Catalogue,
    /// The configuration.
    pub config: Config,
    /// The platform's OpenAPI document.
    pub openapi: Value,
    /// The time.
    pub clock: Clock,
    /// Whether its consumers and pollers run, and the event log's ticker; else they stand in [`Process::tasks`].
    pub run_tasks: bool,
}

impl Setup {
    /// The service by itself, with a clock that tests can move.
    #[must_use]
    pub fn of(service: fn() -> Service) -> Self {
        Self {
            others: Vec::new(),
            places: Vec::new(),
            catalogue: catalogue(&service()),
            config: Config::default(),
            openapi: Value::Null,
            clock: Clock::adjustable(),
            run_tasks: true,
            service,
        }
    }
}

/// A started service; it stops when it is dropped.
pub struct Process {
    /// What the service works with.
    pub context: ServiceContext,
    /// Its routes.
    pub router: Router,
    /// Its tasks, if they do not run.
    pub tasks: Vec<Task>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.context.stop.cancel();
    }
}

impl Process {
    /// Starts a service on its migrated database, and waits until it follows the policies.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(database: &TestDatabase, setup: Setup) -> Self {
        let service = (setup.service)();
        let mut handlers: HashMap<_, _> = setup.others.into_iter().flat_map(Calls::into_handlers).collect();
        let peers: Vec<_> = handlers
            .values()
            .map(|handler| handler.service())
            .chain(setup.places.iter().map(|(name, _)| *name))
            .chain([service.name])
            .collect();
        let mesh = Mesh::new(&peers);
        let context = ServiceContext {
            name: service.name,
            db: database::pools(database, service.name),
            decisions: Decisions::new(mesh.clone(), setup.clock.clone()),
            mesh,
            clock: setup.clock,
            config: Arc::new(setup.config),
            stop: CancellationToken::new(),
            catalogue: Arc::new(setup.catalogue),
            openapi: Arc::new(setup.openapi),
        };
        let running = (service.start)(context.clone())
            .await
            .expect("the service starts");
        handlers.extend(running.calls.into_handlers());
        let mut places: HashMap<_, _> = setup
            .places
            .into_iter()
            .map(|(name, router)| (name, Place::Local(router)))
            .collect();
        places.insert(service.name, Place::Local(running.router.clone()));
        context.mesh.seal(Wiring { handlers, places });
        let mut process = Self {
            context,
            router: running.router,
            tasks: running.tasks,
        };
        if setup.run_tasks {
            process.run_tasks();
        }
        process.follow().await;
        process
    }

    fn run_tasks(&mut self) {
        let ServiceContext { db, clock, stop, .. } = &self.context;
        let ticker = stoa_eventlog::ticker_task(db.clone(), clock.clone());
        let tracker = TaskTracker::new();
        for task in self.tasks.drain(..).chain([ticker]) {
            supervise(task, &tracker, stop.clone());
        }
    }

    async fn follow(&self) {
        let ServiceContext { decisions, stop, .. } = &self.context;
        tokio::spawn(Follower::new(decisions.clone()).run(stop.clone()));
        until("the policies are followed", async || {
            decisions.staleness().is_some()
        })
        .await;
    }

    /// Sends a request to the service's routes as the gateway would: `caller` is verified, or nobody.
    pub async fn send(&self, caller: Option<Identity>, mut request: Request<Body>) -> Answer {
        let context = RequestContext::new(
            caller,
            self.context.decisions.clone(),
            Instant::now() + BUDGET,
            stoa_types::new_id(),
            Arc::from("0af7651916cd43dd8448eb211c80319c"),
            None,
        );
        request.extensions_mut().insert(context);
        exchange(&self.router, request).await
    }
}
