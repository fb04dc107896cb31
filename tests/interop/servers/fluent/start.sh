#!/usr/bin/env bash
# The server of Node.js's logger, with a shared key and a user: port 29225; what arrives is in $D/out.jsonl, a record a line.
set -euo pipefail
cat >"$D/server.js" <<'J'
const fs = require("fs");
const { FluentServer } = require("@fluent-org/logger");
const security = { serverHostname: "node", sharedKey: "key-4711", authorize: true, userDict: { ann: "pass" } };
const server = new FluentServer({ listenOptions: { port: 29225, host: "127.0.0.1" }, security, keepalive: true });
server.on("entry", (tag, time, record) => {
  fs.appendFileSync("out.jsonl", JSON.stringify([tag, time.epoch, time.nano, record]) + "\n");
});
server.listen();
J
cd "$D"
NODE_PATH=${CACHE:-${TMPDIR:-/tmp}/strata-servers/fluent}/node_modules node server.js >server.log 2>&1 </dev/null &
echo $! >pid
for _ in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/29225) 2>/dev/null && exit 0
    sleep .1
done
cat server.log
exit 1
