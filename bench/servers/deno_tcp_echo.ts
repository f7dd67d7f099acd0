// Plain TCP echo on Deno: the least that a server in TypeScript can do.

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on ws://127.0.0.1:${listener.addr.port}`);

async function echo(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    for (let read; (read = await conn.read(buffer)) !== null;) {
      for (let at = 0; at < read;) at += await conn.write(buffer.subarray(at, read));
    }
  } finally {
    conn.close();
  }
}

for await (const conn of listener) {
  conn.setNoDelay(true);
  echo(conn).catch((error) => console.error(`a connection ended: ${error.message}`));
}
