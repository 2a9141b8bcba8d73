-- The types of events that a consumer handles, as its last start declared them; null before a start that did. With them
-- a reader can tell a consumer that is behind from one that has nothing to do and has not written its position down.
alter table log.cursor add column types text[];
