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
  service text := (select relnamespace::regnamespace::text from pg_class where oid = tbl);
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
  service text := (select relnamespace::regnamespace::text from pg_class where oid = tbl);
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
  service text := (select relnamespace::regnamespace::text from pg_class where oid = tbl);
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
