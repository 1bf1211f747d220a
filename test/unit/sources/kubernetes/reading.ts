import { expect } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import type { Diagnostic } from "../../../../server/protocol/errors.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import type { SourceService } from "../../../../server/protocol/service.ts";
import { readKubernetes } from "../../../../server/sources/kubernetes/read.ts";

/** Files without mistakes and warnings. */
export function read(...texts: string[]): SourceModel {
  const result = readKubernetes(filesOf(texts));
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings).toEqual([]);
  return SourceModel.parse(result.model);
}

export function filesOf(texts: readonly string[]) {
  return texts.map((text, at) => ({ path: `${at === 0 ? "k8s" : `k8s-${at + 1}`}.yaml`, text }));
}

export function diagnosticsOf(...texts: string[]): readonly Diagnostic[] {
  const result = readKubernetes(filesOf(texts));
  return result.ok ? result.warnings : result.diagnostics;
}

/** `line:column message` of everything that is wrong. */
export function wrong(...texts: string[]): string[] {
  return diagnosticsOf(...texts).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** The model of what has no mistake in it. */
export function rest(...texts: string[]): SourceModel {
  const result = readKubernetes(filesOf(texts));
  if (result.ok || result.rest === undefined) throw new Error("This has no mistakes.");
  return SourceModel.parse(result.rest);
}

export function service(model: SourceModel, name: string): SourceService {
  const found = model.services.find((each) => each.name.known && each.name.value === name);
  if (found === undefined) throw new Error(`There is no service ${name}.`);
  return found;
}

/** Facts as their values; what is not known as `{unknown: why}`. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("known" in value && "where" in value) {
    return "value" in value ? plain(value.value) : { unknown: "why" in value && value.why };
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

/** `line what` of everything that is left out. */
export function leftOut(model: SourceModel): string[] {
  return model.leftOut.map(({ what, where }) => `${"line" in where && where.line} ${what}`);
}

/** A Deployment with one container, and what else its pod and its container say. */
export function deployment(name: string, container = "", pod = ""): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
${indent(pod, 6)}      containers:
        - name: ${name}
          image: acme/${name}:1
${indent(container, 10)}`;
}

function indent(text: string, by: number): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => `${" ".repeat(by)}${line}\n`).join("");
}
