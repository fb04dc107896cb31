#!/usr/bin/env bash
# PUT $URL with the JSON in $BODY.
set -euo pipefail
curl -fsS -m 30 -X PUT "http://127.0.0.1:29200$URL" -H 'content-type: application/json' -d "$BODY"
