#!/usr/bin/env bash
# All documents of $INDEX, as they were sent, by time: one answer of _search.
set -euo pipefail
curl -fsS -m 30 -X POST "http://127.0.0.1:29200/$INDEX/_refresh" >/dev/null
curl -fsS -m 30 "http://127.0.0.1:29200/$INDEX/_search?size=10000&sort=@timestamp" >"$D/found.json"
