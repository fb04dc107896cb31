#!/bin/bash
# rsyslog: UDP 15514, TCP 15514 (LF + octet counting), TLS 16514 (gtls or ossl, anon), TLS mutual 16515, unix dgram log.sock
set -e
DRV=${DRV:-gtls}; U=${U:-nobody}
mkdir -p $D/run; cd $D/run
if [ ! -f ca.pem ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj '/CN=test ca' 2>/dev/null
  for n in server client; do
    openssl req -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr -subj "/CN=localhost" 2>/dev/null
    openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out $n.pem \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
  done
fi
cat > rsyslog.conf <<EOF
global(workDirectory="$D/run" maxMessageSize="64k" defaultNetstreamDriverCAFile="$D/run/ca.pem" defaultNetstreamDriverCertFile="$D/run/server.pem" defaultNetstreamDriverKeyFile="$D/run/server.key" parser.escapeControlCharactersOnReceive="on")
module(load="imudp")
module(load="imuxsock" sysSock.use="off")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="$DRV" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="j" type="list") {
  constant(value="{") property(outname="in" name="inputname" format="jsonf")
  constant(value=",") property(outname="pri" name="pri" format="jsonf")
  constant(value=",") property(outname="fac" name="syslogfacility-text" format="jsonf")
  constant(value=",") property(outname="sev" name="syslogseverity-text" format="jsonf")
  constant(value=",") property(outname="ver" name="protocol-version" format="jsonf")
  constant(value=",") property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  constant(value=",") property(outname="host" name="hostname" format="jsonf")
  constant(value=",") property(outname="tag" name="syslogtag" format="jsonf")
  constant(value=",") property(outname="app" name="app-name" format="jsonf")
  constant(value=",") property(outname="pid" name="procid" format="jsonf")
  constant(value=",") property(outname="msgid" name="msgid" format="jsonf")
  constant(value=",") property(outname="sd" name="structured-data" format="jsonf")
  constant(value=",") property(outname="msg" name="msg" format="jsonf")
  constant(value=",") property(outname="raw" name="rawmsg" format="jsonf")
  constant(value="}\n") }
ruleset(name="r") { action(type="omfile" file="$D/run/out.jsonl" template="j" asyncWriting="off" flushOnTXEnd="on") }
input(type="imudp" address="127.0.0.1" port="15514" ruleset="r")
input(type="imptcp" address="127.0.0.1" port="15514" ruleset="r" name="imptcp" supportOctetCountedFraming="on")
input(type="imtcp" address="127.0.0.1" port="16514" ruleset="r" name="imtcp-tls" supportOctetCountedFraming="on")
input(type="imtcp" address="127.0.0.1" port="16515" ruleset="r" name="imtcp-mtls" StreamDriver.Name="$DRV" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["localhost"])
input(type="imuxsock" Socket="$D/run/log.sock" CreatePath="on" ruleset="r" usePIDFromSystem="off" useSysTimeStamp="off")
EOF
chmod 644 *.key; chmod -R a+rX $D/run; chown -R $U $D/run
rsyslogd -N1 -f rsyslog.conf >check.log 2>&1 || { cat check.log; exit 1; }
setpriv --reuid=$U --regid=nogroup --clear-groups rsyslogd -n -f $D/run/rsyslog.conf -i $D/run/rsyslogd.pid >stderr.log 2>&1 &
echo $! > pid
for i in $(seq 50); do ss -ltn | grep -q ':16514' && [ -S log.sock ] && break; sleep .1; done
kill -0 $(cat pid) && echo "rsyslog up pid $(cat pid)"
