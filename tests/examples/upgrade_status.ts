import { once } from "node:events";
import { request } from "node:http";

/** The status with which a server answers a request to open a WebSocket. */
export async function upgradeStatus(
  url: string,
  headers: Record<string, string>,
): Promise<unknown> {
  const asked = request(url, {
    headers: {
      ...headers,
      "connection": "Upgrade",
      "upgrade": "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    },
  });
  asked.end();
  const [response, socket] = await Promise.race([once(asked, "response"), once(asked, "upgrade")]);
  (socket ?? response).destroy();
  return response.statusCode;
}
