import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureContainer, removeContainer } from "../../../server/engine/docker/containers.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { startTestEngine, step, type TestEngine } from "../../helpers/test-engine.ts";
import { waiting } from "./suite.ts";

let test: TestEngine;
beforeAll(async () => {
  test = await startTestEngine();
});
afterAll(() => test[Symbol.asyncDispose]());

function wanted(command: readonly string[]) {
  return { name: "", Image: test.images.workspace, Cmd: [...command], Labels: {} };
}

it("several that want the same container at once get the same one", async () => {
  for (let round = 0; round < 5; round += 1) {
    const options = { ...wanted(waiting), name: `oneloop-test-${randomIds.id()}` };
    try {
      const ensured = await Promise.all(
        Array.from({ length: 8 }, () => ensureContainer(docker, options, step())),
      );
      const [first] = ensured;
      expect(new Set(ensured.map(({ container }) => container.id))).toEqual(
        new Set([first?.container.id]),
      );
      expect(ensured.filter(({ found }) => found === null)).toHaveLength(1);
    } finally {
      await removeContainer(docker, options.name);
    }
  }
});

it("one that is being removed is waited for", async () => {
  const name = `oneloop-test-${randomIds.id()}`;
  const before = { ...wanted(waiting), name };
  const after = { ...wanted([...waiting, "again"]), name };
  try {
    const { container } = await ensureContainer(docker, before, step());
    await container.start();
    const removed = removeContainer(docker, container.id);
    const ensured = await Promise.all([
      ensureContainer(docker, after, step()),
      ensureContainer(docker, after, step()),
    ]);
    await removed;
    expect(ensured[0].container.id).toBe(ensured[1].container.id);
    expect(ensured[0].container.id).not.toBe(container.id);
  } finally {
    await removeContainer(docker, name);
  }
});
