#!/usr/bin/env bash
# What Python's own HTTPHandler sends of the records in $RECORDS.
set -euo pipefail
python3 "$(dirname "$0")/send.py" 127.0.0.1:19070 "$URL" "$METHOD" "$RECORDS"
