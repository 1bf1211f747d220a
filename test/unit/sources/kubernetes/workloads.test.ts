import { describe, expect, test } from "vitest";
import { deployment, leftOut, plain, read, service } from "./reading.ts";

describe("a container", () => {
  const model = read(
    deployment(
      "web",
      `command: [node, "$(MODE).js"]
args: ["--port=$(PORT)", "$$(PORT)", "$(date)", "--token=$(TOKEN)"]
workingDir: /srv
env:
  - {name: MODE, value: server}
  - {name: PORT, value: "8080"}
  - name: TOKEN
    valueFrom: {secretKeyRef: {name: tokens, key: web}}
  - {name: URL, value: "http://$(MODE):$(PORT)/$(LATER)"}
  - {name: DSN, value: "postgres://app:$(TOKEN)@db/app"}
  - {name: LATER, value: x}
  - name: NODE
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
ports:
  - {name: http, containerPort: 8080}
  - {containerPort: 53, protocol: UDP}
resources:
  limits: {memory: 300Mi, cpu: 500m}
  requests: {cpu: 0.1}
securityContext:
  runAsUser: 1000
  readOnlyRootFilesystem: true
  capabilities: {add: [CAP_NET_BIND_SERVICE], drop: [all]}
readinessProbe:
  httpGet: {path: /ready, port: http, httpHeaders: [{name: Host, value: a}]}
livenessProbe:
  tcpSocket: {port: 8080}
  periodSeconds: 5
  failureThreshold: 0
startupProbe:
  grpc: {port: 9000, service: s}`,
      `terminationGracePeriodSeconds: 7
securityContext: {runAsUser: 1, runAsGroup: 2000}
nodeSelector: {kubernetes.io/arch: arm64}`,
    ),
  );
  const web = service(model, "web");

  test("says its image, command and arguments with the variables that are known put in", () => {
    expect(plain(web)).toMatchObject({
      image: "acme/web:1",
      command: ["node", "server.js"],
      args: ["--port=8080", "$(PORT)", "$(date)", "--token=$(TOKEN)"],
      workingDir: "/srv",
      role: "service",
      workload: "Deployment",
    });
  });

  test("says its environment; a secret stays a reference, inside a text too", () => {
    expect(plain(web.env)).toEqual({
      MODE: { kind: "literal", value: "server" },
      PORT: { kind: "literal", value: "8080" },
      TOKEN: { kind: "secretRef", secret: "tokens", key: "web" },
      URL: { kind: "literal", value: "http://server:8080/$(LATER)" },
      DSN: {
        kind: "composed",
        parts: [{ text: "postgres://app:" }, { secret: "tokens", key: "web" }, { text: "@db/app" }],
      },
      LATER: { kind: "literal", value: "x" },
      NODE: {
        kind: "unknown",
        why: "It is the pod's own spec.nodeName, which is known only in the cluster.",
      },
    });
  });

  test("has its place for each value", () => {
    expect(web.env["PORT"]?.where).toEqual({ file: "k8s.yaml", line: 20, column: 35 });
    expect(web.memoryLimitBytes.where).toEqual({ file: "k8s.yaml", line: 32, column: 30 });
  });

  test("says its limits as the API counts them, a request being as high as the limit", () => {
    expect(plain(web)).toMatchObject({
      memoryLimitBytes: 300 * 1024 * 1024,
      memoryRequestBytes: 300 * 1024 * 1024,
      cpuLimitCores: 0.5,
      cpuRequestCores: 0.1,
    });
  });

  test("says user, rights and platform: the container's before the pod's", () => {
    expect(plain(web)).toMatchObject({
      user: "1000:2000",
      readOnlyRoot: true,
      capabilitiesAdded: ["NET_BIND_SERVICE"],
      capabilitiesDropped: ["ALL"],
      platform: "linux/arm64",
      stopGraceSeconds: 7,
      restart: "always",
    });
  });

  test("says its probes with the API's defaults, and named ports as numbers", () => {
    const usual = { initialDelayS: 0, periodS: 10, timeoutS: 1, failures: 3, successes: 1 };
    expect(plain(web)).toMatchObject({
      readiness: {
        ...usual,
        check: { kind: "http", scheme: "http", port: 8080, path: "/ready", headers: { Host: "a" } },
      },
      liveness: { ...usual, periodS: 5, check: { kind: "tcp", port: 8080 } },
      startup: { ...usual, check: { kind: "grpc", port: 9000, service: "s" } },
    });
  });
});

describe("a pod", () => {
  test("is its first container; the others are parts of it, in their order", () => {
    const model = read(
      deployment(
        "web",
        "",
        `initContainers:
  - {name: migrate, image: a}
  - {name: proxy, image: b, restartPolicy: Always, startupProbe: {exec: {command: [ready]}}}
  - {name: seed, image: c}`,
      ).concat("        - {name: log, image: d}\n"),
    );
    const order = model.services.map((each) => [
      plain(each.name),
      plain(each.role),
      plain(each.partOf),
    ]);
    expect(order).toEqual([
      ["web", "service", null],
      ["web-migrate", "init", "web"],
      ["web-proxy", "sidecar", "web"],
      ["web-seed", "init", "web"],
      ["web-log", "sidecar", "web"],
    ]);
    const migrated = { service: "web-migrate", condition: "completed", required: true };
    const proxied = { service: "web-proxy", condition: "healthy", required: true };
    const seeded = { service: "web-seed", condition: "completed", required: true };
    expect(plain(service(model, "web-seed").dependsOn)).toEqual([migrated, proxied]);
    expect(plain(service(model, "web").dependsOn)).toEqual([migrated, proxied, seeded]);
  });

  test("may name the container that is meant", () => {
    const text = deployment("web").concat("        - {name: app, image: d}\n");
    const named = text.replace(
      "metadata: {labels",
      "metadata: {annotations: {kubectl.kubernetes.io/default-container: app}, labels",
    );
    expect(plain(service(read(named), "web").image)).toBe("d");
  });

  test("that has rights over the machine says which", () => {
    const model = read(
      deployment(
        "agent",
        `securityContext: {privileged: true}
volumeMounts:
  - {name: socket, mountPath: /s}
  - {name: logs, mountPath: /l}`,
        `hostNetwork: true
hostPID: true
volumes:
  - {name: socket, hostPath: {path: /var/run/docker.sock}}
  - {name: logs, hostPath: {path: /var/log}}`,
      ),
    );
    expect(plain(service(model, "agent").hostAccess)).toEqual([
      { what: "docker-socket", detail: "/var/run/docker.sock" },
      { what: "host-path", detail: "/var/log" },
      { what: "privileged", detail: "privileged: true" },
      { what: "host-network", detail: "hostNetwork: true" },
      { what: "host-pid", detail: "hostPID: true" },
    ]);
  });
});

describe("workloads", () => {
  const pod =
    "template: {metadata: {labels: {app: a}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}";
  const running = pod.replace("restartPolicy: Never, ", "");

  test("of every kind are read", () => {
    const kinds = [
      ["apps/v1", "StatefulSet", `{selector: {matchLabels: {app: a}}, replicas: 3, ${running}}`],
      ["apps/v1", "DaemonSet", `{selector: {matchLabels: {app: a}}, ${running}}`],
      ["apps/v1", "ReplicaSet", `{selector: {matchLabels: {app: a}}, ${running}}`],
      ["batch/v1", "Job", `{${pod}}`],
      ["batch/v1", "CronJob", `{schedule: "0 * * * *", jobTemplate: {spec: {${pod}}}}`],
      ["v1", "Pod", "{restartPolicy: OnFailure, containers: [{name: a, image: a}]}"],
    ];
    const model = read(
      kinds
        .map(
          ([version, kind, spec], at) =>
            `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: n${at}}\nspec: ${spec}\n`,
        )
        .join("---\n"),
    );
    const found = model.services.map((each) =>
      [each.workload, each.role, each.replicas, each.restart].map(plain),
    );
    expect(found).toEqual([
      ["StatefulSet", "service", 3, "always"],
      ["DaemonSet", "service", 1, "always"],
      ["ReplicaSet", "service", 1, "always"],
      ["Job", "job", 1, "no"],
      ["CronJob", "cron", 1, "no"],
      ["Pod", "service", 1, "on-failure"],
    ]);
    const hostnames = model.services.map(({ hostname }) => hostname && plain(hostname));
    expect(hostnames).toEqual(["n0-0", undefined, undefined, undefined, undefined, "n5"]);
    expect(leftOut(model)).toEqual([
      "6 DaemonSet/n1: one on each machine",
      "24 CronJob/n4: spec.schedule",
    ]);
  });

  test("call themselves as their pods say", () => {
    const model = read(
      deployment("web").replace("containers:", "hostname: www\n      containers:"),
    );
    expect(model.services[0]?.hostname).toMatchObject({ known: true, value: "www" });
    expect(leftOut(model)).toEqual([]);
  });

  test("that another one makes are not read twice, as in the output of kubectl get", () => {
    const set = deployment("web")
      .replace("Deployment", "ReplicaSet")
      .replace("{name: web}", "{name: web-1, ownerReferences: [{kind: Deployment, name: web}]}");
    const model = read(`${deployment("web")}---\n${set}`);
    expect(model.services.map((each) => plain(each.name))).toEqual(["web"]);
    expect(leftOut(model)).toEqual(["13 ReplicaSet/web-1: all of it"]);
  });

  test("of one name keep apart", () => {
    const other = deployment("web").replace("{name: web}", "{name: web, namespace: b}");
    const model = read(`${deployment("web")}---\n${other}`);
    expect(model.services.map((each) => plain(each.name))).toEqual(["web", "b-web"]);
  });

  test("with an autoscaler have no certain number of copies", () => {
    const scaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
`;
    const model = read(`${deployment("web")}---\n${scaler}`);
    expect(plain(service(model, "web").replicas)).toEqual({
      unknown: "An autoscaler sets it, from 2 to 5.",
    });
    expect(leftOut(model)).toEqual(["13 HorizontalPodAutoscaler/web: 2 to 5 copies"]);
  });
});

describe("files", () => {
  test("hold several documents, lists, and what a chart's renderer leaves", () => {
    const list = `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: shop}
  - apiVersion: v1
    kind: Pod
    metadata: {name: one}
    spec: {containers: [{name: a, image: a}]}
`;
    const model = read(
      `---\n# Source: shop/templates/empty.yaml\n\n---\n# Source: shop/templates/web.yaml\n${deployment("web")}---\n`,
      list,
    );
    expect(model.services.map((each) => plain(each.name))).toEqual(["web", "one"]);
    expect(service(model, "one").image.where).toEqual({ file: "k8s-2.yaml", line: 10, column: 42 });
  });

  test("of other kinds are listed with their lines", () => {
    const model = read(
      `${deployment("web")}---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: fn}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
---
some: values
`,
    );
    expect(leftOut(model)).toEqual(["13 Service/fn", "17 Role/r", "21 document"]);
  });

  test("list every field that is known and not read", () => {
    const model = read(
      deployment(
        "web",
        `imagePullPolicy: Always
lifecycle: {preStop: {exec: {command: [x]}}}
resources: {limits: {nvidia.com/gpu: 1}}`,
        "affinity: {nodeAffinity: {}}\ntolerations: []\nnodeSelector: {disk: ssd}",
      ),
    );
    expect(leftOut(model)).toEqual([
      "9 Deployment/web: spec.template.spec.affinity",
      "11 Deployment/web: spec.template.spec.nodeSelector.disk",
      "15 Deployment/web: spec.template.spec.containers[0].imagePullPolicy",
      "16 Deployment/web: spec.template.spec.containers[0].lifecycle",
      "17 Deployment/web: spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]",
    ]);
  });
});
