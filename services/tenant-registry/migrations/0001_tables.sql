-- Ids are compared by their bytes, so that pages come in the same order everywhere.

-- The one revision of the registry. Every writing transaction locks this row
-- first: writers queue up here, and revisions become visible in their order.
-- It starts at the time of creation: a watcher of a registry that was lost and
-- made anew holds an older revision, and is told to start over.
create table registry (
  only_one boolean primary key default true check (only_one),
  revision bigint not null,
  -- The change log holds the changes after this revision.
  floor bigint not null
);

insert into registry (revision, floor)
select now_ms, now_ms from (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms) as t;

create table tenant (
  id text collate "C" primary key,
  name text not null,
  domain text not null unique,
  enabled boolean not null,
  max_calls integer not null,
  max_cps integer not null,
  allowed_destinations text[] not null,
  canary_percent integer not null,
  revision bigint not null
);

create table node_group (
  id text collate "C" primary key,
  name text not null,
  role text not null,
  strategy text not null,
  revision bigint not null
);

-- Foreign keys are checked at commit: an import changes many rows in any order.

create table app_node (
  id text collate "C" primary key,
  role text not null,
  group_id text collate "C" not null references node_group deferrable initially deferred,
  weight integer not null,
  max_sessions integer not null,
  revision bigint not null
);

-- The platform's own links have tenant_id '*'.
create table tenant_app (
  id text collate "C" primary key,
  tenant_id text collate "C" not null,
  function text not null,
  group_id text collate "C" not null references node_group deferrable initially deferred,
  role text not null,
  revision bigint not null
);
create index on tenant_app (tenant_id);

create table agent (
  id text collate "C" primary key,
  tenant_id text collate "C" not null references tenant deferrable initially deferred,
  username text not null,
  display_name text not null,
  ha1_md5 text not null,
  ha1_sha256 text not null,
  enabled boolean not null,
  extension text not null,
  revision bigint not null
);
create index on agent (tenant_id);

create table did (
  id text collate "C" primary key,
  number text not null,
  tenant_id text collate "C" not null references tenant deferrable initially deferred,
  function text not null,
  destination_kind text not null,
  destination text not null,
  revision bigint not null
);
create index on did (tenant_id);

create table trunk (
  id text collate "C" primary key,
  tenant_id text collate "C" not null references tenant deferrable initially deferred,
  kind text not null,
  auth text not null,
  source_addresses text[] not null,
  username text not null,
  realm text not null,
  ha1_md5 text not null,
  ha1_sha256 text not null,
  contact_uri text not null,
  max_channels integer not null,
  max_cps integer not null,
  priority integer not null,
  weight integer not null,
  enabled boolean not null,
  media_anchor text not null,
  function text not null,
  tls_subject text not null,
  revision bigint not null
);
create index on trunk (tenant_id);

create table number_rule (
  id text collate "C" primary key,
  tenant_id text collate "C" not null references tenant deferrable initially deferred,
  trunk_id text collate "C" not null references trunk deferrable initially deferred,
  direction text not null,
  party text not null,
  position integer not null,
  match text not null,
  strip integer not null,
  prepend text not null,
  revision bigint not null
);
create index on number_rule (tenant_id);

-- What only one row of the platform may have: domains, source addresses, digest users.
create table claim (
  space text collate "C" not null,
  key text collate "C" not null,
  kind text not null,
  id text collate "C" not null,
  field text not null,
  tenant_id text collate "C" not null,
  primary key (space, key)
);
create index on claim (kind, id);

-- Who refers to whom, for every kind alike: asked before anything is removed.
create table reference (
  kind text not null,
  id text collate "C" not null,
  field text not null,
  to_kind text not null,
  to_id text collate "C" not null,
  primary key (kind, id, field, to_kind, to_id)
);
create index on reference (to_kind, to_id);

-- Deltas for watchers; trimmed by the writers.
create table change (
  revision bigint primary key,
  kind text not null,
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  -- The row as it became; null when it was removed.
  row jsonb
);

-- Who changed what; names of fields only.
create table audit (
  revision bigint primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  kind text not null,
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  changed_fields text[] not null
);
create index on audit (tenant_id, revision);
