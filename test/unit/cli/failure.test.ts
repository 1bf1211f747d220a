import { expect, test } from "vitest";
import { Failure, toFailure } from "../../../cli/src/failure.ts";
import { Output } from "../../../cli/src/output.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";

function recorder() {
  const written = { stdout: "", stderr: "" };
  const output = new Output(
    { write: (text: string) => (written.stdout += text) },
    { write: (text: string) => (written.stderr += text) },
  );
  return { written, output };
}

const diagnostic = {
  file: "devfile.yaml",
  line: 2,
  column: 3,
  length: 4,
  severity: "error" as const,
  code: "unknown-key",
  message: "No such key.",
  excerpt: "  nmae: x",
};

/** As `TRPCClientError` carries what the API's error formatter made. */
function clientError(wire: object): Error {
  return Object.assign(new Error("trpc"), {
    name: "TRPCClientError",
    shape: { data: { oneloop: wire } },
  });
}

test("the control plane's own code, sentence and places reach the user", async () => {
  const wire = { code: "devfile-invalid", message: "One mistake.", diagnostics: [diagnostic] };
  const failure = toFailure(clientError(wire), "http://x");
  expect(failure).toMatchObject({ code: "devfile-invalid", message: "One mistake.", status: 2 });
  const { written, output } = recorder();
  await output.failure(failure, false);
  expect(written.stdout).toBe("");
  expect(written.stderr).toBe(
    "loop: One mistake.\ndevfile.yaml:2:3: unknown-key: No such key.\n" +
      "  2 |   nmae: x\n    |   ^^^^\n",
  );
});

test("a failure with --json is one object on standard output", async () => {
  const wire = { code: "devfile-invalid", message: "One mistake.", diagnostics: [diagnostic] };
  const { written, output } = recorder();
  await output.failure(toFailure(clientError(wire), "http://x"), true);
  expect(written.stderr).toBe("");
  const { file, line, column, code, message } = diagnostic;
  expect(JSON.parse(written.stdout)).toEqual({
    error: {
      code: "devfile-invalid",
      message: "One mistake.",
      diagnostics: [{ file, line, column, code, message }],
    },
  });
});

test("an unreachable control plane is told from one that is none", () => {
  const gone = Object.assign(new Error("fetch failed"), { name: "TRPCClientError" });
  expect(toFailure(gone, "http://x").message).toContain("npm start");
  const other = Object.assign(gone, { meta: { response: { status: 404 } } });
  expect(toFailure(other, "http://x").message).toContain("HTTP 404");
});

test("an error of our own settings keeps its code", () => {
  const failure = toFailure(new OneloopError("bad-input", "Wrong settings."), "http://x");
  expect(failure).toMatchObject({ code: "bad-input", message: "Wrong settings.", status: 2 });
});

test("a refusal to delete lists the work", async () => {
  const unsavedWork = { uncommitted: [" M a"], unpushed: [], stashes: [] };
  const failure = new Failure("unsaved-work", "There is work.", { status: 1, unsavedWork });
  const people = recorder();
  await people.output.failure(failure, false);
  expect(people.written.stderr).toContain("   M a\n");
  const programs = recorder();
  await programs.output.failure(failure, true);
  expect(JSON.parse(programs.written.stdout)).toMatchObject({ unsavedWork });
});
