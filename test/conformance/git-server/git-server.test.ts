import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { git } from "../../helpers/git.ts";
import { startGitServer } from "../../helpers/git-server.ts";
import { createGovappRepository, govappBranch } from "../../helpers/govapp.ts";
import { enterableFolder } from "../../helpers/postgres.ts";

test("a repository is cloned and pushed to over HTTP", async () => {
  await using folder = await enterableFolder();
  await createGovappRepository(folder.path);
  await using server = await startGitServer({ root: folder.path });

  await git(folder.path, "clone", "--quiet", server.url("govapp.git"), "clone");
  const clone = join(folder.path, "clone");
  expect(await git(clone, "branch", "--remotes")).toContain(`origin/${govappBranch}`);

  await writeFile(join(clone, "NOTES.md"), "seen\n");
  await git(clone, "add", "--all");
  await git(clone, "commit", "--quiet", "--message", "Notes");
  await git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/notes");
  const pushed = await git(join(folder.path, "govapp.git"), "rev-parse", "notes");
  expect(pushed).toBe(await git(clone, "rev-parse", "HEAD"));
  expect(server.requests.map(({ status }) => status)).not.toContain(401);
});

test("credentials are asked for, and wrong ones are refused", async () => {
  await using folder = await enterableFolder();
  await createGovappRepository(folder.path);
  const credentials = { user: "ada", password: "open:sesame" };
  await using server = await startGitServer({ root: folder.path, credentials });
  const url = (user: string, password: string): string => {
    const withUser = new URL(server.url("govapp.git"));
    withUser.username = user;
    withUser.password = encodeURIComponent(password);
    return withUser.href;
  };

  await expect(git(folder.path, "ls-remote", server.url("govapp.git"))).rejects.toThrow(
    /could not read Username/,
  );
  await expect(git(folder.path, "ls-remote", url("ada", "wrong"))).rejects.toThrow(
    /Authentication failed/,
  );
  expect(await git(folder.path, "ls-remote", url("ada", credentials.password))).toContain(
    "refs/heads/main",
  );
  expect(server.requests.at(-1)).toMatchObject({ status: 200, user: "ada" });
});

test("the same fixture gives the same commits", async () => {
  await using folder = await enterableFolder();
  const first = await createGovappRepository(join(folder.path, "a"));
  const second = await createGovappRepository(join(folder.path, "b"));
  const refs = (path: string): Promise<string> => git(path, "for-each-ref");
  expect(await refs(first.path)).toBe(await refs(second.path));
  expect(first.url).toBe(`file://${first.path}`);
});
