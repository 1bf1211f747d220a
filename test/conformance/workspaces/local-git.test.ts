import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { Job } from "../../../server/engine/jobs.ts";
import { cacheKey, Repositories, type Remote } from "../../../server/repo/repositories.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { ConfinedGit } from "../../../server/workspaces/repository-cache.ts";
import { git } from "../../helpers/git.ts";
import { lfsPointer, makeRepository, type MadeRepository } from "../../helpers/repositories.ts";
import { startTestEngine } from "../../helpers/test-engine.ts";

const run = promisify(execFile);
/** A user of this machine who is not root. */
const owner = 4711;
const files = { "devfile.yaml": "schemaVersion: 2.2.0\n" };

describe.runIf(process.getuid?.() === 0)("git over a folder of this machine", () => {
  const lifetime = new Lifetime();
  const jobs: Job[] = [];
  let repositories: Repositories;
  let folder: string;

  beforeAll(async () => {
    const test = lifetime.own(await startTestEngine());
    // Notes what every job may do, and passes it on.
    const engine = new Proxy(test.engine, {
      get(target, name: keyof Engine) {
        if (name === "runJob") {
          return (job: Job, options: Parameters<Engine["runJob"]>[1]) => {
            jobs.push(job);
            return target.runJob(job, options);
          };
        }
        const member: unknown = target[name];
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
    const supervisors = new Supervisors(engine, signer);
    repositories = new Repositories(
      new ConfinedGit(engine, supervisors, {
        helperImage: test.images.helper,
        publicKey: signer.publicKey,
      }),
    );
    folder = await mkdtemp(join(tmpdir(), "oneloop-local-git-"));
    // As root's home: nobody but root gets through here.
    await chmod(folder, 0o700);
    lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  const made = async (name: string, uid: number): Promise<MadeRepository & { remote: Remote }> => {
    const repository = await makeRepository(folder, name, { files });
    await run("chown", ["-R", `${uid}:${uid}`, repository.path]);
    await chmod(repository.path, 0o700);
    const url = `file://${repository.path}`;
    return { ...repository, remote: { url, key: url, localFolder: repository.path } };
  };
  const signal = (): AbortSignal => AbortSignal.timeout(60_000);
  const fetched = async (remote: Remote, commit: string): Promise<void> =>
    repositories.ensureCommit(remote, { ref: null, commit }, signal());

  it.each([owner, 0])(
    "reads what only its owner (%i) may read, below a folder that is only root's, as that owner",
    async (uid) => {
      jobs.length = 0;
      const { remote, commit } = await made(`of-${uid}`, uid);
      const { refs } = await repositories.listRefs(remote, signal());
      expect(refs).toEqual([{ name: "refs/heads/main", commit }]);
      await repositories.ensureCommit(remote, { ref: "refs/heads/main", commit }, signal());
      const wanted = { commit, paths: ["devfile.yaml"] };
      const found = await repositories.list(remote, wanted, signal());
      const texts = await repositories.texts(remote, { files: found, maxBytes: 1000 }, signal());
      expect(texts.get("devfile.yaml")).toBe(files["devfile.yaml"]);
      expect(jobs.length).toBeGreaterThan(1);
      for (const { capabilities = [] } of jobs) {
        expect(capabilities.filter((one) => one !== "SETUID" && one !== "SETGID")).toEqual([]);
        if (uid === 0) expect(capabilities).toEqual([]);
      }
    },
  );

  it("runs no git of this machine, and nothing that the folder's own configuration names", async () => {
    const marks = await mkdtemp(join(tmpdir(), "oneloop-ran-"));
    const programs = await mkdtemp(join(tmpdir(), "oneloop-path-"));
    const program = async (path: string): Promise<string> => {
      const text = `#!/bin/sh\ntouch ${join(marks, "ran")} "$(dirname "$0")/ran"\n`;
      await writeFile(path, text, { mode: 0o755 });
      return path;
    };
    const { path, commit } = await makeRepository(folder, "hostile", {
      files: { ...files, ".gitattributes": "* filter=trap\n" },
    });
    const hook = await program(join(path, "hook"));
    for (const key of [
      ...["core.fsmonitor", "uploadpack.packObjectsHook", "core.alternateRefsCommand"],
      ...["filter.trap.clean", "filter.trap.smudge", "filter.trap.process"],
    ])
      await git(path, "config", key, hook);
    for (const name of [
      "post-checkout",
      "pre-receive",
      "reference-transaction",
      "post-index-change",
    ])
      await program(join(path, "hooks", name));
    const url = `file://${path}`;
    const remote: Remote = { url, key: url, localFolder: path };
    const { PATH } = process.env;
    try {
      // Whoever starts git here is seen by this one.
      await program(join(programs, "git"));
      process.env["PATH"] = `${programs}:${PATH}`;
      expect((await repositories.listRefs(remote, signal())).refs).toHaveLength(1);
      await fetched(remote, commit);
      const found = await repositories.list(remote, { commit, paths: ["devfile.yaml"] }, signal());
      expect(found).toHaveLength(1);
      expect([...(await readdir(marks)), ...(await readdir(programs))]).toEqual(["git"]);
      const inside = await readdir(path, { recursive: true });
      expect(inside.filter((name) => basename(name) === "ran")).toEqual([]);
    } finally {
      process.env["PATH"] = PATH;
      await Promise.all([marks, programs].map((one) => rm(one, { recursive: true })));
    }
  });

  it("reads nothing that its owner may not", async () => {
    const { remote, path, commit } = await made("with-roots-file", owner);
    await writeFile(join(path, "refs", "heads", "hidden"), `${commit}\n`, { mode: 0o600 });
    const { refs } = await repositories.listRefs(remote, signal());
    // Of what it cannot read, git tells the name, and zeros.
    expect(refs.filter((ref) => ref.commit === commit).map(({ name }) => name)).toEqual([
      "refs/heads/main",
    ]);
  });

  it.each([owner, 0])(
    "gives a repository of %i nothing of another's cache, though it names the objects there",
    async (uid) => {
      const secret = await makeRepository(folder, `secret-${uid}`, { files: { key: "s3cret" } });
      const url = `file://${secret.path}`;
      const theirs: Remote = { url, key: url, localFolder: secret.path };
      await fetched(theirs, secret.commit);
      const thief = await made(`thief-${uid}`, uid);
      const places = [`/repositories/${cacheKey(theirs.key)}/objects`];
      await writeFile(join(thief.path, "objects", "info", "alternates"), `${places.join("\n")}\n`);
      await writeFile(join(thief.path, "refs", "heads", "theirs"), `${secret.commit}\n`);
      await run("chown", ["-R", `${uid}:${uid}`, thief.path]);
      await expect(fetched(thief.remote, secret.commit)).rejects.toMatchObject({
        code: "ref-not-found",
      });
      const wanted = { commit: secret.commit, paths: ["key"] };
      const read = repositories.list(thief.remote, wanted, signal());
      await expect(read).rejects.toMatchObject({ code: "internal" });
    },
  );

  it("fetches what a private folder keeps in LFS", async () => {
    const content = Buffer.from("a large file");
    const { pointer, oid } = lfsPointer(content);
    const repository = await makeRepository(folder, "with-lfs", {
      files: { ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": pointer },
      prepare: async (tree) => {
        for (const side of ["clean", "smudge"])
          await git(tree, "config", `filter.lfs.${side}`, "cat");
      },
    });
    const object = join(repository.path, "lfs", "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    await mkdir(dirname(object), { recursive: true });
    await writeFile(object, content, { mode: 0o600 });
    expect(
      createHash("sha256")
        .update(await readFile(object))
        .digest("hex"),
    ).toBe(oid);
    await run("chown", ["-R", `${owner}:${owner}`, repository.path]);
    await chmod(repository.path, 0o700);
    const url = `file://${repository.path}`;
    const remote: Remote = { url, key: url, localFolder: repository.path };
    await fetched(remote, repository.commit);
    expect(await repositories.usesLfs(remote, repository.commit, signal())).toBe(true);
    await repositories.fetchLfs(remote, repository.commit, signal());
    // Again, as at the next open.
    await repositories.fetchLfs(remote, repository.commit, signal());

    // A repository from elsewhere whose .lfsconfig leads to that cache.
    const lfsurl = `file:///repositories/${cacheKey(url)}`;
    const elsewhere: Remote = { url: "https://git.example/thief.git", key: "thief" };
    const thief = await makeRepository(folder, "lfs-thief", {
      files: {
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ".lfsconfig": `[lfs]\n\turl = ${lfsurl}\n[remote "${elsewhere.url}"]\n\tlfsurl = ${lfsurl}\n[remote "origin"]\n\tlfsurl = ${lfsurl}\n`,
        "large.bin": pointer,
      },
    });
    // Where the cache's HEAD is, git-lfs reads it.
    await git(thief.path, "branch", "master", "main");
    await fetched({ ...elsewhere, localFolder: thief.path }, thief.commit);
    await expect(repositories.fetchLfs(elsewhere, thief.commit, signal())).rejects.toMatchObject({
      code: "repository-unreachable",
    });
  });
});
