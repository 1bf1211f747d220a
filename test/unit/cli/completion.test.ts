import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgram } from "../../../cli/src/catalogue.ts";
import { completionScript, describe as shapeOf, type Shell } from "../../../cli/src/completion.ts";

const run = promisify(execFile);

let folder: string;

/** In the place of `loop`: the names that a control plane would give. */
const names = `#!/bin/sh
case "$*" in
  workspace-names) printf 'govapp-main-abc\\ngovapp-feat-xyz\\n' ;;
  'workspace-names --services') printf 'govapp-main-abc\\ngovapp-main-abc.db\\n' ;;
esac
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "loop-completion-"));
  await writeFile(join(folder, "loop"), names);
  await chmod(join(folder, "loop"), 0o755);
  await writeFile(join(folder, "devfile.yaml"), "");
  const program = shapeOf(await createProgram("0.0.0", () => true));
  for (const shell of ["bash", "zsh", "fish"] as const) {
    await writeFile(join(folder, `script.${shell}`), completionScript(shell, program));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** For each shell, a program that prints what it offers for a line with the cursor at its end. */
const askers: Readonly<Record<Shell, (words: readonly string[]) => string[]>> = {
  bash: (words) => [
    "--norc",
    "-c",
    `compopt() { :; }; source script.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
     COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _loop; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  // What the completion system would be given is printed instead: it runs only in its own widgets.
  zsh: (words) => [
    "-f",
    "-c",
    `compdef() { :; }
     compadd() { shift; print -l -- $@ | grep -- "^$words[CURRENT]"; }
     _files() { print -l -- *; }
     _describe() { local -a all; all=(\${(P)2}); print -l -- \${all%%:*} | grep -- "^$words[CURRENT]"; }
     words=(${words.map((word) => `'${word}'`).join(" ")}); CURRENT=\${#words}
     source ./script.zsh; _loop`,
  ],
  fish: (words) => [
    "--no-config",
    "-c",
    `source script.fish; complete -C '${words.join(" ")}' | string split -f1 \\t`,
  ],
};

async function offered(shell: Shell, line: string): Promise<string[]> {
  const words = line.split(" ");
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: folder };
  // grep finds nothing: that is an answer too.
  const { stdout } = await run(shell, askers[shell](words), { cwd: folder, env }).catch(
    (error: { stdout?: string; stderr?: string; code?: number }) => {
      if (error.code === 1 && error.stderr === "") return { stdout: error.stdout ?? "" };
      throw error;
    },
  );
  return stdout.split("\n").filter(Boolean).sort();
}

const isThere = (shell: Shell): boolean => spawnSync(shell, ["--version"]).error === undefined;

describe.each(["bash", "zsh", "fish"] as const)("completion in %s", (shell) => {
  it.skipIf(!isThere(shell)).each([
    ["loop st", ["start", "stop"]],
    ["loop keys ", ["add", "code", "list", "remove"]],
    ["loop show ", ["govapp-feat-xyz", "govapp-main-abc"]],
    ["loop show govapp-m", ["govapp-main-abc"]],
    ["loop ssh govapp-main-abc.", ["govapp-main-abc.db"]],
    ["loop open --d", ["--develop", "--devfile"]],
    ["loop open --devfile dev", ["devfile.yaml"]],
    ["loop completion ", ["bash", "fish", "zsh"]],
    ["loop ports govapp-main-abc --se", ["--service", "--set"]],
    ["loop users list --j", ["--json"]],
  ])("`%s` offers %j", async (line, expected) => {
    const found = await offered(shell, line);
    // zsh matches files by itself; here it is asked for all.
    const fitting = line.endsWith(" dev") ? found.filter((name) => name.startsWith("dev")) : found;
    expect(fitting).toEqual(expected);
  });

  it.skipIf(!isThere(shell))("a program that only scripts call is not offered", async () => {
    expect(await offered(shell, "loop work")).toEqual([]);
  });
});
