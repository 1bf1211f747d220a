import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { docker } from "./engine-objects.ts";
import { buildGovappImages, createGovappRepository, govappBranch } from "./govapp.ts";
import { Installation } from "./installation.ts";
import { addCommit, makeRepository } from "./repositories.ts";

/** Two mistakes: in line 5 a word that the specification does not have, in line 8 no port. */
export const mistakenDevfile = `schemaVersion: 2.2.2
metadata:
  name: mistakes
components:
  - nam: app
    container:
      image: govapp/front-end:dev
      endpoints: [{ name: web, targetPort: lots }]
`;

export const mendedDevfile = `schemaVersion: 2.2.2
metadata:
  name: mistakes
components:
  - name: app
    container:
      image: govapp/front-end:dev
      command: ["sleep", "infinity"]
      endpoints: [{ name: web, targetPort: 3000 }]
`;

/** An image that no engine has and no registry gives: nothing listens at port 9 (discard). */
const missingImageDevfile = mendedDevfile.replace(
  "govapp/front-end:dev",
  "localhost:9/no/such-image:1",
);

export interface WebFixture extends AsyncDisposable {
  readonly oneloop: Installation;
  /** Context URLs. */
  readonly urls: {
    readonly govapp: string;
    readonly branch: string;
    /** Its devfile has mistakes. */
    readonly mistakes: string;
    /** Its workspace fails. */
    readonly missingImage: string;
    /** Without a devfile. */
    readonly plain: string;
  };
  /** Adds a commit to the branch, so that a workspace of it is behind. */
  advanceBranch(): Promise<void>;
}

/** An installation of its own, and repositories for what the web shows. */
export async function startWebFixture(): Promise<WebFixture> {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-web-"));
  const made = async (name: string, devfile: string | null): Promise<string> => {
    const files = devfile === null ? { "README.md": "# Plain\n" } : { "devfile.yaml": devfile };
    const { path } = await makeRepository(folder, name, { files });
    return pathToFileURL(path).href;
  };
  const [oneloop, govapp] = await Promise.all([
    // What an operator may turn on is shown, too.
    Installation.start({ env: { ONELOOP_SSH_CODES: "on" } }),
    createGovappRepository(folder),
    buildGovappImages(docker),
  ]);
  const branch = `${govapp.url}/tree/${govappBranch}`;
  return {
    oneloop,
    urls: {
      govapp: govapp.url,
      branch,
      mistakes: await made("mistakes", mistakenDevfile),
      missingImage: await made("missing-image", missingImageDevfile),
      plain: await made("plain", null),
    },
    advanceBranch: async () => {
      await addCommit(govapp.path, govappBranch, { "NOTES.md": "One more.\n" });
    },
    [Symbol.asyncDispose]: async () => {
      await oneloop[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
