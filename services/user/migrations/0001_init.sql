create table "user".person (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  -- For order and for finding by name; see stoa_kernel::text::search_key.
  name_key text collate "C" not null,
  email text collate "C" not null check (email = lower(email)),
  handle text collate "C" not null check (handle ~ '^[a-z0-9][a-z0-9._-]{1,38}[a-z0-9]$'),
  title text check (char_length(title) <= 100),
  phone text check (phone ~ '^\+?[1-9]\d{1,14}$'),
  locale text not null check (locale in ('en', 'vi')),
  timezone text not null,
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint person_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('"user".person');
create unique index person_email_live on "user".person (tenant_id, email) where archived_at is null;
create unique index person_handle_live on "user".person (tenant_id, handle) where archived_at is null;
create index person_by_name on "user".person (tenant_id, name_key, id) where archived_at is null;
create index person_by_created on "user".person (tenant_id, created_at, id) where archived_at is null;
create index person_by_updated on "user".person (tenant_id, updated_at, id) where archived_at is null;
create index person_archived on "user".person (tenant_id, name_key, id) where archived_at is not null;

-- What a search by prefix finds a user by: the name from each of its words on, the handle, the e-mail address. Under
-- row-level security only a range on a column with collation "C" uses an index, and a range finds beginnings only.
create table "user".person_word (
  tenant_id uuid not null,
  person_id uuid not null,
  word text collate "C" not null,
  constraint person_word_pkey primary key (tenant_id, person_id, word)
);
call stoa.tenant_table('"user".person_word');
create index person_word_by_word on "user".person_word (tenant_id, word, person_id);

create table "user".team (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  name_key text collate "C" not null,
  description text check (char_length(description) <= 1000),
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint team_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('"user".team');
create unique index team_name_live on "user".team (tenant_id, name_key) where archived_at is null;
create index team_by_name on "user".team (tenant_id, name_key, id) where archived_at is null;
create index team_by_created on "user".team (tenant_id, created_at, id) where archived_at is null;
create index team_by_updated on "user".team (tenant_id, updated_at, id) where archived_at is null;
create index team_archived on "user".team (tenant_id, name_key, id) where archived_at is not null;

-- Changed only while the team's row is locked, so that an event tells a state that was.
create table "user".team_member (
  tenant_id uuid not null,
  team_id uuid not null,
  person_id uuid not null,
  constraint team_member_pkey primary key (tenant_id, team_id, person_id)
);
call stoa.tenant_table('"user".team_member');
create index team_member_by_person on "user".team_member (tenant_id, person_id, team_id);

call stoa.idempotency_table('user');
