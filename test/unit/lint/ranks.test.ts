import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The table of ARCHITECTURE.md: each folder of the server with its rank. */
function ranks(): ReadonlyMap<string, number> {
  const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const [, section = ""] = /\n### Ranks\n([^]*?)\n## /.exec(text) ?? [];
  const rows = [...section.matchAll(/^\| (\d+) +\|(.*)\|$/gm)];
  return new Map(
    rows.flatMap(([, rank, names = ""]) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => [name, Number(rank)] as const),
    ),
  );
}

interface Finding {
  readonly code: string;
  readonly help: string;
  readonly filename: string;
}

/** What the project's own linter says of these files. */
async function lint(files: ReadonlyMap<string, string>): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), "ol-lint-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const program = join(root, "node_modules/oxlint/bin/oxlint");
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [program, "--format", "json"], { cwd: folder }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  return (JSON.parse(output) as { diagnostics: Finding[] }).diagnostics;
}

test("an import of a folder that has no lower rank is a finding, at every depth; of a lower one none", async () => {
  const folders = ranks();
  expect(folders.size).toBeGreaterThan(15);
  const files = new Map<string, string>();
  const wanted: string[] = [];
  for (const [from, rank] of folders) {
    if (from === "main.ts" || from === "start") continue;
    for (const [to, other] of folders) {
      if (to === from) continue;
      for (const deeper of ["", "a/", "a/b/"]) {
        const up = "../".repeat(1 + deeper.length / 2);
        const name = `server/${from}/${deeper}to-${to.replace(".ts", "")}.ts`;
        const imported = to === "main.ts" ? `${up}main.ts` : `${up}${to}/x.ts`;
        files.set(name, `import { x } from "${imported}";\n\nexport const y = x;\n`);
        // Of the two lowest, one is for the browser, too, and knows nothing; the other knows it.
        if (other >= rank && !(from === "util" && to === "protocol")) wanted.push(name);
      }
    }
  }
  const found = await lint(files);
  expect(found.filter(({ code }) => !code.includes("no-restricted-imports"))).toEqual([]);
  expect(found.map(({ filename }) => filename).toSorted()).toEqual(wanted.toSorted());
  // Who reads it learns why.
  for (const { help } of found) expect(help).toMatch(/rank|main\.ts/);
});
