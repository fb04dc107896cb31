#!/usr/bin/env bash
# Records by Node.js's logger to port $PORT: three in each mode, acknowledged, with the shared key $KEY if that is set.
set -euo pipefail
cd "${CACHE:-${TMPDIR:-/tmp}/strata-servers/fluent}"
node --input-type=module - <<'J'
import { createRequire } from "node:module";
const { FluentClient } = createRequire(process.cwd() + "/")("@fluent-org/logger");
const { PORT, KEY } = process.env;
const security = KEY ? { clientHostname: "node", sharedKey: KEY, username: "ann", password: "pass" } : undefined;
for (const eventMode of ["Message", "Forward", "PackedForward", "CompressedPackedForward"]) {
  const client = new FluentClient("app", {
    eventMode,
    ack: { ackTimeout: 20000 },
    socket: { host: "127.0.0.1", port: Number(PORT), timeout: 20000 },
    ...(security ? { security } : {}),
  });
  await client.connect();
  const sent = [1, 2, 3].map((n) => client.emit("node", { message: `${eventMode} ${n}`, n, ratio: 0.5 }));
  await client.flush();
  await Promise.all(sent);
  await client.disconnect();
}
J
