//! Every problem code with its meaning and remedy.

/// A documented problem code.
pub(super) struct Entry {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) meaning: &'static str,
    pub(super) remedy: &'static str,
}

macro_rules! codes {
    ($($code:literal $status:literal $title:literal: $meaning:literal => $remedy:literal;)*) => {
        &[$(Entry { code: $code, status: $status, title: $title, meaning: $meaning, remedy: $remedy }),*]
    };
}

/// In alphabetical order.
pub(super) const CODES: &[Entry] = codes! {
    "auth.forbidden" 403 "Not allowed":
        "You are signed in, but no grant allows this, or no rule admits the endpoint."
        => "Ask an administrator for the permission that the detail names.";
    "auth.unauthenticated" 401 "Sign in first":
        "The endpoint needs an access token, and none that is valid was sent."
        => "Get a token from /oauth2/token and send it as Authorization: Bearer. The detail says what was wrong with yours.";
    "branches.name_taken" 409 "Conflict":
        "Another live branch of the same parent has this name."
        => "Choose another name, or archive or rename the other branch.";
    "contacts.archived" 409 "Conflict":
        "The contact is archived, so it cannot be changed."
        => "Restore it first.";
    "contacts.not_archived" 409 "Conflict":
        "The contact is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "contacts.too_many_customers" 409 "Conflict":
        "The contact is linked to the most customers it may."
        => "Remove a link that is not needed, or make a contact for each part of the group.";
    "customers.archived" 409 "Conflict":
        "The customer is archived, so it cannot be changed."
        => "Restore it first.";
    "customers.email_taken" 409 "Conflict":
        "Another live customer of the tenant has this e-mail address."
        => "Change the address of one of the two; archived customers do not count.";
    "customers.external_key_taken" 409 "Conflict":
        "Another live customer of the tenant has this external key."
        => "Change the key of one of the two; archived customers do not count.";
    "customers.field_archived" 409 "Conflict":
        "The custom field is archived, so it cannot be changed."
        => "Restore it first.";
    "customers.field_key_taken" 409 "Conflict":
        "Another custom field of the tenant has this key; archived fields count, because their values are kept."
        => "Restore the archived field, or choose another key.";
    "customers.field_not_archived" 409 "Conflict":
        "The custom field is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "customers.merge_order" 409 "Conflict":
        "The survivor of the merge was itself merged into another customer since."
        => "Undo that later merge first; the detail names the customer whose merges to look at.";
    "customers.merge_undone" 409 "Conflict":
        "The merge was undone already."
        => "Nothing; merge the two again if they belong together.";
    "customers.merged" 409 "Conflict":
        "The customer was merged into another, so it is not restored by itself."
        => "Undo the merge; the list of the survivor's merges has its id.";
    "customers.not_archived" 409 "Conflict":
        "The customer is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "customers.possible_duplicate" 409 "Conflict":
        "There are live customers like the new one, and the request asked not to create it then."
        => "Use one of the customers that errors names, or repeat without onDuplicate=refuse.";
    "customers.segment_name_taken" 409 "Conflict":
        "Another segment of the tenant has this name, but for case and accents."
        => "Choose another name.";
    "customers.status_move" 409 "Conflict":
        "A customer cannot go from its status to the one that was asked for."
        => "The detail names the statuses that can follow.";
    "customers.too_many_errors" 409 "Conflict":
        "More rows of the import failed than it was told to bear, so it was given up."
        => "Read the import's errors, correct the file, and import it again; what was imported stays.";
    "customers.too_many_fields" 409 "Conflict":
        "The tenant has as many custom fields as it can have."
        => "Archive a field that is not needed any more.";
    "customers.too_many_uploads" 409 "Conflict":
        "The tenant keeps as many files to import as it can: 500, or 4 GiB of text."
        => "Wait until the oldest are forgotten, seven days after they were sent; send fewer and larger files.";
    "customers.upload_gone" 409 "Conflict":
        "The file of the import is no longer kept."
        => "Send it again.";
    "iam.already_assigned" 409 "Conflict":
        "The user holds the role already."
        => "Delete that assignment first to change its period.";
    "iam.exceeds_own_rights" 403 "Forbidden":
        "The role or the user has more than the caller holds on the same rows and for as long, or the role denies something, and the caller does not hold iam:write."
        => "Choose another role, or ask somebody who holds iam:write.";
    "iam.incomplete_evaluation" 400 "The request cannot be read":
        "An evaluation lacks its subject, action or resource, and the request gives no default for it."
        => "Send all three, in the entry or beside evaluations.";
    "iam.last_administrator" 409 "Conflict":
        "Nobody would be left who holds iam:write without end and without a condition."
        => "Give it to another user first.";
    "iam.role_in_use" 409 "Conflict":
        "Users hold the role, or other roles inherit from it."
        => "Delete those assignments and take it from the other roles' parents first.";
    "iam.role_name_taken" 409 "Conflict":
        "Another role of the tenant has this name."
        => "Choose another name.";
    "iam.rule_protected" 409 "Conflict":
        "The endpoints by which a tenant is administered keep the platform's rules, so that no tenant locks itself out."
        => "Change who holds iam:write instead.";
    "iam.slug_taken" 409 "Conflict":
        "Another tenant has this slug."
        => "Choose another slug.";
    "iam.too_many_evaluations" 400 "The request cannot be read":
        "The request asks for more evaluations than one answer may hold."
        => "Split it into several requests.";
    "iam.too_many_grants" 409 "Conflict":
        "The tenant holds the most grants it may."
        => "Remove grants that are not needed, or grant to a parent role once.";
    "iam.too_many_rules" 409 "Conflict":
        "The tenant has the most endpoint rules it may."
        => "Delete rules that are not needed, or use wider patterns.";
    "idempotency.key_format" 400 "The request cannot be read":
        "The Idempotency-Key is empty, too long or not visible ASCII."
        => "Use 1 to 255 visible characters, such as a UUID.";
    "idempotency.other_body" 422 "Idempotency-Key was used for another request":
        "The same key came with another body within the last 24 hours."
        => "Use a new key for a new request; repeat a request with its body unchanged.";
    "idempotency.running" 409 "Conflict":
        "A request with the same key has not finished yet."
        => "Repeat it in a moment: you will get its answer.";
    "identity.email_taken" 409 "Conflict":
        "Another account has this e-mail address."
        => "Use another address.";
    "identity.mail_refused" 409 "Conflict":
        "A mail to a user cannot be delivered: the address is malformed, or its server will never take the mail."
        => "Correct the user's e-mail address; an invitation or a link to confirm the address is then sent there.";
    "identity.tenant_required" 400 "The request cannot be read":
        "An account is made in a tenant, and the call names none."
        => "Make the call in a tenant's scope.";
    "identity.too_many_checks" 429 "Too many tries":
        "Many addresses that the caller tried for users are somebody else's."
        => "Wait as long as the detail says, then use an address that is the user's own.";
    "mesh.bad_call" 400 "The request cannot be read":
        "A service sent another one a call that it does not understand."
        => "Check that all processes run neighbouring releases.";
    "operation.finished" 409 "Conflict":
        "The operation is over, so it cannot be cancelled."
        => "Read it to see how it ended.";
    "operation.gave_up" 500 "Given up":
        "The operation's work failed too many times in a row, or for too long."
        => "Start it again later; if it fails again, report it with the operation's id. What its earlier steps did stays.";
    "operation.running" 409 "Conflict":
        "The same work is queued or running already."
        => "Wait for that operation, or cancel it first.";
    "organizations.archived" 409 "Conflict":
        "The organisation or branch is archived, so it cannot be changed."
        => "Restore it first.";
    "organizations.has_branches" 409 "Conflict":
        "The organisation or branch still has live branches below it."
        => "Archive or move those first.";
    "organizations.name_taken" 409 "Conflict":
        "Another live organisation of the tenant has this name."
        => "Choose another name, or archive or rename the other one.";
    "organizations.not_archived" 409 "Conflict":
        "The organisation or branch is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "request.body" 400 "The request cannot be read":
        "The body broke off or cannot be read."
        => "Send it again; the detail says what was wrong.";
    "request.commit_token" 400 "The request cannot be read":
        "Stoa-After is not a token that this API returned, or it is of another database."
        => "Send the Stoa-Commit of an answer unchanged, or leave the header out.";
    "request.contention" 409 "Conflict":
        "A concurrent change got in the way."
        => "Repeat the request.";
    "request.headers" 400 "The request cannot be read":
        "The headers can be understood in more than one way."
        => "The detail names the header; send it once and in one form.";
    "request.headers_too_large" 431 "Request too large":
        "All headers together exceed 32 KiB."
        => "Send fewer or shorter headers; mind cookies.";
    "request.invalid" 422 "Some fields are not valid":
        "The request was understood, but fields break a rule."
        => "errors[] names each field by JSON pointer with its rule; correct them all and send again.";
    "request.malformed_json" 400 "The request cannot be read":
        "The body is not JSON."
        => "The detail names the line and column.";
    "request.media_type" 415 "Unsupported media type":
        "The endpoint takes JSON."
        => "Send Content-Type: application/json.";
    "request.method_not_allowed" 405 "Method not allowed":
        "The path exists, but does not answer this method."
        => "The Allow header lists the methods; see /docs.";
    "request.not_caught_up" 503 "Not there yet":
        "What the request reads from does not show the commit in Stoa-After yet."
        => "Repeat it after the seconds in Retry-After, or leave the header out to read what is there.";
    "request.not_found" 404 "Not found":
        "It does not exist, or you may not see it; the two look the same on purpose."
        => "Check the path and id, and that you are in the right tenant.";
    "request.path" 400 "The request cannot be read":
        "The path could mean different things to different readers: dot segments, empty segments, encoded slashes, or text that is not UTF-8."
        => "Resolve and normalise the path before sending it.";
    "request.path_too_long" 414 "Path too long":
        "The path exceeds 4096 bytes."
        => "Shorten it, or move data into the body.";
    "request.query" 400 "The request cannot be read":
        "The query cannot be read."
        => "Send it as name=value pairs, percent-encoded.";
    "request.query_too_long" 414 "Request too large":
        "The query exceeds 8 KiB."
        => "Shorten it, or ask in several requests.";
    "request.stale" 412 "Changed by someone else":
        "If-Match names a version that is not the current one."
        => "Read the resource again, apply your change to it, and send the new ETag.";
    "request.too_large" 413 "Body too large":
        "The body exceeds the limit of this installation (server.max_body_bytes)."
        => "Send less, or in parts.";
    "request.value" 400 "The request cannot be read":
        "A text holds the character NUL, or a cursor is not one that this API returned."
        => "Send text without NUL, and take cursors from nextCursor as they are.";
    "request.version_required" 428 "If-Match is required":
        "This update could overwrite somebody's change, so it must say which version it means."
        => "Read the resource and send its ETag as If-Match.";
    "routes.no_such_revision" 409 "Conflict":
        "The routes cannot go back to that revision."
        => "Name a revision from 0 to the one before the current.";
    "routes.too_many" 409 "Conflict":
        "The tenant owns the most routes it may."
        => "Remove routes that are not needed, or join several paths in one.";
    "service.bad_gateway" 502 "The server behind this route failed":
        "A foreign server broke off or answered with something that is not HTTP."
        => "Try again; if it stays, tell who runs that server.";
    "service.internal" 500 "Internal error":
        "This is a defect in Stoa."
        => "Report it with the traceId. Repeat commands only with their Idempotency-Key.";
    "service.timeout" 504 "Took too long":
        "No answer came before the request's deadline."
        => "Try again. A command may have happened: repeat it with the same Idempotency-Key.";
    "service.unavailable" 503 "Temporarily unavailable":
        "Something that the request needs is away for the moment."
        => "Try again after the seconds in Retry-After.";
    "teams.archived" 409 "Conflict":
        "The team is archived, so it cannot be changed."
        => "Restore it first.";
    "teams.full" 409 "Conflict":
        "The team has the most members it may."
        => "Remove a member, or make another team.";
    "teams.name_taken" 409 "Conflict":
        "Another live team of the tenant has the name; case and accents do not count."
        => "Choose another name, or rename or archive the other one.";
    "teams.not_archived" 409 "Conflict":
        "The team is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "teams.widens_own_view" 403 "Forbidden":
        "Being in the team, or joining it, the caller would see more rows by the change, and does not hold iam:write."
        => "Ask somebody who holds iam:write.";
    "users.archived" 409 "Conflict":
        "The user is archived, so it cannot be changed."
        => "Restore it first.";
    "users.email_taken" 409 "Conflict":
        "Somebody else has this e-mail address, which is unique among all who can sign in."
        => "Change the address of one of the two; archived users do not count.";
    "users.handle_taken" 409 "Conflict":
        "Another live user of the tenant has the handle."
        => "Choose another handle, or leave it out for a new user.";
    "users.not_archived" 409 "Conflict":
        "The user is not archived, so there is nothing to restore."
        => "Read it again; somebody may have restored it already.";
    "users.oneself" 409 "Conflict":
        "Nobody archives themselves."
        => "Ask another administrator to do it.";
};
