-- What number plans and trunks to carriers need. Rows that are there get what leaving a field out means.

alter table tenant add column blocked_destinations text[] not null default '{}';
alter table tenant add column premium_allowed boolean not null default false;

alter table agent add column voicemail boolean not null default true;

alter table trunk add column register boolean not null default false;
alter table trunk add column served_prefixes text[] not null default '{}';
alter table trunk add column caller_number text not null default '';
alter table trunk add column caller_policy text not null default 'own';
alter table trunk add column identity_header text not null default 'p-asserted-identity';
alter table trunk add column failover_causes text[] not null default '{}';

-- The log of changes knows nothing of these: watchers that have an older revision take a snapshot.
delete from change;

update registry set revision = revision + 1, floor = revision + 1;
