import { describe, expect, it } from "vitest";
import { memberSpecs, supervisorConfig } from "../../../server/engine/member-spec.ts";
import { unsaidMirror } from "../../../server/protocol/service.ts";
import { facts, planOf, service } from "../../helpers/plans.ts";

const image = {
  ...facts,
  entrypoint: ["/entry"],
  command: ["serve"],
  env: { PATH: "/bin", A: "image" },
};
const setup = { publicKey: "key", env: { ONELOOP_URL: "http://app" } };

function specOf(change: Parameters<typeof service>[1]): unknown {
  const plan = planOf([service("dev"), service("web", change)]);
  const images = new Map(plan.services.map(({ name }) => [name, image]));
  return memberSpecs(plan, images, setup).get("web");
}

describe("memberSpecs", () => {
  it.each([
    [{ command: null, args: null }, ["/entry", "serve"]],
    [{ command: null, args: ["other"] }, ["/entry", "other"]],
    [{ command: ["run"], args: null }, ["run"]],
    [{ command: ["run"], args: ["-x"] }, ["run", "-x"]],
  ])("combines %j with the image's entry point and command as a pod does", (change, vector) => {
    expect(specOf(change)).toMatchObject({ command: vector, args: null });
  });

  it("gives the image's environment, the plan's over it, and Oneloop's to the dev service only", () => {
    expect(specOf({ env: { A: "plan" } })).toMatchObject({ env: { PATH: "/bin", A: "plan" } });
    const plan = planOf([service("dev")]);
    const dev = memberSpecs(plan, new Map([["dev", image]]), setup).get("dev");
    expect(dev?.env).toEqual({ PATH: "/bin", A: "image", ONELOOP_URL: "http://app" });
  });
});

describe("what Oneloop gives unless the plan says otherwise", () => {
  const trusting = { ...setup, defaults: { CA: "/bundle", A: "default" } };
  const envOf = (change: Parameters<typeof service>[1]) => {
    const plan = planOf([service("dev"), service("web", change)]);
    const images = new Map(plan.services.map(({ name }) => [name, image]));
    return memberSpecs(plan, images, trusting).get("web")?.env;
  };

  it("reaches each service of the devfile, over the image's and below the plan's", () => {
    expect(envOf({})).toEqual({ PATH: "/bin", CA: "/bundle", A: "default" });
    expect(envOf({ env: { CA: "/own" } })).toMatchObject({ CA: "/own" });
  });

  it("does not reach production's services", () => {
    expect(envOf({ mirror: unsaidMirror })).toEqual(image.env);
  });
});

describe("supervisorConfig", () => {
  const owner = { kind: "workspace", id: "w1" } as const;
  const task = {
    name: "build",
    phase: "create",
    oncePer: "workspace",
    needs: [],
    command: ["make"],
    terminal: false,
  } as const;

  it("starts shells in the checkout, wherever the source volume is mounted", () => {
    const checkout = { url: "u", ref: null, commit: "c", path: "/workspace/govapp" };
    const plan = { ...planOf([service("dev", { sourcePath: "/src" })]), checkout };
    expect(supervisorConfig({ owner, name: "n", plan }, image, setup).cwd).toBe("/src/govapp");
  });

  it("starts shells at home where there is no source", () => {
    const spec = { owner, name: "n", plan: planOf([service("dev", { sourcePath: null })]) };
    expect(supervisorConfig(spec, image, setup).cwd).toBe(image.home);
  });

  it("has the tasks of the dev service only", () => {
    const tasks = [
      { ...task, needs: [], command: ["make"], in: "dev" },
      { ...task, needs: [], command: ["make"], in: "web", name: "other" },
    ];
    const plan = { ...planOf([service("dev"), service("web")]), tasks };
    const config = supervisorConfig({ owner, name: "n", plan }, image, setup);
    expect(config.tasks.map(({ name }) => name)).toEqual(["build"]);
  });
});
