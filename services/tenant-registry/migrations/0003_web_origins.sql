-- Where an agent's browser may come from. Tenants that are there let no browser in until they say so.

alter table tenant add column web_origins text[] not null default '{}';

-- As in 0002: watchers that have an older revision take a snapshot.
delete from change;

update registry set revision = revision + 1, floor = revision + 1;
