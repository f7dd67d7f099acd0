// A case's identifier is its chapter and its place in there: "6.4.1". This module picks from them.

const chapterOf = (id: string): number => Number(id.split(".")[0]);

/** Chapters 12 and 13 are about permessage-deflate; a peer without it could only decline. */
export const needsCompression = (id: string): boolean => chapterOf(id) >= 12;

/**
 * What a CI run does. From their ninth sub-case on, chapters 12 and 13 only repeat the smaller ones
 * with 1000 messages of up to 128 KiB: minutes for little news.
 */
export const isQuick = (id: string): boolean =>
  !needsCompression(id) || Number(id.slice(id.lastIndexOf(".") + 1)) <= 8;

function matcher(item: string): (id: string) => boolean {
  const range = /^(\d+)-(\d+)$/.exec(item);
  if (range) {
    const [first, last] = [Number(range[1]), Number(range[2])];
    return (id) => chapterOf(id) >= first && chapterOf(id) <= last;
  }
  return (id) => `${id}.`.startsWith(`${item}.`);
}

/** Picks by a list such as `1-5,6.4,7.1.6`: ranges of chapters, groups of cases, single cases. */
export function pickCases(cases: string[], list: string): string[] {
  const picked = new Set<string>();
  for (const item of list.split(",")) {
    const matching = cases.filter(matcher(item.trim()));
    if (matching.length === 0) {
      throw new Error(
        `no case of the suite matches "${item}": give chapters (1-10), groups (6.4) or cases ` +
          "(7.1.6), with commas between them",
      );
    }
    for (const id of matching) picked.add(id);
  }
  return cases.filter((id) => picked.has(id));
}
