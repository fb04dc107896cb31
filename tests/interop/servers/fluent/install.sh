#!/usr/bin/env bash
# Clients of the forward protocol: fluent-logger of Python and of Go, @fluent-org/logger of Node.js.
set -euo pipefail
H=$(cd "$(dirname "$0")" && pwd)
D=${CACHE:-${TMPDIR:-/tmp}/strata-servers/fluent}
need=
command -v python3 >/dev/null || need="$need python3 python3-venv"
command -v npm >/dev/null || need="$need nodejs npm"
command -v go >/dev/null || need="$need golang-go"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
mkdir -p "$D"
[ -x "$D/venv/bin/python" ] || python3 -m venv "$D/venv"
"$D/venv/bin/python" -c 'import fluent' 2>/dev/null || "$D/venv/bin/pip" -q install fluent-logger==0.11.1
[ -d "$D/node_modules/@fluent-org/logger" ] || npm install --silent --no-audit --no-fund --prefix "$D" @fluent-org/logger@1.0.10
version=$(cat "$H/main.go" "$H/go.mod" | sha256sum)
[ "$(cat "$D/version" 2>/dev/null)" = "$version" ] && exit 0
mkdir -p "$D/source"
cp "$H/main.go" "$H/go.mod" "$D/source"
cd "$D/source"
GOWORK=off CGO_ENABLED=0 go build -mod=mod -buildvcs=false -o "$D/client" .
echo "$version" >"$D/version"
