#!/bin/sh
# Starts FreeSWITCH with a role's configuration: freeswitch-start.sh <role> <command of the image ...>
set -eu
umask 077
role=$1
shift
data=${DATA_DIR:-/var/lib/freeswitch}
configuration=${CONFIG_DIR:-/etc/callmesh/freeswitch}
# Marks of a stop that was meant for this container alone.
rm -f "$RUN_DIR/stopping" "$RUN_DIR/drained"
for folder in log db run storage recordings cache temp certs; do
  mkdir -p "$data/$folder"
  set -- "$@" "-$folder" "$data/$folder"
done
# -np: no real-time priority, which a container does not give.
exec "$@" -nonat -nf -nc -np -conf "$configuration/fs-$role"
