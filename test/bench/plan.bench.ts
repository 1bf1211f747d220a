import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plan } from "../../server/plan/plan.ts";
import { readDevfile } from "../../server/sources/devfile/read.ts";
import { median, quantile } from "./measure.ts";

/** As the stacks of the public registry are: one container, four commands, a starter project. */
const typical = `schemaVersion: 2.2.2
metadata:
  name: nodejs
  displayName: Node.js Runtime
  description: Node.js application
  icon: https://nodejs.org/static/images/logos/nodejs-new-pantone-black.svg
  tags:
    - Node.js
    - Express
  projectType: Node.js
  language: JavaScript
  provider: Red Hat
  version: 2.2.1
starterProjects:
  - name: nodejs-starter
    git:
      remotes:
        origin: 'https://example.org/samples/nodejs.git'
components:
  - name: runtime
    container:
      image: registry.example.org/ubi9/nodejs-20:9.5
      args: ['tail', '-f', '/dev/null']
      memoryLimit: 1024Mi
      mountSources: true
      env:
        - name: DEBUG_PORT
          value: '5858'
      endpoints:
        - name: http-node
          targetPort: 3000
        - exposure: none
          name: debug
          targetPort: 5858
commands:
  - id: install
    exec:
      component: runtime
      commandLine: npm install
      workingDir: \${PROJECT_SOURCE}
      group:
        kind: build
        isDefault: true
  - id: run
    exec:
      component: runtime
      commandLine: npm start
      workingDir: \${PROJECT_SOURCE}
      group:
        kind: run
        isDefault: true
  - id: debug
    exec:
      component: runtime
      commandLine: npm run debug
      workingDir: \${PROJECT_SOURCE}
      group:
        kind: debug
        isDefault: true
  - id: test
    exec:
      component: runtime
      commandLine: npm test
      workingDir: \${PROJECT_SOURCE}
      group:
        kind: test
        isDefault: true
`;

function large(components: number, commands: number): string {
  const parts = ["schemaVersion: 2.2.2\nmetadata:\n  name: large\ncomponents:\n"];
  for (let at = 0; at < components; at += 1) {
    parts.push(
      `  - name: c${at}\n    container:\n      image: registry.example.org/team/image-${at}:1.2\n`,
      `      memoryLimit: 512Mi\n      env:\n        - name: LEVEL\n          value: debug\n`,
      `      endpoints:\n        - name: e${at}\n          targetPort: ${1000 + at}\n`,
    );
  }
  parts.push("commands:\n");
  for (let at = 0; at < commands; at += 1) {
    parts.push(
      `  - id: command-${at}\n    exec:\n      component: c${at % components}\n`,
      `      commandLine: npm run task-${at}\n      workingDir: \${PROJECT_SOURCE}\n`,
    );
  }
  return parts.join("");
}

const cases = [
  { what: "a typical devfile, from file to plan", text: typical, goalMs: 5 },
  { what: "500 components and 2,000 commands", text: large(500, 2000), goalMs: 100 },
];

/** `npm run bench -- plan`: from a devfile on the disk to its plan, warm. */
export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-bench-"));
  try {
    const summaries = [];
    for (const { what, text, goalMs } of cases) {
      const file = join(folder, "devfile.yaml");
      await writeFile(file, text);
      const samples: number[] = [];
      const warmUp = 20;
      for (let round = -warmUp; round < 50; round += 1) {
        const took = await timed(file);
        if (round >= 0) samples.push(took);
      }
      const summary = {
        what,
        unit: "ms",
        rounds: samples.length,
        median: Number(median(samples).toFixed(2)),
        p95: Number(quantile(samples, 0.95).toFixed(2)),
        goal: `≤ ${goalMs}`,
        met: median(samples) <= goalMs,
      };
      console.log(
        `${what} (${Math.round(text.length / 1024)} KiB): ${summary.median} / ${summary.p95} ms (median / p95); goal ${summary.goal} ms ${summary.met ? "met" : "MISSED"}`,
      );
      summaries.push(summary);
    }
    console.log(JSON.stringify(summaries));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function timed(file: string): Promise<number> {
  const began = performance.now();
  const read = readDevfile(await readFile(file, "utf8"), "devfile.yaml");
  if (!read.ok) throw new Error(read.diagnostics.map(({ message }) => message).join("\n"));
  plan(read.model, null, { checkout: null });
  return performance.now() - began;
}
