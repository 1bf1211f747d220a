import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { testAuthority } from "../helpers/certificates.ts";
import { startGitServer, type GitServer } from "../helpers/git-server.ts";
import { Installation } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

const devfile = `
schemaVersion: 2.2.2
components:
  - { name: dev, container: { image: "acme/dev:1" } }
  - name: dev-image
    image: { imageName: "acme/dev:1", dockerfile: { uri: Dockerfile } }
`;
/** Its program asks the server, too: with a certificate that it does not trust the build fails. */
const dockerfile = (url: string): string => `
FROM oneloop/workspace:latest
RUN curl -sS --max-time 20 ${url} > /tmp/in-the-build
`;

const lifetime = new Lifetime();
let git: GitServer;
let oneloop: Installation;
let shell: Shell;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-authority-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const [host, port] = [machineAddress(), await freePort()];
  const authority = await testAuthority(folder, host);
  git = lifetime.own(await startGitServer({ root: folder, host, port, tls: authority.tls }));
  await makeRepository(folder, "trusting", {
    files: { "devfile.yaml": devfile, Dockerfile: dockerfile(git.url("trusting.git/HEAD")) },
  });
  // As of a machine whose Node was told, and Oneloop was not.
  oneloop = lifetime.own(
    await Installation.start({
      env: {
        ONELOOP_ALLOW_NET: `${host}:${port}`,
        NODE_EXTRA_CA_CERTS: authority.caFile,
        ONELOOP_CA_FILE: "",
      },
    }),
  );
  shell = await workspaceShell(oneloop, folder);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("an authority that only Node was told of is trusted by the cache, builds and workspaces", async () => {
  const url = git.url("trusting.git");
  expect(url).toMatch(/^https:/);
  const { name } = await oneloop.loopJson<WorkspaceSummary>("open", url);
  const inside = async (command: string): Promise<string> => {
    const { stdout, stderr } = await shell(name, command);
    return `${stdout}${stderr}`.trim();
  };
  const head = "ref: refs/heads/main";
  expect(await inside("cat /tmp/in-the-build")).toBe(head);
  expect(await inside(`curl -sS ${url}/HEAD`)).toBe(head);
  expect(await inside("git ls-remote --symref origin HEAD")).toContain("refs/heads/main");
  const get = "require('https').get(process.argv[1], (r) => console.log(r.statusCode))";
  expect(await inside(`node -e "${get}" ${url}/HEAD`)).toBe("200");
  const python = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)";
  expect(await inside(`python3 -c "${python}" ${url}/HEAD`)).toBe("200");
});
