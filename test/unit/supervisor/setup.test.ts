import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { gitConfig } from "../../../workspace-image/supervisor/gitconfig.ts";
import { testSupervisor } from "./harness.ts";

const run = promisify(execFile);
const git = { name: "Ada Lovelace", email: "ada@example.org" };

test("the person's variables win over the devfile's, and reach what starts afterwards", async () => {
  await using supervisor = await testSupervisor({
    config: { env: { A: "devfile", B: "devfile" } },
  });
  const show = 'echo "$A $B $C"';
  expect(await supervisor.sh(show)).toBe("devfile devfile \n");
  await supervisor.setup({ env: { B: "person", C: "secret" } });
  expect(await supervisor.sh(show)).toBe("devfile person secret\n");
  await supervisor.setup({ env: { A: "other" } });
  expect(await supervisor.sh(show)).toBe("other devfile \n");
});

test("every program is told where it can ask, and which configuration git has", async () => {
  await using supervisor = await testSupervisor();
  const show = 'echo "$ONELOOP_SOCKET $GIT_CONFIG_SYSTEM"';
  expect(await supervisor.sh(show)).toBe(`${supervisor.socket} \n`);
  await supervisor.setup({ git });
  const file = join(supervisor.runFolder, "gitconfig");
  expect(await supervisor.sh(show)).toBe(`${supervisor.socket} ${file}\n`);
  expect((await stat(file)).mode & 0o777).toBe(0o644);
  // Nothing half written stays.
  expect((await readdir(supervisor.runFolder)).sort()).toEqual(["gitconfig", "oneloop.sock"]);
});

test.each(["GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"])(
  "a service that sets %s keeps it alone",
  async (name) => {
    await using supervisor = await testSupervisor({ config: { env: { [name]: "1" } } });
    await supervisor.setup({ git });
    expect(await supervisor.sh("env | grep ^GIT_CONFIG")).toBe(`${name}=1\n`);
  },
);

test("git commits in the person's name; their own ~/.gitconfig wins", async () => {
  await using supervisor = await testSupervisor();
  await supervisor.setup({ git });
  const author = "git var GIT_AUTHOR_IDENT | cut -d '>' -f 1";
  expect(await supervisor.sh(author)).toBe("Ada Lovelace <ada@example.org\n");
  await writeFile(join(supervisor.home, ".gitconfig"), "[user]\n\temail = mine@example.org\n");
  expect(await supervisor.sh(author)).toBe("Ada Lovelace <mine@example.org\n");
  await supervisor.setup({ git: { ...git, name: 'The "C\\ount" Ada' } });
  expect(await supervisor.sh(author)).toBe('The "C\\ount" Ada <mine@example.org\n');
  await supervisor.setup({ git: null });
  expect(await supervisor.sh("git config user.name || echo nobody")).toBe("nobody\n");
});

test("git reads every name and address as they are", async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-gitconfig-"));
  const file = join(folder, "config");
  // Bytes that are no UTF-8 cannot come in JSON, and a NUL is refused.
  const text = fc
    .oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(...Array.from('\\"\n\t\b\r;# a]')) }),
    )
    .map((value) => Buffer.from(value.replaceAll("\0", "")).toString());
  const property = fc.asyncProperty(text, text, async (name, email) => {
    await writeFile(file, gitConfig({ name, email }));
    const { stdout } = await run("git", ["config", "--file", file, "--list", "-z"]);
    expect(stdout.split("\0").slice(0, -1)).toEqual([
      "include.path\n/etc/gitconfig",
      `user.name\n${name}`,
      `user.email\n${email}`,
      "credential.helper\n/.oneloop/bin/git-credential-oneloop",
    ]);
  });
  await fc.assert(property, { numRuns: 60 });
  await rm(folder, { recursive: true });
});

test.each([
  ["a name with =", { env: { "A=B": "1" } }],
  ["no name", { env: { "": "1" } }],
  ["a NUL in a value", { env: { A: "secret\0" } }],
  ["a value that no program could get", { env: { A: "secret".repeat(25_000) } }],
  ["a NUL in git's name", { git: { ...git, name: "secret\0" } }],
  ["an endless address", { git: { ...git, email: "secret".repeat(1000) } }],
])("%s is refused, changes nothing, and is not repeated", async (_, bad) => {
  await using supervisor = await testSupervisor();
  await supervisor.setup({ env: { KEPT: "yes" } });
  const { status, body } = await supervisor.http("POST", "/setup", {
    action: "setup",
    body: JSON.stringify({ env: {}, git: null, ...bad }),
  });
  expect(status).toBe(400);
  expect(body).not.toContain("secret");
  expect(await supervisor.sh("echo $KEPT")).toBe("yes\n");
});

test("a setup needs its own grant and has a bound", async () => {
  await using supervisor = await testSupervisor();
  const body = JSON.stringify({ env: {}, git: null });
  const post = (call: object) => supervisor.http("POST", "/setup", { body, ...call });
  expect((await post({ action: "exec" })).status).toBe(403);
  expect((await post({ action: "setup", readOnly: true })).status).toBe(403);
  expect((await post({ action: "setup", body: " ".repeat(600_000) })).status).toBe(413);
  expect((await post({ action: "setup" })).status).toBe(204);
});

test("where the run folder is missing, all but the socket and git's configuration works", async () => {
  await using supervisor = await testSupervisor({ runFolder: "/no/such/folder" });
  await supervisor.setup({ env: { A: "1" }, git });
  expect(await supervisor.sh('echo "$A $ONELOOP_SOCKET $GIT_CONFIG_SYSTEM"')).toBe("1  \n");
  expect(supervisor.log.join("\n")).toContain("/no/such/folder/oneloop.sock");
  expect(supervisor.log.join("\n")).toContain("git's configuration could not be written");
  await expect(readFile("/no/such/folder/gitconfig")).rejects.toThrow("ENOENT");
});
