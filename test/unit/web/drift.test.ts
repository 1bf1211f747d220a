import { QueryClientProvider } from "@tanstack/react-query";
import {
  RouterProvider,
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
} from "@tanstack/react-router";
import { TRPCClientError } from "@trpc/client";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DriftPage } from "../../../server/protocol/drift.ts";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { Drift } from "../../../web/src/components/drift.tsx";
import { queryClient, trpc } from "../../../web/src/lib/api.ts";

// The view as it is drawn first, with what is known of the comparison by then.
const workspace = { name: "shop" } as WorkspaceSummary;
const production = { workspace: "shop", environment: "production", project: null };
const comparison = trpc.services.driftPage.queryOptions;

afterEach(() => {
  queryClient.clear();
  vi.unstubAllGlobals();
});

async function shown(environment: string | null = null): Promise<string> {
  const root = createRootRoute();
  const signedIn = createRoute({ getParentRoute: () => root, id: "signed-in" });
  const page = createRoute({
    getParentRoute: () => signedIn,
    path: "/workspaces/$name",
    component: () => createElement(Drift, { workspace }),
  });
  const search = environment === null ? "" : `?environment=${environment}`;
  const router = createRouter({
    routeTree: root.addChildren([signedIn.addChildren([page])]),
    history: createMemoryHistory({ initialEntries: [`/workspaces/shop${search}`] }),
  });
  await router.load();
  return renderToStaticMarkup(
    createElement(
      QueryClientProvider,
      { client: queryClient },
      createElement(RouterProvider, { router }),
    ),
  );
}

async function fail(code: string, message: string): Promise<void> {
  const oneloop = { code, message, diagnostics: [] };
  const error = new TRPCClientError(message, {
    result: { error: { code: -32_603, message, data: { oneloop } } },
  });
  const { queryKey } = comparison(production);
  // What is drawn first would ask again by itself.
  queryClient.setQueryDefaults(queryKey, { retryOnMount: false });
  await queryClient
    .fetchQuery({ queryKey, queryFn: () => Promise.reject(error) })
    .catch(() => null);
}

describe("the view of the drift", () => {
  it("says that it compares, and lets another be chosen meanwhile", async () => {
    queryClient.setQueryData(trpc.environments.names.queryKey(), ["production"]);
    const html = await shown();
    expect(html).toMatch(/role="status".*Comparing/);
    expect(html).toContain("What runs in production");
    expect(html).not.toContain("Compare again");
  });

  it("says what there could be where there is nothing to compare with", async () => {
    const { queryKey } = comparison({ ...production, environment: null });
    queryClient.setQueryData(queryKey, null);
    const html = await shown();
    expect(html).toContain("There is nothing to compare it with.");
    expect(html).toContain("--mirror k8s/");
    expect(html).not.toMatch(/Comparing|Compare again/);
  });

  it("says why it could not compare, and can be asked again", async () => {
    await fail("engine-unreachable", "The engine of production does not answer.");
    const html = await shown("production");
    expect(html).toContain("The engine of production does not answer.");
    expect(html).toContain("Compare again");
    expect(html).not.toContain("Comparing");
  });

  it("asks for the project where the environment has several, instead of trying the same", async () => {
    await fail("choice-needed", "Say which one.");
    const html = await shown("production");
    expect(html).toContain("Compose project");
    expect(html).not.toContain("Compare again");
  });

  it("says that nothing differs", async () => {
    const report = { a: "shop", b: "production", findings: [], unusedAcknowledgements: [] };
    queryClient.setQueryData(comparison(production).queryKey, {
      report: { ...report, unacknowledgedBreaking: 0, equal: 3, comparable: 3 },
    } as unknown as DriftPage);
    expect(await shown("production")).toContain("There are no differences.");
  });
});

it("what a comparison takes is no wait for the names of the environments", async () => {
  const answer = Response.json([{ result: { data: ["production"] } }]);
  const never = new Promise<Response>(() => {});
  vi.stubGlobal("fetch", (url: string) => (url.includes("driftPage") ? never : answer));
  queryClient.fetchQuery(comparison(production)).catch(() => null);
  const names = trpc.environments.names.queryOptions();
  expect(await queryClient.fetchQuery(names)).toEqual(["production"]);
});
