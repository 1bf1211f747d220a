import { expect, it } from "vitest";
import { systemExecer } from "../../../server/util/execer.ts";

it("tells each line of output and of error as it comes", async () => {
  const lines: string[] = [];
  const program = "console.log('one'); console.error('two'); process.exitCode = 3";
  const { exitCode, stdout, stderr } = await systemExecer.run(process.execPath, ["-e", program], {
    onLine: (line) => lines.push(line),
  });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 3, stdout: "one", stderr: "two" });
  expect(lines.sort()).toEqual(["one", "two"]);
});

it("gives a program only the environment that it was given", async () => {
  const { stdout } = await systemExecer.run(process.execPath, ["-p", "Object.keys(process.env)"], {
    env: { ONLY: "this" },
  });
  expect(stdout).toContain("ONLY");
  expect(stdout).not.toContain("HOME");
});

it("ends a program that takes too long", async () => {
  const program = "setInterval(() => {}, 1000)";
  const { exitCode } = await systemExecer.run(process.execPath, ["-e", program], {
    timeoutMs: 300,
  });
  expect(exitCode).toBeNull();
});

it("rejects when the program does not exist", async () => {
  await expect(systemExecer.run("/no/such/program", [])).rejects.toThrow("cannot start");
});
