#!/bin/bash
# stunnel4: (a) TLS 22443 -> plain 127.0.0.1:${BACK:-15514}; (b) mTLS 22444 -> same. Own CA in run/. Also makes bad certs: expired, wrong host, other CA.
U=${U:-nobody}
set -e
mkdir -p $D/run; cd $D/run
if [ ! -f ca.pem ]; then
 for c in ca otherca; do openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout $c.key -out $c.pem -subj "/CN=$c" -addext basicConstraints=critical,CA:TRUE 2>/dev/null; done
 mk() { # name ca san days
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1" 2>/dev/null
  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial ${4:--days 30} -out $1.pem -extfile <(printf "subjectAltName=$3\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n") 2>/dev/null; }
 mk server ca DNS:localhost,IP:127.0.0.1; mk client ca DNS:client; mk wronghost ca DNS:other.example; mk otherserver otherca DNS:localhost,IP:127.0.0.1
 faketime '2020-01-01' openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out expired.pem -extfile <(printf "subjectAltName=DNS:localhost,IP:127.0.0.1\n") 2>/dev/null; cp server.key expired.key
fi
{ printf 'foreground = yes\npid =\ndebug = 6\nsocket = l:TCP_NODELAY=1\n'
  p=22443; for s in server wronghost otherserver expired; do printf "[$s]\naccept = 127.0.0.1:$p\nconnect = 127.0.0.1:${BACK:-15514}\ncert = $D/run/$s.pem\nkey = $D/run/$s.key\n"; [ $p = 22443 ] && p=22445 || p=$((p+1)); done
  printf "[mtls]\naccept = 127.0.0.1:22444\nconnect = 127.0.0.1:${BACK:-15514}\ncert = $D/run/server.pem\nkey = $D/run/server.key\nCAfile = $D/run/ca.pem\nverifyChain = yes\n"; } > stunnel.conf
chmod 644 *.key; chown -R $U $D/run
setpriv --reuid=$U --regid=nogroup --clear-groups stunnel4 $D/run/stunnel.conf > $D/run/stderr.log 2>&1 &
echo $! > $D/run/pid; for i in $(seq 50); do ss -ltn | grep -q 127.0.0.1:22444 && break; sleep .1; done; kill -0 $(cat $D/run/pid) && echo "stunnel up pid $(cat $D/run/pid): 22443 good, 22444 mTLS, 22445 wrong host, 22446 other CA, 22447 expired"
