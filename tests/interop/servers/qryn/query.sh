#!/usr/bin/env bash
# The streams and entries of the last hour that LogQL finds: QUERY.
set -euo pipefail
now=$(date +%s)
curl -fsS -m 20 -G http://127.0.0.1:29100/loki/api/v1/query_range --data-urlencode "query=$QUERY" \
    -d "start=$((now - 3600))000000000" -d "end=$((now + 60))000000000" -d limit=5000 -d direction=forward >"$D/out.json"
