import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Preview } from "../../server/protocol/preview.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation, run } from "../helpers/installation.ts";
import { machineAddress } from "../helpers/ports.ts";
import { makeRepository } from "../helpers/repositories.ts";

// Production as a base with overlays, which kubectl puts together for the control plane. What is
// written here, Debian's old kubectl understands too: `bases`, and no list of patches.
const lifetime = new Lifetime();
let oneloop: Installation;
let url: string;
let folder: string;
/** A server of this machine, and what was asked of it. */
let elsewhere: string;
const asked: string[] = [];

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec:
      containers:
        - name: api
          image: shop/api:1
          envFrom: [{ configMapRef: { name: settings } }]
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-kustomize-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(404).end();
  });
  server.listen(0, machineAddress());
  await once(server, "listening");
  lifetime.defer(() => void server.close());
  elsewhere = `http://${machineAddress()}:${(server.address() as AddressInfo).port}/base.git`;
  const files = {
    "devfile.yaml": `schemaVersion: 2.2.2
metadata: { name: shop }
components:
  - name: web
    container: { image: oneloop/workspace:latest }
`,
    "k8s/base/kustomization.yaml":
      "resources: [api.yaml]\nconfigMapGenerator:\n- name: settings\n  envs: [settings.env]\n",
    "k8s/base/api.yaml": deployment,
    "k8s/base/settings.env": "GREETING=good day\n",
    "k8s/prod/kustomization.yaml":
      'bases: [../base]\nnamePrefix: prod-\nimages:\n- name: shop/api\n  newTag: "7.2"\n',
    "k8s/far/kustomization.yaml": `bases: ["${elsewhere}"]\n`,
    "k8s/file/kustomization.yaml":
      "configMapGenerator:\n- name: settings\n  files: [/etc/hostname]\n",
  };
  await makeRepository(folder, "shop", { files });
  url = `file://${join(folder, "shop.git")}`;
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, "shop", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  oneloop = lifetime.own(await Installation.start());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it.each(["a repository", "a folder of the asker's machine"])(
  "an overlay of %s is planned as kubectl puts it together",
  async (what) => {
    const of = what === "a repository" ? url : join(folder, "shop");
    const { plan } = await oneloop.loopJson<Preview>("plan", of, "--mirror", "k8s/prod");
    const api = plan.services.find(({ name }) => name === "prod-api");
    expect(api?.image).toBe("shop/api:7.2");
    expect(JSON.stringify(api)).toContain("good day");
    expect(JSON.stringify(plan)).toContain("k8s/prod (kustomize)");
    expect(plan.mirror?.source).toBe("k8s/prod/");
  },
);

it("its lines are shown beside a difference", async () => {
  const { exitCode, stdout, stderr } = await oneloop.loop(
    ...["drift", join(folder, "shop/devfile.yaml"), join(folder, "shop/k8s/prod")],
  );
  expect(exitCode, stderr).toBe(1);
  expect(stdout).toContain("k8s/prod (kustomize):");
});

it("what it names elsewhere is not fetched, by whomever it is asked", async () => {
  // So the question is a real one: outside the control plane, kubectl asks.
  await run("kubectl", ["kustomize", join(folder, "shop/k8s/far")]);
  expect(asked.length).toBeGreaterThan(0);
  asked.length = 0;
  const { exitCode, stderr } = await oneloop.loop("plan", url, "--mirror", "k8s/far");
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain("k8s/far cannot be put together (it is done without a network)");
  expect(asked).toEqual([]);
});

it("a file of the machine is no part of it", async () => {
  const { exitCode, stderr } = await oneloop.loop("plan", url, "--mirror", "k8s/file");
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain("k8s/file cannot be put together");
});
