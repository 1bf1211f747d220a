import { describe, expect, it } from "vitest";
import {
  capabilities,
  coresOf,
  cpuLimit,
  tmpfsOptions,
} from "../../../server/engine/docker/mirror-options.ts";

describe("capabilities", () => {
  const of = (capabilitiesAdded: string[], capabilitiesDropped: string[] = []): string[] => {
    const { CapDrop, CapAdd } = capabilities({ capabilitiesAdded, capabilitiesDropped });
    expect(CapDrop).toEqual(["ALL"]);
    return CapAdd;
  };

  it("are a workspace's where production says nothing, and never more", () => {
    expect(of([])).toHaveLength(12);
    for (const refused of ["NET_RAW", "MKNOD", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"]) {
      expect(of([])).not.toContain(refused);
      expect(of([refused])).toEqual(of([]));
    }
    expect(of(["ALL"])).toEqual(of([]));
  });

  it("are fewer where production drops some, by whatever spelling", () => {
    expect(of([], ["ALL"])).toEqual([]);
    expect(of([], ["all"])).toEqual([]);
    expect(of([], ["cap_chown"])).toEqual(of([]).filter((one) => one !== "CHOWN"));
  });

  it("are what is added after all were dropped", () => {
    expect(of(["CAP_NET_BIND_SERVICE", "NET_RAW"], ["ALL"])).toEqual(["NET_BIND_SERVICE"]);
    expect(of(["CHOWN"], ["CHOWN"])).toContain("CHOWN");
  });
});

describe("tmpfsOptions", () => {
  const size = (sizeBytes: number | null, memoryLimitBytes: number | null): string => {
    const options = tmpfsOptions({ tmpfs: [{ path: "/t", sizeBytes }] }, { memoryLimitBytes });
    return /size=(\d+)$/.exec(options["/t"] ?? "")?.[1] ?? "";
  };

  it("has the size that is said, else the memory limit's, else one that ends", () => {
    expect(size(1000, 5000)).toBe("1000");
    expect(size(null, 5000)).toBe("5000");
    expect(size(null, null)).toBe(String(512 * 1024 * 1024));
  });
});

describe("cpuLimit", () => {
  it.each([0.01, 0.1, 0.5, 1, 2.5, 64])("is read back as it was: %d", (cores) => {
    expect(coresOf(cpuLimit(cores))).toBe(cores);
  });

  it("is none without one, and never less than the kernel takes", () => {
    expect(cpuLimit(null)).toEqual({});
    expect(coresOf({})).toBeNull();
    expect(cpuLimit(0.001)).toMatchObject({ CpuQuota: 1000 });
  });
});
