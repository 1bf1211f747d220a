import { unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { Probe } from "../../protocol/service.ts";
import { intOf } from "./value.ts";
import type { Value } from "./value.ts";

/** A probe with the API's defaults (core/v1, Probe); null where there is none. */
export function readProbe(container: Value, name: string): Fact<Probe | null> {
  const probe = container.get(name);
  if (probe === null) return container.fact(null);
  const check = readCheck(probe, container);
  if (check === null) return unknown("Its port or its handler is not known.", probe.where);
  // 0 is filled in as an absent value is.
  const seconds = (key: string, usual: number) => probe.int(key) || usual;
  return probe.fact({
    check,
    initialDelayS: seconds("initialDelaySeconds", 0),
    periodS: seconds("periodSeconds", 10),
    timeoutS: seconds("timeoutSeconds", 1),
    successes: seconds("successThreshold", 1),
    failures: seconds("failureThreshold", 3),
  });
}

function readCheck(probe: Value, container: Value): Probe["check"] | null {
  const exec = probe.get("exec");
  if (exec !== null) {
    const command = exec.texts("command") ?? [];
    return command.length === 0 ? null : { kind: "exec", command };
  }
  const [http, tcp, grpc] = [probe.get("httpGet"), probe.get("tcpSocket"), probe.get("grpc")];
  const handler = http ?? tcp ?? grpc;
  const port = handler === null ? null : portOf(handler.get("port"), [container]);
  if (port === null) return null;
  if (http !== null) {
    const headers = http
      .items("httpHeaders")
      .map((header) => [header.text("name") ?? "", header.text("value") ?? ""] as const)
      .filter(([name]) => name !== "__proto__");
    const path = http.text("path") ?? "/";
    return {
      kind: "http",
      scheme: http.text("scheme") === "HTTPS" ? "https" : "http",
      port,
      path: path.startsWith("/") ? path : `/${path}`,
      headers: Object.fromEntries(headers),
    };
  }
  if (tcp !== null) return { kind: "tcp", port };
  return { kind: "grpc", port, service: grpc?.text("service") ?? "" };
}

/** A port by its number, or by the name that one of the containers gives it. */
export function portOf(port: Value | null, containers: readonly Value[]): number | null {
  if (port === null) return null;
  const number = intOf(port.node) ?? (/^\d{1,5}$/.test(port.raw) ? Number(port.raw) : null);
  if (number !== null) return number >= 1 && number <= 65535 ? number : null;
  for (const container of containers) {
    const named = container.items("ports").find((each) => each.text("name") === port.raw);
    if (named !== undefined) return named.int("containerPort");
  }
  return null;
}
