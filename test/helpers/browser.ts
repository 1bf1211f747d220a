import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { chromium, type BrowserContext, type Page } from "playwright-core";

/** As root, without a sandbox and without any traffic of the browser's own. */
const args = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];
/** xterm.js then draws into the DOM, where a test can read what a person would see. */
const withoutGpu = ["--disable-gpu", "--disable-3d-apis"];
/** WebGL drawn by the processor, as no machine of a test has anything else. */
const withWebGl = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
  newPage(): Promise<Page>;
}

/**
 * Debian's Chromium with a new, empty profile.
 *
 * @param more arguments, such as host names that it shall find on this machine.
 */
export function startBrowser(...more: readonly string[]): Promise<TestBrowser> {
  return launch([...withoutGpu, ...more]);
}

/** The same with WebGL, into whose canvas xterm.js draws: what it shows there cannot be read. */
export function startBrowserWithWebGl(): Promise<TestBrowser> {
  return launch(withWebGl);
}

async function launch(more: readonly string[]): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), "oneloop-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: [...args, ...more],
    viewport: { width: 1280, height: 800 },
  });
  return {
    context,
    newPage: () => newPage(context),
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Of pages that a container which came or went in between ended: a person would reload them. */
const mostReloads = 5;

async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  const goto = page.goto.bind(page);
  page.goto = async (...asked) => {
    for (let reloads = 0; ; reloads += 1) {
      try {
        return await goto(...asked);
      } catch (error) {
        const wasCut = String(error).includes("net::ERR_NETWORK_CHANGED");
        if (!wasCut || reloads === mostReloads) throw error;
      }
    }
  };
  return page;
}

/** The terminal in front, once it is connected: what is typed before that is refused. */
const connected = '[role="tabpanel"]:not([hidden])[data-connection="open"]';

/** The lines that the terminal in front shows now. */
export async function terminalText(page: Page): Promise<string> {
  const rows = await page.locator(`${connected} .xterm-rows > div`).allInnerTexts();
  // xterm.js draws blanks as no-break spaces.
  return rows.map((row) => row.replaceAll("\u00A0", " ").trimEnd()).join("\n");
}

/** Waits until the terminal in front shows `text`. */
export async function waitForTerminal(page: Page, text: string): Promise<void> {
  await page
    .locator(`${connected} .xterm-rows`, { hasText: text })
    .waitFor({ state: "visible", timeout: 30_000 });
}

/** Types a line into the terminal in front. */
export async function typeLine(page: Page, line: string): Promise<void> {
  await page.locator(`${connected} .xterm-helper-textarea`).focus();
  await page.keyboard.type(line);
  await page.keyboard.press("Enter");
}

/** Signs in by a one-time link, and puts the question of the first sign-in off. */
export async function signIn(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByRole("button", { name: "Not now" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** Waits until a change of theme or size is painted. */
export async function painted(page: Page): Promise<void> {
  await page.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))",
  );
}

/** The part of axe's answer that a test reads. */
interface AxeResults {
  violations: { id: string; impact: string; help: string; nodes: { html: string }[] }[];
}

/**
 * What axe finds serious or critical on the page as it stands, one line each. Its source goes in
 * through the debugger: the content security policy allows no script of a test's own.
 */
export async function axeProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // xterm.js draws its cells by its own colours, with a contrast that it keeps itself.
  const options = { exclude: [[".xterm"]] };
  const results = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, impact, help, nodes }) =>
      nodes.map(({ html }) => `${impact} ${id}: ${help}: ${html.slice(0, 200)}`),
    );
}
