-- Ids are compared by their bytes, so that pages come in the same order everywhere.

-- One row per leg, from the first event that tells of it; ended_at is null until
-- its end is told. told: 0 answered, 1 created, 2 ended but nobody saw how, 3 ended.
create table leg (
  node_epoch text collate "C" not null,
  leg_uuid text collate "C" not null,
  told smallint not null,
  tenant_id text collate "C" not null,
  session_id text collate "C" not null,
  call_id text not null,
  node_id text collate "C" not null,
  role text not null,
  function text not null,
  outbound boolean not null,
  caller text not null,
  callee text not null,
  agent_id text not null,
  trunk_id text not null,
  started_at timestamptz(3) not null,
  progress_at timestamptz(3),
  answered_at timestamptz(3),
  bridged_at timestamptz(3),
  ended_at timestamptz(3),
  ended_by text not null,
  hangup_cause text not null,
  sip_status integer not null,
  q850_cause integer not null,
  read_codec text not null,
  write_codec text not null,
  -- Null when no packet was received.
  mos double precision,
  quality_percent double precision,
  jitter_max_variance double precision,
  packets bigint,
  lost bigint,
  packets_sent bigint,
  last_bridge_uuid text not null,
  transferred boolean not null,
  far_address text not null,
  primary key (node_epoch, leg_uuid)
);
create index leg_tenant_started on leg (tenant_id, started_at);
create index leg_started on leg (started_at);
create index leg_session on leg (session_id) where session_id <> '';
create index leg_node_started on leg (node_id, started_at);
create index leg_alive on leg (node_id, node_epoch) where ended_at is null;

-- One row per session, made from its legs; there as soon as one of them has ended.
create table session (
  tenant_id text collate "C" not null,
  session_id text collate "C" not null,
  function text not null,
  caller text not null,
  callee text not null,
  started_at timestamptz(3) not null,
  answered_at timestamptz(3),
  ended_at timestamptz(3),
  talk_ms bigint not null,
  disposition text not null,
  hangup_cause text not null,
  ended_by text not null,
  node_ids text[] not null,
  trunk_ids text[] not null,
  agent_ids text[] not null,
  legs integer not null,
  transferred boolean not null,
  worst_mos double precision not null,
  primary key (tenant_id, session_id)
);
create index session_tenant_started on session (tenant_id, started_at);
create index session_started on session (started_at);
create index session_caller on session (caller, started_at);
create index session_callee on session (callee, started_at);

-- What was tried and refused.
create table refusal (
  id text collate "C" primary key,
  at timestamptz(3) not null,
  tenant_id text collate "C" not null,
  what text not null,
  code text not null,
  actor text not null,
  observer text not null,
  detail text not null
);
create index refusal_tenant_at on refusal (tenant_id, at);
create index refusal_at on refusal (at);
