-- Routes that hold for every tenant: seeded from the services' path prefixes. An operator's edit sets origin to
-- 'operator', and no seed touches the row again.
create table gateway.platform_route (
  id uuid primary key,
  name text not null unique check (length(name) between 1 and 200),
  priority integer not null default 0,
  predicates jsonb not null,
  target jsonb not null,
  strip_prefix integer not null default 0,
  rewrite text,
  enabled boolean not null default true,
  origin text not null default 'seed' check (origin in ('seed', 'operator')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version bigint not null default 1
);
call stoa.system_table('gateway.platform_route', 'routes that hold for every tenant');

-- A tenant's own routes, which match only that tenant's signed-in callers.
create table gateway.route (
  tenant_id uuid not null,
  id uuid not null,
  name text collate "C" not null check (length(name) between 1 and 200),
  priority integer not null,
  predicates jsonb not null,
  target jsonb not null,
  strip_prefix integer not null,
  rewrite text,
  enabled boolean not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  version bigint not null,
  primary key (tenant_id, id)
);
call stoa.tenant_table('gateway.route');
call stoa.system_access('gateway.route', 'select', 'every gateway holds all routes in memory');
-- Checked at commit: a rollback may swap names.
alter table gateway.route add constraint route_name unique (tenant_id, name) deferrable initially deferred;
create index route_created on gateway.route (tenant_id, created_at, id);

-- How often a tenant's routes changed. Its row's lock puts that tenant's writers in order.
create table gateway.route_revision (
  tenant_id uuid not null primary key,
  revision bigint not null
);
call stoa.tenant_table('gateway.route_revision');
call stoa.system_access('gateway.route_revision', 'select', 'tells every gateway that a tenant''s routes changed');

-- What each revision changed, to undo it. A deleted route is kept here.
create table gateway.route_change (
  tenant_id uuid not null,
  revision bigint not null,
  route_id uuid not null,
  before jsonb,
  after jsonb,
  at timestamptz not null,
  actor text not null,
  primary key (tenant_id, revision, route_id)
);
call stoa.tenant_table('gateway.route_change');

call stoa.idempotency_table('gateway');
