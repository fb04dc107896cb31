#!/bin/sh
# Instructions for each event, by callgrind: the difference between a run of 2 N events and one of N, divided by N.
# Unlike times they hardly change from run to run. Prints a Markdown table.
#
#   benches/instructions.sh            all cases
#   benches/instructions.sh W1 W4      some; "shapes" are the formats
#   EVENTS=5000 benches/instructions.sh
set -eu

cd "$(dirname "$0")/.."
events=${EVENTS:-2000}

if ! command -v valgrind >/dev/null 2>&1; then
    echo "instructions.sh: valgrind is missing (Debian, Ubuntu: apt-get install valgrind)" >&2
    exit 1
fi

bench=$(cargo bench --no-run --bench foundation --message-format=json \
    | sed -n 's/.*"name":"foundation".*"executable":"\([^"]*\)".*/\1/p')
if [ ! -x "$bench" ]; then
    echo "instructions.sh: cargo built no bench called foundation" >&2
    exit 1
fi

# What ids cost on a JSON line.
of_otlp=$(cargo bench --no-run --bench otlp --message-format=json \
    | sed -n 's/.*"name":"otlp".*"executable":"\([^"]*\)".*/\1/p')

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# total CASE PEER EVENTS
total() {
    case $1 in
        ids) set -- "$of_otlp" --count "$2" "$3" ;;
        *) set -- "$bench" --child "$1" "$2" "$3" 0 ;;
    esac
    valgrind --tool=callgrind --callgrind-out-file="$folder/out" "$@" \
        >"$folder/told" 2>&1 || { cat "$folder/told" >&2; exit 1; }
    sed -n 's/^summary: \([0-9]*\).*/\1/p;s/^totals: \([0-9]*\).*/\1/p' "$folder/out" | head -n 1
}

# row CASE EVENTS BAR PEER...
row() {
    case=$1 count=$2 bar=$3
    shift 3
    for peer in "$@"; do
        once=$(total "$case" "$peer" "$count")
        twice=$(total "$case" "$peer" $((2 * count)))
        each=$(awk "BEGIN { printf \"%.1f\", ($twice - $once) / $count }")
        verdict=
        if [ "$peer" = strata ] && [ -n "$bar" ]; then
            verdict=$(awk "BEGIN { print ($each <= $bar + 0.5) ? \"≤ $bar: met\" : \"≤ $bar: **not met**\" }")
        fi
        echo "| $case | $peer | $each | $verdict |"
    done
}

wanted() {
    [ -z "$only" ] && return 0
    case " $only " in *" $1 "*) return 0 ;; esac
    return 1
}

only="$*"
echo "| case | logger | instructions | bar |"
echo "|---|---|--:|---|"
wanted W1 && row W1 "$events" 3600 strata strata-loggers capture json json-subscriber slog-json
wanted W2 && row W2 "$events" 4300 strata capture json json-subscriber slog-json
wanted W3 && row W3-level $((events * 160)) 6 strata json slog-json
wanted W3 && row W3-name $((events * 160)) 14 strata json
wanted W4 && row W4 "$events" "" strata json registry
wanted ids && row ids "$events" "" json-ids json-plain
# The shapes that tools expect, beside plain JSON.
shapes="strata strata-ecs strata-gcp strata-datadog strata-logstash strata-bunyan strata-otel strata-python strata-logfmt"
wanted shapes && for case in W1 W2; do row $case "$events" "" $shapes; done
wanted second && row second "$events" "" strata strata-tee strata-ten strata-ten-wrapped strata-layers json-layers
exit 0
