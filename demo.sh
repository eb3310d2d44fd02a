#!/usr/bin/env bash
# The whole way once, on data that the project makes itself: train five tasks, build, serve, ask. See README.md.
# Usage: demo.sh FOLDER   (must not exist yet)
set -euo pipefail
demo=$1
mkdir "$demo"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

step "1. Sample data"
espalier sample-suite "$demo/data"

# Task, L (layers of the teacher), l (layers of the branch that is served).
suite="domain 2 1
intent 3 2
slots 3 2
emotion 4 2
coherence 4 3"

step "2. Teachers (top L layers fine-tuned) and their students (l layers)"
while read -r task L l; do
  espalier finetune "$demo/data/$task" --teacher-layers "$L" --learning-rate 3e-4 --output "$demo/teachers/$task"
  espalier distill "$demo/teachers/$task" "$demo/data/$task" --student-layers "$l" --learning-rate 3e-4 --output "$demo/branches/$task"
done <<<"$suite"

step "3. One trunk, five branches: the model repository"
espalier build "$demo"/branches/* --repository "$demo/repository"

step "4. Triton"
espalier serve --repository "$demo/repository" --grpc-port 0 --http-port 0 --metrics-port 0 >"$demo/serve.log" 2>&1 &
server=$!
trap 'kill -INT $server 2>/dev/null || true; wait $server || true' EXIT
until grep -q "Ctrl-C stops" "$demo/serve.log"; do
  kill -0 $server 2>/dev/null || { cat "$demo/serve.log"; exit 1; }
  sleep 0.2
done
cat "$demo/serve.log"
url=$(awk '/gRPC/ {print $2}' "$demo/serve.log")

step "5. Every task's answer, over gRPC"
espalier predict --url "$url" --pair "make it half past seven instead" "wake me at seven tomorrow please"
espalier predict --url "$url" --pair "and close the garage door" "ugh, play that Madonna song in the kitchen again"
espalier predict --url "$url" --pair "yes, and tell him I am late" "Send a message to Peter: the meeting is on Friday!"
