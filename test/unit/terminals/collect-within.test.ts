import { expect, it } from "vitest";
import { collectWithin } from "../../../server/terminals/collect-within.ts";
import type { ExecExit } from "../../../server/protocol/frames.ts";

/** The end of a stream to a supervisor that ends nothing, whatever it is asked. */
function deafStream() {
  const asked: string[] = [];
  let exit: (said: { exit: ExecExit; stdout: Buffer; stderr: Buffer }) => void = () => undefined;
  const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  return {
    asked,
    collect: () => new Promise<Parameters<typeof exit>[0]>((resolve) => (exit = resolve)),
    hangup: () => void asked.push("hangup"),
    [Symbol.dispose]: () => {
      asked.push("broken");
      exit({ exit: { code: null, signal: null, error: "broken" }, ...nothing });
    },
  };
}

it("a stream whose other end ends nothing is hung up, then broken", async () => {
  const stream = deafStream();
  const { exit } = await collectWithin(stream, { signal: AbortSignal.timeout(1), graceMs: 1 });
  expect(exit.error).toBe("broken");
  expect(stream.asked).toEqual(["hangup", "broken"]);
});

it("a signal that was aborted before ends it, too", async () => {
  const stream = deafStream();
  const { exit } = await collectWithin(stream, { signal: AbortSignal.abort(), graceMs: 1 });
  expect(exit.error).toBe("broken");
});
