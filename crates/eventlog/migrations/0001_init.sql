-- The event log (DESIGN §4). Rows are appended by the services' app roles, read by their system roles; the groups
-- stoa_log_app and stoa_log_system hold the rights, and log.attach makes a service's roles members.

grant usage on schema log to stoa_log_app, stoa_log_system;

-- Topics: how long their events stay, and how many partitions they have in Kafka (EV-02).
create table log.topic (
  name text primary key,
  partitions int not null check (partitions > 0),
  retention interval not null
);
insert into log.topic (name, partitions, retention) values
  ('domain.organization.events', 5, '7 days'),
  ('domain.user.events', 10, '7 days'),
  ('domain.customer.events', 20, '7 days'),
  ('integration.notification.events', 5, '3 days'),
  ('audit.events', 3, '90 days');
alter table log.topic enable row level security;
alter table log.topic force row level security;
create policy system on log.topic for select to stoa_log_system using (true);
grant select on log.topic to stoa_log_system;
comment on table log.topic is 'system: retention and partitions of each topic; no tenant owns it';

-- Which cluster's transaction ids the newest events carry. They die with their cluster, so another system identifier
-- or timeline opens a new epoch. One row.
create table log.cell (
  cell_id uuid not null,
  epoch int not null,
  system_identifier bigint not null,
  timeline bigint not null,
  -- The start of the server process that was checked last: another one is checked again.
  checked_server timestamptz not null,
  only_row boolean primary key default true check (only_row)
);
alter table log.cell enable row level security;
alter table log.cell force row level security;
create policy everyone on log.cell for select to stoa_log_app, stoa_log_system using (true);
grant select on log.cell to stoa_log_app, stoa_log_system;
comment on table log.cell is 'system: the identity of this log; no tenant owns it';

-- The timeline of the write-ahead log now; pg_control_checkpoint() would lag behind a promotion.
create function log.timeline() returns bigint language sql volatile set search_path = pg_catalog as $$
  select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
$$;

insert into log.cell (cell_id, epoch, system_identifier, timeline, checked_server)
  select gen_random_uuid(), 1, system_identifier, log.timeline(), pg_postmaster_start_time() from pg_control_system();

-- A tick: what was committed at one moment. A batch is what became visible between two ticks. `base` opens an epoch
-- (nothing is visible), `close` ends it (everything is visible).
create table log.tick (
  n bigint primary key,
  epoch int not null,
  kind text not null default 'tick' check (kind in ('base', 'tick', 'close')),
  snapshot pg_snapshot not null,
  last_seq bigint not null,
  at timestamptz not null
);
create index tick_last_seq on log.tick (last_seq, n);
alter table log.tick enable row level security;
alter table log.tick force row level security;
create policy system on log.tick for select to stoa_log_system using (true);
grant select on log.tick to stoa_log_system;
comment on table log.tick is 'system: snapshots that cut the log into batches; no tenant owns it';

-- CACHE 1: with more, a session could draw a lower number after another session's higher one, and a key would reorder.
create sequence log.event_seq as bigint cache 1;
grant usage on sequence log.event_seq to stoa_log_app;

insert into log.tick (n, epoch, kind, snapshot, last_seq, at) values (1, 1, 'base', '1:1:', 0, clock_timestamp());

-- The epoch of a new event. Refuses on a server that log.open_epoch() has not looked at, since its transaction ids
-- might not be this epoch's.
create function log.current_epoch() returns int language plpgsql stable as $$
declare
  found_epoch int;
begin
  select c.epoch into found_epoch from log.cell c where c.checked_server = pg_catalog.pg_postmaster_start_time();
  if found_epoch is null then
    raise exception 'the event log has not checked this server yet'
      using hint = 'run "select log.open_epoch()" on every new connection before writing', errcode = '55000';
  end if;
  return found_epoch;
end $$;

create table log.event (
  id uuid not null,
  epoch int not null default log.current_epoch(),
  seq bigint not null default nextval('log.event_seq'),
  xid xid8 not null default pg_current_xact_id(),
  recorded_at timestamptz not null default now(),
  time timestamptz not null,
  tenant_id uuid not null,
  topic text not null,
  source text not null,
  type text not null,
  subject text not null,
  aggregate_type text not null,
  aggregate_id uuid not null,
  aggregate_version bigint not null,
  causation uuid,
  correlation uuid not null,
  actor text not null,
  traceparent text,
  data jsonb not null,
  primary key (id, recorded_at),
  constraint event_tenant check (tenant_id <> '00000000-0000-0000-0000-000000000000')
) partition by range (recorded_at);
create index event_xid on log.event (epoch, xid);
alter table log.event enable row level security;
alter table log.event force row level security;
create policy append on log.event for insert to stoa_log_app
  with check (tenant_id = (select current_setting('stoa.tenant')::uuid));
create policy read on log.event for select to stoa_log_system using (true);
-- Not epoch, seq, xid and recorded_at: a service cannot forge its place in the log.
grant insert (id, time, tenant_id, topic, source, type, subject, aggregate_type, aggregate_id, aggregate_version,
  causation, correlation, actor, traceparent, data) on log.event to stoa_log_app;
grant select on log.event to stoa_log_system;
comment on table log.event is 'system: consumers read batches that span tenants, by transaction id';

-- Whether the current role belongs to the service that the consumer's name starts with.
create function log.owns(consumer text) returns boolean language sql stable as $$
  select current_user::text in ('stoa_' || split_part(consumer, '.', 1) || '_app',
                                'stoa_' || split_part(consumer, '.', 1) || '_system')
$$;

-- Where a consumer stands: everything up to `tick` is done, and of what lies between it and `target` everything up to
-- `seq`. `version` rises with every commit under the row's lock, so that what was read before the lock can be trusted.
create table log.cursor (
  consumer text not null,
  generation int not null,
  epoch int not null,
  -- References, so that thinning out ticks cannot race with a consumer that has just chosen one.
  tick bigint not null references log.tick (n),
  target bigint references log.tick (n),
  seq bigint not null default 0,
  version bigint not null default 1,
  replayable boolean not null default false,
  detached_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (consumer, generation)
) with (fillfactor = 50);
alter table log.cursor enable row level security;
alter table log.cursor force row level security;
create policy own on log.cursor to stoa_log_app, stoa_log_system using (log.owns(consumer)) with check (log.owns(consumer));
grant select, update on log.cursor to stoa_log_app;
grant select, insert, update, delete on log.cursor to stoa_log_system;
comment on table log.cursor is 'system: positions of consumers, whose batches span tenants; a service sees its own';

-- Which events had their effect; written in the effect's transaction.
create table log.inbox (
  consumer text not null,
  generation int not null,
  event_id uuid not null,
  recorded_at timestamptz not null,
  primary key (consumer, generation, event_id, recorded_at)
) partition by range (recorded_at);
alter table log.inbox enable row level security;
alter table log.inbox force row level security;
create policy own on log.inbox to stoa_log_app, stoa_log_system using (log.owns(consumer)) with check (log.owns(consumer));
grant select, insert on log.inbox to stoa_log_app;
grant select on log.inbox to stoa_log_system;
comment on table log.inbox is 'system: ids of handled events, whose batches span tenants; a service sees its own';

-- Events whose turn must wait: the first of a key has failed and is tried again at `next_attempt`, the others of the
-- key stand behind it. Copies, so that they outlive the log's partitions.
create table log.parked (
  position bigint generated always as identity,
  tenant_id uuid not null,
  consumer text not null,
  generation int not null,
  key uuid not null,
  event_id uuid not null,
  event jsonb not null,
  attempts int not null default 0,
  next_attempt timestamptz not null,
  last_error text,
  parked_at timestamptz not null,
  primary key (consumer, generation, event_id)
);
create index parked_key on log.parked (consumer, generation, key, position);
alter table log.parked enable row level security;
alter table log.parked force row level security;
create policy own on log.parked to stoa_log_app
  using (log.owns(consumer) and tenant_id = (select current_setting('stoa.tenant')::uuid))
  with check (log.owns(consumer) and tenant_id = (select current_setting('stoa.tenant')::uuid));
create policy system on log.parked to stoa_log_system using (log.owns(consumer)) with check (log.owns(consumer));
grant select, insert, update, delete on log.parked to stoa_log_app, stoa_log_system;
comment on table log.parked is 'system: a consumer finds the keys of a batch that spans tenants; a service sees its own';

-- Events that were given up, with the cause, until somebody redrives or discards them (EV-05).
create table log.dead_letter (
  id uuid primary key,
  tenant_id uuid not null,
  consumer text not null,
  generation int not null,
  key uuid not null,
  event_id uuid not null,
  event jsonb not null,
  attempts int not null,
  cause text not null,
  died_at timestamptz not null,
  state text not null default 'open' check (state in ('open', 'redriven', 'discarded')),
  resolved_at timestamptz
);
create index dead_letter_open on log.dead_letter (consumer, id) where state = 'open';
alter table log.dead_letter enable row level security;
alter table log.dead_letter force row level security;
create policy own on log.dead_letter for insert to stoa_log_app
  with check (log.owns(consumer) and tenant_id = (select current_setting('stoa.tenant')::uuid));
create policy system on log.dead_letter to stoa_log_system using (log.owns(consumer)) with check (log.owns(consumer));
grant insert on log.dead_letter to stoa_log_app;
grant select, update on log.dead_letter to stoa_log_system;
comment on table log.dead_letter is 'system: operators inspect and redrive across tenants; a service sees its own';

-- Makes the partitions of yesterday and the next two weeks. They are built beside the log and then attached, which does
-- not block writers.
create function log.make_partitions(today date) returns void language plpgsql security definer
set search_path = pg_catalog as $$
declare
  day date;
  name text;
  kind text;
begin
  perform pg_advisory_xact_lock(7046029254386353133);
  for i in -1..14 loop
    day := today + i;
    foreach kind in array array['event', 'inbox'] loop
      name := kind || '_' || to_char(day, 'YYYYMMDD');
      continue when to_regclass('log.' || name) is not null;
      execute format('create table log.%I (like log.%I including all)', name, kind);
      -- Policies are not inherited: without one nobody reads or writes past the parent's.
      execute format('alter table log.%I enable row level security', name);
      execute format('alter table log.%I force row level security', name);
      if kind = 'event' then
        execute format('create policy append on log.%I for insert to stoa_log_app
          with check (tenant_id = (select current_setting(''stoa.tenant'')::uuid))', name);
        execute format('create policy read on log.%I for select to stoa_log_system using (true)', name);
      else
        execute format('create policy own on log.%I to stoa_log_app, stoa_log_system
          using (log.owns(consumer)) with check (log.owns(consumer))', name);
      end if;
      execute format('comment on table log.%I is %L', name, 'system: a day of log.' || kind);
      execute format('alter table log.%I attach partition log.%I for values from (%L) to (%L)',
        kind, name, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    end loop;
  end loop;
end $$;

select log.make_partitions((now() at time zone 'UTC')::date);

-- Opens a new epoch when the database has moved to another cluster or timeline, and returns the epoch. To be called on
-- every new connection before it writes; cheap when the server was looked at before.
create function log.open_epoch() returns int language plpgsql security definer set search_path = pg_catalog as $$
declare
  known log.cell;
  now_identifier bigint;
  now_timeline bigint;
  last log.tick;
begin
  if to_regclass('log.event_' || to_char((now() at time zone 'UTC')::date + 1, 'YYYYMMDD')) is null then
    perform log.make_partitions((now() at time zone 'UTC')::date);
  end if;
  select * into known from log.cell;
  if known.checked_server = pg_postmaster_start_time() then
    return known.epoch;
  end if;
  select * into known from log.cell for update;
  if known.checked_server = pg_postmaster_start_time() then
    return known.epoch;
  end if;
  select system_identifier into now_identifier from pg_control_system();
  now_timeline := log.timeline();
  if (known.system_identifier, known.timeline) <> (now_identifier, now_timeline) then
    -- Waits for whoever is writing and for a tick under way: what commits later carries the new epoch.
    lock table log.event in share row exclusive mode;
    perform pg_advisory_xact_lock(7046029254386353132);
    select * into last from log.tick order by n desc limit 1;
    insert into log.tick (n, epoch, kind, snapshot, last_seq, at)
      select last.n + 1, known.epoch, 'close', '9223372036854775807:9223372036854775807:', s.last_value, clock_timestamp()
      from log.event_seq s;
    insert into log.tick (n, epoch, kind, snapshot, last_seq, at)
      select last.n + 2, known.epoch + 1, 'base', '1:1:', s.last_value, clock_timestamp() from log.event_seq s;
    known.epoch := known.epoch + 1;
  end if;
  update log.cell set epoch = known.epoch, system_identifier = now_identifier, timeline = now_timeline,
    checked_server = pg_postmaster_start_time();
  return known.epoch;
end $$;

-- Records a tick if something became visible since the last one. Returns its number, 0 when nothing is new, null when
-- somebody else is at it.
-- Sequential scans are off for the plan that a session makes while today's partition is still empty, and keeps; the
-- cost that the planner then gives the sequence must not start the JIT compiler, which takes a second.
create function log.tick() returns bigint language plpgsql security definer
set search_path = pg_catalog set enable_seqscan = off set jit = off as $$
declare
  made bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a tick needs a snapshot of its own: call log.tick() in a read committed transaction';
  end if;
  if not pg_try_advisory_xact_lock(7046029254386353132) then
    return null;
  end if;
  -- A later statement than the lock's: in a volatile function it has a snapshot of its own, taken after the last
  -- holder's commit. The transaction gets its id only after that snapshot, hence one not below the snapshot's xmax;
  -- so no crash that keeps this tick can hand out again an id that the tick calls finished.
  insert into log.tick (n, epoch, snapshot, last_seq, at)
  select t.n + 1, t.epoch, pg_current_snapshot(), s.last_value, clock_timestamp()
  from (select * from log.tick order by n desc limit 1) t, log.event_seq s
  where exists (select from log.event e where e.epoch = t.epoch and e.xid >= pg_snapshot_xmax(t.snapshot))
     or exists (select from pg_snapshot_xip(t.snapshot) as x(xid) join log.event e on e.epoch = t.epoch and e.xid = x.xid)
  returning n into made;
  if made is null then
    return 0;
  end if;
  -- The tick is a rare writer, at most a hundred times a second; producers never notify.
  perform pg_notify('stoa_tick', '');
  return made;
end $$;

-- Makes partitions ahead, detaches consumers that are stuck beyond `lag_limit`, drops what is past its topic's
-- retention and past every cursor, and thins out old ticks. False when somebody else is at it.
create function log.maintain_at(at timestamptz, lag_limit interval) returns boolean language plpgsql security definer
set search_path = pg_catalog set lock_timeout = '2s' as $$
declare
  part record;
  left_over boolean;
begin
  if not pg_try_advisory_xact_lock(7046029254386353134) then
    return false;
  end if;
  perform log.make_partitions((now() at time zone 'UTC')::date);
  update log.cursor c set detached_at = at
    where c.detached_at is null
      and exists (select from log.tick t where t.n > c.tick and t.at < maintain_at.at - lag_limit);
  for part in
    select i.inhrelid::regclass as event, to_regclass('log.inbox_' || right(k.relname, 8)) as inbox,
           ((to_date(right(k.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC') as upper
    from pg_inherits i join pg_class k on k.oid = i.inhrelid
    where i.inhparent = 'log.event'::regclass
    order by k.relname
  loop
    continue when part.upper > at - (select min(retention) from log.topic);
    -- An event is recorded when its transaction starts and becomes visible when it ends; no transaction of a service
    -- lasts an hour.
    continue when exists (
      select from log.cursor c join log.tick t on t.n = c.tick
      where c.detached_at is null and t.at < part.upper + interval '1 hour'
        and exists (select from log.tick later where later.n > c.tick));
    begin
      execute format(
        'delete from %s e where $1 + coalesce((select t.retention from log.topic t where t.name = e.topic), ''7 days'') <= $2',
        part.event) using part.upper, at;
      execute format('select exists (select from %s)', part.event) into left_over;
      if not left_over then
        execute format('drop table %s', part.event);
        execute format('drop table %s', part.inbox);
      end if;
    exception when lock_not_available then
      raise warning 'log partition % is busy; it is dropped next time', part.event;
    end;
  end loop;
  -- After an hour one tick per 4096 events is enough: nobody needs finer batches.
  delete from log.tick t
    where t.kind = 'tick' and t.at < maintain_at.at - interval '1 hour'
      and exists (select from log.tick earlier
                  where earlier.n < t.n and earlier.n >= t.n - 4096 and earlier.last_seq / 4096 = t.last_seq / 4096
                    and earlier.epoch = t.epoch and earlier.kind = 'tick')
      and t.n <> (select max(n) from log.tick)
      and not exists (select from log.cursor c where t.n in (c.tick, c.target));
  return true;
end $$;

create function log.maintain() returns boolean language sql security definer set search_path = pg_catalog as $$
  select log.maintain_at(now(), '7 days')
$$;

revoke execute on all functions in schema log from public;
grant execute on function log.current_epoch() to stoa_log_app;
grant execute on function log.owns(text), log.open_epoch() to stoa_log_app, stoa_log_system;
grant execute on function log.tick(), log.maintain() to stoa_log_system;

-- Makes a service's roles members of the log's. Run by the migrating role after all migrations; harmless again.
create procedure log.attach(service text) language plpgsql as $$
declare
  kind text;
begin
  foreach kind in array array['app', 'system'] loop
    continue when exists (
      select from pg_auth_members m
      where m.roleid = ('stoa_log_' || kind)::regrole and m.member = format('stoa_%s_%s', service, kind)::regrole);
    begin
      execute format('grant %I to %I', 'stoa_log_' || kind, format('stoa_%s_%s', service, kind));
    exception when unique_violation or internal_error then null; -- another migration was faster
    end;
  end loop;
end $$;
