/**
 * One server of the failure suite, in a process of its own: what happens on it goes to standard output, one
 * JSON array a line, and it does what standard input says.
 *
 *     server.ts NAME SETTING ADDRESS SUBSCRIBER...
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Participant, TOPIC } from "./participant.ts";
import { engineIn } from "./settings.ts";

const [name, setting, address, ...subscribers] = process.argv.slice(2);
/** How often it publishes, in milliseconds. */
const PACE = 40;

function say(...what: unknown[]): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const participant = new Participant(name, engineIn(setting, address), {
  deliver: (delivery) => say("deliver", delivery),
  interrupt: (subscriber) => say("interrupt", subscriber),
  publish: (publishing) => say("publish", publishing),
});

async function act(line: string): Promise<void> {
  const [command, what] = line.split(" ");
  switch (command) {
    case "mark":
      return say("marked", await participant.mark(what));
    case "go":
      return participant.publishEvery(PACE);
    case "pause":
      return participant.pause();
    case "count": {
      const { connections } = await participant.hub.memberCount(TOPIC).catch(() => ({
        connections: -1,
      }));
      return say("counted", connections);
    }
    case "end":
      await participant.close();
      process.exit(0);
  }
}

await participant.start(subscribers);
say("started");
for await (const line of createInterface({ input: process.stdin })) void act(line);
