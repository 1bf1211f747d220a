import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 20_000 },
      },
      {
        test: {
          name: "real",
          include: ["test/conformance/**/*.test.ts", "test/e2e/**/*.test.ts"],
          // Real engines on a loaded machine: a hang is a failure, slowness is not.
          testTimeout: 180_000,
          hookTimeout: 600_000,
          // One engine and two cores: files take turns.
          fileParallelism: false,
          pool: "forks",
        },
      },
    ],
  },
});
