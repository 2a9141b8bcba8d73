//! Who sees an interaction beyond what grants on interactions say: those whom it mentions, and those who see a customer
//! that it concerns, unless a grant denies it. The customer service decides about customers, in the caller's own scope.

use crate::model::Interaction;
use crate::{App, ReadInteractions, api};
use stoa_contracts::customer::{MAX_SEEN, SeeCustomers, SeenCustomer};
use stoa_kernel::decisions::Caller;
use stoa_kernel::{CallError, Permission, Problem, Scope};
use stoa_policy::Reason;
use stoa_types::CustomerId;

/// Those of these customers that the caller sees.
///
/// # Errors
/// 503 when the customer service cannot be asked.
pub(crate) async fn customers(
    app: &App,
    scope: &mut Scope,
    mut ids: Vec<CustomerId>,
) -> Result<Vec<SeenCustomer>, Problem> {
    // An interaction concerns so many only after merges without end.
    ids.truncate(MAX_SEEN);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match app.mesh.call(scope, SeeCustomers { ids }).await {
        Ok(seen) => Ok(seen.customers),
        // Who may see no customers at all sees none of these.
        Err(CallError::Refused(problem)) if problem.status == 403 => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A customer, when the caller sees it.
///
/// # Errors
/// As [`customers`].
pub(crate) async fn customer(
    app: &App,
    scope: &mut Scope,
    id: Option<CustomerId>,
) -> Result<Option<SeenCustomer>, Problem> {
    let seen = customers(app, scope, id.into_iter().collect()).await?;
    Ok(seen.into_iter().next())
}

/// Whether a grant denies the caller to see an interaction, which holds whatever else would show it.
pub(crate) fn is_denied(caller: &Caller, interaction: &Interaction) -> bool {
    let decision = caller.decide(ReadInteractions::NAME, Some(interaction));
    matches!(decision.reason, Reason::Denied | Reason::DeniedByUnknown)
}

/// Whether the caller sees an interaction that grants on interactions do not show.
///
/// # Errors
/// As [`customers`].
pub(crate) async fn beyond_grants(
    app: &App,
    caller: &Caller,
    scope: &mut Scope,
    interaction: &Interaction,
) -> Result<bool, Problem> {
    if is_denied(caller, interaction) {
        return Ok(false);
    }
    if scope.user().is_some_and(|user| interaction.mentions(user)) {
        return Ok(true);
    }
    let seen = customers(app, scope, interaction.customer_ids.clone()).await?;
    Ok(!seen.is_empty())
}

/// What a refused change is answered with: `refusal`, or 403 instead of 404 when the caller sees the interaction.
pub(crate) async fn refusal(
    app: &App,
    caller: &Caller,
    scope: &mut Scope,
    found: Option<Interaction>,
    refusal: Problem,
) -> Problem {
    let live = found.filter(|interaction| !interaction.record.is_archived());
    let Some(interaction) = live.filter(|_| refusal.status == 404) else {
        return refusal;
    };
    match beyond_grants(app, caller, scope, &interaction).await {
        Ok(true) => Problem::forbidden(format!(
            "you may read this {}, because it mentions you or concerns a customer of yours, but not change it",
            api::INTERACTION
        )),
        Ok(false) => refusal,
        Err(problem) => problem,
    }
}
