-- Who is archived holds nothing until they are restored, whatever they are assigned.
alter table access.subject
  add column archived_at timestamptz,
  -- The version of the user whose event was heard of last.
  add column user_version bigint not null default 0,
  -- Somebody was allowed to archive this administrator and the event has not come yet: until then, at the latest, two
  -- administrators must not count on each other.
  add column leaving_until timestamptz;
