import { expect, it } from "vitest";
import type { Decision } from "../../../server/proxy/access.ts";
import { portCodes } from "../../../server/proxy/port-code.ts";

const ada = { userId: "ada", tokenId: "a" };
const bob = { userId: "bob", tokenId: "b" };
const codes = portCodes({
  proxy: { mintCode: ({ userId }, host) => `${userId} at ${host}` },
  authorize: async (session, host): Promise<Decision> => {
    const workspaceId = "w";
    if (session?.userId !== "ada" || host.workspace !== "ws")
      return { kind: "nothing", workspaceId };
    const target = { owner: { kind: "workspace", id: "w" }, actor: "ada" } as const;
    return { kind: "reach", workspaceId, target, host: "localhost", signedIn: true };
  },
  publicUrl: "http://app.localhost:7700",
  domain: "localhost",
});

it("a code is for those who may see the port", async () => {
  const to = new URL("http://3000-ws.localhost:7700/x");
  expect(await codes(ada, to)).toBe("ada at 3000-ws.localhost:7700");
  expect(await codes(bob, to)).toBeNull();
  expect(await codes(ada, new URL("http://3000-other.localhost:7700/"))).toBeNull();
});

it.each([
  "http://3000-ws.localhost:8080/",
  "https://3000-ws.localhost:7700/",
  "http://app.localhost:7700/",
  "http://3000-ws.localhost.evil:7700/",
])("no code is for %s", async (to) => {
  expect(await codes(ada, new URL(to))).toBeNull();
});
