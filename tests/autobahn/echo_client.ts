/**
 * A client that goes through the cases of Autobahn's fuzzing server and echoes what each sends.
 *
 *     deno run --allow-net tests/autobahn/echo_client.ts URL AGENT
 *
 * @module
 */
import process from "node:process";
import { connect, permessageDeflate } from "../../client/mod.ts";

const [base, agent] = process.argv.slice(2);
const LARGE = 64 * 1024 * 1024;
/** The suite answers nobody while it writes a message in 65,536 frames. */
const PATIENCE = 60;

function ask(path: string): ReturnType<typeof connect> {
  return connect(`${base}${path}`, {
    maxRecvSize: LARGE,
    silenceMax: 0,
    handshakeTimeout: PATIENCE,
  });
}

async function run(number: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  await connect(`${base}/runCase?case=${number}&agent=${agent}`, {
    extensions: [permessageDeflate({ contextTakeover: true })],
    compressionThreshold: 0,
    maxRecvSize: LARGE,
    silenceMax: 0,
    handshakeTimeout: PATIENCE,
    debug: 0,
    handlers: {
      message: (connection, data) => void connection.send(data),
      disconnect: () => resolve(),
    },
  });
  await promise;
}

const counting = await ask("/getCaseCount");
const count = Number(await counting.recv());
counting.terminate();
for (let number = 1; number <= count; number++) {
  await run(number).catch((error) => console.log(`case ${number}: ${error.message}`));
  if (number % 50 === 0) console.log(`${number} of ${count} cases`);
}
const reporting = await ask(`/updateReports?agent=${agent}`);
while (await reporting.recv() !== null);
