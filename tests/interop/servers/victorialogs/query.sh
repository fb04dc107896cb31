#!/usr/bin/env bash
# What is stored, one JSON object a record, by time.
set -euo pipefail
curl -fsS -m 10 ${AUTH:+-u "$AUTH"} http://127.0.0.1:29428/internal/force_flush
curl -fsS -m 10 ${AUTH:+-u "$AUTH"} -H "AccountID: ${TENANT:-0}" http://127.0.0.1:29428/select/logsql/query \
    --data-urlencode "query=* | sort by (_time)" -d limit=10000 >"$D/out.jsonl"
