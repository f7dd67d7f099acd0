/** What a pattern may have beside literal text, `:name` with `?`, `*` or `+`, and simple groups `(…)`. */
type Letter =
  | "a"
  | "b"
  | "c"
  | "d"
  | "e"
  | "f"
  | "g"
  | "h"
  | "i"
  | "j"
  | "k"
  | "l"
  | "m"
  | "n"
  | "o"
  | "p"
  | "q"
  | "r"
  | "s"
  | "t"
  | "u"
  | "v"
  | "w"
  | "x"
  | "y"
  | "z";
type NameCharacter =
  | Letter
  | Uppercase<Letter>
  | "_"
  | "$"
  | `${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`;

/** The longest name that a text begins with, and the rest of it. */
type TakeName<Text extends string, Name extends string = ""> = Text extends
  `${infer First}${infer Rest}`
  ? First extends NameCharacter ? TakeName<Rest, `${Name}${First}`> : [Name, Text]
  : [Name, ""];

/** What stands behind a name's own expression, if it has one. */
type AfterExpression<Text extends string> = Text extends `(${string})${infer Rest}` ? Rest : Text;

/** The value of a parameter: one that may be left out is undefined then. */
type ValueBefore<Rest extends string> = Rest extends `?${string}` | `*${string}`
  ? string | undefined
  : string;

/**
 * The parameters in a pattern of whose names the rest has been found.
 *
 * @internal
 */
type Collect<Pattern extends string, Found> = Pattern extends `${string}:${infer Behind}`
  ? TakeName<Behind> extends [infer Name extends string, infer Rest extends string] ? Collect<
      AfterExpression<Rest>,
      Found & { readonly [Key in Name]: ValueBefore<AfterExpression<Rest>> }
    >
  : never
  : Found;

/** Any parameters. */
export type AnyRouteParams = Readonly<Record<string, string | undefined>>;

/**
 * The parameters of a route by their names, read from the literal type of its pattern. In a pattern with braces,
 * with colons or parentheses behind a backslash, or with expressions that have groups of their own, any name may
 * be there or not.
 */
export type RouteParams<Pattern extends string> = string extends Pattern ? AnyRouteParams
  : Pattern extends
    | `${string}{${string}`
    | `${string}\\${":" | "(" | ")"}${string}`
    | `${string}(${string}(${string}` ? AnyRouteParams
  : Collect<Pattern, AnyRouteParams>;
