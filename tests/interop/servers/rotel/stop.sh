#!/usr/bin/env bash
# It forwards what it has; KILL=9 as a crash does.
set -euo pipefail
D=${D:-${TMPDIR:-/tmp}/strata-servers/rotel}
P=$(cat "$D/run/pid")
kill "-${KILL:-15}" "$P" 2>/dev/null || true
for _ in $(seq 200); do
    kill -0 "$P" 2>/dev/null || exit 0
    sleep .05
done
kill -9 "$P"
