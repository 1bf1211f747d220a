import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { plan } from "../../../server/plan/plan.ts";
import { projectsToCheckOut } from "../../../server/plan/projects.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import type { Checkout } from "../../../server/protocol/plan.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { read } from "../sources/reading.ts";

const at = (url: string, path: string): Checkout => ({
  url,
  ref: "refs/heads/main",
  commit: "0".repeat(40),
  path,
});
const opened = at("https://example.org/acme/govapp.git", "/workspace/govapp");

/** A devfile with these projects, from a name to its URL, and a path where it is not the name. */
function model(
  projects: Readonly<Record<string, readonly [url: string, path?: string]>>,
): SourceModel {
  return read(
    stringify({
      schemaVersion: "2.2.2",
      components: [{ name: "tools", container: { image: "i" } }],
      projects: Object.entries(projects).map(([name, [url, clonePath]]) => ({
        name,
        ...(clonePath === undefined ? {} : { clonePath }),
        git: { remotes: { origin: url }, checkoutFrom: { revision: "v1" } },
      })),
    }),
  );
}

const tool = "https://example.org/acme/tool.git";

describe("the projects to check out", () => {
  test("have a URL, a revision, a path below the sources, and their place", () => {
    expect(projectsToCheckOut(model({ tool: [tool, "libs/tool"] }), opened)).toEqual([
      {
        name: "tool",
        url: tool,
        revision: "v1",
        path: "/workspace/libs/tool",
        remotes: {},
        where: { file: "devfile.yaml", line: 11, column: 17 },
      },
    ]);
  });

  test("come with the outer folder first", () => {
    const source = model({ inner: [tool, "b/inner"], a: [tool], b: [tool] });
    expect(projectsToCheckOut(source, opened).map(({ name }) => name)).toEqual(["a", "b", "inner"]);
  });

  test.each([
    ["https://example.org/acme/govapp", false],
    ["https://EXAMPLE.org/acme/govapp.git/", false],
    ["http://example.org:80/acme/govapp", false],
    ["git@example.org:acme/govapp.git", false],
    ["ssh://git@Example.org:2222/acme/govapp", false],
    ["https://example.org/acme/GovApp", true],
    ["https://example.org:8443/acme/govapp", true],
    ["https://example.com/acme/govapp", true],
    ["https://example.org/acme/govapp-docs", true],
    ["file:///acme/govapp", true],
  ])("are not the opened repository again: %s is another: %s", (url, other) => {
    expect(projectsToCheckOut(model({ again: [url] }), opened).length).toBe(other ? 1 : 0);
  });

  test("are all of them where no repository is open", () => {
    const source = model({ govapp: [opened.url], tool: [tool] });
    expect(projectsToCheckOut(source, null).map(({ name }) => name)).toEqual(["govapp", "tool"]);
  });
});

describe("a plan", () => {
  test("has the projects that were resolved, because of their lines", () => {
    const project = at(tool, "/workspace/tool");
    const planned = plan(model({ tool: [tool] }), null, { checkout: opened, projects: [project] });
    expect(WorkspacePlan.parse(planned).projects).toEqual([project]);
    expect(planned.because.find(({ part }) => part === "project tool")?.where).toEqual(
      [
        [7, 11],
        [10, 17],
        [12, 19],
      ].map(([line, column]) => ({ file: "devfile.yaml", line, column })),
    );
    expect(planned.leftOut).toEqual([]);
  });

  test("has every remote of a project, and those of the opened repository", () => {
    const remotes = (name: string) => ({
      remotes: { origin: `https://example.org/acme/${name}`, mine: `git@example.org:me/${name}` },
      checkoutFrom: { remote: name === "tool" ? "mine" : "origin" },
    });
    const source = read(
      stringify({
        schemaVersion: "2.2.2",
        components: [{ name: "tools", container: { image: "i" } }],
        projects: ["tool", "govapp"].map((name) => ({ name, git: remotes(name) })),
      }),
    );
    const [wanted] = projectsToCheckOut(source, opened);
    expect(wanted).toMatchObject({
      url: "git@example.org:me/tool",
      remotes: {
        remote: "mine",
        otherRemotes: [{ name: "origin", url: "https://example.org/acme/tool" }],
      },
    });
    const projects = [at("git@example.org:me/tool", "/workspace/tool")];
    const made = plan(source, null, { checkout: opened, projects });
    const { checkout, because } = WorkspacePlan.parse(made);
    const { where } = because.find(({ part }) => part === "project tool") ?? {};
    // Its name, both remotes, and which of them.
    expect(where?.length).toBe(4);
    expect(checkout).toEqual({
      ...opened,
      otherRemotes: [{ name: "mine", url: "git@example.org:me/govapp" }],
    });
  });

  test("lists each project that is not checked out, with the reason", () => {
    const source = model({ again: [opened.url], govapp: [tool], missing: [tool] });
    const { projects, leftOut } = plan(source, null, { checkout: opened });
    expect(projects).toEqual([]);
    expect(leftOut).toMatchObject([
      {
        what: 'project "again"',
        why: "It is the opened repository, which is at /workspace/govapp.",
        where: { line: 7 },
      },
      {
        what: 'project "govapp"',
        why: "Its folder /workspace/govapp is that of the opened repository, which stays.",
      },
      { what: 'project "missing"', why: "It was not checked out." },
    ]);
  });

  test.each([
    ["outside the sources", ["/etc/x"]],
    ["in the opened repository's place", ["/workspace/govapp"]],
    ["in each other's place", ["/workspace/x", "/workspace/x"]],
  ])("is refused with a project %s", (_, paths) => {
    const projects = paths.map((path) => at(tool, path));
    expect(() => plan(model({}), null, { checkout: opened, projects })).toThrow(
      expect.objectContaining({ code: "plan-impossible" }),
    );
  });
});
