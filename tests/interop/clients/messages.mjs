// What every client sends and wants back: text with more than ASCII in it, and bytes.
const list = Array.from(
  { length: 60 },
  (_, id) => ({ id, name: `Größe ${id % 7}`, done: id % 2 === 0 }),
);

/** A text and a binary message, each sent several times. */
export const messages = [1, 2, 3].flatMap((round) => {
  const text = JSON.stringify({ round, list });
  return [text, new TextEncoder().encode(text)];
});
