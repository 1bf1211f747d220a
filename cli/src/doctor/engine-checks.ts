import { good, isAtLeast, trouble, type Check } from "./check.ts";
import type { EngineFact, MachineFacts, NetworkFact } from "./facts.ts";

/** What the control plane is tested with. */
const leastEngine = [20, 10] as const;
const restart = "then sudo systemctl restart docker";

export function checkEngine(engine: EngineFact): Check {
  const name = "Docker";
  const means = "No workspace can run.";
  switch (engine.kind) {
    case "absent": {
      const detail = `nothing answers at ${engine.socket}`;
      return trouble("bad", name, { detail, means, mend: "npm start" });
    }
    case "forbidden":
      return trouble("bad", name, {
        detail: `you may not use ${engine.socket}`,
        means,
        mend: 'sudo usermod -aG docker "$USER", and sign in again',
      });
    case "stranger":
      return trouble("bad", name, {
        detail: `what answers at ${engine.socket} is no Docker engine`,
        means,
        mend: "export DOCKER_HOST=unix:///var/run/docker.sock",
      });
    case "answers": {
      const detail = `engine ${engine.version}, cgroup v${engine.cgroup}`;
      if (isAtLeast(engine.version, leastEngine)) return good(name, detail);
      return trouble("bad", name, {
        detail,
        means: `Oneloop needs Docker ${leastEngine.join(".")} or newer.`,
        mend: "sudo apt-get install -y docker.io",
      });
    }
  }
}

export function checkLiveRestore(on: boolean): Check {
  const name = "Docker restarts";
  if (on) return good(name, "programs go on meanwhile (live-restore)");
  return trouble("warn", name, {
    detail: "live-restore is off",
    means: "A restart or an upgrade of Docker ends every program in the workspaces.",
    mend: '"live-restore": true in /etc/docker/daemon.json, then sudo systemctl reload docker',
  });
}

export function checkNetworkMtu(
  route: MachineFacts["route"],
  networks: readonly NetworkFact[],
): Check {
  const name = "MTU of workspaces";
  if (route === null) return good(name, "no default route");
  const larger = networks.filter(({ ours, mtu }) => ours && mtu !== null && mtu > route.mtu);
  if (larger.length === 0) return good(name, `${route.mtu}, as ${route.device} has`);
  return trouble("warn", name, {
    detail: `${route.device} has ${route.mtu}, ${larger.map(({ name, mtu }) => `${name} ${mtu}`).join(", ")}`,
    means: "Large packets are lost: connections from inside open and then hang.",
    mend: "loop stop WORKSPACE && loop start WORKSPACE",
  });
}

/** Builds go through the engine's default bridge, whose MTU is the engine's to choose. */
export function checkBuilderMtu(route: MachineFacts["route"], builderMtu: number | null): Check {
  const name = "MTU of builds";
  if (route === null || builderMtu === null) return good(name, "not known");
  if (builderMtu <= route.mtu) return good(name, String(builderMtu));
  return trouble("warn", name, {
    detail: `${builderMtu}, while ${route.device} has ${route.mtu}`,
    means: "Large packets are lost: downloads in image builds may hang.",
    mend: `"mtu": ${route.mtu} in /etc/docker/daemon.json, ${restart}`,
  });
}
