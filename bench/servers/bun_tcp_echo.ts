// Plain TCP echo on Bun: the least that a server in TypeScript can do.

interface Rest {
  chunks: Uint8Array[];
}

function flush(socket: Bun.Socket<Rest>): void {
  const { chunks } = socket.data;
  while (chunks.length > 0) {
    const written = socket.write(chunks[0]!);
    if (written < chunks[0]!.length) {
      chunks[0] = chunks[0]!.subarray(Math.max(0, written));
      return;
    }
    chunks.shift();
  }
}

const listener = Bun.listen<Rest>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = { chunks: [] };
    },
    data(socket, chunk) {
      if (socket.data.chunks.length > 0) {
        socket.data.chunks.push(chunk.slice());
        return;
      }
      const written = socket.write(chunk);
      if (written < chunk.length) socket.data.chunks.push(chunk.slice(Math.max(0, written)));
    },
    drain: flush,
  },
});
console.log(`listening on ws://127.0.0.1:${listener.port}`);
