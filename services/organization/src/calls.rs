//! What other services ask of this one.

use crate::api::above;
use crate::model::{Branch, Organization, OrganizationInput, Place};
use crate::{App, error, store};
use stoa_contracts::Done;
use stoa_contracts::organization::{
    Branch as BranchReply, BranchCreated, CreateBranch, CreateOrganization, FindBranches, FoundBranches,
    GetBranch, MAX_FOUND, OrganizationCreated,
};
use stoa_kernel::mesh::Calls;
use stoa_kernel::text::search_key;
use stoa_kernel::{FieldError, Problem, Record, Scope};
use stoa_types::BranchId;
use uuid::Uuid;

pub(crate) fn calls(app: App) -> Calls {
    let (organizations, branches, reads, finds) = (app.clone(), app.clone(), app.clone(), app);
    Calls::new()
        .on(move |scope, call| create_organization(organizations.clone(), scope, call))
        .on(move |scope, call| create_branch(branches.clone(), scope, call))
        .on(move |scope, call| get_branch(reads.clone(), scope, call))
        .on(move |scope, call| find_branches(finds.clone(), scope, call))
}

async fn create_organization(app: App, mut scope: Scope, call: CreateOrganization) -> Result<Done, Problem> {
    scope.require_platform()?;
    let input = OrganizationInput {
        name: call.name,
        status: None,
    }
    .checked()?;
    let mut tx = app.db.begin(&mut scope);
    let organization = Organization::new(call.id, input, Record::new(tx.origin(), &app.clock));
    store::insert_organization(&mut tx, &organization);
    let event = OrganizationCreated {
        organization_id: organization.id,
        name: organization.name,
        version: organization.record.version,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    match tx.commit().await {
        Ok(_) => Ok(Done {}),
        // Created before: that is what was asked for.
        Err(error) if error.constraint() == Some("organization_pkey") => Ok(Done {}),
        Err(error) => Err(error::of_constraint(error)),
    }
}

async fn create_branch(app: App, mut scope: Scope, call: CreateBranch) -> Result<Done, Problem> {
    scope.require_platform()?;
    let name = crate::model::BranchName { name: call.name }.checked()?.name;
    let place = Place {
        organization_id: call.organization,
        parent_id: call.parent,
    };
    let mut tx = app.db.begin(&mut scope);
    store::lock_organization(&mut tx, call.organization);
    store::find_branch(&mut tx, call.parent);
    store::find_branch(&mut tx, Some(call.id));
    let rows = tx.flush().await?;
    let [organization, parent, existing, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    if !existing.is_empty() {
        tx.rollback().await;
        return Ok(Done {});
    }
    let record = Record::new(tx.origin(), &app.clock);
    let planned = above(store::organization(organization)?, store::branch(parent)?, &place)
        .and_then(|parent| Branch::new(call.id, call.organization, parent.as_ref(), name, record));
    let branch = match planned {
        Ok(branch) => branch,
        Err(problem) => return tx.refuse(problem).await,
    };
    store::insert_branch(&mut tx, &branch);
    stoa_eventlog::append(&mut tx, &app.clock, &BranchCreated::from(branch.contract()))?;
    tx.commit().await.map_err(error::of_constraint)?;
    Ok(Done {})
}

async fn get_branch(app: App, mut scope: Scope, call: GetBranch) -> Result<BranchReply, Problem> {
    let mut tx = app.db.begin(&mut scope);
    store::find_branch(&mut tx, Some(call.id));
    let rows = tx.commit().await?;
    let branch =
        store::branch(rows.first().map_or(&[], |r| r))?.ok_or_else(|| Problem::not_found("branch"))?;
    Ok(branch.contract())
}

async fn find_branches(app: App, mut scope: Scope, call: FindBranches) -> Result<FoundBranches, Problem> {
    if call.keys.len() > MAX_FOUND {
        let detail = format!("at most {MAX_FOUND} keys; ask several times");
        return Err(Problem::invalid(vec![FieldError::new("/keys", "length", detail)]));
    }
    let ids: Vec<Uuid> = call
        .keys
        .iter()
        .filter_map(|key| key.trim().parse().ok())
        .collect();
    let names: Vec<String> = call.keys.iter().map(|key| search_key(key)).collect();
    let mut tx = app.db.begin(&mut scope);
    store::find_live_branches(&mut tx, ids, names.clone());
    let rows = tx.commit().await?;
    let known = store::found_branches(rows.first().map_or(&[], |r| r))?;
    let find = |(key, name): (&String, &String)| -> Option<BranchId> {
        let id = key.trim().parse().ok();
        if let Some((found, _)) = known.iter().find(|(known, _)| Some(*known) == id) {
            return Some(*found);
        }
        let mut named = known.iter().filter(|(_, known)| known == name);
        named
            .next()
            .filter(|_| named.next().is_none())
            .map(|(found, _)| *found)
    };
    let branches = call.keys.iter().zip(&names).map(find).collect();
    Ok(FoundBranches { branches })
}
