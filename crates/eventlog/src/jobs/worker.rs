//! A worker: handlers by kind of job, and the task that feeds them.

use super::claim::Job;
use super::run::Shift;
use super::store::Statements;
use super::{JobKind, Next, Step, StepError};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::db::Pools;
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, Scope, ServiceContext};

/// A handler whose kind is forgotten.
type Handler = Box<dyn Fn(&Job, Scope, Clock) -> BoxFuture<'static, Result<Next, StepError>> + Send + Sync>;

pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) run: Handler,
}

/// Runs the jobs of a service, a few at a time, each tenant in its turn.
///
/// Instances in several processes share the work. A kind is run by the workers that know it; the others leave it.
pub struct Worker {
    pub(super) name: &'static str,
    pub(super) service: &'static str,
    pub(super) pools: Pools,
    pub(super) clock: Clock,
    pub(super) kinds: HashMap<&'static str, Kind>,
    pub(super) slots: usize,
    pub(super) budget: Duration,
    pub(super) sql: Statements,
}

impl Worker {
    /// A worker of the service. `name` is `<service>.<what>`.
    #[must_use]
    pub fn new(context: &ServiceContext, name: &'static str) -> Self {
        Self::with(context.db.clone(), context.clock.clone(), name)
    }

    /// A worker on given pools, for what is not started as a service.
    #[must_use]
    pub fn with(pools: Pools, clock: Clock, name: &'static str) -> Self {
        let service = super::service_of(name);
        Self {
            name,
            service,
            pools,
            clock,
            kinds: HashMap::new(),
            slots: 2,
            budget: Duration::from_secs(30),
            sql: Statements::of(service),
        }
    }

    /// Runs jobs of the kind `K`: `handler(step)` does one step.
    #[must_use]
    pub fn on<K, F, Fut>(mut self, handler: F) -> Self
    where
        K: JobKind,
        F: Fn(Step<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Next, StepError>> + Send + 'static,
    {
        let run: Handler = Box::new(move |job, scope, clock| match job.step::<K>(scope, clock) {
            Ok(step) => Box::pin(handler(step)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        });
        self.kinds.insert(K::NAME, Kind { name: K::NAME, run });
        self
    }

    /// The most steps at a time in this process; 2 unless set.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// The time that one step may take; 30 s unless set. A step that takes longer is dropped and tried again.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// The task that runs it; give it to `Running::with_task`.
    #[must_use]
    pub fn task(self) -> Task {
        let name = self.name;
        for kind in self.kinds.keys() {
            // A rate needs the zero before the first.
            metrics::counter!("stoa_jobs_total", "kind" => *kind, "outcome" => "failed").increment(0);
        }
        let worker = Arc::new(self);
        Task::new(name, move |stop| Shift::new(worker.clone()).run(stop))
    }

    /// The table is in the schema of the service, whose roles can reach no other.
    pub(super) fn check_names(&self) -> anyhow::Result<()> {
        let role = self.pools.app.role();
        anyhow::ensure!(
            role == format!("stoa_{}_app", self.service),
            "the worker {} runs as {role}: name it <service>.<what> after the service that runs it",
            self.name
        );
        for kind in self.kinds.keys() {
            anyhow::ensure!(
                super::service_of(kind) == self.service,
                "the worker {} runs {kind}, which belongs to another service",
                self.name
            );
        }
        Ok(())
    }
}
