import { expect, test } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { partsOf } from "../../../server/workspaces/preview-parts.ts";
import { read } from "../sources/reading.ts";

const devfile = (...lines: string[]): string => `schemaVersion: 2.2.2
components:
  - {name: init, container: {image: "init:1", args: [migrate], env: [{name: A, value: b}]}}
  - {name: seed, container: {image: "seed:1", command: [sh], args: ["-c", "seed all"]}}
  - {name: tools, container: {image: "tools:1"}}
  - {name: made, image: {imageName: "seed:1", autoBuild: false, dockerfile: {uri: Dockerfile}}}
  - {name: objects, kubernetes: {inlined: "x"}}
commands:
  - {id: first, apply: {component: init}}
  - {id: build, apply: {component: made}}
  - {id: then, apply: {component: seed}}
  - {id: deploy, apply: {component: objects}}
  - {id: both, composite: {commands: [first, build]}}
${lines.join("\n")}
`;

function planned(...lines: string[]): WorkspacePlan {
  return WorkspacePlan.parse(plan(read(devfile(...lines)), null, { checkout: null }));
}

const leftOut = ({ leftOut: all }: WorkspacePlan): string[] =>
  all.map(({ what, why }) => `${what}: ${why}`);

test("what preStart applies runs to its end, in its order, and is no service", () => {
  const made = planned("events: {preStart: [both, then]}");
  expect(made.oneShots).toEqual([
    {
      name: "first",
      when: "before-start",
      needs: [],
      service: expect.objectContaining({
        image: "init:1",
        args: ["migrate"],
        env: expect.objectContaining({ A: "b" }) as unknown,
      }),
    },
    {
      name: "then",
      when: "before-start",
      // The image between them is built before all of it.
      needs: ["first"],
      service: expect.objectContaining({ name: "seed" }),
    },
  ]);
  expect(made.services.map(({ name }) => name)).toEqual(["tools"]);
  expect(made.devService).toBe("tools");
  // An event applies it, whatever `autoBuild` says.
  expect(made.builds?.map(({ image }) => image)).toEqual(["seed:1"]);
  const parts = partsOf(made).filter(({ name }) => name === "first" || name === "then");
  expect(parts).toEqual([
    {
      ...{ kind: "task", name: "first", where: ["devfile.yaml:9:10", "devfile.yaml:9:36"] },
      says: "before each start, in a container of its own (init:1): migrate",
    },
    {
      ...{ kind: "task", name: "then", where: ["devfile.yaml:11:10", "devfile.yaml:11:35"] },
      says: "before each start, in a container of its own (seed:1): seed all",
    },
  ]);
});

test("what postStop applies comes after the stop; what it cannot apply is named", () => {
  const made = planned("events: {postStop: [build, deploy, then]}");
  expect(made.oneShots?.map(({ name, when, needs }) => [name, when, ...needs])).toEqual([
    ["then", "after-stop"],
  ]);
  expect(made.services.map(({ name }) => name)).toEqual(["init", "tools"]);
  expect(leftOut(made)).toEqual(
    expect.arrayContaining([
      "postStop of command build: Images are built before the start only.",
      "postStop of command deploy: Kubernetes objects go with the workspace.",
      'command "first" (apply): Components are applied by the events preStart and postStop only, and none names it.',
    ]),
  );
});

test("a component that a command runs in is there beside, too", () => {
  const made = planned(
    "  - {id: look, exec: {component: seed, commandLine: ls}}",
    "events: {preStart: [then]}",
  );
  expect(made.oneShots).toHaveLength(1);
  expect(made.services.map(({ name }) => name)).toEqual(["init", "seed", "tools"]);
});

test("where all containers only run to their ends, there is none to work in", () => {
  const text = `schemaVersion: 2.2.2
components: [{name: init, container: {image: "init:1"}}]
commands: [{id: first, apply: {component: init}}]
events: {preStart: [first]}
`;
  expect(() => plan(read(text), null, { checkout: null })).toThrow(/no container to work in/);
});
