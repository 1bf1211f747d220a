import { good, isAtLeast, trouble, type Check } from "./check.ts";
import {
  checkBuilderMtu,
  checkEngine,
  checkLiveRestore,
  checkNetworkMtu,
} from "./engine-checks.ts";
import type {
  AuthorityFact,
  ControlPlaneFact,
  DiskFact,
  DoorFact,
  Facts,
  LeftoverFact,
  MachineFacts,
  ResolverFact,
} from "./facts.ts";
import { checkBridges, checkSubnets } from "./subnet-check.ts";

/** Everything that was found, judged: pure, so that each judgement can be tried. */
export function checksOf(facts: Facts): Check[] {
  return [
    checkNode(facts.node),
    checkSsh(facts.ssh),
    ...(facts.machine === null ? [] : checksOfMachine(facts.machine)),
    checkControlPlane(facts.controlPlane, facts.machine !== null),
  ];
}

function checksOfMachine(machine: MachineFacts): Check[] {
  return [
    checkGit(machine.git),
    checkBuild(machine.unbuilt),
    checkSsh2(machine.ssh2Native),
    checkEngine(machine.engine),
    ...(machine.engine.kind === "answers"
      ? [
          checkLiveRestore(machine.engine.liveRestore),
          checkNetworkMtu(machine.route, machine.engine.networks),
          checkBuilderMtu(machine.route, machine.builderMtu),
          checkSubnets(machine.range, machine.engine.networks, machine.routes),
          checkBridges(machine.range, machine.engine.networks, machine.routes),
        ]
      : []),
    checkResolvers(machine.resolvers),
    checkInotify(machine.inotify),
    ...machine.authorities.map(checkAuthority),
    ...machine.disks.map(checkDisk),
    ...machine.doors.map(checkDoor),
    checkLeftovers(machine.leftovers),
  ];
}

/** package.json's `engines`. */
const leastNode = [20, 19] as const;

export function checkNode(version: string): Check {
  if (isAtLeast(version, leastNode)) return good("Node", version);
  const least = leastNode.join(".");
  return trouble("bad", "Node", {
    detail: version,
    means: `Oneloop needs ${least} or newer.`,
    mend: `Install Node ${least} or newer: https://nodejs.org`,
  });
}

/** `StrictHostKeyChecking=accept-new` came with it (OpenSSH's release notes). */
const leastSsh = [7, 6] as const;

export function checkSsh(said: string | null): Check {
  const mend = "sudo apt-get install -y openssh-client";
  if (said === null) {
    const means = "`loop ssh` and `loop port-forward` cannot work.";
    return trouble("bad", "ssh", { detail: "not found", means, mend });
  }
  if (isAtLeast(/OpenSSH_(\S+)/.exec(said)?.[1] ?? "", leastSsh)) return good("ssh", said);
  const means = `OpenSSH ${leastSsh.join(".")} or newer is needed to keep the gateway's host key.`;
  return trouble("warn", "ssh", { detail: said, means, mend });
}

function checkGit(said: string | null): Check {
  if (said !== null) return good("git", said);
  return trouble("bad", "git", {
    detail: "not found",
    means: "The control plane cannot fetch repositories.",
    mend: "sudo apt-get install -y git",
  });
}

function checkBuild(unbuilt: readonly string[]): Check {
  if (unbuilt.length === 0) return good("Build", "complete");
  return trouble("bad", "Build", {
    detail: `without ${unbuilt.join(", ")}`,
    means: "The control plane cannot start as it is.",
    mend: "npm start",
  });
}

export function checkSsh2(native: boolean): Check {
  if (native) return good("ssh2", "its native part is loaded");
  return trouble("warn", "ssh2", {
    detail: "its native part does not load",
    means: "The SSH gateway works, at half its speed.",
    mend: "sudo apt-get install -y g++ make python3 && npm rebuild ssh2",
  });
}

export function checkResolvers({ own, upstream }: ResolverFact): Check {
  const beyond = (address: string): boolean => !address.startsWith("127.") && address !== "::1";
  const used = own.filter(beyond);
  if (used.length > 0) return good("Resolver", used.join(", "));
  const behind = upstream.filter(beyond);
  if (behind.length > 0) return good("Resolver", `${behind.join(", ")}, behind systemd-resolved`);
  return trouble("warn", "Resolver", {
    detail: own.length === 0 ? "none in /etc/resolv.conf" : `only ${own.join(", ")}`,
    means:
      "Containers cannot use it: Docker gives them a public one, which does not know your names.",
    mend: '"dns": ["<address of your resolver>"] in /etc/docker/daemon.json, then sudo systemctl restart docker',
  });
}

/** The kernel's own 128 are used up by a few file watchers: they count for a uid over all containers. */
const enoughInstances = 512;
/** One for each folder that is watched; a large node_modules alone has tens of thousands. */
const enoughWatches = 262_144;

export function checkInotify(limits: MachineFacts["inotify"]): Check {
  const name = "File watching";
  if (limits === null) return good(name, "the kernel does not tell its limits");
  const { instances, watches } = limits;
  const detail = `${instances} watchers, ${watches} folders`;
  if (instances >= enoughInstances && watches >= enoughWatches) return good(name, detail);
  const wanted = [
    ...(instances < enoughInstances ? [`fs.inotify.max_user_instances=${enoughInstances}`] : []),
    ...(watches < enoughWatches ? [`fs.inotify.max_user_watches=${enoughWatches}`] : []),
  ];
  return trouble("warn", name, {
    detail,
    means: "All workspaces share these: development servers may fail with EMFILE or ENOSPC.",
    mend: `sudo sysctl -w ${wanted.join(" ")}`,
  });
}

export function checkAuthority({ variable, file, state }: AuthorityFact): Check {
  const name = variable;
  const means = "What asks a server behind a company's TLS proxy will not trust it.";
  const mend = `export ${variable}=<a PEM file of certificates>, then npm start`;
  switch (state) {
    case "good":
      return good(name, file);
    case "absent":
      return trouble("bad", name, { detail: `there is no ${file}`, means, mend });
    case "unreadable":
      return trouble("bad", name, { detail: `${file} cannot be read`, means, mend });
    case "no-certificate":
      return trouble("bad", name, { detail: `${file} holds no certificate`, means, mend });
  }
}

const gibibyte = 1024 ** 3;
/** A workspace with a database and node_modules. */
const littleDiskBytes = 10 * gibibyte;
/** Below it images do not build, and PostgreSQL stops soon. */
const leastDiskBytes = gibibyte;

export function checkDisk({ what, path, freeBytes }: DiskFact): Check {
  const name = `Disk of ${what}`;
  const detail = `${(freeBytes / gibibyte).toFixed(1)} GiB free at ${path}`;
  if (freeBytes >= littleDiskBytes) return good(name, detail);
  const status = freeBytes < leastDiskBytes ? "bad" : "warn";
  const means =
    "Opens and builds fail when it is full, and programs in workspaces lose what they write.";
  return trouble(status, name, { detail, means, mend: `docker system df; sudo du -xhd1 ${path}` });
}

export function checkDoor({ what, variable, port, state }: DoorFact): Check {
  const name = `Port ${port}`;
  if (state === "ours") return good(name, `${what}, ours`);
  if (state === "free") return good(name, `free for ${what}`);
  return trouble("bad", name, {
    detail: "another program listens there",
    means: `The control plane cannot open ${what}.`,
    mend: `sudo ss -ltnp sport = :${port}; or choose another: export ${variable}=${port + 1}`,
  });
}

export function checkLeftovers(found: LeftoverFact): Check {
  const name = "Leftovers";
  if (found.kind === "unknown") return good(name, `not looked for: ${found.why}`);
  const { names } = found;
  if (names.length === 0) return good(name, "none");
  return trouble("warn", name, {
    detail: `volumes without a workspace: ${names.join(", ")}`,
    means: "They may hold somebody's work: nothing removes them by itself. Look into one first.",
    mend: `docker volume rm ${names[0] ?? ""}`,
  });
}

function checkControlPlane(found: ControlPlaneFact, here: boolean): Check {
  const name = "Control plane";
  if (found.version !== null) return good(name, `${found.version} at ${found.url}`);
  return trouble("bad", name, {
    detail: found.problem,
    means: "No command but `doctor` works.",
    mend: here ? "npm start" : "loop login URL",
  });
}
