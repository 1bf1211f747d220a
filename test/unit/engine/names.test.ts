import { expect, it } from "vitest";
import { memberOptions } from "../../../server/engine/docker/members.ts";
import { Names, ownerOfLabels } from "../../../server/engine/docker/names.ts";
import { facts, planOf, service } from "../../helpers/plans.ts";

const names = new Names("abcdefgh");
/** What a hostile image may say of itself. */
const imageLabels = { "oneloop.part": "cache", "oneloop.workspace": "another" };

/** As the engine does it: the image's labels, and the container's own over them. */
function labelsOf(owner: Parameters<Names["labels"]>[0]): Record<string, string> {
  const plan = planOf([service("dev")]);
  const [dev] = plan.services;
  if (dev === undefined) throw new Error("the plan has a service");
  const parts = {
    names,
    supervisorVolume: "supervisor",
    reference: (image: string) => image,
    images: new Map([["dev", { ...facts, volumes: [], platform: "linux/amd64" }]]),
    setup: { publicKey: "key", env: {} },
  };
  const spec = { owner, name: "mine", plan };
  const { Labels } = memberOptions(parts, spec, { service: dev, sandboxId: "sandbox" });
  return { ...imageLabels, ...Labels };
}

it("a member is its workspace's alone, whatever its image says of itself", () => {
  const labels = labelsOf({ kind: "workspace", id: "mine" });
  expect(ownerOfLabels(labels)).toEqual({ kind: "workspace", id: "mine" });
  // The engine finds an owner's objects by each label by itself.
  const cache = names.filter({ kind: "part", id: "cache" });
  const held = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  expect(cache.every((wanted) => held.includes(wanted))).toBe(false);
});

it("a member of the cache is the cache's, whatever its image says of itself", () => {
  const labels = labelsOf({ kind: "part", id: "cache" });
  expect(ownerOfLabels(labels)).toEqual({ kind: "part", id: "cache" });
});
