import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { ConfinedFetch } from "../../../server/workspaces/confined-fetch.ts";
import { collectParents } from "../../../server/workspaces/devfile-parents.ts";
import { folderFiles } from "../../../server/workspaces/preview.ts";

const signal = new AbortController().signal;

/** Reads a devfile of a folder with these files, and with the parents that it names. */
async function readFolder(texts: Readonly<Record<string, string>>, allowNet: string[] = []) {
  const files = folderFiles({ name: "repo", paths: Object.keys(texts), texts: { ...texts } });
  const fetch = new ConfinedFetch({ allowNet, caFile: undefined });
  const devfile = { path: "devfile.yaml", text: texts["devfile.yaml"] ?? "" };
  const parents = await collectParents(devfile, { files, fetch }, signal);
  return readDevfile(devfile.text, devfile.path, parents);
}

/** Serves texts by their paths, on a free port of the loopback. */
async function serve(texts: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const text = texts[request.url ?? ""];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

const base = "schemaVersion: 2.0.0\ncomponents: [{name: tools, container: {image: tools}}]\n";

test("a parent is read from the repository, and its parent from where it stands", async () => {
  const read = await readFolder({
    "devfile.yaml": "schemaVersion: 2.2.0\nparent: {uri: stacks/node.yaml}",
    "stacks/node.yaml": "schemaVersion: 2.1.0\nparent: {uri: base.yaml}",
    "stacks/base.yaml": base,
  });
  expect(read.ok && read.model.services.map(({ name }) => formatPlace(name.where))).toEqual([
    "stacks/base.yaml:2:21",
  ]);
});

test("a parent that the repository lacks is a mistake at the line that names it", async () => {
  const read = await readFolder({
    "devfile.yaml": "schemaVersion: 2.2.0\nparent: {uri: stacks/node.yaml}",
  });
  const [first] = read.ok ? [] : read.diagnostics;
  expect(first && formatDiagnostic(first).split("\n")[0]).toBe(
    "devfile.yaml:2:15: unreadable-import: The repository has no file stacks/node.yaml at this commit.",
  );
});

test("a parent by URL is fetched, and what it names is asked beside it", async () => {
  await using server = await serve({
    "/a/devfile.yaml": "schemaVersion: 2.0.0\nparent: {uri: ../b.yaml}",
    "/b.yaml": base,
  });
  const text = `schemaVersion: 2.2.0\nparent: {uri: 'http://${server.host}/a/devfile.yaml'}`;
  const read = await readFolder({ "devfile.yaml": text }, [server.host]);
  expect(read.ok && read.model.services.map(({ name }) => formatPlace(name.where))).toEqual([
    `http://${server.host}/b.yaml:2:21`,
  ]);
});

test("a parent by id is asked of its registry, by its version", async () => {
  await using server = await serve({ "/registry/devfiles/nodejs/2.1.1": base });
  const parent = `{id: nodejs, version: 2.1.1, registryUrl: 'http://${server.host}/registry'}`;
  const text = `schemaVersion: 2.2.0\nparent: ${parent}`;
  const read = await readFolder({ "devfile.yaml": text }, [server.host]);
  expect(read.ok && read.model.services.length).toBe(1);
  expect(server.asked).toEqual(["/registry/devfiles/nodejs/2.1.1"]);
});

test("a parent at a private address is refused, with the line that names it", async () => {
  await using server = await serve({ "/devfile.yaml": base });
  const text = `schemaVersion: 2.2.0\nparent:\n  uri: http://${server.host}/devfile.yaml`;
  const read = await readFolder({ "devfile.yaml": text });
  expect(read.ok ? [] : read.diagnostics).toMatchObject([
    {
      line: 3,
      column: 8,
      code: "unreadable-import",
      message: expect.stringContaining("ONELOOP_ALLOW_NET"),
    },
  ]);
  expect(server.asked).toEqual([]);
});
