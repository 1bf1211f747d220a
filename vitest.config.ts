import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/**
 * What these helpers touch is the whole machine's: Chromium ends its requests when any container's
 * network comes or goes, and an address is on this machine or it is not.
 */
const wholeMachine = /helpers\/(?:browser|web-fixture|host-addresses)\.ts"/;

const realFiles = ["test/conformance", "test/e2e"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join(folder, file)),
);
const alone = realFiles.filter((file) => wholeMachine.test(readFileSync(file, "utf8")));

const real = {
  // Real engines on a loaded machine.
  testTimeout: 180_000,
  hookTimeout: 600_000,
  pool: "forks" as const,
  globalSetup: "test/helpers/images-first.ts",
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          // Thousands of random texts on a machine that others use: a hang is a failure, slowness is not.
          testTimeout: 120_000,
          // The default, one less than the machine has, would be one of two.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...real,
          name: "real",
          include: realFiles.filter((file) => !alone.includes(file)),
          // Most of the time of each is an engine's, or a wait: two share two cores well.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...real,
          name: "alone",
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
