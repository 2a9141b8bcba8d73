//! What other services ask of this one.

use crate::model::team::{MembersInput, Team, TeamInput};
use crate::model::{User, UserInput, handle};
use crate::{App, error, store};
use std::collections::{BTreeSet, HashSet};
use stoa_contracts::Done;
use stoa_contracts::user::{FindUsers, FoundUsers, GetUser, ImportTeam, ImportUsers, NewUser, UserCard};
use stoa_kernel::mesh::Calls;
use stoa_kernel::text::search_key;
use stoa_kernel::{FieldError, Problem, Record, Scope, TenantTx};
use stoa_types::UserId;

/// The most keys or users of one call.
const MAX_ITEMS: usize = 1_000;

pub(crate) fn calls(app: App) -> Calls {
    let (reads, finds, imports) = (app.clone(), app.clone(), app.clone());
    Calls::new()
        .on(move |scope, call| get_user(reads.clone(), scope, call))
        .on(move |scope, call| find_users(finds.clone(), scope, call))
        .on(move |scope, call| import_users(imports.clone(), scope, call))
        .on(move |scope, call| import_team(app.clone(), scope, call))
}

async fn get_user(app: App, mut scope: Scope, call: GetUser) -> Result<UserCard, Problem> {
    let mut tx = app.db.begin(&mut scope);
    store::find(&mut tx, call.id);
    let rows = tx.commit().await?;
    let user = store::first(&rows)?.ok_or_else(|| Problem::not_found("user"))?;
    Ok(user.card())
}

async fn find_users(app: App, mut scope: Scope, call: FindUsers) -> Result<FoundUsers, Problem> {
    check_number("/keys", call.keys.len())?;
    let keys: Vec<Key> = call.keys.iter().map(|key| Key::of(key)).collect();
    let mut tx = app.db.begin(&mut scope);
    store::find_by_keys(
        &mut tx,
        keys.iter().filter_map(|key| key.id).collect(),
        keys.iter().map(|key| key.email.clone()).collect(),
        keys.iter().map(|key| key.handle.clone()).collect(),
        keys.iter().map(|key| key.name.clone()).collect(),
    );
    let found = store::Found::read(&tx.commit().await?)?;
    let users = keys.iter().map(|key| key.best(&found)).collect();
    Ok(FoundUsers { users })
}

/// What a key of [`FindUsers`] may mean.
struct Key {
    id: Option<UserId>,
    email: String,
    handle: String,
    name: String,
}

impl Key {
    fn of(text: &str) -> Self {
        // No value holds NUL, which PostgreSQL would refuse with all the other keys.
        let text = text.replace('\0', "");
        Self {
            id: text.trim().parse().ok(),
            email: text.trim().to_lowercase(),
            handle: handle::normal(&text),
            name: search_key(&text),
        }
    }

    fn best(&self, found: &store::Found) -> Option<UserId> {
        self.id
            .filter(|id| found.ids.contains(id))
            .or_else(|| found.emails.get(&self.email).copied())
            .or_else(|| found.handles.get(&self.handle).copied())
            .or_else(|| found.names.get(&self.name).copied())
    }
}

async fn import_users(app: App, mut scope: Scope, call: ImportUsers) -> Result<Done, Problem> {
    scope.require_platform()?;
    check_number("/users", call.users.len())?;
    let record = Record::new(&scope.origin(), &app.clock);
    let inputs = checked(call.users)?;
    let candidates: Vec<Vec<String>> = inputs
        .iter()
        .map(|(_, input)| handle::candidates(&input.email))
        .collect();

    let mut tx = app.db.begin(&mut scope);
    store::taken_handles(&mut tx, candidates.concat());
    let mut taken: HashSet<String> = store::texts(&tx.flush().await?)?;
    let mut users = Vec::with_capacity(inputs.len());
    for ((id, input), candidates) in inputs.into_iter().zip(&candidates) {
        let handle = handle::choose(candidates, &taken, id);
        taken.insert(handle.clone());
        users.push(User::new(id, input, handle, record.clone()));
    }
    for user in &users {
        store::insert_if_new(&mut tx, user);
    }
    let inserted = tx.flush().await.map_err(error::of_constraint)?;
    for (user, _) in users.iter().zip(&inserted).filter(|(_, rows)| !rows.is_empty()) {
        store::words(&mut tx, user);
        stoa_eventlog::append(&mut tx, &app.clock, &user.created(false))?;
    }
    tx.commit().await.map_err(error::of_constraint)?;
    Ok(Done {})
}

/// The users, or every broken rule under its user's index.
fn checked(users: Vec<NewUser>) -> Result<Vec<(UserId, UserInput)>, Problem> {
    let (mut checked, mut errors) = (Vec::with_capacity(users.len()), Vec::new());
    for (index, new) in users.into_iter().enumerate() {
        let input = UserInput {
            name: new.name,
            email: new.email,
            title: new.title,
            ..UserInput::default()
        };
        match input.checked() {
            Ok(input) => checked.push((new.id, input)),
            Err(problem) => errors.extend(problem.errors.into_iter().map(|error| FieldError {
                pointer: format!("/users/{index}{}", error.pointer),
                ..error
            })),
        }
    }
    if errors.is_empty() {
        Ok(checked)
    } else {
        Err(Problem::invalid(errors))
    }
}

async fn import_team(app: App, mut scope: Scope, call: ImportTeam) -> Result<Done, Problem> {
    scope.require_platform()?;
    let input = TeamInput {
        name: call.name,
        description: None,
    }
    .checked()?;
    let wanted = MembersInput {
        member_ids: call.members.into_iter().collect(),
    }
    .checked()?
    .member_ids;
    let mut tx = app.db.begin(&mut scope);
    store::hold_live(&mut tx, &wanted);
    store::team::lock(&mut tx, call.id);
    store::team::members(&mut tx, call.id);
    let rows = tx.flush().await?;
    let [live, team, members, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let (live, members): (BTreeSet<UserId>, BTreeSet<UserId>) = (store::ids(live)?, store::ids(members)?);
    if let Some(missing) = wanted.difference(&live).next() {
        let detail = format!("{missing} is no live user");
        return tx.refuse(error::field("/members", "unknown", &detail)).await;
    }
    match store::team::one(team)? {
        None => {
            let team = Team::new(call.id, input, Record::new(tx.origin(), &app.clock));
            store::team::insert(&mut tx, &team);
            tell(&app, &mut tx, &team, &wanted)?;
        }
        Some(before) => {
            let input = TeamInput {
                description: before.description.clone(),
                ..input
            };
            let after = before.with(input);
            if after == before && members == wanted {
                tx.rollback().await;
                return Ok(Done {});
            }
            let record = before.record.changed(tx.origin(), &app.clock);
            let team = Team { record, ..after };
            store::team::update(&mut tx, &team);
            tell(&app, &mut tx, &team, &wanted)?;
        }
    }
    tx.commit().await.map_err(error::of_constraint)?;
    Ok(Done {})
}

/// Writes a team's members and tells how it is now.
fn tell(app: &App, tx: &mut TenantTx<'_>, team: &Team, members: &BTreeSet<UserId>) -> Result<(), Problem> {
    store::team::set_members(tx, team.id, members);
    stoa_eventlog::append(tx, &app.clock, &team.changed(members))?;
    Ok(())
}

fn check_number(pointer: &str, number: usize) -> Result<(), Problem> {
    if number <= MAX_ITEMS {
        return Ok(());
    }
    let detail = format!("a call has at most {MAX_ITEMS}; send several");
    Err(error::field(pointer, "length", &detail))
}
