#!/bin/sh
# Starts Triton so that only the gate beside it can ask: on loopback, without HTTP, every call closed by a key.
# The key is made here once; the gate reads it from the volume that both containers share.
set -eu
umask 077
key_file=${ESPALIER_PRIVATE:-/private}/triton.key
if [ ! -s "$key_file" ]; then
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$key_file.new"
  mv "$key_file.new" "$key_file"
fi
groups=health,metadata,inference,shared-memory,model-config,model-repository,statistics,trace,logging
exec tritonserver \
  --model-repository=/models \
  --model-control-mode=explicit \
  --load-model='*' \
  --disable-auto-complete-config \
  --exit-timeout-secs=10 \
  --exit-on-error=false \
  --strict-readiness=false \
  --allow-http=false \
  --allow-sagemaker=false \
  --allow-vertex-ai=false \
  --grpc-address=127.0.0.1 \
  --grpc-port=8004 \
  --grpc-restricted-protocol="$groups:espalier=$(cat "$key_file")" \
  --metrics-address=127.0.0.1 \
  --metrics-port=8005 \
  "$@"
