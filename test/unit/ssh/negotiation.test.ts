import { describe, expect, it } from "vitest";
import { startOpenSsh } from "./openssh.ts";

describe("what is negotiated", () => {
  it.each(["rsa-sha2-256", "rsa-sha2-512"])(
    "lets a client in that signs with %s alone",
    async (algorithm) => {
      await using open = await startOpenSsh("rsa");
      const only = ["-o", `PubkeyAcceptedAlgorithms=${algorithm}`];
      expect((await open.ssh([...only, "ws@127.0.0.1", "exit 5"])).code).toBe(5);
    },
  );

  it("has no SHA-1: not for the host's key, and not for a person's", async () => {
    await using open = await startOpenSsh("rsa");
    const said = async (...options: string[]): Promise<string> => {
      // The first of two counts, and what does not fit is told from this level on.
      const first = options.flatMap((option) => ["-o", option]);
      const args = ["-o", "LogLevel=INFO", ...first, ...open.options()];
      const { code, stderr } = await open.ssh([...args, "ws@127.0.0.1", "true"]);
      expect(code).toBe(255);
      return stderr;
    };
    expect(await said("HostKeyAlgorithms=ssh-rsa")).toContain("no matching host key type found");
    expect(await said("PubkeyAcceptedAlgorithms=ssh-rsa")).toContain("Permission denied");
  });
});
