import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import type { DriftFinding } from "../../../server/protocol/drift.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { compare } from "../../../server/drift/compare.ts";
import { readKubernetes } from "../../../server/sources/kubernetes/read.ts";

/** A model of Kubernetes objects, in a file of this name. */
export function model(path: string, ...texts: string[]): SourceModel {
  const result = readKubernetes([{ path, text: texts.join("---\n") }]);
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  return result.model;
}

export interface Said {
  readonly image?: string;
  /** Further lines of the container. */
  readonly container?: string;
  /** Further lines of the pod. */
  readonly pod?: string;
  readonly spec?: string;
  /** Ports of its Service, as `port:targetPort`. */
  readonly ports?: readonly string[];
}

/** A Deployment, and a Service where it has ports. */
export function workload(name: string, said: Said = {}): string {
  const { image = `acme/${name}:1`, container = "", pod = "", spec = "", ports = [] } = said;
  const lines = (text: string, by: number) =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `${" ".repeat(by)}${line}\n`)
      .join("");
  const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
${lines(spec, 2)}  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
${lines(pod, 6)}      containers:
        - name: ${name}
          image: ${image}
${lines(container, 10)}`;
  if (ports.length === 0) return deployment;
  const list = ports.map((each, at) => {
    const [port, targetPort] = each.split(":");
    return `{name: p${at}, port: ${port}, targetPort: ${targetPort}}`;
  });
  return `${deployment}---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [${list.join(", ")}]}
`;
}

/** The findings between two sources, each `class id`. */
export function between(a: readonly string[], b: readonly string[]): string[] {
  return findings(a, b).map((each) => `${each.class} ${each.id}`);
}

export function findings(a: readonly string[], b: readonly string[]): readonly DriftFinding[] {
  return compare(model("dev.yaml", ...a), model("prod.yaml", ...b)).findings;
}

export function env(entries: Readonly<Record<string, string>>): string {
  const items = Object.entries(entries).map(([name, value]) =>
    value.startsWith("{")
      ? `  - {name: ${name}, valueFrom: ${value}}`
      : `  - {name: ${name}, value: ${JSON.stringify(value)}}`,
  );
  return `env:\n${items.join("\n")}`;
}
