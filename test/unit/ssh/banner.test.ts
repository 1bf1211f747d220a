import { expect, test } from "vitest";
import { startOpenSsh } from "./openssh.ts";

test("the operator's banner is shown before the sign-in, to strangers too, and beside the output", async () => {
  await using open = await startOpenSsh("ed25519", undefined, { banner: "Only for Grüße GmbH." });
  // OpenSSH's client shows a banner at this level of its log.
  const shown = ["-o", "LogLevel=INFO", ...open.options()];
  const known = await open.ssh(["-F", "none", ...shown, "ws@127.0.0.1", "echo out"]);
  expect(known.stdout.toString()).toBe("out\n");
  expect(known.stderr).toBe("Only for Grüße GmbH.\r\n");
  const stranger = await open.ssh(["-F", "none", ...shown, "-i", "/dev/null", "nobody@127.0.0.1"]);
  expect(stranger.code).toBe(255);
  expect(stranger.stderr).toContain("Only for Grüße GmbH.");
});
