//! Whose turn it is.

use crate::jobs_desk::{Count, Desk, Gate, wish};
use jiff::SignedDuration;
use stoa_eventlog::jobs::{JobKind, OperationStatus};
use stoa_types::{OperationId, TenantId};

impl Desk {
    /// Queues many jobs at once.
    async fn queue_many(&self, tenant: TenantId, jobs: i64) {
        self.admin
            .execute(
                "insert into \"user\".job (tenant_id, id, kind, ready, priority, input, max_attempts, run_at, actor,
                   correlation, created_at, created_by, updated_at)
                 select $1, gen_random_uuid(), $2, true, 0, '{\"steps\": 1, \"wish\": \"ok\"}', 10, now(), 'system:user.test',
                   gen_random_uuid(), now(), 'user.test', now()
                 from generate_series(1, $3::bigint)",
                &[&tenant.uuid(), &Count::NAME, &jobs],
            )
            .await
            .unwrap();
    }

    /// How many effects there were before the job's first.
    async fn before(&self, id: OperationId) -> i64 {
        self.count(&format!(
            "select count(*) from \"user\".effect where position <
               (select min(position) from \"user\".effect where job = '{id}')"
        ))
        .await
    }
}

// covers: EV-11, TN-08
#[tokio::test]
async fn a_tenant_with_thousands_of_jobs_delays_nobody_by_more_than_a_step() {
    let desk = Desk::new().await;
    let (busy, other) = (TenantId::new(), desk.tenant);
    desk.queue_many(busy, 5000).await;
    desk.start();
    desk.until_count("select count(*) from \"user\".effect", |n| n >= 20)
        .await;
    let seen = desk.count("select count(*) from \"user\".effect").await;
    let id = desk.queue_in(other, wish(1, "ok")).await.unwrap().id;
    let at_commit = desk.count("select count(*) from \"user\".effect").await;
    desk.until(id, OperationStatus::Succeeded).await;
    let before = desk.before(id).await;
    // What was done until the commit was seen here, and one step that was claimed before it.
    assert!(
        (seen..=at_commit + 1).contains(&before),
        "{before}, {seen}, {at_commit}"
    );
    desk.stopped().await;
    desk.pools_are_quiet().await;
    let claims = desk.count("select count(*) from \"user\".effect").await;
    let read = "select (i.idx_tup_read + t.seq_tup_read)::bigint
                from pg_stat_user_indexes i join pg_stat_user_tables t on t.relid = i.relid
                where i.schemaname = 'user' and i.indexrelname = 'job_next'";
    // Measuring the queue reads all of it, now and then; a claim that did so would read five thousand each time.
    let read = desk.count(read).await;
    assert!(
        read < 1000 * claims,
        "{read} rows and entries for {claims} claims"
    );
}

impl Desk {
    /// Waits until the sessions' statistics have arrived: they are sent when a session has been idle, or ends.
    async fn pools_are_quiet(&self) {
        self.until_count(
            "select idx_scan from pg_stat_user_indexes where schemaname = 'user' and indexrelname = 'job_next'",
            |n| n > 0,
        )
        .await;
    }
}

// covers: EV-11
#[tokio::test]
async fn tenants_take_turns() {
    let desk = Desk::new().await;
    let tenants: Vec<_> = (0..4).map(|_| TenantId::new()).collect();
    for tenant in &tenants {
        desk.queue_many(*tenant, 5).await;
    }
    desk.start();
    desk.until_count("select count(*) from \"user\".effect", |n| n == 20)
        .await;
    // In every round each tenant has one.
    let uneven = "select count(*) from (
        select (row_number() over (order by position) - 1) / 4 as round, tenant_id from \"user\".effect) e
        group by round having count(distinct tenant_id) <> 4";
    assert!(desk.admin.query(uneven, &[]).await.unwrap().is_empty());
}

// covers: EV-11
#[tokio::test]
async fn the_higher_priority_goes_first_and_the_older_of_equals() {
    let desk = Desk::new().await;
    let mut ids = Vec::new();
    for priority in [0, 5, -5, 5] {
        ids.push(desk.queue(wish(1, "ok").priority(priority)).await);
    }
    desk.start();
    for id in &ids {
        desk.until(*id, OperationStatus::Succeeded).await;
    }
    let mut order = Vec::new();
    for id in &ids {
        order.push(desk.before(*id).await);
    }
    assert_eq!(order, [2, 0, 3, 1]);
}

// covers: EV-11
#[tokio::test]
async fn a_job_waits_for_its_time() {
    let desk = Desk::new().await;
    let at = desk.clock.now() + SignedDuration::from_hours(5);
    let later = desk.queue(wish(1, "ok").at(at)).await;
    desk.start();
    let now = desk.queue(wish(1, "ok")).await;
    desk.until(now, OperationStatus::Succeeded).await;
    assert_eq!(desk.find(later).await.status, OperationStatus::Queued);
    desk.clock.advance(SignedDuration::from_hours(5));
    desk.until(later, OperationStatus::Succeeded).await;
}

// covers: EV-11
#[tokio::test]
async fn a_unique_job_is_refused_while_its_like_is_unfinished() {
    let desk = Desk::new().await;
    let first = desk.queue(wish(1, "hold").unique("report")).await;
    let again = |tenant| desk.queue_in(tenant, wish(1, "ok").unique("report"));
    let refused = again(desk.tenant).await.unwrap_err();
    assert_eq!((refused.status, &*refused.code), (409, "operation.running"));
    again(TenantId::new()).await.expect("another tenant's");
    let gate = Gate::new();
    desk.run(desk.worker(&gate));
    gate.reached().await;
    assert_eq!(again(desk.tenant).await.unwrap_err().status, 409, "it is running");
    gate.let_one_go();
    desk.until(first, OperationStatus::Succeeded).await;
    again(desk.tenant).await.expect("the first is over");
}
