#!/usr/bin/env bash
# graygelf, a GELF server independent of Graylog and of us.
set -euo pipefail
command -v npm >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs npm; }
cache=${TMPDIR:-/tmp}/strata-interop-npm
mkdir -p "$cache"
cd "$cache"
[ -d node_modules/graygelf ] || npm install --no-audit --no-fund --ignore-scripts --silent graygelf@2
