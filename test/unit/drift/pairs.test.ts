import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { readKubernetes } from "../../../server/sources/kubernetes/read.ts";

/**
 * Applications that real projects publish twice, as a compose file and as Kubernetes objects. They
 * stand beside the checkout where the acceptance tests run, and nowhere else.
 */
const folder = fileURLToPath(new URL("../../../../shared/fixtures/drift-pairs/", import.meta.url));
const kompose = `${folder}kompose/script/test/fixtures/`;

function between(composeFile: string, ...kubernetesFiles: string[]) {
  const root = composeFile.slice(0, composeFile.lastIndexOf("/") + 1);
  const compose = readCompose([composeFile.slice(root.length)], {
    read: (path) => (existsSync(root + path) ? readFileSync(root + path, "utf8") : null),
  });
  const kubernetes = readKubernetes(
    kubernetesFiles.map((path) => ({
      path: path.slice(path.lastIndexOf("/") + 1),
      text: withoutPlaceholders(readFileSync(path, "utf8")),
    })),
  );
  if (!compose.ok) throw new Error(compose.diagnostics.map(formatDiagnostic).join("\n"));
  if (!kubernetes.ok) throw new Error(kubernetes.diagnostics.map(formatDiagnostic).join("\n"));
  return compare(compose.model, kubernetes.model);
}

/** Templates of kompose's own tests have `%CMD%` and the like in annotations. */
function withoutPlaceholders(text: string): string {
  return text.replaceAll(/%[A-Z_]+%/g, "placeholder");
}

const ids = ({ findings }: ReturnType<typeof between>) =>
  findings.map((each) => `${each.class} ${each.id}`);

describe.skipIf(!existsSync(folder))("reference pairs", () => {
  test("TeaStore, whose names alone differ, has no finding, and all facts are equal", () => {
    const found = between(
      `${folder}teastore/examples/docker/docker-compose_default.yaml`,
      `${folder}teastore/examples/kubernetes/teastore-clusterip.yaml`,
    );
    expect(ids(found)).toEqual([]);
    expect(found.equal).toBe(found.comparable);
    // Seven services with what is comparable of each, and the eleven variables.
    expect(found.comparable).toBeGreaterThan(80);
  });

  test("the voting application: its volume, its command, and what else is really there", () => {
    const k8s = `${folder}voting-app/k8s-specifications/`;
    const files = readdirSync(k8s).map((name) => k8s + name);
    expect(ids(between(`${folder}voting-app/docker-compose.yml`, ...files))).toEqual([
      // A named volume against an emptyDir.
      "breaking persistence:db:/var/lib/postgresql/data",
      // nodemon with the debugger's port against the image's own command.
      "breaking command:result",
      // Compose has health checks for these three; the Deployments have no probes.
      "behavioural probe:db",
      "behavioural probe:redis",
      // Compose waits for health; Kubernetes starts all at once.
      "behavioural start-order:result",
      "behavioural probe:vote",
      "behavioural start-order:vote",
      "behavioural start-order:worker",
      // Scripts for the health checks, and the source over the image's files: in compose only.
      "info config-file:db:/healthchecks",
      "info config-file:redis:/healthchecks",
      "info config-file:result:/usr/local/app",
      // The debugger's 9229.
      "info port:result",
      "info config-file:vote:/usr/local/app",
      // Compose builds the stage `dev`, whose command differs from the last stage's.
      "info image:vote:stage",
    ]);
  });

  /** What remains of what kompose made of a compose file, and why it is really there. */
  const pairs: [folder: string, compose: string, kubernetes: string, remaining: string[]][] = [
    ["compose-env-interpolation", "compose.yaml", "output-k8s.yaml", []],
    // Made with `--no-interpolate`: the variable's text stayed.
    [
      "compose-env-no-interpolation",
      "compose.yaml",
      "output-k8s.yaml",
      ["info env-value:foo:VERSION"],
    ],
    ["compose-file-support", "compose.yaml", "output-k8s.yaml", []],
    // A volume without a kind is an emptyDir to the API: the output was made with `--volumes`.
    ["change-in-volume", "compose.yaml", "output-k8s.yaml", ["breaking persistence:web:/code"]],
    ["compose-v3.3-test", "compose-config-long.yaml", "output-k8s-config-long.json", []],
    ["compose-v3.3-test", "compose-config-short.yaml", "output-k8s-config-short.json", []],
    ["compose-v3.3-test", "compose-endpoint-mode-1.yaml", "output-k8s-endpoint-mode-1.json", []],
    ["configmap-file-configs", "compose-1.yaml", "output-k8s-1.yaml", []],
    ["configmap-file-configs", "compose-2.yaml", "output-k8s-2.yaml", []],
    // Compose binds the machine's /tmp; the output has no such volume.
    [
      "configmap-file-configs",
      "compose-3.yaml",
      "output-k8s-3.yaml",
      ["breaking host-access:busy:host-path"],
    ],
    // `environment` counts before `env_file` in compose; the output took the file's.
    [
      "configmap",
      "compose.yaml",
      "output-k8s-template.json",
      ["info env-value:redis:ALLOW_EMPTY_PASSWORD"],
    ],
    [
      "configmap-pod",
      "compose.yaml",
      "output-k8s.yaml",
      ["info env-value:redis:ALLOW_EMPTY_PASSWORD"],
    ],
    ["configmap-volume", "compose.yaml", "output-k8s.yaml", []],
    // The compose file was given another image after the output was made.
    ["controller", "compose.yaml", "output-k8s-deployment-template.json", ["info image:frontend"]],
    ["controller", "compose-global.yaml", "output-k8s-global-deployment-template.json", []],
    ["cronjob", "compose.yaml", "output-k8s.yaml", []],
    ["deploy/labels", "compose.yaml", "output-k8s.yaml", []],
    ["deploy/placement", "compose-placement.yaml", "output-placement-k8s.yaml", []],
    ["domain", "compose.yaml", "output-k8s.json", []],
    ["entrypoint-command", "compose.yaml", "output-k8s-template.json", []],
    ["env", "compose.yaml", "output-k8s.yaml", []],
    ["env-dotenv", "compose.yaml", "output-k8s.yaml", []],
    // The output asks its ConfigMap for a key that this has not.
    [
      "env-multiple",
      "compose.yaml",
      "output-k8s.yaml",
      ["unknown unknown:another-namenode:env-value BAR"],
    ],
    // The output was made with the variable set to something else by the test's caller.
    [
      "envfile-interpolation",
      "compose.yaml",
      "output-k8s.yaml",
      ["info env-value:minio:COMPOSE_PROFILES"],
    ],
    // Two variables that nobody sets: kompose made empty texts of them.
    [
      "envvars-interpolation",
      "compose.yaml",
      "output-k8s.yaml",
      ["unknown unknown:myservice:command"],
    ],
    ["envvars-with-status", "compose.yaml", "output-k8s.yaml", []],
    // An anonymous volume goes with its container; kompose made a claim of it.
    [
      "etherpad",
      "docker-compose.yml",
      "output-k8s-template.json",
      ["breaking persistence:mariadb:/var/lib/mysql"],
    ],
    // A label of kompose's own asks for an Ingress: compose has none.
    ["expose", "compose.yaml", "output-k8s.yaml", ["behavioural route:web"]],
    ["external-traffic-policy", "compose-v1.yaml", "output-k8s-v1.yaml", []],
    [
      "external-traffic-policy",
      "compose-v2.yaml",
      "output-k8s-v2.yaml",
      ["behavioural route:front-end"],
    ],
    ["fsgroup", "compose.yaml", "output-k8s.yaml", []],
    ["gitlab", "docker-compose.yml", "output-k8s-template.json", []],
    ["host-port-protocol", "compose.yaml", "output-k8s.yaml", []],
    // A label asks for an autoscaler: the number of copies is its own.
    ["hpa", "compose.yaml", "output-k8s.yaml", ["unknown unknown:web:replicas"]],
    // A label asks for an init container: compose has none.
    [
      "initcontainer",
      "compose.yaml",
      "output-k8s.yaml",
      ["behavioural side-container:web-init-myservice"],
    ],
    ["label", "compose.yaml", "output-k8s.yaml", []],
    ["multiple-type-volumes", "compose.yaml", "output-k8s.yaml", []],
  ];

  test.each(pairs)("kompose, %s (%s)", (name, compose, kubernetes, remaining) => {
    const found = between(`${kompose}${name}/${compose}`, `${kompose}${name}/${kubernetes}`);
    expect(ids(found)).toEqual(remaining);
    expect(found.comparable).toBeGreaterThanOrEqual(9);
  });
});
