import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import type Docker from "dockerode";
import type { ImageInspectInfo } from "dockerode";
import { pack } from "tar-stream";
import { git } from "./git.ts";

/** Where this file runs from: the sources, or `dist/`, which has no fixtures. */
const testFolder = fileURLToPath(new URL("..", import.meta.url)).replace(
  /\/dist\/test\/$/,
  "/test/",
);
const fixture = join(testFolder, "fixtures/govapp");

/** The images that GovApp's devfile names, and the folders that they are built from. */
export const govappImages = {
  "govapp/front-end:dev": "front-end",
  "govapp/back-end:dev": "back-end",
  "govapp/database:dev": "database",
} as const;

/** What `npm start` builds Oneloop's own images on: one of these is there afterwards. */
export const govappBases = [
  ...(process.env["ONELOOP_BASE_IMAGE"] ? [process.env["ONELOOP_BASE_IMAGE"]] : []),
  "oneloop/base:bookworm",
  "debian:bookworm-slim",
];

/** On an image: the hash of what it was built from. */
const contentLabel = "govapp.content";

export interface BuildGovappOptions {
  /** The Debian 12 to build on. Default: the first of `govappBases` that the engine has. */
  readonly base?: string;
  readonly onProgress?: (line: string) => void;
}

/**
 * Builds GovApp's three images in the engine, one after the other; one whose folder and base are
 * unchanged is left as it is.
 *
 * @throws Error with the build's last lines, or where the base is missing.
 */
export async function buildGovappImages(
  docker: Docker,
  { base, onProgress = () => undefined }: BuildGovappOptions = {},
): Promise<void> {
  const { name, id: baseId } = await findBase(docker, base === undefined ? govappBases : [base]);
  for (const [tag, folder] of Object.entries(govappImages)) {
    const files = await readTree(join(fixture, folder));
    const content = hashOf(baseId, files);
    const built = await inspectOrNull(docker, tag);
    if (built?.Config.Labels?.[contentLabel] === content) continue;
    onProgress(`building ${tag}`);
    const stream = await docker.buildImage(tarOf(files), {
      t: tag,
      buildargs: { BASE: name },
      labels: { [contentLabel]: content },
      forcerm: true,
    });
    await followBuild(docker, stream, { tag, onProgress });
  }
}

async function findBase(
  docker: Docker,
  names: readonly string[],
): Promise<{ name: string; id: string }> {
  for (const name of names) {
    const found = await inspectOrNull(docker, name);
    if (found !== null) return { name, id: found.Id };
  }
  throw new Error(`None of ${names.join(", ")} is in the engine. Run \`npm start\`: it makes one.`);
}

/** Files with their content, in the order of their names. */
type Tree = readonly { readonly name: string; readonly content: Buffer }[];

async function readTree(folder: string): Promise<Tree> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Promise.all(
    paths.map(async (path) => ({
      name: path.slice(folder.length + 1),
      content: await readFile(path),
    })),
  );
}

function hashOf(baseId: string, files: Tree): string {
  const hash = createHash("sha256").update(baseId);
  for (const { name, content } of files) {
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function tarOf(files: Tree): Readable {
  const archive = pack();
  for (const { name, content } of files) archive.entry({ name, mode: 0o644 }, content);
  archive.finalize();
  return Readable.from(archive);
}

async function inspectOrNull(docker: Docker, name: string): Promise<ImageInspectInfo | null> {
  try {
    return await docker.getImage(name).inspect();
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw error;
  }
}

/** How much of a failed build's output its error shows. */
const shownLines = 30;

function followBuild(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  { tag, onProgress }: { tag: string; onProgress: (line: string) => void },
): Promise<void> {
  const lines: string[] = [];
  let failure: string | null = null;
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (broken: Error | null) => {
        if (broken === null && failure === null) return resolve();
        const said = [...lines.slice(-shownLines), failure ?? ""].join("\n");
        reject(new Error(`building ${tag} failed\n${said}`, { cause: broken }));
      },
      (event: { stream?: string; error?: string }) => {
        // A failed step is an event like the others: the stream itself ends well.
        if (event.error !== undefined) failure = event.error;
        for (const line of (event.stream ?? "").split("\n")) {
          if (line.trim() === "") continue;
          lines.push(line);
          onProgress(line);
        }
      },
    );
  });
}

/** The name of the second branch: on it, the count of appointments is a queue's length. */
export const govappBranch = "feat/queue-display";

/**
 * Makes a bare repository `govapp.git` in `folder` from the fixture, with the branches `main` and
 * `feat/queue-display`; an older one is replaced. The same fixture gives the same commits.
 */
export async function createGovappRepository(
  folder: string,
): Promise<{ readonly path: string; readonly url: string }> {
  const work = await mkdtemp(join(tmpdir(), "govapp-"));
  try {
    const tree = join(work, "govapp");
    await cp(fixture, tree, { recursive: true });
    await git(tree, "init", "--quiet", "--initial-branch=main");
    await commitAll(tree, "The service portal");
    await git(tree, "switch", "--quiet", "--create", govappBranch);
    const pages = join(tree, "front-end/pages.js");
    const before = await readFile(pages, "utf8");
    const after = before.replace("Appointments booked:", "In the queue:");
    if (after === before) throw new Error("pages.js has no text for the branch to change");
    await writeFile(pages, after);
    await commitAll(tree, "Call the count what it is: a queue");
    await git(tree, "switch", "--quiet", "main");
    const bare = join(work, "govapp.git");
    await git(work, "clone", "--quiet", "--bare", "--no-hardlinks", tree, bare);
    await git(bare, "remote", "remove", "origin");
    const path = join(folder, "govapp.git");
    await mkdir(folder, { recursive: true });
    await rm(path, { recursive: true, force: true });
    await moveTree(bare, path);
    return { path, url: pathToFileURL(path).href };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function commitAll(tree: string, message: string): Promise<void> {
  await git(tree, "add", "--all");
  await git(tree, "commit", "--quiet", "--message", message);
}

async function moveTree(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await cp(from, to, { recursive: true });
  }
}
