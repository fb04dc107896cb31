#!/usr/bin/env bash
# A collector that reads $D/in/NAME.jsonl, for the shapes named in $SHAPES as NAME:TIME:LEVEL:TRACE:SPAN (keys of the
# object), and writes what it understood to $D/out-NAME.jsonl.
set -euo pipefail
BIN=${CACHE:-${TMPDIR:-/tmp}/strata-servers/otelcol-files}/otelcol
receivers= exporters= pipelines=
while IFS=: read -r name time level trace span; do
    receivers="$receivers
  file_log/$name:
    include: [$D/in/$name.jsonl]
    start_at: beginning
    include_file_name: false
    poll_interval: 100ms
    operators:
      - type: json_parser
        parse_ints: true
        timestamp: { parse_from: 'attributes[\"$time\"]', layout_type: gotime, layout: '2006-01-02T15:04:05.999999999Z07:00' }
        severity:
          parse_from: 'attributes[\"$level\"]'
          mapping: { trace: [10, TRACE, level 5], debug: [20], info: [30], info3: [NOTICE, level 25], warn: [40], error: [50], fatal: [60, CRITICAL] }
      - type: trace_parser
        trace_id: { parse_from: 'attributes[\"$trace\"]' }
        span_id: { parse_from: 'attributes[\"$span\"]' }"
    exporters="$exporters
  file/$name: { path: $D/out-$name.jsonl, flush_interval: 100ms }"
    pipelines="$pipelines
    logs/$name: { receivers: [file_log/$name], exporters: [file/$name] }"
done <<<"$SHAPES"
cat >"$D/config.yaml" <<C
receivers:$receivers
exporters:$exporters
service:
  telemetry: { metrics: { level: none } }
  pipelines:$pipelines
C
"$BIN" --config "file:$D/config.yaml" >"$D/server.log" 2>&1 </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    grep -q 'Everything is ready' "$D/server.log" && exit 0
    kill -0 "$(cat "$D/pid")" 2>/dev/null || break
    sleep .1
done
tail -5 "$D/server.log"
exit 1
