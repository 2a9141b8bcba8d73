create table organization.organization (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (char_length(name) between 2 and 200),
  name_key text collate "C" not null,
  status text not null check (status in ('active', 'suspended')),
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint organization_pkey primary key (tenant_id, id)
);
call stoa.tenant_table('organization.organization');
create unique index organization_name_live on organization.organization (tenant_id, name_key)
  where archived_at is null;
create index organization_by_name on organization.organization (tenant_id, name_key, id);
create index organization_by_created on organization.organization (tenant_id, created_at, id);
create index organization_by_updated on organization.organization (tenant_id, updated_at, id);

create table organization.branch (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  parent_id uuid,
  name text not null check (char_length(name) between 2 and 200),
  name_key text collate "C" not null,
  -- From the root to the branch itself.
  path uuid[] not null check (cardinality(path) between 1 and 20),
  version bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  updated_by text not null,
  archived_at timestamptz,
  constraint branch_pkey primary key (tenant_id, id),
  constraint branch_organization foreign key (tenant_id, organization_id)
    references organization.organization (tenant_id, id),
  constraint branch_parent foreign key (tenant_id, parent_id) references organization.branch (tenant_id, id)
);
call stoa.tenant_table('organization.branch');
create unique index branch_name_live on organization.branch (tenant_id, organization_id, parent_id, name_key)
  nulls not distinct where archived_at is null;
create index branch_by_name on organization.branch (tenant_id, organization_id, name_key, id);
create index branch_by_created on organization.branch (tenant_id, organization_id, created_at, id);
create index branch_by_parent on organization.branch (tenant_id, parent_id, name_key, id);

call stoa.idempotency_table('organization');
