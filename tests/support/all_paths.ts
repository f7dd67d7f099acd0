import { type BytePath, bytePaths } from "./byte_paths.ts";
import { runtime, variants } from "./transports.ts";

/** Every way in which the suite serves: the runtime's HTTP server, and each byte path to our own engine. */
export const allPaths: readonly BytePath[] = [
  ...variants.filter(({ transport }) => transport === "http").map((it): BytePath => ({
    ...it,
    preface: "",
    sockets: ({ bun: "Bun", deno: "Deno", node: "node" } as const)[runtime],
    options: () => ({}),
  })),
  ...bytePaths,
];
