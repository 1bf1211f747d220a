import { expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { checkoutExtras } from "../../../server/workspaces/checkout-extras.ts";

const commit = "0123456789012345678901234567890123456789";
const url = "https://git.example/app.git";
const checkout = { url, ref: null, commit, path: "/workspace/app" };

/** A remote that names itself `times` times as its submodule, in every commit. */
function nested(times: number, listRefs: (url: string) => Promise<never[]>) {
  const asked: string[] = [];
  return {
    asked,
    parts: {
      repositories: {
        submodules: () =>
          Promise.resolve(
            Array.from({ length: times }, (_, index) => ({
              ...{ name: `s${index}`, path: `p${index}`, url: "./more", commit },
            })),
          ),
        listRefs: async (remote: { readonly url: string }) => {
          asked.push(remote.url);
          return { refs: await listRefs(remote.url), head: null };
        },
        ensureCommit: () => Promise.resolve(),
        usesLfs: () => Promise.resolve(false),
        fetchLfs: () => Promise.resolve(),
      },
      remoteOf: (text: string) => Promise.resolve({ url: text, key: text }),
      signal: new AbortController().signal,
    },
  };
}

it("asks no more remotes than there may be submodules, though none of them answers", async () => {
  const { asked, parts } = nested(1000, () =>
    Promise.reject(new OneloopError("repository-unreachable", "No answer.")),
  );
  const { leftOut, checkout: found } = await checkoutExtras(parts, { url, key: url }, checkout);
  expect(asked).toHaveLength(100);
  expect(found.submodules).toEqual([]);
  expect(leftOut).toHaveLength(101);
  expect(leftOut.at(-1)?.why).toMatch(/At most 100/);
});

it("goes no deeper than it says, and tells in which file that stands", async () => {
  const { parts } = nested(1, () => Promise.resolve([]));
  const { leftOut, checkout: found } = await checkoutExtras(parts, { url, key: url }, checkout);
  expect(found.submodules?.map(({ within }) => within)).toEqual([
    ...["", "p0", "p0/p0", "p0/p0/p0", "p0/p0/p0/p0"],
  ]);
  expect(leftOut.map(({ where }) => where)).toEqual([
    { file: "p0/p0/p0/p0/p0/.gitmodules", line: 1, column: 1 },
  ]);
});
