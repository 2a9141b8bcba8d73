//! Whether a user may do to another what ends in working as them, or in taking or giving back their rights.

use crate::administration::Administration;
use crate::api::{administration, administration_reads};
use crate::assigning::keep_administrable;
use crate::error::exceeds_own_rights;
use crate::store::administration::Loss;
use crate::store::{self, Change, PolicyWrite};
use crate::{App, WritePolicy, delegation};
use jiff::SignedDuration;
use serde_json::json;
use stoa_contracts::Done;
use stoa_contracts::access::{Act, MayActFor};
use stoa_kernel::request::Identity;
use stoa_kernel::{Permission, Problem, Scope};

/// How long an administrator who may be archived counts as gone before the event that says so: longer than the command
/// and the event take. When the command fails after all, the administrator counts again then.
const LEAVING: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn may_act_for(app: App, mut scope: Scope, call: MayActFor) -> Result<Done, Problem> {
    let caller = scope.user().ok_or_else(|| {
        Problem::forbidden("users act for others, and no user acts here; call this on behalf of one")
    })?;
    let identity = Identity {
        tenant: scope.tenant(),
        user: caller,
    };
    let rights = app.context.decisions.caller(identity).await?;
    let writes_policy = rights.decide(WritePolicy::NAME, None).allowed;
    let now = app.context.clock.now();
    let reads = administration_reads().into_iter().chain([
        store::assignment::all_of_user(call.user),
        store::grant::of_account(call.user, now),
        // An account is taken over for good.
        store::grant::held_by(caller, now, None),
        store::reach::of(caller, call.user),
    ]);
    let tx = app.context.db.app.begin(&mut scope);
    let (mut write, mut results) = PolicyWrite::lock(tx, now, reads).await?;
    let (roles, grants) = administration(&mut results)?;
    let assigned = results.all(store::assignment::read)?;
    let account = results.all(store::grant::read)?;
    let held = results.all(store::grant::read)?;
    let reach = results.one(store::reach::read)?.unwrap_or_default();
    let as_holder = call.act == Act::ChangeSignInName;
    let advantage = delegation::advantage(&account, &held, reach, as_holder);
    if let Some(grant) = advantage.filter(|_| !writes_policy) {
        return write.refuse(exceeds_own_rights("user", grant)).await;
    }
    let administration = Administration::of(&roles, &grants);
    let administers = assigned
        .iter()
        .any(|a| a.valid_until.is_none() && administration.allowing.contains(&a.role_id));
    if !(call.act == Act::Archive && administers) {
        write.abandon().await;
        return Ok(Done {});
    }
    let loss = Loss {
        user: Some(call.user),
        ..Loss::default()
    };
    if let Err(problem) = keep_administrable(&mut write, &administration, loss).await {
        return write.refuse(problem).await;
    }
    let until = now.saturating_add(LEAVING).unwrap_or(now);
    let leave = store::subject::leave(write.tenant(), call.user, until, now, &write.actor);
    write.change(leave);
    write.record(Change {
        kind: store::subject::LEAVING,
        entity: Some(call.user.uuid()),
        user: Some(call.user),
        before: None,
        after: Some(json!({ "until": until })),
    });
    write.commit().await?;
    Ok(Done {})
}
