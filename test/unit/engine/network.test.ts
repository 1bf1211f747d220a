import type Docker from "dockerode";
import { describe, expect, it } from "vitest";
import { Names } from "../../../server/engine/docker/names.ts";
import { ensureNetwork, nothingFree } from "../../../server/engine/docker/network.ts";

const names = new Names("abcdefgh");
const owner = { kind: "workspace", id: "one" } as const;
/** Every machine has its own network there, on `lo`. */
const taken = "127.0.0.0/8";

/** An engine that has no network but the owner's, if any, and is never asked for another. */
function engineWith(subnet: string | null): Docker {
  const Config = [{ Subnet: subnet, Gateway: "127.0.0.1" }];
  const inspect = (): Promise<unknown> =>
    subnet === null
      ? Promise.reject(Object.assign(new Error("no such network"), { statusCode: 404 }))
      : Promise.resolve({ Id: "id", IPAM: { Config } });
  return {
    getNetwork: () => ({ inspect }),
    listNetworks: () => Promise.resolve([]),
    createNetwork: () => Promise.reject(new Error("asked for a network")),
  } as unknown as Docker;
}

describe("a range that this machine has a route to", () => {
  const claim = { owner, range: taken, pods: 1, signal: new AbortController().signal };

  it("gives no network, and the error says what has it and which setting to change", async () => {
    await expect(ensureNetwork(engineWith(null), names, claim)).rejects.toMatchObject({
      code: "engine-failed",
      message: expect.stringMatching(/127\.0\.0\.0\/8 \(lo\)\. Set ONELOOP_SUBNETS/),
    });
  });

  it("is no matter where the route leads to more", async () => {
    const inside = { ...claim, range: "127.0.0.0/24" };
    await expect(ensureNetwork(engineWith(null), names, inside)).rejects.toThrow(
      "asked for a network",
    );
  });

  it("leaves the owner the network that is there", async () => {
    const subnet = "127.0.0.16/28";
    expect(await ensureNetwork(engineWith(subnet), names, claim)).toMatchObject({ subnet });
  });
});

describe("a range without a free network", () => {
  const said = (count: number): string =>
    nothingFree("10.213.0.0/16", {
      prefixBits: 28,
      foreign: Array.from({ length: count }, (_, index) => ({
        device: `tun${index}`,
        network: `10.${index}.0.0/16`,
        metric: 0,
      })),
    }).message;

  it("is too small where the engine's own networks have it all", () => {
    expect(said(0)).toContain("Delete workspaces, or set ONELOOP_SUBNETS to a larger range.");
  });

  it("names a few of many routes", () => {
    expect(said(1)).toContain("has routes to 10.0.0.0/16 (tun0). ");
    expect(said(9)).toContain("10.3.0.0/16 (tun3) and 5 more. ");
  });
});
