"""Receives what SocketHandler (TCP) and DatagramHandler (UDP) send, makes records of it with logging.makeLogRecord, and
writes a JSON line for each. Plain data only: whatever a pickle names is refused."""
import io, json, logging, math, pickle, socketserver, struct, sys, threading


class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"refused: {module}.{name}")


lock = threading.Lock()
formatter = logging.Formatter("%(name)s %(levelname)s %(threadName)s %(funcName)s:%(lineno)d %(message)s")


def out(line):
    with lock:
        print(json.dumps(line), flush=True)


def shown(value):
    """JSON has no bytes, no NaN, and its readers no wide integers."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"int": str(value)}
    return value


def take(via, frame):
    try:
        attributes = Plain(io.BytesIO(frame)).load()
        record = logging.makeLogRecord(attributes)
        text = formatter.format(record)
        out({"via": via, "text": text, "record": {key: shown(value) for key, value in attributes.items()}})
    except Exception as error:
        out({"via": via, "error": repr(error)})


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while len(head := self.rfile.read(4)) == 4:
            length = struct.unpack(">L", head)[0]
            frame = self.rfile.read(length)
            if len(frame) < length:
                out({"via": "tcp", "error": "a part"})
                break
            take("tcp", frame)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        datagram = self.request[0]
        if struct.unpack(">L", datagram[:4])[0] != len(datagram) - 4:
            return out({"via": "udp", "error": "the length is wrong"})
        take("udp", datagram[4:])


socketserver.ThreadingTCPServer.allow_reuse_address = True
tcp = socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Stream)
tcp.daemon_threads = True
udp = socketserver.UDPServer(("127.0.0.1", int(sys.argv[2])), Datagram)
udp.max_packet_size = 65535
threading.Thread(target=udp.serve_forever, daemon=True).start()
out({"via": "ready"})
tcp.serve_forever()
