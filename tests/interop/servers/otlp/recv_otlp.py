# OTLP receiver on the official generated protobufs: gRPC + HTTP (protobuf and JSON, gzip) -> JSON lines on stdout.
# recv_otlp.py [--grpc 14317] [--http 14318] [--fail N:STATUS] (answer the first N requests with an error) [--partial K] [--delay S]
import argparse, gzip, json, ssl, sys, threading, time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import grpc
from google.protobuf.json_format import MessageToDict, Parse, MessageToJson
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as L, logs_service_pb2_grpc as LG
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as T, trace_service_pb2_grpc as TG
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as M, metrics_service_pb2_grpc as MG
a = argparse.ArgumentParser(); a.add_argument('--grpc', type=int, default=14317); a.add_argument('--http', type=int, default=14318)
a.add_argument('--fail', default='0:503'); a.add_argument('--retry-after', default=''); a.add_argument('--partial', type=int, default=0); a.add_argument('--delay', type=float, default=0)
a.add_argument('--tls', default='')  # a directory with server.pem, server.key and ca.pem: TLS that asks for a client's certificate
a = a.parse_args(); left, status = map(int, a.fail.split(':')); lock = threading.Lock()
R = {'logs': (L.ExportLogsServiceRequest, L.ExportLogsServiceResponse), 'traces': (T.ExportTraceServiceRequest, T.ExportTraceServiceResponse), 'metrics': (M.ExportMetricsServiceRequest, M.ExportMetricsServiceResponse)}
def out(kind, via, req, meta):
    with lock:
        print(json.dumps({'kind': kind, 'via': via, 'meta': meta, 'req': MessageToDict(req)}, ensure_ascii=False), flush=True)
def fail():
    global left
    with lock:
        if left > 0: left -= 1; return True
def resp(kind):
    r = R[kind][1]()
    if a.partial and kind == 'logs': r.partial_success.rejected_log_records = a.partial; r.partial_success.error_message = 'rejected by test'
    if a.partial and kind == 'traces': r.partial_success.rejected_spans = a.partial; r.partial_success.error_message = 'rejected by test'
    return r
def export(kind):
    def f(self, req, ctx):
        time.sleep(a.delay)
        if fail(): ctx.abort(grpc.StatusCode.UNAVAILABLE, 'told to fail')
        out(kind, 'grpc', req, {'headers': dict((k, v) for k, v in ctx.invocation_metadata() if isinstance(v, str)), 'peer': ctx.peer()}); return resp(kind)
    return f
s = grpc.server(futures.ThreadPoolExecutor(4), options=[('grpc.max_receive_message_length', 64 << 20)])
LG.add_LogsServiceServicer_to_server(type('l', (LG.LogsServiceServicer,), {'Export': export('logs')})(), s)
TG.add_TraceServiceServicer_to_server(type('t', (TG.TraceServiceServicer,), {'Export': export('traces')})(), s)
MG.add_MetricsServiceServicer_to_server(type('m', (MG.MetricsServiceServicer,), {'Export': export('metrics')})(), s)
def pem(name): return open(f'{a.tls}/{name}', 'rb').read()
if a.tls: s.add_secure_port(f'127.0.0.1:{a.grpc}', grpc.ssl_server_credentials([(pem('server.key'), pem('server.pem'))], root_certificates=pem('ca.pem'), require_client_auth=True))
else: s.add_insecure_port(f'127.0.0.1:{a.grpc}')
s.start()
class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'; disable_nagle_algorithm = True
    def log_message(self, *x): pass
    def reply(self, code, body=b'', ct='application/json'):
        self.send_response(code); self.send_header('Content-Type', ct); self.send_header('Content-Length', str(len(body)))
        if code in (429, 503) and a.retry_after: self.send_header('Retry-After', a.retry_after)
        self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        if self.headers.get('Transfer-Encoding') == 'chunked':
            b = b''
            while (n := int(self.rfile.readline().split(b';')[0], 16)): b += self.rfile.read(n); self.rfile.readline()
            self.rfile.readline()
        else: b = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        time.sleep(a.delay)
        kind = self.path.rsplit('/', 1)[-1]
        if kind not in R: return self.reply(404)
        if fail(): return self.reply(status)
        try:
            if self.headers.get('Content-Encoding') == 'gzip': b = gzip.decompress(b)
            ct = self.headers.get('Content-Type', '').split(';')[0]; req = R[kind][0]()
            if ct == 'application/x-protobuf': req.ParseFromString(b)
            elif ct == 'application/json': # OTLP/JSON has hex ids; protobuf JSON has base64: convert, refusing anything that is not hex
                j = json.loads(b)
                def fix(o):
                    import base64
                    if isinstance(o, dict):
                        for k, v in o.items():
                            if k in ('traceId', 'spanId', 'parentSpanId') and isinstance(v, str): o[k] = base64.b64encode(bytes.fromhex(v)).decode()
                            else: fix(v)
                    elif isinstance(o, list): [fix(x) for x in o]
                fix(j); Parse(json.dumps(j), req)
            else: return self.reply(415)
        except Exception as e:
            print(json.dumps({'kind': kind, 'via': 'http', 'error': repr(e)}), flush=True); return self.reply(400, json.dumps({'code': 3, 'message': str(e)}).encode())
        out(kind, 'http', req, {'headers': {k.lower(): v for k, v in self.headers.items()}})
        r = resp(kind); self.reply(200, *((r.SerializeToString(), 'application/x-protobuf') if ct.endswith('protobuf') else (MessageToJson(r).encode(), 'application/json')))
h = ThreadingHTTPServer(('127.0.0.1', a.http), H)
if a.tls:
    t = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); t.load_cert_chain(f'{a.tls}/server.pem', f'{a.tls}/server.key'); t.load_verify_locations(f'{a.tls}/ca.pem'); t.verify_mode = ssl.CERT_REQUIRED
    h.socket = t.wrap_socket(h.socket, server_side=True, do_handshake_on_connect=False)
print(f'ready grpc {a.grpc} http {a.http}', file=sys.stderr, flush=True); h.serve_forever()
