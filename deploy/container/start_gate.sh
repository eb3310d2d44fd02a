#!/bin/sh
# Starts gate and watch for the Triton of start_triton.sh, as soon as its key is there.
set -eu
key_file=${ESPALIER_PRIVATE:-/private}/triton.key
while [ ! -s "$key_file" ]; do sleep 1; done
ESPALIER_TRITON_KEY=$(cat "$key_file")
export ESPALIER_TRITON_KEY
exec espalier serve --repository /models --triton 127.0.0.1:8004 --triton-metrics 127.0.0.1:8005 "$@"
