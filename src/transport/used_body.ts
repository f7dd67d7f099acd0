/** What a response of Deno is made of, as far as it is looked at. */
interface Insides {
  readonly body?: { readonly streamOrStatic?: unknown } | null;
}

// Where Deno keeps it, once that is known.
let insides: symbol | undefined;

/**
 * Tells whether the body of a response is somebody's already. Over one that is being read, Deno's HTTP server ends
 * the program. To ask for `body` would cost a text what Deno and Bun know of its length: so Deno's is looked for
 * where Deno keeps it, and Bun calls such a response used.
 *
 * @param response The response.
 * @returns Whether it cannot be sent, as far as that can be seen.
 */
export function isUsed(response: Response): boolean {
  if (response.bodyUsed) return true;
  insides ??= Object.getOwnPropertySymbols(response).find((it) => it.description === "response");
  if (insides === undefined) return false;
  const { body } = (response as unknown as Record<symbol, Insides | undefined>)[insides] ?? {};
  const stream = body?.streamOrStatic;
  return stream instanceof ReadableStream && stream.locked;
}
