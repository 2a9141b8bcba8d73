-- Of the platform: no tenant owns these.

create table access.tenant (
  id uuid primary key,
  slug text not null constraint tenant_slug_key unique
    check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  name text not null check (length(name) between 1 and 200),
  plan text not null check (plan in ('free', 'premium')),
  status text not null default 'active' check (status in ('active', 'suspended')),
  version bigint not null default 1,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null
);
call stoa.system_table('access.tenant', 'the registry of tenants, read before a tenant is known');

create table access.permission (
  id uuid primary key,
  name text collate "C" not null constraint permission_name_key unique,
  service text not null,
  description text not null
);
call stoa.system_table('access.permission', 'the catalogue of permissions, seeded from what the services declare');

-- One row per method ('' is any) and pattern; match_key is both with the names of parameters taken out.
create table access.platform_rule (
  id uuid primary key,
  match_key text collate "C" not null constraint platform_rule_match_key unique,
  pattern text not null check (pattern like '/%'),
  method text not null,
  requirement jsonb not null,
  origin text not null check (origin in ('seed', 'custom')),
  enabled boolean not null default true,
  version bigint not null default 1,
  updated_at timestamptz not null
);
call stoa.system_table('access.platform_rule',
  'endpoint rules of every tenant; seeding leaves rows with another origin than seed alone');

-- One sequence for all changes. It is drawn under the change lock, held until commit, so its order is commit order.
create sequence access.change_seq cache 1;
grant usage on sequence access.change_seq to stoa_access_app, stoa_access_system;

create table access.platform_change (
  seq bigint primary key,
  revision bigint not null,
  kind text not null,
  actor text not null,
  before jsonb,
  after jsonb,
  at timestamptz not null
);
call stoa.system_table('access.platform_change', 'changes of the platform''s endpoint rules');
revoke update, delete on access.platform_change from stoa_access_system;

-- Of a tenant.

-- The row that every policy write of a tenant locks.
create table access.revision (
  tenant_id uuid primary key,
  revision bigint not null
);
call stoa.tenant_table('access.revision');

create table access.change (
  tenant_id uuid not null,
  seq bigint not null,
  id uuid not null,
  revision bigint not null,
  kind text not null,
  entity_id uuid,
  user_id uuid,
  actor text not null,
  correlation uuid not null,
  before jsonb,
  after jsonb,
  at timestamptz not null,
  primary key (tenant_id, seq, id)
);
call stoa.tenant_table('access.change');
call stoa.system_access('access.change', 'select', 'every process follows the changes of all tenants in one feed');
-- The feed's own index: it is read across tenants, by the system role alone.
create unique index change_feed on access.change (seq);
create index change_user on access.change (tenant_id, user_id, seq, id);
create index change_kind on access.change (tenant_id, kind, seq, id);
-- An audit trail is only ever appended to.
revoke update, delete on access.change from stoa_access_app;

create table access.role (
  tenant_id uuid not null,
  id uuid not null,
  name text collate "C" not null check (length(name) between 1 and 100),
  description text not null default '' check (length(description) <= 500),
  version bigint not null default 1,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  primary key (tenant_id, id),
  constraint role_name_key unique (tenant_id, name)
);
call stoa.tenant_table('access.role');
create index role_list on access.role (tenant_id, name, id);
create index role_created on access.role (tenant_id, created_at, id);

create table access.role_parent (
  tenant_id uuid not null,
  role_id uuid not null,
  parent_id uuid not null,
  primary key (tenant_id, role_id, parent_id),
  foreign key (tenant_id, role_id) references access.role (tenant_id, id) on delete cascade,
  constraint role_parent_parent_fkey foreign key (tenant_id, parent_id) references access.role (tenant_id, id)
);
call stoa.tenant_table('access.role_parent');
create index role_parent_parent on access.role_parent (tenant_id, parent_id);

create table access.role_grant (
  tenant_id uuid not null,
  id uuid not null,
  role_id uuid not null,
  permission text collate "C" not null,
  effect text not null check (effect in ('allow', 'deny')),
  scope text not null check (scope in ('own', 'branch', 'all')),
  condition jsonb,
  created_at timestamptz not null,
  created_by text not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, role_id) references access.role (tenant_id, id) on delete cascade
);
call stoa.tenant_table('access.role_grant');
create index role_grant_role on access.role_grant (tenant_id, role_id, permission, id);
create index role_grant_permission on access.role_grant (tenant_id, permission, id);

create table access.endpoint_rule (
  tenant_id uuid not null,
  id uuid not null,
  pattern text collate "C" not null check (pattern like '/%'),
  methods text[] not null,
  requirement jsonb not null,
  version bigint not null default 1,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  primary key (tenant_id, id)
);
call stoa.tenant_table('access.endpoint_rule');
create index endpoint_rule_list on access.endpoint_rule (tenant_id, pattern, id);
create index endpoint_rule_created on access.endpoint_rule (tenant_id, created_at, id);

create table access.assignment (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  role_id uuid not null,
  valid_from timestamptz,
  valid_until timestamptz,
  created_at timestamptz not null,
  created_by text not null,
  primary key (tenant_id, id),
  check (valid_from < valid_until),
  constraint assignment_user_role_key unique (tenant_id, user_id, role_id),
  constraint assignment_role_fkey foreign key (tenant_id, role_id) references access.role (tenant_id, id)
);
call stoa.tenant_table('access.assignment');
create index assignment_list on access.assignment (tenant_id, created_at, id);
create index assignment_of_user on access.assignment (tenant_id, user_id, created_at, id);
create index assignment_of_role on access.assignment (tenant_id, role_id, created_at, id);

create table access.subject (
  tenant_id uuid not null,
  user_id uuid not null,
  branch_id uuid,
  updated_at timestamptz not null,
  updated_by text not null,
  primary key (tenant_id, user_id)
);
call stoa.tenant_table('access.subject');
create index subject_branch on access.subject (tenant_id, branch_id);

-- The branches as their events told them.
create table access.branch (
  tenant_id uuid not null,
  id uuid not null,
  version bigint not null,
  primary key (tenant_id, id)
);
call stoa.tenant_table('access.branch');

-- Every branch with itself and each branch above it.
create table access.branch_closure (
  tenant_id uuid not null,
  ancestor_id uuid not null,
  branch_id uuid not null,
  primary key (tenant_id, ancestor_id, branch_id),
  foreign key (tenant_id, branch_id) references access.branch (tenant_id, id) on delete cascade
);
call stoa.tenant_table('access.branch_closure');
create index branch_closure_branch on access.branch_closure (tenant_id, branch_id);

call stoa.idempotency_table('access');
