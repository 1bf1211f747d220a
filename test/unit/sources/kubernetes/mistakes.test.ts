import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import { deployment, diagnosticsOf, leftOut, plain, rest, wrong } from "./reading.ts";

const inPod = "spec.template.spec";
const inContainer = `${inPod}.containers[0]`;

describe("the Deployment that people show", () => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    spec:
      containers:
        - name: web
          image: nginx
      ports:
        - containerPort: 80
---
${deployment("api")}`;

  test("gets its lines, in the words of the API", () => {
    expect(wrong(text)).toEqual([
      '10:5 Deployment "web": spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`.',
      '14:7 Deployment "web": unknown field "spec.template.spec.ports": "ports" stands inside "containers", not beside it.',
    ]);
    expect(
      formatDiagnostic(diagnosticsOf(text)[1] ?? never())
        .split("\n")
        .slice(1),
    ).toEqual(["  14 |       ports:", "     |       ^^^^^"]);
  });

  test("is listed as left out, and the others are read", () => {
    const model = rest(text);
    expect(model.services.map((each) => plain(each.name))).toEqual(["api"]);
    expect(leftOut(model)).toEqual(["1 Deployment/web: all of it"]);
  });
});

function never(): never {
  throw new Error("nothing is wrong");
}

describe("what the API refuses", () => {
  const cases: [what: string, container: string, pod: string, message: string][] = [
    [
      "a field that nobody knows",
      "imge: x",
      "",
      `unknown field "${inContainer}.imge"; did you mean "image"?.`,
    ],
    [
      "a number for text",
      "env: [{name: A, value: 80}]",
      "",
      `${inContainer}.env[0].value: This must be text, not a number: put it in quotes, "80".`,
    ],
    [
      "YAML's old booleans for text",
      "env: [{name: A, value: yes}]",
      "",
      `${inContainer}.env[0].value: This must be text, not true or false: put it in quotes, "yes".`,
    ],
    [
      "text for a number",
      "ports: [{containerPort: eighty}]",
      "",
      `${inContainer}.ports[0].containerPort: This must be a whole number, not text.`,
    ],
    [
      "one for a list",
      "command: node",
      "",
      `${inContainer}.command: This must be a list, not text.`,
    ],
    [
      "a port out of range",
      "ports: [{containerPort: 70000}]",
      "",
      `${inContainer}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive.`,
    ],
    ["a missing value", "env: [{value: x}]", "", `${inContainer}.env[0].name: Required value.`],
    [
      "a value of no list",
      "ports: [{containerPort: 80, protocol: tcp}]",
      "",
      `${inContainer}.ports[0].protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP".`,
    ],
    [
      "what is no quantity",
      "resources: {limits: {memory: 12 MB}}",
      "",
      `${inContainer}.resources.limits.memory: Invalid value: "12 MB": quantities are numbers such as 500m, 0.5, 128Mi or 1G.`,
    ],
    [
      "a request above its limit",
      "resources: {limits: {memory: 1Gi}, requests: {memory: 2Gi}}",
      "",
      `${inContainer}.resources.requests.memory: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi.`,
    ],
    [
      "a mount of no volume",
      "volumeMounts: [{name: x, mountPath: /x}]",
      "",
      `${inContainer}.volumeMounts[0].name: Not found: "x": no volume has this name.`,
    ],
    [
      "a mount over a mount",
      "volumeMounts: [{name: x, mountPath: /x}, {name: x, mountPath: /x}]",
      "volumes: [{name: x}]",
      `${inContainer}.volumeMounts[1].mountPath: Invalid value: "/x": must be unique.`,
    ],
    [
      "a volume of two kinds",
      "",
      "volumes: [{name: x, emptyDir: {}, hostPath: {path: /}}]",
      `${inPod}.volumes[0].hostPath: may not specify more than 1 volume type.`,
    ],
    [
      "a name twice",
      "",
      "initContainers: [{name: web, image: a}]",
      `${inContainer}.name: Duplicate value: "web".`,
    ],
    [
      "a probe of nothing",
      "readinessProbe: {periodSeconds: 5}",
      "",
      `${inContainer}.readinessProbe: Required value: must specify a handler type.`,
    ],
    [
      "a probe of two things",
      "readinessProbe: {tcpSocket: {port: 1}, grpc: {port: 2}}",
      "",
      `${inContainer}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type.`,
    ],
    [
      "a value with a source",
      "env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: a}}}]",
      "",
      `${inContainer}.env[0].valueFrom: Invalid value: may not be specified when \`value\` is not empty.`,
    ],
    [
      "a restart policy of pods alone",
      "",
      "restartPolicy: Never",
      `${inPod}.restartPolicy: Unsupported value: "Never": supported values: "Always".`,
    ],
  ];

  test.each(cases)("%s", (_, container, pod, message) => {
    const found = diagnosticsOf(deployment("web", container, pod));
    expect(found.map((each) => each.message)).toEqual([`Deployment "web": ${message}`]);
    expect(found[0]?.severity).toBe("error");
  });

  test.each([
    [
      "a former version",
      deployment("web").replace("apps/v1", "apps/v1beta1"),
      '1:13 Deployment "web": apiVersion: no matches for kind "Deployment" in version "apps/v1beta1": write apps/v1.',
    ],
    [
      "no kind",
      "apiVersion: v1\nmetadata: {name: a}\n",
      "1:1 Object 'Kind' is missing: add one, such as `kind: Service`.",
    ],
    [
      "no name",
      deployment("web").replace("{name: web}", "{}"),
      '3:11 Deployment "": metadata.name: Required value: name or generateName is required.',
    ],
    [
      "a selector of other labels",
      deployment("web").replace("{labels: {app: web}}", "{labels: {app: b}}"),
      '7:24 Deployment "web": spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`.',
    ],
    [
      "a service without ports",
      "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}}\n",
      '4:7 Service "a": spec.ports: Required value.',
    ],
    [
      "a job that runs for ever",
      "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n",
      '4:25 Job "a": spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never".',
    ],
    [
      "a chart that is not rendered",
      "{{- if .Values.on }}\na: {{ .Values.a }}\n{{- end }}\n",
      "1:1 This is a template of a Helm chart: give the output of `helm template`.",
    ],
    ["nothing", "# nothing\n", "1:1 No Kubernetes object of a kind that is read stands here."],
    ["text", "hello\n", "1:1 This is no Kubernetes object: an object is a map."],
  ])("%s", (_, text, message) => {
    expect(wrong(text)).toContain(message);
  });

  test("a second object of the same name is a warning, and counts", () => {
    const text = `${deployment("web")}---\n${deployment("web").replace(":1", ":2")}`;
    expect(wrong(text)).toEqual([
      '15:18 Deployment "web": metadata.name: It stands at k8s.yaml:1 too; this one replaces it: remove one.',
    ]);
  });

  test("a mistake of YAML costs its document alone", () => {
    expect(rest(`a: [\n---\n${deployment("web")}`).services).toHaveLength(1);
  });
});

test.each([
  ["a mistake of YAML", "stringData: {a: *canary}"],
  ["a number", "stringData:\n  a: 4711canary\n  a: 12"],
  ["a wrong type", "data:\n  a: [canary]\n  b: 471147114711"],
  ["an unknown field", "datas:\n  a: canary"],
  ["broken text", 'stringData:\n  a: "canary'],
])("a Secret with %s is not quoted", (_, data) => {
  const found = diagnosticsOf(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${data}\n`);
  expect(found.length).toBeGreaterThan(0);
  const shown = found.map(formatDiagnostic).join("\n");
  expect(shown).not.toContain("canary");
  expect(shown).not.toContain("4711");
});

test("a Secret whose kind is written otherwise is not quoted either", () => {
  const text = 'apiVersion: v1\nkind: "Secre\\x74"\nmetadata: {name: s}\ndata: {a: 4711}\n';
  const found = diagnosticsOf(text);
  expect(found.map(({ code }) => code)).toEqual(["wrong-type"]);
  expect(found.map(formatDiagnostic).join("\n")).not.toContain("4711");
});
