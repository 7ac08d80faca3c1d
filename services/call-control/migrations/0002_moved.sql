-- A leg that another node goes on with is looked for by its name alone: its row gets the new life.
create index leg_uuid on leg (leg_uuid);
