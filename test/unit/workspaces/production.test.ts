import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { formatDiagnostic, OneloopError } from "../../../server/protocol/errors.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import {
  offeredSources,
  readSource,
  readSources,
  sourcePath,
} from "../../../server/sources/production.ts";
import { folderFiles } from "../../../server/workspaces/preview.ts";
import { readProduction } from "../../../server/workspaces/production.ts";

const files = (texts: Record<string, string>) =>
  folderFiles({ name: "shop", paths: Object.keys(texts), texts });

const compose = "services:\n  db:\n    image: postgres:17\n";
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec: { containers: [{ name: api, image: "shop/api:1" }] }
`;

const development = (more = ""): SourceModel => {
  const text = `schemaVersion: 2.2.0
metadata: { name: shop }
components:
  - name: web
    container: { image: "shop/web:dev" }
${more}`;
  const read = readDevfile(text, "devfile.yaml");
  if (!read.ok) throw new Error(read.diagnostics.map(formatDiagnostic).join("\n"));
  return read.model;
};

const failure = async (work: Promise<unknown>): Promise<OneloopError> => {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (thrown instanceof OneloopError) return thrown;
  throw new Error(`it did not fail as it should: ${String(thrown)}`);
};

describe("what reads a path", () => {
  const repository = files({
    "compose.yaml": compose,
    "compose.override.yaml": "services:\n  db:\n    user: '70'\n",
    "stack.yml": compose,
    "k8s/api/deploy.yaml": deployment,
    "k8s/values.yaml": "replicas: 3\n",
    "heroku/Procfile": "web: npm start\n",
    "dev/devfile.yaml":
      "schemaVersion: 2.2.0\nmetadata: {name: d}\ncomponents: [{name: c, container: {image: i}}]\n",
    "overlay/kustomization.yaml": "resources: [deploy.yaml]\n",
  });
  it.each([
    ["compose.yaml", "compose", "compose.yaml"],
    ["./stack.yml", "compose", "stack.yml"],
    [".", "compose", "."],
    ["k8s", "kubernetes", "k8s/"],
    ["k8s/", "kubernetes", "k8s/"],
    ["k8s/api/deploy.yaml", "kubernetes", "k8s/api/deploy.yaml"],
    ["heroku", "heroku", "heroku/"],
    ["heroku/Procfile", "heroku", "heroku/Procfile"],
    ["dev", "devfile", "dev/"],
  ])("%s: %s", async (path, format, named) => {
    const { source, result } = await readSource(sourcePath(path), repository, {
      prefers: "production",
    });
    expect(source).toBe(named);
    expect(result.ok && result.model.format).toBe(format);
  });

  it("says what to do with a folder that only kustomize puts together", async () => {
    const { code, message } = await failure(
      readSource("overlay", repository, { prefers: "production" }),
    );
    expect(code).toBe("plan-impossible");
    expect(message).toContain("kubectl kustomize overlay > mirror.yaml");
  });

  it.each(["k8s/large.yaml", "k8s/api/large.json", "compose.yaml", "heroku/Procfile"])(
    "passes over no file in silence: %s, which is too large",
    async (path) => {
      const large = files({ "k8s/api.yaml": deployment, [path]: " ".repeat(4 * 1024 * 1024 + 1) });
      const folder = path.split("/").at(-2) === undefined ? "." : path.split("/")[0];
      const { code, message } = await failure(
        readSource(sourcePath(folder ?? "."), large, { prefers: "production" }),
      );
      expect(code).toBe("bad-input");
      expect(message).toContain(`${path} has 4194305 bytes; at most 4194304 are read.`);
    },
  );

  it("names what there is where there is nothing", async () => {
    const { message } = await failure(readSource("k9s", repository, { prefers: "production" }));
    expect(message).toBe(
      "There is no k9s that could be mirrored. What looks like it: k8s/, compose.yaml.",
    );
    expect(() => sourcePath("../other")).toThrow(/no path of the repository/);
    expect(() => sourcePath("/etc")).toThrow(/no path of the repository/);
  });

  it("finds the same files for who asks a git cache as for who sends a folder", async () => {
    const asked: (readonly string[])[] = [];
    const counted = {
      ...repository,
      list: (paths: readonly string[]) => {
        asked.push(paths);
        return repository.list(paths);
      },
    };
    await readSource("compose.yaml", counted, { prefers: "production" });
    // Each is a process in the cache's container: what is asked for together is asked once.
    expect(asked.length).toBeLessThanOrEqual(4);
  });
});

describe("several compose files", () => {
  const repository = files({
    "compose.yaml":
      "services:\n  api:\n    image: acme/api:1\n    environment: { A: '1', B: '1' }\n",
    "ops/compose.prod.yaml": "services:\n  api:\n    environment: { B: '2' }\n",
    "compose.volumes.yaml": "volumes: { data: {} }\n",
    "k8s/app.yaml": deployment,
  });

  it("are read over one another, in their order", async () => {
    const given = "./compose.yaml, ops/compose.prod.yaml,compose.volumes.yaml";
    const { source, result } = await readSources(given, repository, { prefers: "production" });
    expect(source).toBe("compose.yaml, ops/compose.prod.yaml, compose.volumes.yaml");
    const [api] = result.ok ? result.model.services : [];
    expect(api?.env).toMatchObject({
      A: { value: { value: "1" }, where: { file: "compose.yaml" } },
      B: { value: { value: "2" }, where: { file: "ops/compose.prod.yaml" } },
    });
    const again = await readSources(source, repository, { prefers: "production" });
    expect(again).toEqual({ source, result });
  });

  it("are the only thing that is put over one another", async () => {
    const reading = { prefers: "production" } as const;
    const mixed = await failure(readSources("compose.yaml,k8s", repository, reading));
    expect(mixed.message).toContain("k8s is no compose file");
    const missing = await failure(readSources("compose.yaml,nowhere.yaml", repository, reading));
    expect(missing.message).toContain("There is no nowhere.yaml that could be mirrored");
  });

  it("are a list in the devfile, too", () => {
    const text = (mirror: string) =>
      `schemaVersion: 2.2.2\nmetadata: { name: x }\nattributes: { mirror: ${mirror} }\ncomponents:\n  - name: dev\n    container: { image: a }\n`;
    const mirrorOf = (mirror: string): unknown => {
      const read = readDevfile(text(mirror), "devfile.yaml");
      const source = read.ok ? read.model.mirror?.source : undefined;
      return source?.known === true ? source.value : read;
    };
    expect(mirrorOf("[compose.yaml, compose.prod.yaml]")).toBe("compose.yaml,compose.prod.yaml");
    expect(mirrorOf("k8s/")).toBe("k8s/");
  });
});

describe("what is offered", () => {
  it("is each folder of objects below the usual ones, and production's file over a compose file", async () => {
    const offered = await offeredSources(
      files({
        "compose.yaml": compose,
        "compose.prod.yml": "services: { api: { command: [serve] } }\n",
        "deploy/base/app.yaml": deployment,
        "deploy/overlays/prod/app.yaml": deployment,
        "deploy/overlays/prod/very/deep/app.yaml": deployment,
        "deploy/notes/readme.yaml": "a: b\n",
      }),
    );
    expect(offered).toEqual([
      ...["deploy/", "deploy/base/", "deploy/overlays/prod/"],
      ...["compose.yaml", "compose.yaml, compose.prod.yml"],
    ]);
  });

  it("is what looks as if it said how production runs", async () => {
    const offered = await offeredSources(
      files({
        Procfile: "web: x",
        "docker-compose.yml": compose,
        "deploy/app.yaml": deployment,
        "manifests/notes.yaml": "a: b\n",
        "src/compose.yaml": compose,
      }),
    );
    expect(offered).toEqual(["deploy/", "docker-compose.yml", "Procfile"]);
    expect(await offeredSources(files({ "src/a.js": "" }))).toEqual([]);
  });
});

describe("production of an open", () => {
  const repository = files({ "compose.yaml": compose, "k8s/api.yaml": deployment });
  const read = (request: Parameters<typeof readProduction>[2]["request"], from = development()) =>
    readProduction(repository, from, { request, images: {} });

  it("is what was asked for, else what the devfile names, else nothing", async () => {
    const named = development("attributes: { mirror: k8s, develop: [api], other: x }\n");
    expect((await read({}, named)).choices.mirror).toEqual({
      source: "k8s/",
      develop: ["api"],
      images: {},
    });
    expect((await read({ mirror: "compose.yaml", develop: ["db"] }, named)).choices.mirror).toEqual(
      { source: "compose.yaml", develop: ["db"], images: {} },
    );
    expect((await read({ mirror: null }, named)).model).toBeNull();
    expect((await read({})).model).toBeNull();
    // Of the devfile's attributes the others stay named as not read.
    expect(named.leftOut.map(({ what }) => what)).toEqual(["attributes.other"]);
  });

  it("says mistakes with their lines, before anything starts", async () => {
    const broken = files({ "k8s/api.yaml": deployment.replace("labels", "lables") });
    const { code, diagnostics, message } = await failure(
      readProduction(broken, development(), { request: { mirror: "k8s" }, images: {} }),
    );
    expect(code).toBe("plan-impossible");
    expect(message).toMatch(/^k8s\/, which says how production runs, has \d+ mistakes/);
    expect(diagnostics[0]).toMatchObject({ file: "k8s/api.yaml", severity: "error" });
  });

  it("says at the devfile's line that what it names is not there", async () => {
    const named = development("attributes:\n  mirror: k9s\n");
    const { code, diagnostics } = await failure(read({}, named));
    expect(code).toBe("devfile-invalid");
    expect(diagnostics[0]).toMatchObject({ file: "devfile.yaml", line: 7, code: "no-mirror" });
  });

  it("refuses to develop services of nothing", async () => {
    expect((await failure(read({ develop: ["api"] }))).code).toBe("bad-input");
  });
});

it("GovApp's production is planned around its front end, under production's names", async () => {
  const root = "test/fixtures/govapp";
  const names = (await readdir(root, { recursive: true })).filter((name) => /\.ya?ml$/.test(name));
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(join(root, name), "utf8")] as const),
  );
  const repository = files(Object.fromEntries(texts));
  const read = readDevfile(await readFile(join(root, "devfile.yaml"), "utf8"), "devfile.yaml");
  if (!read.ok) throw new Error("GovApp's devfile has mistakes");
  const { model, choices } = await readProduction(repository, read.model, {
    request: { mirror: "k8s" },
    images: { "govapp/back-end:1.4.0": "govapp/back-end:dev" },
  });
  const planned = plan(read.model, model, { ...choices, checkout: null });
  expect(planned.mirror).toMatchObject({ source: "k8s/", develops: ["front-end"] });
  expect(planned.services.map(({ name, image }) => [name, image])).toEqual([
    ["front-end", "govapp/front-end:dev"],
    ["back-end", "govapp/back-end:dev"],
    ["database", "govapp/database:1.4.0"],
  ]);
});
