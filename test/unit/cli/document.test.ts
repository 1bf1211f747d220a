import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createProgram, catalogue } from "../../../cli/src/catalogue.ts";
import { commandLineDocument } from "../../../cli/src/document.ts";

const page = fileURLToPath(new URL("../../../docs/command-line.md", import.meta.url));

test("docs/command-line.md is what the program's help says (`vitest -u` writes it)", async () => {
  const program = await createProgram("0.0.0", () => true);
  await expect(commandLineDocument(program)).toMatchFileSnapshot(page);
});

test("every command has examples, which begin as one types them, and fits a terminal", async () => {
  const program = await createProgram("0.0.0", () => true);
  const listed = catalogue.filter(({ group }) => group !== undefined);
  const sections = commandLineDocument(program).split(/^## /m).slice(2);
  expect(sections.length).toBeGreaterThan(listed.length);
  for (const section of sections) {
    const [title = "", ...lines] = section.split("\n");
    const examples = lines.filter((line) => line.startsWith("  $ "));
    expect(examples.length, title).toBeGreaterThan(0);
    for (const example of examples) expect(example, title).toMatch(/\bloop |^ {2}\$ ssh /);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  }
});

test("only the command that is called is loaded", async () => {
  const program = await createProgram("0.0.0", ({ name }) => name === "show");
  const argumentsOf = (name: string) =>
    program.commands.find((command) => command.name() === name)?.registeredArguments.length;
  expect([argumentsOf("show"), argumentsOf("stop")]).toEqual([1, 0]);
});
