-- Owns every schema; bypasses row-level security; nobody logs in as it.
do $$ begin
  if not exists (select from pg_roles where rolname = 'stoa_owner') then
    create role stoa_owner nologin bypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

-- What all services share in the event log; log.attach makes their roles members. Nobody logs in as these.
do $$ begin
  if not exists (select from pg_roles where rolname = 'stoa_log_app') then
    create role stoa_log_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
  if not exists (select from pg_roles where rolname = 'stoa_log_system') then
    create role stoa_log_system nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

revoke create on schema public from public;
create schema if not exists stoa;
alter schema stoa owner to stoa_owner;
grant usage on schema stoa to public;

create table if not exists stoa.migration (
  schema text not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  primary key (schema, name)
);
alter table stoa.migration owner to stoa_owner;
grant select on stoa.migration to public;
comment on table stoa.migration is 'untenanted: which migrations ran; every process checks it at start';

-- A table whose rows belong to tenants: row-level security for the service's app role, evaluated once a statement.
create or replace procedure stoa.tenant_table(tbl regclass) language plpgsql as $$
declare
  service text := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = tbl);
begin
  execute format('alter table %s owner to stoa_owner', tbl);
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format(
    'create policy tenant on %s to %I
       using (tenant_id = (select current_setting(''stoa.tenant'')::uuid))
       with check (tenant_id = (select current_setting(''stoa.tenant'')::uuid))',
    tbl, 'stoa_' || service || '_app');
  execute format('grant select, insert, update, delete on %s to %I', tbl, 'stoa_' || service || '_app');
end $$;

-- A table that no tenant owns, for the service's system role alone; the reason stands in its comment.
create or replace procedure stoa.system_table(tbl regclass, reason text) language plpgsql as $$
declare
  service text := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = tbl);
begin
  execute format('alter table %s owner to stoa_owner', tbl);
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy system on %s to %I using (true) with check (true)',
    tbl, 'stoa_' || service || '_system');
  execute format('grant select, insert, update, delete on %s to %I', tbl, 'stoa_' || service || '_system');
  execute format('comment on table %s is %L', tbl, 'system: ' || reason);
end $$;

-- A tenant's table that the system role must also reach, with the reason: sign-in by e-mail, for example.
create or replace procedure stoa.system_access(tbl regclass, privileges text, reason text) language plpgsql as $$
declare
  service text := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = tbl);
begin
  execute format('create policy system on %s to %I using (true) with check (true)',
    tbl, 'stoa_' || service || '_system');
  execute format('grant %s on %s to %I', privileges, tbl, 'stoa_' || service || '_system');
  execute format('comment on table %s is %L', tbl, 'system: ' || reason);
end $$;

revoke execute on all procedures in schema stoa from public;
grant execute on all procedures in schema stoa to stoa_owner;

-- A service's idempotency rows: kept in its own schema, so that they commit with the effect.
create or replace procedure stoa.idempotency_table(service text) language plpgsql as $$
begin
  execute format(
    'create table %I.idempotency (
       tenant_id uuid not null,
       subject text not null,
       operation text not null,
       key text not null,
       request_hash bytea not null,
       status smallint not null,
       location text,
       version bigint,
       body jsonb not null,
       created_at timestamptz not null,
       primary key (tenant_id, subject, operation, key)
     )', service);
  call stoa.tenant_table(format('%I.idempotency', service)::regclass);
end $$;
revoke execute on procedure stoa.idempotency_table(text) from public;
grant execute on procedure stoa.idempotency_table(text) to stoa_owner;

-- Refuses a write to a job that is no longer the writer's, and with it the writer's whole transaction.
create or replace function stoa.require_lease(held boolean) returns void language plpgsql as $$
begin
  if not held then
    raise exception 'the job was cancelled, or another worker has taken it over'
      using errcode = 'ST001', constraint = 'job_lease';
  end if;
end $$;

-- A service's jobs: work that goes on after its request, in steps (docs/adr/0009-jobs.md).
create or replace procedure stoa.job_table(service text) language plpgsql as $$
begin
  execute format(
    'create table %I.job (
       tenant_id uuid not null,
       id uuid not null,
       kind text collate "C" not null,
       status text not null default ''queued''
         check (status in (''queued'', ''running'', ''succeeded'', ''failed'', ''cancelled'')),
       -- Queued, and its time has come.
       ready boolean not null,
       priority smallint not null,
       unique_key text collate "C",
       input jsonb not null,
       state jsonb,
       done bigint not null default 0 check (done >= 0),
       total bigint check (total >= 0),
       result jsonb,
       problem jsonb,
       last_error text,
       attempts int not null default 0,
       max_attempts int not null check (max_attempts > 0),
       patience_s bigint check (patience_s >= 0),
       failing_since timestamptz,
       run_at timestamptz not null,
       lease_token uuid,
       -- By the database''s clock; all other times are by the injected one.
       lease_until timestamptz,
       cancel_requested boolean not null default false,
       actor text not null,
       causation uuid,
       correlation uuid not null,
       traceparent text,
       created_at timestamptz not null,
       created_by text collate "C" not null,
       updated_at timestamptz not null,
       finished_at timestamptz,
       primary key (tenant_id, id),
       constraint job_ready check (not ready or status = ''queued''),
       constraint job_held check ((status = ''running'') = (lease_token is not null)
                                  and (status = ''running'') = (lease_until is not null)),
       constraint job_finished check ((finished_at is not null) = (status in (''succeeded'', ''failed'', ''cancelled'')))
     )', service);
  call stoa.tenant_table(format('%I.job', service)::regclass);
  call stoa.system_access(format('%I.job', service)::regclass, 'select, update, delete',
    'workers claim, lease and clear away the jobs of all tenants, each tenant in its turn');
  execute format('create unique index job_unique_key on %I.job (tenant_id, kind, unique_key)
    where unique_key is not null and finished_at is null', service);
  execute format('create index job_list on %I.job (tenant_id, created_at, id)', service);
  execute format('create index job_creator on %I.job (tenant_id, created_by, created_at, id)', service);
  -- The workers' own: the system role looks across tenants.
  execute format('create index job_next on %I.job (kind, tenant_id, priority desc, run_at, id) where ready', service);
  execute format('create index job_later on %I.job (run_at) where status = ''queued'' and not ready', service);
  execute format('create index job_leases on %I.job (lease_until) where status = ''running''', service);
  execute format('create index job_old on %I.job (finished_at) where finished_at is not null', service);
end $$;
revoke execute on procedure stoa.job_table(text) from public;
grant execute on procedure stoa.job_table(text) to stoa_owner;
