import { assertEquals } from "@std/assert";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";

/** Checks that an echo server still serves somebody who comes now. */
export async function assertServes(url: string): Promise<void> {
  using client = await RawClient.open(url);
  await assertAnswers(client);
}

/** Checks that an echo server answers somebody who is there. */
export async function assertAnswers(client: RawClient): Promise<void> {
  client.write(clientFrame(1, "still there?"));
  const frame = await client.frame();
  assertEquals([frame?.opcode, frame?.payload.toString()], [1, "still there?"]);
}
