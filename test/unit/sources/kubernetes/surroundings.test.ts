import { describe, expect, test } from "vitest";
import { isKustomization } from "../../../../server/sources/kubernetes/kustomize.ts";
import { deployment, leftOut, plain, read, service, diagnosticsOf } from "./reading.ts";

const configMap = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  LOG: debug
  nginx.conf: |
    listen 80;
  2bad: x
binaryData: {bin: aGVsbG8=, raw: gIGC}
`;
const secret = `apiVersion: v1
kind: Secret
metadata: {name: tokens}
data: {API: c2VjcmV0LWNhbmFyeQ==}
stringData:
  DB: canary-in-plain
`;

describe("environments of maps", () => {
  const model = read(
    [
      deployment(
        "web",
        `envFrom:
  - prefix: P_
    configMapRef: {name: settings}
  - secretRef: {name: tokens}
  - secretRef: {name: gone, optional: true}
env:
  - name: ONE
    valueFrom: {configMapKeyRef: {name: settings, key: LOG}}
  - name: ELSEWHERE
    valueFrom: {configMapKeyRef: {name: other, key: LOG}}
  - name: MAYBE
    valueFrom: {configMapKeyRef: {name: settings, key: NOPE, optional: true}}`,
      ),
      configMap,
      secret,
    ].join("---\n"),
  );
  const web = service(model, "web");

  test("are read key by key; what is not in the files is said", () => {
    expect(plain(web.env)).toMatchObject({
      P_LOG: { kind: "literal", value: "debug" },
      API: { kind: "secretRef", secret: "tokens", key: "API" },
      DB: { kind: "secretRef", secret: "tokens", key: "DB" },
      ONE: { kind: "literal", value: "debug" },
      ELSEWHERE: { kind: "unknown", why: "ConfigMap other is not in these files." },
    });
    expect(Object.keys(web.env)).not.toContain("MAYBE");
    expect(plain(web.envElsewhere)).toEqual([
      "All of Secret gone, if it is there, which is not in these files.",
    ]);
  });

  test("stand where the map has them", () => {
    expect(web.env["P_LOG"]?.where).toMatchObject({ line: 29, column: 3 });
  });

  test("never have a secret's data in them", () => {
    const all = JSON.stringify(model);
    for (const canary of ["canary", "c2VjcmV0", "secret-canary"]) expect(all).not.toContain(canary);
  });
});

describe("volumes", () => {
  const model = read(
    [
      deployment(
        "web",
        `volumeMounts:
  - {name: scratch, mountPath: /tmp}
  - {name: memory, mountPath: /run}
  - {name: data, mountPath: /data, readOnly: true, subPath: web}
  - {name: conf, mountPath: /etc/web}
  - {name: conf, mountPath: /etc/nginx.conf, subPath: nginx.conf}
  - {name: keys, mountPath: /keys}
  - {name: all, mountPath: /all}
  - {name: far, mountPath: /far}`,
        `volumes:
  - {name: scratch, emptyDir: {sizeLimit: 1Gi}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
  - {name: data, persistentVolumeClaim: {claimName: web-data}}
  - {name: conf, configMap: {name: settings, defaultMode: 0640, items: [{key: nginx.conf, path: nginx.conf}, {key: bin, path: a/bin, mode: 493}, {key: raw, path: raw}]}}
  - {name: keys, secret: {secretName: tokens}}
  - name: all
    projected:
      sources:
        - configMap: {name: settings, items: [{key: LOG, path: log}]}
        - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
        - serviceAccountToken: {path: token}
  - {name: far, nfs: {server: a, path: /}}`,
      ),
      configMap,
      secret,
      "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: web-data}\nspec: {resources: {requests: {storage: 1Gi}}}\n",
    ].join("---\n"),
  );
  const web = service(model, "web");

  test("are kept or not, of a size or not", () => {
    expect(plain(model.volumes)).toEqual([
      { name: "web-scratch", sizeBytes: 2 ** 30, ephemeral: true },
      { name: "web-data", sizeBytes: 2 ** 30, ephemeral: false },
      { name: "web-far", sizeBytes: null, ephemeral: false },
    ]);
    expect(plain(web.mounts)).toEqual([
      { volume: "web-scratch", path: "/tmp" },
      { volume: "web-data", path: "/data", readOnly: true, subPath: "web" },
      { volume: "web-far", path: "/far" },
    ]);
    expect(plain(web.tmpfs)).toEqual([{ path: "/run", sizeBytes: 64 * 2 ** 20 }]);
    expect(leftOut(model)).toEqual([
      "20 Deployment/web: spec.template.spec.volumes[5].projected.sources[2].serviceAccountToken",
      "21 Deployment/web: spec.template.spec.volumes[6].nfs",
    ]);
  });

  test("of maps and secrets are files, with their modes; a secret's by reference", () => {
    const conf = { mode: 0o640, content: { kind: "literal", text: "listen 80;\n" } };
    expect(plain(web.files)).toEqual([
      { path: "/etc/web/nginx.conf", ...conf },
      { path: "/etc/web/a/bin", mode: 0o755, content: { kind: "literal", text: "hello" } },
      {
        path: "/etc/web/raw",
        mode: 0o640,
        content: { kind: "unknown", why: "It is no UTF-8 text." },
      },
      { path: "/etc/nginx.conf", ...conf },
      {
        path: "/keys/API",
        mode: null,
        content: { kind: "secretRef", secret: "tokens", key: "API" },
      },
      { path: "/keys/DB", mode: null, content: { kind: "secretRef", secret: "tokens", key: "DB" } },
      { path: "/all/log", mode: null, content: { kind: "literal", text: "debug" } },
      {
        path: "/all/name",
        mode: null,
        content: {
          kind: "unknown",
          why: "It is the pod's own metadata.name, which is known only in the cluster.",
        },
      },
      {
        path: "/all/token",
        mode: null,
        content: { kind: "unknown", why: "Only a cluster makes such a file." },
      },
    ]);
  });

  test("of a stateful set's templates are one for all its copies", () => {
    const model = read(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - {name: db, image: postgres:17, volumeMounts: [{name: data, mountPath: /d}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 5G}}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
`);
    expect(plain(model.volumes)).toEqual([{ name: "data-db", sizeBytes: 5e9, ephemeral: false }]);
    const names = service(model, "db").names.map((each) => plain(each));
    expect(names).toContainEqual({ name: "db.default.svc.cluster.local", ports: [] });
    expect(names).toContainEqual({ name: "db-1.db", ports: [] });
    expect(names).not.toContainEqual({ name: "db-2.db", ports: [] });
  });
});

describe("services", () => {
  const text = (spec: string, name = "api") =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`;
  const web = deployment("web", "ports: [{name: http, containerPort: 8080}]").replace(
    "{name: web}",
    "{name: web, namespace: shop}",
  );

  test("are names of what their selector takes, with the ports that they lead to", () => {
    const model = read(
      `${web}---\n${text("{selector: {app: web}, ports: [{port: 80, targetPort: http}, {name: b, port: 81}]}")}`.replace(
        "{port: 80,",
        "{name: a, port: 80,",
      ),
    );
    const ports = [
      { port: 80, targetPort: 8080, protocol: "tcp" },
      { port: 81, targetPort: 81, protocol: "tcp" },
    ];
    expect(plain(service(model, "web").names)).toEqual(
      ["api", "api.shop", "api.shop.svc", "api.shop.svc.cluster.local"].map((name) => ({
        name,
        ports,
      })),
    );
    expect(service(model, "web").endpoints.map(plain)).toMatchObject([
      { name: "http", targetPort: 8080 },
      { name: "b", targetPort: 81 },
    ]);
    expect(plain(model.name)).toBe("shop");
  });

  test("that lead elsewhere, or to what Docker has not, are listed", () => {
    const model = read(
      [
        web,
        text("{type: ExternalName, externalName: db.example.org}", "db"),
        text("{type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}", "lb"),
        text("{selector: {app: nobody}, ports: [{port: 80}]}", "lost"),
        text("{ports: [{port: 80}]}", "bare"),
      ].join("---\n"),
    );
    expect(leftOut(model)).toEqual([
      "14 Service/db: ExternalName",
      "22 Service/lb: LoadBalancer",
      "24 Service/lost: selector",
      "29 Service/bare: no selector",
    ]);
    expect(plain(model.externalNames)).toContainEqual({ name: "db.shop", to: "db.example.org" });
  });

  test("are what an Ingress leads to", () => {
    const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  tls: [{hosts: [a.example.org]}]
  rules:
    - host: a.example.org
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: api, port: {name: web}}}}
          - {path: /x, pathType: Exact, backend: {service: {name: api, port: {number: 80}}}}
          - {path: /y, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
`;
    const model = read(
      [
        web,
        text("{selector: {app: web}, ports: [{name: web, port: 80, targetPort: http}]}"),
        ingress,
      ].join("---\n"),
    );
    const route = { host: "a.example.org", service: "web", port: 8080, tls: true };
    expect(plain(model.routes)).toEqual([
      { ...route, path: "/" },
      { ...route, path: "/x" },
    ]);
    expect(leftOut(model)).toEqual([
      "29 Ingress/shop: spec.rules[0].http.paths[1].pathType",
      "30 Ingress/shop: spec.rules[0].http.paths[2].backend.service",
    ]);
    expect(plain(service(model, "web").endpoints)).toMatchObject([{ exposure: "public" }]);
  });
});

test("network policies say who may talk to whom, by the model's names", () => {
  const policy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}]
      ports: [{port: sql}, {port: 9000, endPort: 9001, protocol: UDP}]
    - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}]
      ports: [{port: 1}]
    - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
`;
  const model = read(
    [deployment("web"), deployment("db", "ports: [{name: sql, containerPort: 5432}]"), policy].join(
      "---\n",
    ),
  );
  expect(plain(model.policies)).toEqual([
    {
      name: "db",
      services: ["db"],
      direction: "ingress",
      allows: [
        {
          peers: ["web"],
          ports: [
            { port: 5432, protocol: "tcp" },
            { port: 9000, protocol: "udp" },
            { port: 9001, protocol: "udp" },
          ],
        },
        { peers: ["web", "db"], ports: [{ port: 1, protocol: "tcp" }] },
        { peers: [], ports: [] },
      ],
    },
    { name: "db", services: ["db"], direction: "egress", allows: [] },
  ]);
  expect(leftOut(model)).toHaveLength(2);
});

test("a kustomization is told from an object", () => {
  expect(isKustomization("resources: [a.yaml]\n")).toBe(true);
  expect(
    isKustomization("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"),
  ).toBe(true);
  expect(isKustomization(deployment("web"))).toBe(false);
  expect(isKustomization("{{ nothing")).toBe(false);
});

test("a key that a map has not is a warning, and the value unknown", () => {
  const text = deployment(
    "web",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: nope}}}]",
  );
  expect(diagnosticsOf(`${text}---\n${configMap}`)).toMatchObject([
    { line: 12, severity: "warning", code: "not-found" },
  ]);
});
