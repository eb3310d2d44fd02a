#!/usr/bin/env bash
# The whole way once, on data that the project makes itself: train five tasks, build, serve, ask. See README.md.
# In a terminal the server goes on until Ctrl-C; elsewhere it is stopped at the end.
# Usage: demo.sh FOLDER   (must not exist yet)
set -euo pipefail
export demo=$1
mkdir "$demo"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

step "1. Sample data"
espalier sample-suite "$demo/data"

# Task, L (layers of the teacher), l (layers of the branch that is served), and the seed: of 0 and 1 the one with the
# better dev score and example answers below, so these scores flatter. The longest trainings come first.
suite="coherence 4 3 1
emotion 4 2 0
intent 3 2 0
slots 3 2 0
domain 2 1 1"

train() {
  espalier finetune "$demo/data/$1" --teacher-layers "$2" --learning-rate 3e-4 --seed "$4" --output "$demo/teachers/$1"
  espalier distill "$demo/teachers/$1" "$demo/data/$1" --student-layers "$3" --learning-rate 3e-4 --seed "$4" \
    --output "$demo/branches/$1"
}
export -f train

step "2. Teachers (top L layers fine-tuned) and their students (l layers)"
# A task per core, with one thread each: for so small a model that is faster than one task with all cores.
# Through cat, because the progress bars of several tasks would overwrite each other in a terminal.
OMP_NUM_THREADS=1 xargs -P "$(nproc)" -L 1 bash -ec 'train "$@"' train <<<"$suite" 2>&1 | cat

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
grep -v "Ctrl-C stops" "$demo/serve.log"
url=$(awk '/gRPC/ {print $2}' "$demo/serve.log")
http=$(awk '/HTTP/ {print $2}' "$demo/serve.log")
metrics_port=$(sed -n 's|.*metrics .*:\([0-9]*\)/metrics|\1|p' "$demo/serve.log")

step "5. Every task's answer, over gRPC"
espalier predict --url "$url" --pair "make it half past seven instead" "wake me at seven tomorrow please"
espalier predict --url "$url" --pair "and close the garage door" "ugh, play that Madonna song in the kitchen again"
espalier predict --url "$url" --pair "yes, and tell him I am late" "Send a message to Peter: the meeting is on Friday!"

step "What to try next"
if [ -t 0 ] && [ -t 1 ]; then
  echo "The server goes on. In another terminal, in this folder, after \`. .venv/bin/activate\`:"
else
  url=localhost:8001 http=http://localhost:8000 metrics_port=8002
  echo "The server is stopped now. Start it again, after \`. .venv/bin/activate\`:"
  echo "  espalier serve --repository $demo/repository"
  echo "In another terminal:"
fi
cat <<END
  # Ask for two tasks, with the scores of all classes.
  espalier predict --url $url --tasks intent,slots --scores "remind me to call Anna on Friday"
  # The same over HTTP.
  curl -s $http/v2/models/nlu/generate -d '{"text": "play some jazz", "tasks": "intent,slots"}'
  # Publish another version of one task while the server runs: the deeper teacher answers 10% of the texts.
  espalier publish $demo/teachers/intent --repository $demo/repository --url $url --canary 10%
  espalier status --repository $demo/repository --url $url --metrics-port $metrics_port
  # Make it the live version.
  espalier promote intent --repository $demo/repository --url $url
END
if [ -t 0 ] && [ -t 1 ]; then
  echo "Ctrl-C stops the server."
  trap 'exit 0' INT
  wait $server
fi
