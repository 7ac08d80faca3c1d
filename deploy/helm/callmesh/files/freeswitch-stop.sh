#!/bin/sh
# Run in FreeSWITCH's container before it is stopped: the agent beside it says when the last call has ended.
touch "$RUN_DIR/stopping"
until [ -e "$RUN_DIR/drained" ]; do sleep "${LOOK_S:-1}"; done
