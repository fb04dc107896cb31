#!/bin/bash
# lnav_json.sh FILE...: what lnav understood of the files as one log, as JSON. Its settings are in $HOME.
set -e
mkdir -p "$HOME/.lnav/formats/strata"
cat >"$HOME/.lnav/formats/strata/format.json" <<'F'
{ "strata_json": {
    "title": "tracing-strata JSON", "json": true, "file-pattern": ".*",
    "timestamp-field": "timestamp", "level-field": "level", "body-field": "message",
    "level": { "info": "INFO", "error": "ERROR" },
    "line-format": [ { "field": "__timestamp__" }, " ", { "field": "level" }, " ", { "field": "message" } ],
    "value": { "timestamp": { "kind": "string" }, "level": { "kind": "string" }, "message": { "kind": "string" } }
} }
F
export XDG_CONFIG_HOME=$HOME/.config
lnav -n -c ';SELECT log_line, log_time, log_level, log_format, log_body FROM all_logs' -c ':write-json-to -' "$@"
