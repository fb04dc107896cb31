// Writes a JSON line for each GELF message.
const server = require('graygelf/server')(), net = require('net')
const out = (via, message) => console.log(JSON.stringify({ via, message }))
server.on('message', message => out('udp', message))
server.on('error', error => out('error', String(error)))
const tcp = net.createServer(socket => {
  let rest = Buffer.alloc(0)
  socket.on('data', data => {
    rest = Buffer.concat([rest, data])
    for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
      try { out('tcp', JSON.parse(rest.subarray(0, end))) } catch (error) { out('error', String(error)) }
    }
  })
  socket.on('error', () => {})
})
server.listen(23201, '127.0.0.1')
tcp.listen(23202, '127.0.0.1', () => setTimeout(() => out('ready'), 300))
