#!/usr/bin/env bash
# qryn (npm), which takes what Loki takes and answers LogQL, over chdb (PyPI), a ClickHouse in a library.
set -euo pipefail
D=${CACHE:-${TMPDIR:-/tmp}/strata-servers/qryn}
VERSIONS="qryn@3.2.39 chdb==4.2.0"
need=
command -v npm >/dev/null || need="$need nodejs npm"
command -v curl >/dev/null || need="$need curl"
python3 -c 'import venv, ensurepip' 2>/dev/null || need="$need python3-venv"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
mkdir -p "$D"
[ "$(cat "$D/version" 2>/dev/null)" = "$VERSIONS" ] && exit 0
cd "$D"
python3 -m venv venv
venv/bin/pip -q install "${VERSIONS#* }"
npm install --no-audit --no-fund --silent "${VERSIONS% *}"
echo "$VERSIONS" >"$D/version"
chmod -R a+rX "$D"
