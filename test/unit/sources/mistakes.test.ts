import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { readDevfile } from "../../../server/sources/devfile/read.ts";

interface Parts {
  readonly variables: Record<string, unknown>;
  readonly components: object[];
  readonly commands: object[];
  readonly projects: object[];
  readonly postStart: string[];
  readonly postStop: string[];
}

const url = "https://example.org/a.git";

/** Each adds one mistake to a devfile, whatever is in it already; `n` is another number each time. */
const mistakes: Readonly<Record<string, (parts: Parts, n: string) => void>> = {
  "wrong-type": ({ variables }, n) => {
    variables[`v${n}`] = 1;
  },
  "unknown-variable": ({ components }, n) => {
    components.push({ name: `a${n}`, container: { image: `x-{{nothing-${n}}}` } });
  },
  "bad-quantity": ({ components }, n) => {
    components.push({ name: `a${n}`, container: { image: "i", memoryLimit: "{{bad}}" } });
  },
  "bad-name": ({ components, commands, postStart }, n) => {
    components.push({ name: `Bad${n}`, container: { image: "i" } });
    commands.push({ id: `x${n}`, exec: { component: `Bad${n}`, commandLine: "x" } });
    postStart.push(`x${n}`);
  },
  "missing-key": ({ commands, postStart }, n) => {
    commands.push({ id: `x${n}`, exec: { component: "tools" } });
    commands.push({ id: `y${n}`, composite: { commands: [`x${n}`] } });
    postStart.push(`y${n}`);
  },
  "unknown-component": ({ commands }, n) => {
    commands.push({ id: `x${n}`, exec: { component: `nobody-${n}`, commandLine: "x" } });
  },
  "not-a-container": ({ commands }, n) => {
    commands.push({ id: `x${n}`, exec: { component: "data", commandLine: "x" } });
  },
  "duplicate-command": ({ commands }) => {
    commands.push({ id: "build", exec: { component: "tools", commandLine: "x" } });
  },
  "command-cycle": ({ commands, postStart }, n) => {
    commands.push({ id: `x${n}`, composite: { commands: [`y${n}`] } });
    commands.push({ id: `y${n}`, composite: { commands: [`x${n}`] } });
    postStart.push(`x${n}`);
  },
  "two-defaults": ({ commands }, n) => {
    const group = { kind: "build", isDefault: true };
    commands.push({ id: `x${n}`, exec: { component: "tools", commandLine: "x", group } });
  },
  "unknown-command": ({ postStart }, n) => {
    postStart.push(`nobody-${n}`);
  },
  "wrong-event": ({ postStop }) => {
    postStop.push("build");
  },
  "bad-path": ({ projects }, n) => {
    projects.push({ name: `p${n}`, clonePath: "../x", git: { remotes: { o: url } } });
  },
  "duplicate-path": ({ projects }, n) => {
    projects.push({ name: `p${n}`, clonePath: "tool", git: { remotes: { o: url } } });
  },
  "no-checkout-remote": ({ projects }, n) => {
    projects.push({ name: `p${n}`, git: { remotes: { o: url, u: url } } });
  },
  "bad-url": ({ projects }, n) => {
    projects.push({ name: `p${n}`, git: { remotes: { o: "nowhere" } } });
  },
};

test("every mistake is reported, and only once, however many there are", () => {
  const kind = fc.constantFrom(...Object.keys(mistakes));
  fc.assert(
    fc.property(fc.array(kind, { maxLength: 12 }), (kinds) => {
      const parts: Parts = {
        variables: { bad: "12XB" },
        components: [
          { name: "tools", container: { image: "i" } },
          { name: "data", volume: {} },
        ],
        commands: [
          {
            id: "build",
            exec: {
              component: "tools",
              commandLine: "make",
              group: { kind: "build", isDefault: true },
            },
          },
        ],
        projects: [{ name: "tool", git: { remotes: { o: url } } }],
        postStart: ["build"],
        postStop: [],
      };
      for (const [at, each] of kinds.entries()) mistakes[each]?.(parts, String(at));
      const { postStart, postStop, ...rest } = parts;
      const text = stringify(
        { schemaVersion: "2.2.2", ...rest, events: { postStart, postStop } },
        { aliasDuplicateObjects: false },
      );
      const result = readDevfile(text, "devfile.yaml");
      const found = result.ok ? [] : result.diagnostics;
      expect(found.map(({ code }) => code).sort()).toEqual([...kinds].sort());
      // Each stands on a line of its own, which the excerpt shows.
      const lines = text.split("\n");
      for (const { line, excerpt } of found) expect(excerpt).toBe(lines[line - 1]);
      expect(new Set(found.map(({ line, column }) => `${line}:${column}`)).size).toBe(kinds.length);
    }),
  );
});
