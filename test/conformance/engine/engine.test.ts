import { afterAll, beforeAll, describe } from "vitest";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { facts } from "../../helpers/plans.ts";
import {
  containerOf,
  insideAs,
  startTestEngine,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { describeEngine } from "./suite.ts";

const fake = new FakeEngine({ images: { [image()]: facts } });
describeEngine("fake", () => ({
  engine: fake,
  image: image(),
  end: async (owner, service) => fake.end(owner, service, { exitCode: 7 }),
  print: async (owner, service, text) => fake.print(owner, service, text),
}));

describe("on this machine", () => {
  let started: TestEngine;
  beforeAll(async () => {
    started = await startTestEngine();
  });
  afterAll(() => started[Symbol.asyncDispose]());

  describeEngine("docker", () => ({
    engine: started.engine,
    // As a plan names it: it is read back as that.
    image: "oneloop/workspace:latest",
    end: async (owner, service) => {
      await docker.getContainer(await containerOf(owner, service)).kill({ signal: "USR1" });
    },
    print: async (owner, service, text) => {
      // As the program's own user: nobody else may open its output.
      const command = ["sh", "-c", 'printf %s "$1" > /proc/1/fd/1', "print", text];
      const { exitCode, output } = await insideAs("1000:1000", { owner, service }, command);
      if (exitCode !== 0) throw new Error(output);
    },
  }));
});

function image(): string {
  return "oneloop/fake:1";
}
