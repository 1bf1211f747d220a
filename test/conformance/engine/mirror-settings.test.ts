import { describe, expect, it } from "vitest";
import { docker } from "../../helpers/engine-objects.ts";
import { containerOf, hello, step } from "../../helpers/test-engine.ts";
import { mirrored } from "./mirrored.ts";
import { waiting } from "./suite.ts";
import { test, image, open, shell } from "./mirror-rig.ts";

describe("the settings of production", () => {
  const status = "grep -E '^(Uid|CapBnd|CapEff)' /proc/1/status | tr -s '\\t ' ' '";

  it("are the container's: folder, user, limits, read-only root, tmpfs, capabilities", async () => {
    await using world = await open([
      mirrored("web", {
        image,
        command: waiting,
        user: "1000",
        readOnlyRoot: true,
        memoryLimitBytes: 64 * 1024 ** 2,
        // More than any machine of a test has.
        cpuLimitCores: 999,
        mirror: {
          workingDir: "/usr/share",
          stopGraceSeconds: 3.5,
          tmpfs: [
            { path: "/tmp", sizeBytes: null },
            { path: "/var/cache", sizeBytes: 8 * 1024 ** 2 },
          ],
        },
      }),
      mirrored("none", {
        image,
        command: waiting,
        mirror: {
          capabilitiesDropped: ["ALL"],
          capabilitiesAdded: ["CAP_NET_BIND_SERVICE", "NET_RAW", "SYS_ADMIN"],
        },
      }),
      mirrored("fewer", {
        image,
        command: waiting,
        mirror: { capabilitiesDropped: ["chown"], capabilitiesAdded: ["ALL"] },
      }),
      mirrored("less", {
        image,
        command: waiting,
        mirror: { capabilitiesDropped: ["CHOWN", "KILL"] },
      }),
    ]);
    const { owner } = world;
    for (const name of ["web", "none", "fewer", "less"]) await world.start({ service: name });
    expect(await shell(owner, "web", "pwd")).toBe("/usr/share");
    expect(await shell(owner, "web", status)).toMatch(/^Uid: 1000 1000/);
    const sizes = await shell(owner, "web", "df --output=target,size -k /tmp /var/cache | tail -2");
    expect(sizes.replaceAll(/ +/g, " ")).toBe("/tmp 65536\n/var/cache 8192");
    const write =
      "touch /etc/x 2>&1 || printf '#!/bin/sh\\necho ran' > /tmp/p && chmod +x /tmp/p && /tmp/p";
    expect(await shell(owner, "web", write)).toMatch(/Read-only file system\nran$/);
    const { HostConfig, Config } = await docker
      .getContainer(await containerOf(owner, "web"))
      .inspect();
    expect(HostConfig).toMatchObject({ Memory: 64 * 1024 ** 2, MemorySwap: 64 * 1024 ** 2 });
    expect(Config).toMatchObject({ StopTimeout: 4 });
    const observed = await test.engine.observe(owner);
    expect(observed.members.find((one) => one.service === "web")?.runs.cpuLimitCores).toBe(999);

    const bounding = async (name: string): Promise<bigint> =>
      BigInt(`0x${/CapBnd: ([0-9a-f]+)/.exec(await shell(owner, name, status))?.[1]}`);
    // NET_BIND_SERVICE has the number 10; neither NET_RAW (13) nor SYS_ADMIN (21) is ever there.
    expect(await bounding("none")).toBe(1n << 10n);
    const whole = await bounding("dev");
    expect(await bounding("fewer")).toBe(whole);
    // CHOWN is 0, KILL is 5.
    expect(await bounding("less")).toBe(whole & ~((1n << 0n) | (1n << 5n)));
    // Whatever it may not do, somebody can go in.
    for (const name of ["web", "none"]) {
      const entering = { publicKey: "key", idleMs: 60_000 };
      const which = { owner, service: name };
      const { address, boot } = await test.engine.enterService(which, entering, step());
      expect(await hello(address)).toMatchObject({ workspace: owner.id, boot });
    }
  });

  it("give a service the time that production gives it to end", async () => {
    const slow = [
      "bash",
      "-c",
      "trap 'sleep 3; exit 5' TERM; while :; do sleep 1000 & wait $!; done",
    ];
    await using world = await open([
      mirrored("slow", { image, command: slow, mirror: { stopGraceSeconds: 20 } }),
      mirrored("quick", { image, command: slow }),
    ]);
    for (const service of ["slow", "quick"]) await world.start({ service });
    await test.engine.stop(world.owner, { ...step(), graceMs: 1000 });
    const { members } = await test.engine.observe(world.owner);
    const codes = members.map(({ service, exitCode }) => [service, exitCode]);
    expect(codes).toEqual(
      expect.arrayContaining([
        ["slow", 5],
        ["quick", 137],
      ]),
    );
  });

  it("are not waited for where the kernel would show them no signal", async () => {
    await using world = await open([mirrored("deaf", { image, command: ["sleep", "1000000"] })]);
    await world.start({ service: "deaf" });
    // Longer than this test has.
    const graceMs = 600_000;
    await test.engine.stopService({ owner: world.owner, service: "deaf" }, { ...step(), graceMs });
    const { members } = await test.engine.observe(world.owner);
    expect(members.find(({ service }) => service === "deaf")?.exitCode).toBe(137);
  });

  it("are not waited for where the program has only just begun, and is deaf a moment later", async () => {
    // Neither asleep nor with a handler: nothing says yet that it will not hear.
    const busyFirst = "end=$((${EPOCHREALTIME/./} + 700000)); ".concat(
      "while ((${EPOCHREALTIME/./} < end)); do :; done; exec sleep 1000000",
    );
    const command = ["bash", "-c", busyFirst];
    await using world = await open([mirrored("late", { image, command })]);
    await world.start({ service: "late" });
    const graceMs = 600_000;
    await test.engine.stopService({ owner: world.owner, service: "late" }, { ...step(), graceMs });
    const { members } = await test.engine.observe(world.owner);
    expect(members.find(({ service }) => service === "late")?.exitCode).toBe(137);
  });

  it("are refused where the image is for another machine", async () => {
    await using world = await open([
      mirrored("arm", { image, command: waiting, mirror: { platform: "linux/s390x" } }),
      mirrored("fits", { image, command: waiting, mirror: { platform: platformHere() } }),
    ]);
    await expect(world.start({ service: "arm" })).rejects.toMatchObject({
      code: "image-unavailable",
      message: expect.stringMatching(/arm is for linux\/s390x, and the engine's image .* is for/),
    });
    expect(await world.start({ service: "fits" })).toEqual({ started: true });
  });

  it("name a command that cannot be started", async () => {
    await using world = await open([mirrored("web", { image, command: ["/no/such/program"] })]);
    await expect(world.start({ service: "web" })).rejects.toMatchObject({
      code: "container-exited",
      message: expect.stringMatching(/^The command of web cannot be started: .*no such file/),
    });
  });
});

function platformHere(): string {
  return `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
}
