/**
 * Loaded before every program of the tests under Node: makes up for what Node 22 lacks, which is import maps and
 * the declarations of `using`.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { transformSync } from "rolldown/utils";

/**
 * Has Node resolve names otherwise.
 *
 * @param targets Names of modules, and the URLs that they lead to.
 * @param own The folder whose files see the real modules, as a URL.
 */
export function bindNames(targets: Record<string, string>, own: string): void {
  registerHooks({
    resolve(specifier, context, next) {
      const target = context.parentURL?.startsWith(own) ? undefined : targets[specifier];
      return next(target ?? specifier, context);
    },
    load(url, context, next) {
      if (!/\/(?:tests|examples)\/.*\.ts$/.test(url)) return next(url, context);
      const source = readFileSync(new URL(url), "utf8");
      // Node 22 has no `using`; what it takes as it is stays as it is.
      if (!/\busing \w+ =/.test(source)) return next(url, context);
      const { code, errors } = transformSync(url, source, {
        lang: "ts",
        sourceType: "module",
        target: "es2022",
        sourcemap: true,
      });
      if (errors.length > 0) throw errors[0];
      return { format: "module", source: code, shortCircuit: true };
    },
  });
}
