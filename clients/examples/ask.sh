#!/usr/bin/env bash
# Ask a running server (`espalier serve`) over plain HTTP, with curl and Triton's generate extension.
# Usage: ask.sh [TEXT] [http://host:port]
set -euo pipefail
text=${1:-wake me at seven}
url=${2:-http://localhost:8000}
# JSON text from shell text: backslashes and quotes escaped.
json=$(printf '%s' "$text" | sed 's/\\/\\\\/g; s/"/\\"/g')

echo "All tasks at once (result is a JSON text):"
curl --silent --show-error --fail-with-body "$url/v2/models/nlu/generate" --data "{\"text\": \"$json\"}"
echo
echo "Each task as it is done (server-sent events):"
curl --silent --show-error --fail-with-body --no-buffer "$url/v2/models/nlu_stream/generate_stream" --data "{\"text\": \"$json\"}"
