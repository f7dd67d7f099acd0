/**
 * Attacks a server: `attacker.ts NAME URL SECONDS`, a process of its own so that it takes nothing from
 * who measures.
 *
 * @module
 */
import process from "node:process";
import { Attacker, ATTACKS } from "./attacks.ts";

const [name, url, seconds] = process.argv.slice(2);
// A server may leave its attackers waiting.
setTimeout(() => process.exit(0), (Number(seconds) + 1) * 1000);
await ATTACKS[name].run(new Attacker(url, Number(seconds)));
process.exit(0);
