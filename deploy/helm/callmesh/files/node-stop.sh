#!/bin/sh
# Run in the agent's container before a node is stopped: its calls end by themselves, then it may go.
#
# A pod that is stopped is told in both of its containers at once. FreeSWITCH's side leaves a mark when it begins
# (RUN_DIR/stopping) and waits for ours (RUN_DIR/drained). Without its mark only the agent is being restarted, and
# the node goes on. What an operator wanted of the node before is left as it was; a drain of ours ends with the
# server, so that the pod that comes after it under the same name takes calls.
set -u
: "${POD_NAME:?}" "${RUN_DIR:?}" "${ESL_PORT:?}"
# Seconds between two looks, and between two tries.
: "${LOOK_S:=1}" "${TRY_S:=5}"
NOT_FOUND=3

waits=5
until [ -e "$RUN_DIR/stopping" ]; do
  [ "$waits" -gt 0 ] || exit 0
  waits=$((waits - 1))
  sleep "$LOOK_S"
done

wanted() { callmesh node show "$POD_NAME" -o json | sed -n 's/.*"desired": *"DESIRED_STATE_\([A-Z]*\)".*/\1/p'; }
before=$(wanted)
while :; do
  callmesh node drain "$POD_NAME" --wait
  ended=$?
  # One that is in no table carries nothing. Whatever else fails is tried again: nobody stops before zero.
  if [ "$ended" = 0 ] || [ "$ended" = "$NOT_FOUND" ]; then break; fi
  sleep "$TRY_S"
done
touch "$RUN_DIR/drained"

serving() { node -e 'require("net").connect(+process.argv[1], "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))' "$ESL_PORT"; }
while serving; do sleep "$LOOK_S"; done
case $before in DRAINING | DISABLED) ;; *) callmesh node undrain "$POD_NAME" ;; esac
exit 0
