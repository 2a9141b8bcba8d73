//! Whom a text mentions: its handles, as the user service knows them when it is saved.

use crate::App;
use crate::model::{Mention, handles};
use std::collections::BTreeMap;
use stoa_contracts::user::FindUsers;
use stoa_kernel::{Problem, Scope};
use stoa_types::UserId;

/// The users whom a text mentions, each once, by handle. A handle that nobody has stays text.
///
/// # Errors
/// 503 when the user service cannot be asked.
pub(crate) async fn of(app: &App, scope: &mut Scope, text: &str) -> Result<Vec<Mention>, Problem> {
    let handles = handles(text);
    if handles.is_empty() {
        return Ok(Vec::new());
    }
    let keys = handles.iter().map(|handle| format!("@{handle}")).collect();
    let found = app.mesh.call(scope, FindUsers { keys }).await?.users;
    let mut by_user: BTreeMap<UserId, String> = BTreeMap::new();
    for (handle, user) in handles.into_iter().zip(found) {
        if let Some(user) = user {
            by_user.entry(user).or_insert(handle);
        }
    }
    let mut mentions: Vec<Mention> = by_user
        .into_iter()
        .map(|(user_id, handle)| Mention { user_id, handle })
        .collect();
    mentions.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(mentions)
}
