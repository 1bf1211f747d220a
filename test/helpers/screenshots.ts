import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { painted, startBrowser, typeLine, waitForTerminal } from "./browser.ts";
import { startWebFixture, type WebFixture } from "./web-fixture.ts";

const widths = [
  { name: "wide", width: 1280, height: 800 },
  { name: "narrow", width: 390, height: 844 },
] as const;

interface Shot {
  readonly name: string;
  readonly go: (page: Page) => Promise<void>;
}

/** A public key that nobody has the other half of. */
const publicKey =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJpbGxpb25zb2ZibGlzdGVyaW5nYmFybmFjbGVzMTIz ada@laptop";

/** Every page in both widths and both themes, as `<folder>/<page>-<width>-<theme>.png`. */
export async function takeScreenshots(
  folder: string,
  { only, onShot }: { only: RegExp; onShot: (file: string) => void },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await using fixture = await startWebFixture();
  await using browser = await startBrowser();
  const { oneloop } = fixture;
  const page = await browser.newPage();
  // A machine that is busy with other things is slow, but nothing here takes that long.
  page.setDefaultTimeout(15_000);

  const take = async ({ name, go }: Shot): Promise<void> => {
    if (!only.test(name)) return;
    for (const { name: size, ...viewport } of widths) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
      await go(page);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await painted(page);
        const path = join(folder, `${name}-${size}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
        onShot(path);
      }
    }
  };
  const visit = (path: string): Promise<unknown> => page.goto(`${oneloop.url}${path}`);

  await take({ name: "sign-in", go: async () => void (await visit("/sign-in")) });
  await page.goto(oneloop.signInLink);
  await page.getByRole("dialog").waitFor();
  await take({ name: "first-sign-in", go: () => page.getByRole("dialog").waitFor() });
  await page.getByRole("button", { name: "Not now" }).click();
  await take({
    name: "workspaces-empty",
    go: async () => {
      await visit("/");
      await page.getByLabel("Repository, branch").waitFor();
    },
  });
  const names = await prepare(fixture);
  for (const shot of shots({ ...names, fixture })) await take(shot);
  await visit("/settings/sessions");
  await page.getByRole("button", { name: /^You:/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await take({
    name: "signed-out",
    go: async () => void (await visit("/signed-out?ended=true")),
  });
}

interface Names {
  readonly running: string;
  readonly stopped: string;
  readonly failed: string;
}

/** Workspaces in several states, and something in every setting. */
async function prepare({ oneloop, urls, advanceBranch }: WebFixture): Promise<Names> {
  const running = await oneloop.loopJson<WorkspaceSummary>("open", urls.govapp);
  const stopped = await oneloop.loopJson<WorkspaceSummary>("open", urls.branch);
  await oneloop.loop("stop", stopped.name);
  await advanceBranch();
  await oneloop.loop("open", urls.missingImage, "--json");
  const list = await oneloop.loopJson<WorkspaceSummary[]>("list");
  const failed = list.find(({ state }) => state === "failed");
  if (failed === undefined) throw new Error("the workspace without an image did not fail");
  return { running: running.name, stopped: stopped.name, failed: failed.name };
}

function shots({ running, stopped, failed, fixture }: Names & { fixture: WebFixture }): Shot[] {
  const { oneloop, urls } = fixture;
  const at =
    (path: string, after: (page: Page) => Promise<unknown> = () => Promise.resolve()) =>
    async (page: Page): Promise<void> => {
      // An address that differs in its `#` only would load nothing.
      await page.goto("about:blank");
      await page.goto(`${oneloop.url}${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await after(page);
      // Fonts and lazy parts; nothing is asked for after that.
      await page.evaluate("document.fonts.ready");
    };
  const heading = (name: string) => (page: Page) => page.getByRole("heading", { name }).waitFor();
  const fill = async (page: Page, fields: Readonly<Record<string, string>>): Promise<void> => {
    for (const [label, value] of Object.entries(fields)) {
      await page.getByLabel(label, { exact: true }).fill(value);
    }
  };
  const inTerminal = async (page: Page): Promise<void> => {
    await waitForTerminal(page, "$");
  };
  const panel = (view: string): Shot => ({
    name: `workspace-${view}`,
    go: at(`/workspaces/${running}?view=${view}`, async (page) => {
      await page.getByRole("region", { name: new RegExp(view, "i") }).waitFor();
    }),
  });
  return [
    {
      name: "workspaces",
      go: at("/", async (page) => {
        await page.getByRole("link", { name: running, exact: true }).waitFor();
      }),
    },
    {
      name: "workspaces-menu",
      go: at("/", (page) => page.getByRole("button", { name: `More for ${stopped}` }).click()),
    },
    { name: "new", go: at("/new") },
    { name: "new-from-link", go: at(`/#${urls.plain}`) },
    {
      name: "new-mistakes",
      go: at(`/#${urls.mistakes}`, async (page) => {
        await page.getByRole("button", { name: "Open", exact: true }).click();
        await page.getByRole("button", { name: "Edit and retry" }).waitFor();
      }),
    },
    {
      name: "new-editor",
      go: at(`/new#${urls.mistakes}`, async (page) => {
        await page.getByRole("button", { name: "Open", exact: true }).click();
        await page.getByRole("button", { name: "Edit and retry" }).click();
        await page.getByLabel("devfile.yaml", { exact: true }).waitFor();
      }),
    },
    {
      name: "workspace-starting",
      go: at(`/workspaces/${stopped}`, async (page) => {
        await oneloop.loop("stop", stopped);
        await page.getByRole("button", { name: /^Start (it|again)$/ }).click();
        await page.locator('[data-phase-state="active"]').first().waitFor();
      }),
    },
    {
      name: "workspace",
      go: at(`/workspaces/${running}`, async (page) => {
        await inTerminal(page);
        await typeLine(page, "git log --oneline | head -3; ls --color");
        await waitForTerminal(page, "README");
      }),
    },
    {
      name: "workspace-search",
      go: at(`/workspaces/${running}`, async (page) => {
        await inTerminal(page);
        await page.getByRole("button", { name: /^Search in the terminal/ }).click();
        await page.getByLabel("Text to find").fill("e");
      }),
    },
    panel("ports"),
    {
      name: "workspace-port-menu",
      go: at(`/workspaces/${running}?view=ports`, (page) =>
        page.getByRole("button", { name: "Port 3000: Private" }).click(),
      ),
    },
    panel("services"),
    panel("drift"),
    {
      name: "workspace-logs",
      go: at(`/workspaces/${running}?view=services&logs=*`, async (page) => {
        await page.locator("[data-log] [data-line]").first().waitFor();
      }),
    },
    panel("events"),
    panel("connect"),
    panel("about"),
    {
      name: "workspace-stopped",
      go: at(`/workspaces/${stopped}?view=about`, async (page) => {
        await oneloop.loop("stop", stopped);
        await page.getByText("Stopped", { exact: true }).first().waitFor();
      }),
    },
    { name: "workspace-failed", go: at(`/workspaces/${failed}`, heading("Last start")) },
    {
      name: "workspace-delete",
      go: at(`/workspaces/${running}`, async (page) => {
        await inTerminal(page);
        await typeLine(page, "date > /workspace/govapp/note.txt; echo written");
        await waitForTerminal(page, "written");
        await page.getByRole("button", { name: `More for ${running}` }).click();
        await page.getByRole("menuitem", { name: "Delete" }).click();
        await page.getByRole("button", { name: "Delete", exact: true }).click();
        await page.getByRole("dialog").getByText("note.txt").waitFor();
      }),
    },
    { name: "settings-profile", go: at("/settings/profile", heading("Dotfiles")) },
    {
      name: "settings-keys",
      go: at("/settings/keys", async (page) => {
        if ((await page.getByText("SHA256:").count()) > 0) return;
        await fill(page, { "Public key": publicKey });
        await page.getByRole("button", { name: "Add the key" }).click();
        await page.locator('[role="alert"], :text("SHA256:")').first().waitFor();
      }),
    },
    {
      name: "settings-credentials",
      go: at("/settings/credentials", async (page) => {
        await fill(page, {
          Host: "git.example.org",
          User: "ada",
          "Token, password or private key": "s3cret",
        });
        await page.getByRole("button", { name: "Store it" }).click();
        await page.getByRole("button", { name: "Remove the credential for" }).waitFor();
      }),
    },
    {
      name: "settings-variables",
      go: at("/settings/variables", async (page) => {
        await fill(page, { Name: "GREETING", Value: "hello" });
        await page.getByRole("button", { name: "Set it" }).click();
        await page.getByRole("button", { name: "Remove GREETING" }).waitFor();
        await fill(page, { Name: "NPM_TOKEN", Value: "x", Repositories: "github.com/acme/*" });
        await page.getByLabel("Secret").check();
        await page.getByRole("button", { name: "Set it" }).click();
        await page.getByRole("button", { name: "Remove NPM_TOKEN" }).waitFor();
      }),
    },
    { name: "settings-sessions", go: at("/settings/sessions", heading("Tokens")) },
    { name: "settings-appearance", go: at("/settings/appearance", heading("Appearance")) },
    {
      name: "people",
      go: at("/people", async (page) => {
        await page.getByRole("list", { name: "People" }).waitFor();
        const grace = page.getByRole("button", { name: "Invite grace again" });
        if ((await grace.count()) === 0) {
          await fill(page, { Name: "grace" });
          await page.getByRole("button", { name: "Add", exact: true }).click();
        } else await grace.click();
        await page.getByRole("button", { name: "Copy the link for grace" }).waitFor();
      }),
    },
    { name: "not-found", go: at("/nothing/here") },
  ];
}
