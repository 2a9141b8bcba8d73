create table customer.customer (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 2 and 200),
  -- For search and order; see stoa_kernel::text::search_key.
  name_key text collate "C" not null,
  email text collate "C" check (email = lower(email)),
  phone text check (phone ~ '^\+?[1-9]\d{1,14}$'),
  status text not null check (status in ('lead', 'active', 'inactive', 'lost')),
  sector text,
  revenue_minor bigint not null check (revenue_minor >= 0),
  employees bigint check (employees >= 0),
  office_location text,
  branch_id uuid not null,
  owner_id uuid not null,
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint customer_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.customer');
create unique index customer_email_live on customer.customer (tenant_id, email) where archived_at is null;
create index customer_by_name on customer.customer (tenant_id, name_key, id) where archived_at is null;
create index customer_by_created on customer.customer (tenant_id, created_at, id) where archived_at is null;
create index customer_by_updated on customer.customer (tenant_id, updated_at, id) where archived_at is null;
create index customer_by_revenue on customer.customer (tenant_id, revenue_minor, id) where archived_at is null;
create index customer_by_status on customer.customer (tenant_id, status, id) where archived_at is null;
create index customer_by_branch on customer.customer (tenant_id, branch_id, name_key, id) where archived_at is null;
create index customer_by_owner on customer.customer (tenant_id, owner_id, name_key, id) where archived_at is null;
create index customer_archived on customer.customer (tenant_id, name_key, id) where archived_at is not null;

-- Which branches exist, from the organization service's events; the highest version wins.
create table customer.branch (
  tenant_id uuid not null,
  id uuid not null,
  archived boolean not null,
  version bigint not null,
  constraint branch_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.branch');

-- The timelines. A row is about a customer or about a branch: what happens to a branch is on the timeline of each of
-- its customers without a copy for each.
create table customer.activity (
  tenant_id uuid not null,
  -- The event's id, so that an event makes one row however often it is delivered.
  id uuid not null,
  about uuid not null,
  at timestamptz not null,
  kind text not null,
  actor text not null,
  details jsonb not null,
  constraint activity_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('customer.activity');
create index activity_timeline on customer.activity (tenant_id, about, at, id);

call stoa.idempotency_table('customer');
