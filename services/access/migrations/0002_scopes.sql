-- "branch" meant the branch and every branch below it, which is called branchAndBelow from now on: every grant keeps its
-- rows. What "branch" means now, no grant meant before.

alter table access.role_grant drop constraint role_grant_scope_check;
-- Row-level security would show a migration no rows.
alter table access.role_grant no force row level security;
update access.role_grant set scope = 'branchAndBelow' where scope = 'branch';
alter table access.role_grant force row level security;
alter table access.role_grant add constraint role_grant_scope_check
  check (scope in ('own', 'team', 'branch', 'branchAndBelow', 'organization', 'all'));

-- Null for a branch that was known before this column, until the service has asked the organization service for it.
alter table access.branch add column organization_id uuid;
create index branch_organization on access.branch (tenant_id, organization_id, id);
create index branch_without_organization on access.branch (tenant_id, id) where organization_id is null;
call stoa.system_access('access.branch', 'select', 'branches of every tenant whose organization is not known yet');

-- The teams as their events told them.
create table access.team (
  tenant_id uuid not null,
  id uuid not null,
  version bigint not null,
  primary key (tenant_id, id)
);
call stoa.tenant_table('access.team');

create table access.team_member (
  tenant_id uuid not null,
  team_id uuid not null,
  user_id uuid not null,
  primary key (tenant_id, team_id, user_id),
  foreign key (tenant_id, team_id) references access.team (tenant_id, id) on delete cascade
);
call stoa.tenant_table('access.team_member');
create index team_member_user on access.team_member (tenant_id, user_id, team_id);
