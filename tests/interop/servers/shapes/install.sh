#!/usr/bin/env bash
# What reads the shapes of records that other tools expect: fblog (crates.io), bunyan and pino-pretty (npm), python-json-logger, ecs-logging
# and logfmtkv (PyPI), go-logfmt, kr/logfmt and the collector's own reader of OTLP/JSON (Go), into a cache.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${TMPDIR:-/tmp}/strata-interop-shapes
mkdir -p "$cache"
need=
command -v npm >/dev/null || need="$need nodejs npm"
command -v go >/dev/null || need="$need golang-go"
command -v jq >/dev/null || need="$need jq"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
cd "$cache"
[ -d node_modules/bunyan ] && [ -d node_modules/pino-pretty ] ||
    npm install --no-audit --no-fund --ignore-scripts --silent bunyan@2 pino-pretty@13
[ -x cargo/bin/fblog ] || cargo install --quiet --locked --root cargo fblog@4.17.0
[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/python -c 'import pythonjsonlogger, ecs_logging, logfmtkv' 2>/dev/null ||
    venv/bin/pip -q install python-json-logger==4.2.0 ecs-logging==2.3.0 logfmtkv==0.2.1
if ! cmp -s "$here/readers.go" go/main.go || [ ! -x go/readers ]; then
    rm -rf go
    mkdir go
    cp "$here/readers.go" go/main.go
    cd go
    go mod init readers
    go mod edit -require=github.com/go-logfmt/logfmt@v0.6.0 \
        -require=github.com/kr/logfmt@v0.0.0-20210122060352-19f9bcb100e6 \
        -require=go.opentelemetry.io/collector/pdata@v1.71.0
    go mod tidy
    go build -o readers .
fi
