import { compare } from "../../server/drift/compare.ts";
import { formatDiagnostic } from "../../server/protocol/errors.ts";
import { readCompose } from "../../server/sources/compose/read.ts";
import { readKubernetes } from "../../server/sources/kubernetes/read.ts";
import type { ReadResult } from "../../server/sources/result.ts";

export interface Pair {
  readonly compose: string;
  readonly kubernetes: string;
}

/** So many services as a compose file and as Kubernetes objects, alike but for one fact in some. */
export function pairOf(services: number): Pair {
  const compose = ["services:"];
  const objects: string[] = [];
  for (let at = 0; at < services; at += 1) {
    const name = `service-${at}`;
    const env = Array.from({ length: 12 }, (_, key) => [`SETTING_${key}`, `value-${at}-${key}`]);
    const next = `service-${(at + 1) % services}`;
    const port = 8000 + (at % 100);
    const memory = at % 10 === 0 ? 256 : 512;
    compose.push(
      `  ${name}:`,
      `    image: registry.example.org/team/${name}:1.${at % 7}`,
      `    command: ["serve", "--port", "${port}"]`,
      `    user: "1000"`,
      `    read_only: true`,
      `    mem_limit: 512m`,
      `    ports: ["${port}"]`,
      `    environment:`,
      ...env.map(([key, value]) => `      ${key}: ${value}`),
      `      NEXT_URL: http://${next}:${8000 + (((at + 1) % services) % 100)}/`,
      `    healthcheck:`,
      `      test: ["CMD", "curl", "-f", "http://localhost:${port}/healthz"]`,
      `      interval: 10s`,
    );
    objects.push(
      `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: ${name}
          image: registry.example.org/team/${name}:1.${at % 7}
          args: ["serve", "--port", "${port}"]
          securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true }
          resources: { limits: { memory: ${memory}Mi } }
          ports: [{ containerPort: ${port}, name: http }]
          readinessProbe: { httpGet: { path: /healthz, port: http }, periodSeconds: 10 }
          env:
${env.map(([key, value]) => `            - { name: ${key}, value: ${value} }`).join("\n")}
            - { name: NEXT_URL, value: "http://${next}:${8000 + (((at + 1) % services) % 100)}/" }`,
      `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ port: ${port}, targetPort: http }] }`,
    );
  }
  return { compose: `${compose.join("\n")}\n`, kubernetes: `${objects.join("\n---\n")}\n` };
}

/** From both texts to what differs. @returns how many findings there are. */
export function readAndCompare({ compose, kubernetes }: Pair): number {
  const a = modelOf(
    readCompose(["compose.yaml"], { read: (path) => (path === "compose.yaml" ? compose : null) }),
  );
  const b = modelOf(readKubernetes([{ path: "k8s.yaml", text: kubernetes }]));
  return compare(a, b).findings.length;
}

export function modelOf(read: ReadResult) {
  if (read.ok) return read.model;
  throw new Error(read.diagnostics.map(formatDiagnostic).join("\n"));
}
