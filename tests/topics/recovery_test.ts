import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import type { HistoryPage, Publication } from "../../src/topics/engine.ts";
import { isPosition } from "../../src/connection/subscribing.ts";
import {
  judgePage,
  nextPage,
  type PageVerdict,
  Recovery,
  type RecoveryStep,
  type Succession,
  succession,
} from "../../src/topics/recovery.ts";

/** A publication; its time is its offset unless said otherwise. */
function pub(offset: number, time = offset, data = `${offset}`): Publication {
  return { data, id: `x.${offset}`, time, offset };
}

function page(
  offsets: number[],
  top: number,
  { epoch = "e", whole = true }: { epoch?: string; whole?: boolean } = {},
): HistoryPage {
  const publications = offsets.map((it) => pub(it));
  return { position: { epoch, offset: top }, publications, whole };
}

const offsetsOf = (list: readonly Publication[] | null) => list?.map(({ offset }) => offset);

describe("recovery: what an announcement is to who has come to offset 10 of epoch e", () => {
  const rows: [string, number, number | undefined, string, number, Succession][] = [
    ["the next one", 11, 10, "e", 11, "next"],
    ["the next one, over a hole in the offsets", 15, 10, "e", 15, "next"],
    ["the next one, where the stream's end was known to be further", 12, 8, "e", 12, "next"],
    ["one of which the one before was missed", 13, 12, "e", 13, "gap"],
    ["one of which the one before is not known", 11, undefined, "e", 11, "gap"],
    ["the same one again", 10, 9, "e", 10, "repeat"],
    ["an older one again", 3, 2, "e", 3, "repeat"],
    ["an offset that was seen, given to something later", 10, 9, "e", 11, "rewound"],
    ["one of another epoch", 11, 10, "f", 11, "epoch"],
    ["one of another epoch, from its start", 1, 0, "f", 11, "epoch"],
  ];
  for (const [what, offset, previous, epoch, time, expected] of rows) {
    it(`${what}: ${expected}`, () => {
      const reached = { epoch: "e", offset: 10, time: 10 };
      assertEquals(succession(reached, pub(offset, time), { epoch, previous }), expected);
    });
  }

  it("an offset that was seen is a repeat where no time is known", () => {
    const reached = { epoch: "e", offset: 10, time: 0 };
    assertEquals(succession(reached, pub(9, 99), { epoch: "e", previous: 8 }), "repeat");
  });
});

describe("recovery: what a page is to who asked after offset 10 of epoch e", () => {
  const rows: [string, HistoryPage, PageVerdict, number | undefined][] = [
    ["nothing new", page([], 10), "whole", undefined],
    ["all to the end", page([11, 12], 12), "whole", undefined],
    ["more to come", page([11, 12], 20), "whole", 12],
    ["a stream that has gone on without this topic", page([], 20), "whole", undefined],
    ["what came next is gone", page([], 20, { whole: false }), "hole", undefined],
    ["the stream ends before", page([], 9, { whole: false }), "behind", undefined],
    ["another epoch", page([], 30, { epoch: "f", whole: false }), "epoch", undefined],
    [
      "another epoch that ends before",
      page([], 1, { epoch: "f", whole: false }),
      "epoch",
      undefined,
    ],
  ];
  for (const [what, it_, verdict, next] of rows) {
    it(`${what}: ${verdict}, ${next === undefined ? "the end" : `on after ${next}`}`, () => {
      assertEquals(judgePage(it_, "e", 10), verdict);
      assertEquals(nextPage(it_), next);
    });
  }
});

describe("recovery: a subscriber that has seen offset 10 of epoch e", () => {
  const bounds = { count: 5, bytes: 1000 };
  /** The steps that pages come to. */
  function steps(pages: HistoryPage[], limits = bounds): [Recovery, RecoveryStep[]] {
    const recovery = new Recovery("e", 10, limits);
    return [recovery, pages.map((it) => recovery.take(it))];
  }

  const rows: [string, HistoryPage[], RecoveryStep[]][] = [
    ["missed nothing", [page([], 10)], ["reached"]],
    ["missed one page", [page([11, 12], 12)], ["reached"]],
    ["missed two pages", [page([11, 12], 13), page([13], 13)], ["more", "reached"]],
    ["missed as many as it may", [page([11, 12, 13], 15), page([14, 15], 15)], ["more", "reached"]],
    ["missed one too many", [page([11, 12, 13], 16), page([14, 15, 16], 16)], ["more", "lost"]],
    ["missed what is gone", [page([], 20, { whole: false })], ["lost"]],
    ["missed what went while it was read", [page([11], 20), page([], 20, { whole: false })], [
      "more",
      "lost",
    ]],
    ["missed an epoch", [page([], 20, { epoch: "f", whole: false })], ["stale"]],
    ["missed an epoch while it was read", [
      page([11], 20),
      page([], 1, { epoch: "f", whole: false }),
    ], [
      "more",
      "stale",
    ]],
    ["has seen what the stream does not have", [page([], 9, { whole: false })], ["stale"]],
  ];
  for (const [what, pages, expected] of rows) {
    it(`${what}: ${expected.join(", ")}`, () => assertEquals(steps(pages)[1], expected));
  }

  it("has missed too many bytes: lost", () => {
    assertEquals(steps([page([11, 12], 12)], { count: 5, bytes: 3 })[1], ["lost"]);
    assertEquals(steps([page([11, 12], 12)], { count: 5, bytes: 4 })[1], ["reached"]);
  });

  const joins: [string, number[], number, number[], number, number, number[] | undefined][] = [
    // read, end of the stream when read, published meanwhile, after which offset, server's offset
    ["nothing was published meanwhile", [11, 12], 12, [], 12, 12, [11, 12]],
    ["what was published meanwhile follows", [11, 12], 12, [13, 14], 12, 14, [11, 12, 13, 14]],
    ["what was read as well comes once", [11, 12, 13], 13, [12, 13, 14], 11, 14, [11, 12, 13, 14]],
    ["what was read before the server has it is left to come live", [11, 12, 13], 13, [], 12, 12, [
      11,
      12,
    ]],
    ["all of what was published meanwhile was read", [11, 12], 12, [11, 12], 10, 12, [11, 12]],
    ["the stream's end is further than its last publication", [11], 15, [17], 15, 17, [11, 17]],
    ["some between was given up: read on", [11], 11, [14], 13, 14, undefined],
  ];
  for (const [what, read, top, tail, from, reached, expected] of joins) {
    it(`${what}`, () => {
      const [recovery, all] = steps([page(read, top), page([], top)]);
      assertEquals(all.at(-1), "reached");
      assertEquals(
        offsetsOf(recovery.join(tail.map((it) => pub(it)), from, reached)),
        expected,
      );
    });
  }
});

describe("recovery: positions that peers send", () => {
  it("are taken only with an epoch and an offset that can be", () => {
    for (const good of [{ epoch: "", offset: 0 }, { epoch: "e", offset: 2 ** 53 - 1 }]) {
      assertEquals(isPosition(good), true);
    }
    const bad = [null, 1, "x", {}, { epoch: "e" }, { epoch: 1, offset: 1 }, {
      epoch: "e",
      offset: -1,
    }];
    for (const it of [...bad, { epoch: "e", offset: 1.5 }, { epoch: "e", offset: 2 ** 53 }]) {
      assertEquals(isPosition(it), false);
    }
  });
});
