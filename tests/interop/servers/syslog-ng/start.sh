#!/bin/bash
# syslog-ng 3.38: UDP/TCP 17514, octet-counted 5424 TCP 17601, TLS 17515, unix dgram+stream
set -e
R=${TMPDIR:-/tmp}/strata-syslog-ng; U=${U:-nobody}
mkdir -p $D/run; cd $D/run
if [ ! -f server.pem ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj '/CN=test ca' 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost 2>/dev/null
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
fi
cat > syslog-ng.conf <<EOF
@version: 3.38
options { keep-hostname(yes); use-dns(no); chain-hostnames(no); log-msg-size(65536); stats-freq(0); create-dirs(no); };
source s_udp  { network(transport("udp") ip("127.0.0.1") port(17514) flags(store-raw-message) tags("udp-bsd")); };
source s_tcp  { network(transport("tcp") ip("127.0.0.1") port(17514) flags(syslog-protocol store-raw-message) tags("tcp-lf-5424")); };
source s_udp5 { syslog(transport("udp") ip("127.0.0.1") port(17601) flags(store-raw-message) tags("udp-5424")); };
source s_tcp5 { syslog(transport("tcp") ip("127.0.0.1") port(17601) flags(store-raw-message) tags("tcp-octet-5424")); };
source s_tls  { syslog(transport("tls") ip("127.0.0.1") port(17515) flags(store-raw-message) tags("tls-octet-5424") tls(cert-file("$D/run/server.pem") key-file("$D/run/server.key") peer-verify(optional-untrusted))); };
source s_ud   { unix-dgram("$D/run/dgram.sock" flags(store-raw-message) tags("unix-dgram")); };
source s_us   { unix-stream("$D/run/stream.sock" flags(store-raw-message) tags("unix-stream")); };
destination d { file("$D/run/out.jsonl" template("\$(format-json --scope rfc5424 --scope sdata --key TAGS --key RAWMSG --pair SDATA=\"\$SDATA\" --pair PRI=\"\$PRI\" --pair ISODATE=\"\$S_ISODATE\")\n")); };
log { source(s_udp); source(s_tcp); source(s_udp5); source(s_tcp5); source(s_tls); source(s_ud); source(s_us); destination(d); };
EOF
chmod 644 server.key; chown -R $U $D/run
export LD_LIBRARY_PATH=$R/usr/lib/syslog-ng
setpriv --reuid=$U --regid=nogroup --clear-groups $R/usr/sbin/syslog-ng -F -e --no-caps -f $D/run/syslog-ng.conf --module-path=$R/usr/lib/syslog-ng/3.38 -R $D/run/persist -p $D/run/sng.pid -c $D/run/ctl >$D/run/stderr.log 2>&1 &
echo $! > $D/run/pid
for i in $(seq 50); do [ -S $D/run/dgram.sock ] && break; sleep .1; done
kill -0 $(cat $D/run/pid) && echo up || { cat $D/run/stderr.log; exit 1; }
