//! The process's replica of the policies: decisions are taken in memory, and a change arrives within milliseconds.
//!
//! Policies and subjects load on first use and are evicted by weight. A long poll to the access service
//! ([`WatchChanges`]) reports what changed; what changed is dropped and loaded again at its new revision. When the
//! poll has not succeeded for [`STALENESS_BOUND`], every decision fails closed.

mod follow;
mod wire;

pub use follow::Follower;
pub use wire::{Change, Changes, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges};

use crate::mesh::Mesh;
use crate::problem::Problem;
use crate::request::Identity;
use crate::scope::SystemScope;
use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use stoa_policy::{
    Attributes, CompiledPolicy, CompiledRule, CompiledSubject, Context, DataScope, Decision, EndpointRules,
    RowFilter, SubjectGrants,
};
use stoa_types::{TenantId, UserId};

/// Without word from the access service for this long, nothing is decided (DESIGN: staleness bound).
pub const STALENESS_BOUND: Duration = Duration::from_secs(60);

/// Every process reads policies for its own decisions.
pub const REPLICATE: SystemScope = SystemScope::named("kernel.decisions");

/// The permission of those to whom a refusal explains itself.
const EXPLAIN: &str = "iam:explain";

const LOAD_BUDGET: Duration = Duration::from_secs(3);
const POLICY_BYTES: u64 = 256 << 20;
const SUBJECT_BYTES: u64 = 256 << 20;

/// The process's view of all policies. Cheap to clone.
#[derive(Clone)]
pub struct Decisions {
    inner: Arc<Inner>,
}

struct Inner {
    mesh: Mesh,
    clock: crate::Clock,
    platform: ArcSwapOption<Platform>,
    policies: Cache<TenantId, Arc<Policy>>,
    subjects: Cache<(TenantId, UserId), Arc<Subject>>,
    /// The least revision that a tenant's entries must have; older loads that arrive late are thrown away.
    floors: Cache<TenantId, i64>,
    /// As `floors`, but written once the change's entries are gone: what has been applied.
    heard: Cache<TenantId, i64>,
    platform_floor: AtomicI64,
    /// Rises whenever everything is dropped; a load that began before must not be kept.
    generation: AtomicU64,
    /// When the access service last answered the poll, in ms of the process's monotonic clock.
    confirmed_ms: AtomicI64,
    started: tokio::time::Instant,
}

struct Platform {
    revision: i64,
    rules: EndpointRules,
}

struct Policy {
    compiled: CompiledPolicy,
    platform: Arc<Platform>,
    /// The least revision that subjects must have, for changes of many subjects that leave the policy as it is.
    subjects_floor: AtomicI64,
}

struct Subject {
    grants: SubjectGrants,
    compiled: CompiledSubject,
}

impl Subject {
    /// Both forms keep their lists of ids, which for a large organization is nearly all that they are.
    fn approximate_bytes(&self) -> usize {
        let of_grants = size_of_val(self.grants.assignments.as_slice())
            + size_of_val(self.grants.branches_below.as_slice())
            + size_of_val(self.grants.team_members.as_slice())
            + size_of_val(self.grants.organization_branches.as_slice());
        size_of::<Self>() + of_grants + self.compiled.approximate_bytes()
    }
}

/// A caller's policy and grants at one revision: everything a decision needs, without another look-up.
#[derive(Clone)]
pub struct Caller {
    policy: Arc<Policy>,
    subject: Arc<Subject>,
    now_ms: i64,
}

impl Decisions {
    /// An empty replica that loads through `mesh`.
    #[must_use]
    pub fn new(mesh: Mesh, clock: crate::Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                mesh,
                clock,
                platform: ArcSwapOption::empty(),
                policies: Cache::builder()
                    .max_capacity(POLICY_BYTES)
                    .weigher(|_, policy: &Arc<Policy>| {
                        u32::try_from(policy.compiled.approximate_bytes()).unwrap_or(u32::MAX)
                    })
                    .build(),
                subjects: Cache::builder()
                    .max_capacity(SUBJECT_BYTES)
                    .weigher(|_, subject: &Arc<Subject>| {
                        u32::try_from(subject.approximate_bytes()).unwrap_or(u32::MAX)
                    })
                    .build(),
                floors: Cache::new(1_000_000),
                heard: Cache::new(1_000_000),
                platform_floor: AtomicI64::new(0),
                generation: AtomicU64::new(0),
                confirmed_ms: AtomicI64::new(i64::MIN),
                started: tokio::time::Instant::now(),
            }),
        }
    }

    /// The policy and grants of `identity`, from memory once warm.
    ///
    /// # Errors
    /// 503 when they cannot be loaded, or when the replica is staler than [`STALENESS_BOUND`].
    pub async fn caller(&self, identity: Identity) -> Result<Caller, Problem> {
        self.check_fresh()?;
        let key = (identity.tenant, identity.user);
        let now_ms = self.inner.clock.now_ms();
        if let (Some(policy), Some(subject)) = (
            self.inner.policies.get(&identity.tenant),
            self.inner.subjects.get(&key),
        ) && subject.compiled.belongs_to(&policy.compiled)
            && subject.grants.revision >= policy.subjects_floor.load(Ordering::Acquire)
        {
            CALLERS.hit();
            return Ok(Caller {
                policy,
                subject,
                now_ms,
            });
        }
        CALLERS.miss();
        let policy = self.policy(identity.tenant).await?;
        let subject = self.subject(&policy, key).await?;
        Ok(Caller {
            policy,
            subject,
            now_ms,
        })
    }

    /// The platform's rule for an anonymous request: a tenant's own rules hold only for its signed-in callers. `None`
    /// is denied.
    ///
    /// # Errors
    /// As [`Decisions::caller`].
    pub async fn anonymous_rule(&self, method: &str, path: &str) -> Result<Option<CompiledRule>, Problem> {
        self.check_fresh()?;
        let platform = self.platform().await?;
        Ok(platform.rules.decide(method, path).cloned())
    }

    /// How long ago the access service confirmed this replica; `None` before the first time.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        let confirmed = self.inner.confirmed_ms.load(Ordering::Acquire);
        let now = i64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        (confirmed != i64::MIN).then(|| Duration::from_millis(u64::try_from(now - confirmed).unwrap_or(0)))
    }

    /// The newest revision of a tenant that this replica has followed; 0 when it has heard of no change yet. A caller
    /// loaded afterwards is at least as new.
    #[must_use]
    pub fn followed(&self, tenant: TenantId) -> i64 {
        self.inner.heard.get(&tenant).unwrap_or(0)
    }

    fn check_fresh(&self) -> Result<(), Problem> {
        match self.staleness() {
            Some(age) if age < STALENESS_BOUND => Ok(()),
            Some(_) => Err(Problem::unavailable(
                "the access policies here are out of date; refused until they are not",
            )),
            None => Err(Problem::unavailable(
                "the access policies are still loading; try again",
            )),
        }
    }

    async fn platform(&self) -> Result<Arc<Platform>, Problem> {
        loop {
            let generation = self.generation();
            let floor = self.inner.platform_floor.load(Ordering::Acquire);
            if let Some(platform) = self.inner.platform.load_full().filter(|p| p.revision >= floor) {
                return Ok(platform);
            }
            let mut scope = REPLICATE.global(LOAD_BUDGET);
            let loaded = self.inner.mesh.call(&mut scope, LoadPlatformRules {}).await?;
            let rules = EndpointRules::compile(&loaded.rules).map_err(|e| Problem::internal(&e))?;
            let platform = Arc::new(Platform {
                revision: loaded.revision,
                rules,
            });
            self.inner.platform.store(Some(platform.clone()));
            let floor = self.inner.platform_floor.load(Ordering::Acquire);
            if platform.revision >= floor && generation == self.generation() {
                return Ok(platform);
            }
            self.inner.platform.store(None);
        }
    }

    async fn policy(&self, tenant: TenantId) -> Result<Arc<Policy>, Problem> {
        if let Some(policy) = self.inner.policies.get(&tenant) {
            return Ok(policy);
        }
        loop {
            let generation = self.generation();
            let platform = self.platform().await?;
            let mut scope = REPLICATE.scope(tenant, LOAD_BUDGET);
            let source = self.inner.mesh.call(&mut scope, LoadPolicy { tenant }).await?;
            let compiled = CompiledPolicy::compile(source).map_err(|e| Problem::internal(&e))?;
            let policy = Arc::new(Policy {
                compiled,
                platform,
                subjects_floor: AtomicI64::new(0),
            });
            self.inner.policies.insert(tenant, policy.clone());
            // Judged after the insert, so that a change that arrives meanwhile finds the entry or is seen here.
            if policy.compiled.revision() >= self.floor(tenant) && generation == self.generation() {
                return Ok(policy);
            }
            self.inner.policies.invalidate(&tenant);
        }
    }

    async fn subject(&self, policy: &Policy, key: (TenantId, UserId)) -> Result<Arc<Subject>, Problem> {
        let generation = self.generation();
        let floor = self.floor(key.0);
        let known = self
            .inner
            .subjects
            .get(&key)
            .filter(|s| s.grants.revision >= floor);
        let grants = match known {
            Some(subject) if subject.compiled.belongs_to(&policy.compiled) => return Ok(subject),
            Some(subject) => subject.grants.clone(),
            None => {
                let mut scope = REPLICATE.scope(key.0, LOAD_BUDGET);
                self.inner
                    .mesh
                    .call(
                        &mut scope,
                        LoadSubject {
                            tenant: key.0,
                            user: key.1,
                        },
                    )
                    .await?
            }
        };
        let compiled =
            CompiledSubject::compile(&policy.compiled, grants.clone()).map_err(|e| Problem::internal(&e))?;
        let subject = Arc::new(Subject { grants, compiled });
        self.inner.subjects.insert(key, subject.clone());
        // As for policies; this request began before the change, so it may still be answered.
        if subject.grants.revision < self.floor(key.0) || generation != self.generation() {
            self.inner.subjects.invalidate(&key);
        }
        Ok(subject)
    }

    fn generation(&self) -> u64 {
        self.inner.generation.load(Ordering::Acquire)
    }

    fn floor(&self, tenant: TenantId) -> i64 {
        self.inner.floors.get(&tenant).unwrap_or(0)
    }
}

/// Callers whose policy and grants were in memory, and those who had to wait for them.
static CALLERS: LazyLock<crate::CacheUse> = LazyLock::new(|| crate::CacheUse::of("callers"));

/// Allowed and denied decisions. Looked up once: a decision takes less time than finding its counter.
static DECIDED: LazyLock<(metrics::Counter, metrics::Counter)> = LazyLock::new(|| {
    let counter = |outcome| metrics::counter!("stoa_decisions_total", "outcome" => outcome);
    (counter("allowed"), counter("denied"))
});

impl Caller {
    /// Decides one question; `resource` is `None` at the endpoint, where a grant on some rows counts.
    #[must_use]
    pub fn decide(&self, permission: &str, resource: Option<&dyn Attributes>) -> Decision {
        let context = Context::at(self.now_ms);
        let decision = stoa_policy::decide(
            &self.policy.compiled,
            &self.subject.compiled,
            permission,
            resource,
            &context,
        );
        let (allowed, denied) = &*DECIDED;
        let outcome = if decision.allowed { allowed } else { denied };
        outcome.increment(1);
        decision
    }

    /// The rows on which the caller holds `permission`, narrowed to `narrow`.
    #[must_use]
    pub fn row_filter(&self, permission: &str, narrow: Option<DataScope>) -> RowFilter {
        let context = Context::at(self.now_ms);
        stoa_policy::row_filter(
            &self.policy.compiled,
            &self.subject.compiled,
            permission,
            narrow,
            &context,
        )
    }

    /// The 403 for a refused question. It names the permission; why the policy refused is told to administrators.
    #[must_use]
    pub fn refusal(&self, permission: &str, resource: Option<&dyn Attributes>) -> Problem {
        let detail = format!("this needs the permission {permission}; an administrator can grant it");
        self.refused(detail, permission, resource)
    }

    /// The 403 for a row that would become one on which the caller does not hold `permission`, as on others.
    #[must_use]
    pub(crate) fn refusal_to_become(&self, permission: &str, row: &dyn Attributes) -> Problem {
        let detail = format!(
            "the result would lie outside what you may {permission}, by its owner, branch or another value; change \
             that, or ask an administrator to widen the grant"
        );
        self.refused(detail, permission, Some(row))
    }

    fn refused(&self, detail: String, permission: &str, resource: Option<&dyn Attributes>) -> Problem {
        let mut problem = Problem::forbidden(detail);
        if self.decide(EXPLAIN, None).allowed {
            problem.explanation = serde_json::to_value(self.explain(permission, resource)).ok();
        }
        problem
    }

    /// Why a question is decided as it is, with every near miss.
    #[must_use]
    pub fn explain(&self, permission: &str, resource: Option<&dyn Attributes>) -> stoa_policy::Explanation {
        let context = Context::at(self.now_ms);
        stoa_policy::explain(
            &self.policy.compiled,
            &self.subject.compiled,
            permission,
            resource,
            &context,
        )
    }

    /// What the caller holds: role assignments, branch and the branches below it, teams and organization.
    #[must_use]
    pub fn grants(&self) -> &SubjectGrants {
        &self.subject.grants
    }

    /// The compiled policy of the caller's tenant.
    #[must_use]
    pub fn policy(&self) -> &CompiledPolicy {
        &self.policy.compiled
    }

    /// The compiled subject.
    #[must_use]
    pub fn subject(&self) -> &CompiledSubject {
        &self.subject.compiled
    }

    /// The rule for an endpoint: the platform's, overridden by the tenant's own. `None` is denied.
    #[must_use]
    pub fn endpoint_rule(&self, method: &str, path: &str) -> Option<&CompiledRule> {
        EndpointRules::layered(
            &self.policy.platform.rules,
            Some(self.policy.compiled.endpoint_rules()),
        )
        .decide(method, path)
    }
}
