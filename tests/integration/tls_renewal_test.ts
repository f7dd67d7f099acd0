import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type TLSSocket } from "node:tls";
import { assertEquals } from "@std/assert";
import { it } from "node:test";
import { assertAnswers } from "../attacks/healthy.ts";
import { patiently } from "../support/patience.ts";
import { RawClient } from "../support/raw_client.ts";
import { cert, echo, key, serve, transports } from "../support/transports.ts";

const renewed = {
  cert: readFileSync(new URL("../tls/renewed-cert.pem", import.meta.url), "utf8"),
  key: readFileSync(new URL("../tls/renewed-key.pem", import.meta.url), "utf8"),
};

/** Whom the certificate is for that a server shows now. */
async function shownNow(port: number): Promise<string> {
  const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca: [cert, renewed.cert] });
  await patiently(once(socket, "secureConnect"), "a TLS handshake");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

for (const variant of transports.filter(({ transport }) => transport === "tcp")) {
  it(`${variant.name}: a node:tls listener takes a renewed certificate, and no connection ends`, async () => {
    const listen = createServer({ cert, key });
    await using served = await serve(variant, { ...echo, listen });
    const { port } = served.server;
    using before = await RawClient.open(`wss://127.0.0.1:${port}`);
    assertEquals(await shownNow(port), "Duet test certificate");
    listen.setSecureContext(renewed);
    assertEquals(await shownNow(port), "Duet test certificate, renewed");
    await assertAnswers(before);
    using after = await RawClient.open(`wss://127.0.0.1:${port}`, {}, renewed.cert);
    await assertAnswers(after);
    assertEquals([...served.server.connections].length, 2);
  });
}
