#!/bin/bash
# rsyslog follows $D/logs/app.log and writes what it reads to $D/run/out.jsonl
set -e
D=${D:?}
mkdir -p "$D/run" "$D/logs"
cat >"$D/run/rsyslog.conf" <<F
global(workDirectory="$D/run" maxMessageSize="64k")
module(load="imfile" mode="inotify")
template(name="line" type="string" string="%msg%\n")
ruleset(name="r") { action(type="omfile" file="$D/run/out.jsonl" template="line" asyncWriting="off" flushOnTXEnd="on") }
input(type="imfile" File="$D/logs/app.log" Tag="app" ruleset="r" addMetadata="off" escapeLF="off")
F
rsyslogd -N1 -f "$D/run/rsyslog.conf" >"$D/run/check.log" 2>&1 || { cat "$D/run/check.log"; exit 1; }
rsyslogd -n -f "$D/run/rsyslog.conf" -i "$D/run/rsyslogd.pid" >"$D/run/stderr.log" 2>&1 &
echo $! >"$D/run/pid"
for _ in $(seq 50); do [ -s "$D/run/rsyslogd.pid" ] && break; sleep .1; done
kill -0 "$(cat "$D/run/pid")"
