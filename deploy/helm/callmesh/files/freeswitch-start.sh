#!/bin/sh
# Starts FreeSWITCH with a role's configuration: freeswitch-start.sh <role> <command of the image ...>
set -eu
umask 077
role=$1
shift
cd /var/lib/freeswitch
mkdir -p log db run storage recordings cache temp certs
# Marks of a stop that was meant for this container alone.
rm -f "$RUN_DIR/stopping" "$RUN_DIR/drained"
for folder in log db run storage recordings cache temp certs; do
  set -- "$@" "-$folder" "/var/lib/freeswitch/$folder"
done
exec "$@" -nonat -nf -nc -np -conf "/etc/callmesh/freeswitch/fs-$role"
