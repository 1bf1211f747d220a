import { describe, expect, test } from "vitest";
import { detected, json, type TreeOf } from "./detecting.ts";

/** What each task of the set-up waits for, in their order. */
function waits(tree: TreeOf): string[] {
  return detected(tree).model.tasks.map(({ name, needs }) => `${name}: ${needs.join(", ")}`);
}

const node = (folder: string): TreeOf => ({
  [`${folder}/package.json`]: "{}",
  [`${folder}/package-lock.json`]: "",
});
const go = (folder: string, version: string): TreeOf => ({
  [`${folder}/go.mod`]: `module a\ngo ${version}\n`,
  [`${folder}/go.sum`]: "",
});
const ruby = (folder: string): TreeOf => ({
  [`${folder}/Gemfile`]: 'ruby "3.3.4"',
  [`${folder}/Gemfile.lock`]: "",
});

describe("the set-up of a repository without a devfile", () => {
  test("of one folder is done in its order", () => {
    expect(
      waits({ "package.json": "{}", "package-lock.json": "", "requirements.txt": "" }),
    ).toEqual(["install-dependencies: ", "install-dependencies-2: install-dependencies"]);
  });

  test("of a folder waits for none of another", () => {
    expect(waits({ ...go("api", "1.22"), ...node("web") })).toEqual([
      "install-mise: ",
      "install-go: install-mise",
      "api-install-dependencies: install-go",
      "web-install-dependencies: ",
    ]);
  });

  test("begins with Debian's packages and what several languages need", () => {
    const tree = { ...go("api", "1.22"), ...ruby("shop"), ...node("web") };
    const ready = "install-mise";
    expect(waits(tree)).toEqual([
      "install-packages: ",
      `${ready}: install-packages`,
      `install-go: ${ready}`,
      "api-install-dependencies: install-go",
      `install-ruby: ${ready}`,
      "shop-install-dependencies: install-ruby",
      `web-install-dependencies: ${ready}`,
    ]);
  });

  test("has folders wait for the language that is installed for both", () => {
    const tree = { ...go("a", "1.22"), ...go("b", "1.22"), ...node("web") };
    expect(waits(tree)).toEqual([
      "install-mise: ",
      "install-go: install-mise",
      "a-install-dependencies: install-go",
      "b-install-dependencies: a-install-dependencies",
      "web-install-dependencies: install-mise",
    ]);
  });

  test("has a tool behind the language that runs it, where one folder wants that", () => {
    const pnpm = (folder: string) => ({
      [`${folder}/package.json`]: "{}",
      [`${folder}/pnpm-lock.yaml`]: "",
    });
    const older = { "b/package.json": json({ engines: { node: "20" } }) };
    const tree = { ...pnpm("a"), ...pnpm("b"), ...older, "c/requirements.txt": "" };
    expect(waits(tree)).toEqual([
      "install-pnpm: ",
      "a-install-dependencies: install-pnpm",
      "install-node: a-install-dependencies",
      "b-install-dependencies: install-node",
      "c-install-dependencies: ",
    ]);
  });

  test("is written as commands of a devfile that anybody reads", () => {
    const { text } = detected({ ...go("api", "1.22"), ...node("web") });
    expect(text).toContain(
      [
        "  - id: api-set-up",
        "    composite:",
        "      commands:",
        ...["install-mise", "install-go", "api-install-dependencies"].map(
          (id) => `        - ${id}`,
        ),
        "",
      ].join("\n"),
    );
    expect(text).toMatch(
      / {2}- id: set-up-all\n {4}composite:\n {6}commands:\n {8}- api-set-up\n {8}- web-install-dependencies\n {6}parallel: true\n/,
    );
    expect(text).toMatch(/\nevents:\n {2}postStart:\n {4}- set-up-all\n$/);
  });
});
