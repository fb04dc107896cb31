#!/usr/bin/env bash
# Three records by Go's logger to port $PORT.
set -euo pipefail
"${CACHE:-${TMPDIR:-/tmp}/strata-servers/fluent}/client"
