#![doc = include_str!("../README.md")]

mod administration;
mod api;
mod assigning;
mod calls;
mod consumers;
mod defaults;
mod delegation;
mod error;
mod feed;
pub mod model;
mod organizations;
mod seed;
mod store;

use feed::Feed;
use futures::FutureExt;
use stoa_kernel::service::{Running, ServiceContext};
use stoa_kernel::{Service, SystemScope};

/// The service's name.
pub const SERVICE: &str = "access";

/// The advisory lock that serialises policy writes until their commit, so that the order of `change.seq` is the order of
/// commits: readers that ask for "after n" lose nothing. Always taken before the tenant's revision row.
pub const CHANGE_LOCK: i64 = 0x5374_6f61_4943;

/// Reads the feed of changes, which spans all tenants.
const FOLLOW: SystemScope = SystemScope::named("access.feed");
/// Asks for the organization of branches of all tenants that were known before it was kept.
const ORGANIZATIONS: SystemScope = SystemScope::named("access.organizations");
/// Gives a new tenant its first roles: whoever provisions it works outside of it.
const PROVISION: SystemScope = SystemScope::named("access.provision");

stoa_kernel::permissions! {
    /// Read roles, grants, endpoint rules, assignments and their history.
    ReadPolicy = "iam:read";
    /// Change roles, grants, endpoint rules and assignments.
    WritePolicy = "iam:write";
    /// Ask what any user of the tenant may do, and whether a token is valid.
    CheckPermissions = "iam:check";
    /// See why a question was decided as it was.
    ExplainDecisions = "iam:explain";
    /// Reach the paths of administration, `/api/admin/**`.
    Administer = "admin:access";
}

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: stoa_kernel::migrations!["0001_init", "0002_scopes", "0003_archived_users"],
        permissions: PERMISSIONS,
        resources: &[],
        system_scopes: &["access.feed", "access.organizations", "access.provision"],
        paths: &["/api/iam", "/access/v1", "/.well-known/authzen-configuration"],
        openapi: || stoa_kernel::openapi::describe(api::routes()),
        seed: Some(seed::statements),
        start: |context| start(context).boxed(),
    }
}

/// What handlers work with.
#[derive(Clone)]
struct App {
    context: ServiceContext,
    feed: Feed,
}

async fn start(context: ServiceContext) -> anyhow::Result<Running> {
    let feed = Feed::new();
    let app = App {
        context: context.clone(),
        feed: feed.clone(),
    };
    Ok(Running::new(api::routes(), app.clone())
        .with_calls(calls::all(&app))
        .with_task(feed.task(context.clone()))
        .with_task(consumers::branches(&context))
        .with_task(consumers::teams(&context))
        .with_task(consumers::users(&context))
        .with_task(organizations::task(app)))
}
