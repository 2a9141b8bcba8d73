create table __service__.__resource__ (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 2 and 200),
  -- For uniqueness and order; see stoa_kernel::text::search_key.
  name_key text collate "C" not null,
  description text check (char_length(description) <= 1000),
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint __resource___pkey primary key (tenant_id, id)
);
call stoa.tenant_table('__service__.__resource__');
create unique index __resource___name_live on __service__.__resource__ (tenant_id, name_key)
  where archived_at is null;
create index __resource___by_name on __service__.__resource__ (tenant_id, name_key, id);
create index __resource___by_created on __service__.__resource__ (tenant_id, created_at, id);
create index __resource___by_updated on __service__.__resource__ (tenant_id, updated_at, id);

call stoa.idempotency_table('__service__');
