import type Docker from "dockerode";
import type { MirroredService, PlannedService } from "../../protocol/service.ts";

type HostConfig = NonNullable<Docker.ContainerCreateOptions["HostConfig"]>;

/**
 * What a container of a workspace may have: the engine's own set without NET_RAW (with it a neighbour
 * can take over an address and evade rules) and MKNOD (no program of a workspace makes devices).
 */
const workspaceCapabilities: readonly string[] = [
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"],
  ...["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
];

/**
 * A tmpfs that names no size, in a service without a memory limit: room for caches and scratch files,
 * while a log that nobody ends meets a full disk and not the machine's whole memory.
 */
const defaultTmpfsBytes = 512 * 1024 * 1024;

/** The kernel's period of a limit of CPU time, and the least of it that it takes, in microseconds. */
const cpuPeriodMicros = 100_000;
const leastCpuQuotaMicros = 1000;

/** Swap would make a limit of production's look larger than it is. */
export function memoryLimit(bytes: number | null): Pick<HostConfig, "Memory" | "MemorySwap"> {
  return bytes === null ? {} : { Memory: bytes, MemorySwap: bytes };
}

/**
 * As a quota and not as a number of cores: the engine refuses more cores than the machine has, and
 * production's machines have more.
 */
export function cpuLimit(cores: number | null): Pick<HostConfig, "CpuPeriod" | "CpuQuota"> {
  if (cores === null) return {};
  const quota = Math.max(leastCpuQuotaMicros, Math.round(cores * cpuPeriodMicros));
  return { CpuPeriod: cpuPeriodMicros, CpuQuota: quota };
}

/** The cores of `cpuLimit`; null: no limit. */
export function coresOf({ CpuPeriod, CpuQuota }: HostConfig): number | null {
  return (CpuQuota ?? 0) / (CpuPeriod || cpuPeriodMicros) || null;
}

/**
 * The whole set by name, as no container gets more than a workspace may have, whatever asked for it.
 * What is added wins over what is dropped, as with the engines that production runs on.
 */
export function capabilities({
  capabilitiesAdded,
  capabilitiesDropped,
}: Pick<MirroredService, "capabilitiesAdded" | "capabilitiesDropped">): Required<
  Pick<HostConfig, "CapDrop" | "CapAdd">
> {
  const dropped = new Set(capabilitiesDropped.map(plainName));
  const added = new Set(capabilitiesAdded.map(plainName));
  const has = (one: string): boolean =>
    added.has("ALL") || added.has(one) || !(dropped.has("ALL") || dropped.has(one));
  return { CapDrop: ["ALL"], CapAdd: workspaceCapabilities.filter(has) };
}

/**
 * In memory, and for everybody in the container. What is in it counts against the memory limit, so
 * that this is its size where none is said. Programs may run from it: an `emptyDir` of production
 * lets them, and libraries that unpack themselves to /tmp need it.
 */
export function tmpfsOptions(
  { tmpfs }: Pick<MirroredService, "tmpfs">,
  { memoryLimitBytes }: Pick<PlannedService, "memoryLimitBytes">,
): Record<string, string> {
  return Object.fromEntries(
    tmpfs.map(({ path, sizeBytes }) => {
      const size = sizeBytes ?? memoryLimitBytes ?? defaultTmpfsBytes;
      return [path, `rw,nosuid,nodev,exec,mode=1777,size=${size}`];
    }),
  );
}

function plainName(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, "");
}
