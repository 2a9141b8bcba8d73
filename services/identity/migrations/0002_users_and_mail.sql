-- Who can sign in follows the user service: an account may wait for its password.
alter table identity.account alter column password_hash drop not null;
alter table identity.account drop constraint account_status;
alter table identity.account
  add constraint account_status check (status in ('invited', 'active', 'disabled')),
  add constraint account_password check (status <> 'active' or password_hash is not null),
  add column locale text not null default 'en' constraint account_locale check (locale in ('en', 'vi')),
  -- The version of the user that this row follows; 0 before the first.
  add column user_version bigint not null default 0,
  -- Whether the user was to be invited by mail.
  add column invite boolean not null default false,
  add column email_verified_at timestamptz,
  -- The next sign-in name, until its owner has followed the link that was sent there.
  add column pending_email text collate "C"
    constraint account_pending_email_length check (length(pending_email) between 3 and 254),
  -- Where the notice of the change goes.
  add column former_email text collate "C";
create index account_pending_email on identity.account (pending_email) where pending_email is not null;
-- A link in a mail is followed before the tenant is known.
grant update on identity.account to stoa_identity_system;

-- What links in mails carry, as SHA-256 only. Using one deletes it with its siblings.
create table identity.mail_token (
  tenant_id uuid not null,
  token_hash bytea not null,
  user_id uuid not null,
  purpose text not null constraint mail_token_purpose check (purpose in ('invitation', 'reset', 'verification')),
  -- The mail that it went with. When an attempt to send ended in doubt, the next one's token is good beside it.
  mail_id uuid not null,
  -- The address that using it proves.
  email text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  constraint mail_token_pkey primary key (tenant_id, token_hash),
  foreign key (tenant_id, user_id) references identity.account (tenant_id, id)
);
call stoa.tenant_table('identity.mail_token');
call stoa.system_access('identity.mail_token', 'select, delete', 'a link in a mail is followed before the tenant is known');
create unique index mail_token_hash on identity.mail_token (token_hash);
create index mail_token_of_user on identity.mail_token (tenant_id, user_id, purpose);
create index mail_token_expiry on identity.mail_token (expires_at);

alter table identity.token_family drop constraint token_family_reason;
alter table identity.token_family add constraint token_family_reason
  check (revoked_reason in ('code_replay', 'refresh_reuse', 'client', 'logout', 'reset', 'archived'));

call stoa.job_table('identity');
