-- Who can sign in. The e-mail is the sign-in name and is typed before the tenant is known, so it is unique platform-wide.
create table identity.account (
  tenant_id uuid not null,
  id uuid not null,
  email text collate "C" not null constraint account_email_length check (length(email) between 3 and 254),
  name text not null constraint account_name_length check (length(name) between 1 and 200),
  password_hash text not null,
  status text not null constraint account_status check (status in ('active', 'disabled')),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  version bigint not null default 1,
  archived_at timestamptz,
  constraint account_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('identity.account');
call stoa.system_access('identity.account', 'select', 'sign-in by e-mail happens before the tenant is known');
create unique index account_email_live on identity.account (email) where archived_at is null;

-- Counted by the hash of what was typed, so that unknown e-mails are slowed down exactly like known ones.
create table identity.sign_in_throttle (
  email_hash bytea primary key,
  failures integer not null,
  last_failed_at timestamptz not null,
  blocked_until timestamptz
);
call stoa.system_table('identity.sign_in_throttle', 'failed sign-ins, known or unknown e-mails alike');

-- Applications that sign users in; the same for every tenant.
create table identity.client (
  client_id text primary key,
  name text not null,
  redirect_uris text[] not null,
  post_logout_redirect_uris text[] not null,
  created_at timestamptz not null
);
call stoa.system_table('identity.client', 'applications are the same for every tenant');

-- A browser that is signed in. The cookie is random and stored as its SHA-256 only.
create table identity.session (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  token_hash bytea not null,
  auth_time timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, user_id) references identity.account (tenant_id, id)
);
call stoa.tenant_table('identity.session');
call stoa.system_access('identity.session', 'select, insert, update, delete',
  'a cookie is looked up before the tenant is known');
create unique index session_token on identity.session (token_hash);
create index session_by_user on identity.session (tenant_id, user_id);
create index session_expiry on identity.session (expires_at);

-- Everything that was issued from one authorization: revoked as a whole.
create table identity.token_family (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  client_id text not null references identity.client (client_id),
  session_id uuid not null,
  scope text not null,
  auth_time timestamptz not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text
    constraint token_family_reason check (revoked_reason in ('code_replay', 'refresh_reuse', 'client', 'logout')),
  primary key (tenant_id, id),
  foreign key (tenant_id, user_id) references identity.account (tenant_id, id)
);
call stoa.tenant_table('identity.token_family');
call stoa.system_access('identity.token_family', 'select, insert, update, delete',
  'a token is presented before the tenant is known');
create index token_family_session on identity.token_family (tenant_id, session_id);

create table identity.authorization_code (
  tenant_id uuid not null,
  code_hash bytea not null,
  -- The family that redeeming makes; known beforehand, so that a replay knows what to revoke.
  family_id uuid not null,
  user_id uuid not null,
  client_id text not null references identity.client (client_id),
  session_id uuid not null,
  redirect_uri text not null,
  code_challenge text not null,
  nonce text,
  scope text not null,
  auth_time timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, code_hash),
  foreign key (tenant_id, session_id) references identity.session (tenant_id, id) on delete cascade
);
call stoa.tenant_table('identity.authorization_code');
call stoa.system_access('identity.authorization_code', 'select, insert, update, delete',
  'a code is redeemed before the tenant is known');
create unique index authorization_code_hash on identity.authorization_code (code_hash);
create index authorization_code_session on identity.authorization_code (tenant_id, session_id);
create index authorization_code_expiry on identity.authorization_code (expires_at);

create table identity.refresh_token (
  tenant_id uuid not null,
  token_hash bytea not null,
  family_id uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- The first use; within the grace after it the token still answers.
  used_at timestamptz,
  primary key (tenant_id, token_hash),
  foreign key (tenant_id, family_id) references identity.token_family (tenant_id, id) on delete cascade
);
call stoa.tenant_table('identity.refresh_token');
call stoa.system_access('identity.refresh_token', 'select, insert, update, delete',
  'a token is presented before the tenant is known');
create unique index refresh_token_hash on identity.refresh_token (token_hash);
create index refresh_token_family on identity.refresh_token (tenant_id, family_id);
create index refresh_token_expiry on identity.refresh_token (expires_at);

-- `format` versions how private_key is wrapped.
create table identity.signing_key (
  kid text primary key,
  algorithm text not null constraint signing_key_algorithm check (algorithm in ('RS256')),
  format text not null constraint signing_key_format check (format in ('pkcs8')),
  private_key bytea not null,
  created_at timestamptz not null,
  -- Published from created_at, used from here on, so that verifiers know it before its first token.
  signs_from timestamptz not null,
  -- When its last token has died; no longer published after.
  retires_at timestamptz,
  -- Made by `stoa up`, whose users and passwords everybody knows; `stoa serve` refuses it.
  demo boolean not null
);
call stoa.system_table('identity.signing_key', 'one key pair signs for every tenant');
