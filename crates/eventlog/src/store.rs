//! All SQL of the log but its schema.

/// An event's columns, in the order of [`crate::Stored::read`].
macro_rules! event_columns {
    () => {
        "e.id, e.epoch, e.seq, e.recorded_at, e.time, e.tenant_id, e.topic, e.source, e.type, e.subject,
         e.aggregate_type, e.aggregate_id, e.aggregate_version, e.causation, e.correlation, e.actor, e.traceparent,
         e.data"
    };
}

/// Epoch, sequence number, transaction id and the recording time are the columns' defaults. Returns what a commit's
/// token holds, asked of other places than the new row, which its writer may not read.
pub(crate) const APPEND: &str = "insert into log.event
  (id, time, tenant_id, topic, source, type, subject, aggregate_type, aggregate_id, aggregate_version,
   causation, correlation, actor, traceparent, data)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  returning (select c.cell_id from log.cell c), (select c.epoch from log.cell c), pg_current_xact_id()::text";

pub(crate) const OPEN_EPOCH: &str = crate::ON_CONNECT;
pub(crate) const TICK: &str = "select log.tick()";
pub(crate) const MAINTAIN: &str = "select log.maintain()";

/// A new consumer starts at the beginning of what the log retains. `$3` are the types that it handles.
pub(crate) const REGISTER: &str = "with made as (
    insert into log.cursor (consumer, generation, epoch, tick, replayable, types)
    select $1, 1, t.epoch, t.n, $2, $3::text[]
    from log.tick t
    where not exists (select from log.cursor c where c.consumer = $1)
    order by t.n limit 1
    on conflict do nothing)
  update log.cursor set replayable = $2, types = $3
  where consumer = $1 and (replayable, types) is distinct from ($2, $3::text[])";

/// Where the consumer stands, which tick is the next target, and how much is parked and due. `$2` is the tick up to
/// which this process has looked already without finding anything for it.
///
/// Ticks are merged while catching up, to about 4096 events.
pub(crate) const LOOK: &str = "select c.generation, c.version, c.target, c.seq, c.detached_at is not null,
    f.n, f.epoch, f.snapshot::text, f.last_seq, f.n = c.tick,
    t.n, t.epoch, t.snapshot::text, (select k.at from log.tick k where k.n > f.n order by k.n limit 1),
    (select last_seq from log.tick order by n desc limit 1),
    (select count(*) from log.parked p where p.consumer = c.consumer and p.generation = c.generation),
    (select count(*) from log.dead_letter d where d.consumer = c.consumer and d.state = 'open')
  from (select * from log.cursor where consumer = $1 order by generation desc limit 1) c
  join log.tick f on f.n = greatest(c.tick, $2)
  left join lateral (
    select k.n, k.epoch, k.snapshot from log.tick k
    where k.n = coalesce(
      case when c.target > f.n then c.target end,
      (select m.n from (select n, epoch from log.tick where last_seq <= f.last_seq + 4096
                        order by last_seq desc, n desc limit 1) m
       where m.n > f.n and m.epoch = f.epoch),
      (select min(n) from log.tick where n > f.n))
  ) t on true";

/// The events of the types `$6` that became visible between the snapshots `$2` and `$3` in epoch `$1`, after the number
/// `$4`, in order, at most `$5` and about `$7` bytes; each with its running size, whether it had its effect already,
/// and whether its key is parked.
pub(crate) const READ: &str = concat!(
    "select ",
    event_columns!(),
    ", e.bytes,
      exists (select from log.inbox i where i.consumer = $8 and i.generation = $9 and i.event_id = e.id
              and i.recorded_at = e.recorded_at),
      exists (select from log.parked p where p.consumer = $8 and p.generation = $9 and p.key = e.aggregate_id)
    from (
      select e.*, sum(pg_column_size(e.data)) over (order by e.seq) as bytes
      from log.event e
      where e.epoch = $1 and e.type = any($6) and e.seq > $4
        and ((e.xid >= pg_snapshot_xmax($2::text::pg_snapshot) and e.xid < pg_snapshot_xmax($3::text::pg_snapshot))
             or e.xid = any (array(select pg_snapshot_xip($2::text::pg_snapshot))))
        and pg_visible_in_snapshot(e.xid, $3::text::pg_snapshot)
      order by e.seq limit $5
    ) e
    where e.bytes - pg_column_size(e.data) < $7
    order by e.seq"
);

/// Whether the log `$2` with a transaction `$4` in its epoch `$3` is this one, and whether the consumer is past that
/// transaction: its tick saw it, or its position is in a later epoch, or nothing that it handles became visible since
/// its tick (an idle consumer writes its position down every few seconds only).
pub(crate) const CAUGHT_UP: &str = "select
    l.cell_id = $2
      and ($3 < l.epoch or ($3 = l.epoch and $4::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()))),
    coalesce(p.epoch > $3 or (p.epoch = $3 and (
      pg_visible_in_snapshot($4::text::xid8, p.snapshot)
      or (p.types is not null
          -- The commit's own events first: they answer without a look at all that a late consumer has before it.
          and not exists (select from log.event e
                where e.epoch = p.epoch and e.xid = $4::text::xid8 and e.type = any(p.types))
          and not exists (select from log.event e
                where e.epoch = p.epoch and e.xid >= pg_snapshot_xmax(p.snapshot) and e.type = any(p.types))
          and not exists (select from log.event e
                where e.epoch = p.epoch and e.xid = any(array(select pg_snapshot_xip(p.snapshot)))
                  and e.type = any(p.types))))), false)
  from log.cell l
  left join lateral (
    select t.epoch, t.snapshot, c.types from log.cursor c join log.tick t on t.n = c.tick
    where c.consumer = $1 order by c.generation desc limit 1) p on true";

/// Locks the consumer's row if nobody else has it and nothing was committed under it since `version` was read.
pub(crate) const CLAIM: &str = "select generation from log.cursor
  where consumer = $1 and generation = $2 and version = $3 and detached_at is null
  for update skip locked";

pub(crate) const ADVANCE: &str = "update log.cursor
  set epoch = $4, tick = $5, target = $6, seq = $7, version = version + 1, updated_at = $8
  where consumer = $1 and generation = $2 and version = $3";

/// For what happens without moving: a parked event succeeded or failed again.
pub(crate) const BUMP: &str = "update log.cursor set version = version + 1, updated_at = $4
  where consumer = $1 and generation = $2 and version = $3";

pub(crate) const HANDLED: &str = "insert into log.inbox (consumer, generation, event_id, recorded_at)
  select $1, $2, h.id, h.at from unnest($3::uuid[], $4::timestamptz[]) as h(id, at)";

pub(crate) const PARK: &str = "insert into log.parked
  (tenant_id, consumer, generation, key, event_id, event, attempts, next_attempt, last_error, parked_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  on conflict (consumer, generation, event_id) do nothing";

/// The first event of each parked key, if its time has come; and whether it had its effect in this generation, which
/// may be when it was redriven after a replay.
pub(crate) const DUE: &str = "select p.event, p.attempts,
    exists (select from log.inbox i where i.consumer = $1 and i.generation = $2 and i.event_id = p.event_id)
  from (
    select distinct on (key) key, position, event_id, event, attempts, next_attempt
    from log.parked where consumer = $1 and generation = $2
    order by key, position) p
  where p.next_attempt <= $3
  order by p.position limit 100";

pub(crate) const UNPARK: &str =
    "delete from log.parked where consumer = $1 and generation = $2 and event_id = $3";

pub(crate) const PARK_AGAIN: &str = "update log.parked set attempts = $4, next_attempt = $5, last_error = $6
  where consumer = $1 and generation = $2 and event_id = $3";

pub(crate) const BURY: &str = "insert into log.dead_letter
  (id, tenant_id, consumer, generation, key, event_id, event, attempts, cause, died_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

pub(crate) const DEAD_LETTERS: &str = "select id, consumer, event, attempts, cause, died_at, state
  from log.dead_letter
  where ($1::text is null or consumer = $1) and state = 'open' and ($2::uuid is null or id > $2)
  order by id limit $3";

/// Parks the event again, due at once; the newest generation handles it. One statement, so that the letter and the
/// parked event cannot part.
pub(crate) const REDRIVE: &str = "with letter as (
    update log.dead_letter d set state = 'redriven', resolved_at = $2
    where d.id = $1 and d.state = 'open'
    returning d.tenant_id, d.consumer, d.key, d.event_id, d.event),
  cursor as (
    update log.cursor c set version = c.version + 1, updated_at = $2
    from letter
    where c.consumer = letter.consumer
      and c.generation = (select max(generation) from log.cursor n where n.consumer = letter.consumer)
    returning c.generation),
  parked as (
    insert into log.parked (tenant_id, consumer, generation, key, event_id, event, next_attempt, parked_at)
    select l.tenant_id, l.consumer, cursor.generation, l.key, l.event_id, l.event, $2, $2 from letter l, cursor
    on conflict (consumer, generation, event_id) do nothing)
  select l.event_id from letter l, cursor";

pub(crate) const DISCARD: &str = "update log.dead_letter set state = 'discarded', resolved_at = $2
  where id = $1 and state = 'open' returning id";

/// Opens the next generation of a replayable consumer at the last tick not after `$2` (the first one when null or when
/// none is as old). Of what was parked, the events that the new generation does not meet again move over to it.
pub(crate) const OPEN_GENERATION: &str = "with old as (
    select consumer, max(generation) as generation, bool_or(replayable) as replayable
    from log.cursor where consumer = $1 group by consumer having bool_or(replayable)),
  start as (
    select t.n, t.epoch, t.snapshot from log.tick t
    where t.n = coalesce((select max(n) from log.tick where at <= $2::timestamptz), (select min(n) from log.tick))),
  made as (
    insert into log.cursor (consumer, generation, epoch, tick, replayable, types)
    select old.consumer, old.generation + 1, start.epoch, start.n, true, c.types
    from start, old join log.cursor c on c.consumer = old.consumer and c.generation = old.generation
    returning generation),
  gone as (delete from log.cursor c using old where c.consumer = old.consumer),
  met as (
    select p.event_id from log.parked p, old, start
    where p.consumer = old.consumer and exists (
      select from log.event e where e.id = p.event_id
        and (e.epoch > start.epoch
             or (e.epoch = start.epoch and not pg_visible_in_snapshot(e.xid, start.snapshot))))),
  dropped as (delete from log.parked p using old where p.consumer = old.consumer and p.event_id in (select * from met)),
  moved as (
    update log.parked p set generation = made.generation from made
    where p.consumer = $1 and p.event_id not in (select * from met))
  select generation from made";
