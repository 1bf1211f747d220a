import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import {
  axeProblems,
  painted,
  signIn,
  startBrowser,
  terminalText,
  typeLine,
  waitForTerminal,
  type TestBrowser,
} from "../helpers/browser.ts";
import { run, type Installation } from "../helpers/installation.ts";
import { addCommit } from "../helpers/repositories.ts";
import { mendedDevfile, startWebFixture, type WebFixture } from "../helpers/web-fixture.ts";

let fixture: WebFixture;
let oneloop: Installation;
let browser: TestBrowser;
let page: Page;
/** A workspace of a repository without a devfile: the default image, which has Python. */
let plain: string;

beforeAll(async () => {
  fixture = await startWebFixture();
  ({ oneloop } = fixture);
  browser = await startBrowser();
  page = await browser.newPage();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await fixture?.[Symbol.asyncDispose]();
});

const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });

function focused(): Promise<string> {
  return page.evaluate<string>(
    "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent",
  );
}

/** Presses Tab (or Shift and Tab) until what is focused has this name: as somebody without a pointer would. */
async function tabTo(name: RegExp, key = "Tab"): Promise<void> {
  for (let step = 0; step < 40; step += 1) {
    if (name.test(await focused())) return;
    await page.keyboard.press(key);
  }
  throw new Error(`Tab leads to nothing named ${name}`);
}

/** The page as it stands, at both widths in both themes: axe calls nothing serious or critical. */
async function checkAxe(): Promise<void> {
  // What is being loaded is transparent for its first moment.
  await page.locator(".late").first().waitFor({ state: "detached" });
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await painted(page);
      expect(await axeProblems(page), `${page.url()} ${width} ${colorScheme}`).toEqual([]);
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

describe("the first sign-in", () => {
  it("asks who commits; put off, it asks again at the next sign-in only", async () => {
    await page.goto(oneloop.signInLink);
    const dialog = page.getByRole("dialog", { name: "Who commits?" });
    await dialog.waitFor();
    expect(await page.evaluate("document.activeElement.name")).toBe("commitName");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.reload();
    // There is no workspace yet: the page says what one is, and the ways to the first.
    await page.getByRole("heading", { name: "Open a workspace" }).waitFor();
    await page.getByText("A workspace is a container for one branch of a repository").waitFor();
    await page.getByText("npm run sample").waitFor();
    expect(await dialog.count()).toBe(0);
  });

  it("keeps what is given, for git and for the settings", async () => {
    const again = await browser.newPage();
    await again.goto(oneloop.url);
    await again.getByLabel("Name", { exact: true }).fill("Ada Example");
    await again.getByLabel("E-mail address").fill("no address");
    await again.getByRole("button", { name: "Save" }).click();
    // The browser itself refuses it; the dialog stays.
    await again.getByLabel("E-mail address").fill("ada@example.org");
    await again.getByRole("button", { name: "Save" }).click();
    await again.getByRole("dialog").waitFor({ state: "detached" });
    await again.goto(`${oneloop.url}/settings/profile`);
    await expect
      .poll(() => again.getByLabel("E-mail address").inputValue())
      .toBe("ada@example.org");
    await again.close();
  });
});

describe("by the keyboard alone", () => {
  it("the first Tab offers the way past the bar", async () => {
    await page.goto(`${oneloop.url}/settings/profile`);
    await page.getByLabel("E-mail address").waitFor();
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });

  it("a link with a repository fills the form in, starts nothing, and needs Enter", async () => {
    await page.goto(`${oneloop.url}/#${fixture.urls.plain}`);
    const field = page.getByLabel(/^Repository, branch/);
    await expect.poll(() => field.inputValue()).toBe(fixture.urls.plain);
    await page.getByText("Nothing starts until you press Open").waitFor();
    expect(await oneloop.loopJson<unknown[]>("list")).toEqual([]);
    await page.keyboard.press("Enter");
    // There is no devfile: what was found is shown before it starts.
    await page.getByRole("region", { name: "What would run" }).waitFor();
    expect(await oneloop.loopJson<unknown[]>("list")).toEqual([]);
    await tabTo(/^\s*Start$/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/workspaces\//, { timeout: 60_000 });
    plain = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    await expect.poll(() => page.title(), { timeout: 10_000 }).toContain(plain);
  });

  it("the terminal takes the focus, and Ctrl+F6 leads out of it", async () => {
    await waitForTerminal(page, "$");
    await page.keyboard.type("echo typed-$((40 + 2))\n");
    await waitForTerminal(page, "typed-42");
    await page.keyboard.press("Control+F6");
    expect(await page.evaluate("document.activeElement.getAttribute('role')")).toBe("tab");
    await tabTo(/^Connect$/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Connect" }).getByText(`ssh -p`).waitFor();
    await page.getByText("None of your SSH keys").waitFor();
  });

  it("a change of page moves the focus to its heading", async () => {
    await page.getByRole("link", { name: "Oneloop: all workspaces" }).press("Enter");
    await page.getByRole("link", { name: plain, exact: true }).waitFor();
    await expect.poll(() => focused()).toBe("Workspaces");
    expect(await page.title()).toBe("Workspaces · Oneloop");
  });

  it("what is no URL of a repository is not filled in, and not opened", async () => {
    await page.goto("about:blank");
    await page.goto(`${oneloop.url}/#javascript:alert(1)`);
    const field = page.getByLabel(/^Repository, branch/);
    expect(await field.inputValue()).toBe("");
    await field.fill("javascript:alert(1)");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("not opened over javascript").waitFor();
  });
});

describe("the list of workspaces", () => {
  it("says state, branch, how far each is behind, what is only there, and when it was used", async () => {
    await addCommit(fileURLToPath(fixture.urls.plain), "main", { "MORE.md": "more\n" });
    await page.goto(`${oneloop.url}/workspaces/${plain}`);
    await waitForTerminal(page, "typed-42");
    await typeLine(
      page,
      "echo x > only-here.txt; git commit -q --allow-empty -m Mine; echo so-$((1))",
    );
    await waitForTerminal(page, "so-1");
    expect((await oneloop.loop("refresh", plain)).exitCode).toBe(0);
    // It is counted where somebody works, twice a minute.
    const counted = async (): Promise<WorkspaceSummary["work"]> => {
      await typeLine(page, "true");
      return (await oneloop.loopJson<WorkspaceSummary>("show", plain)).work;
    };
    await expect
      .poll(counted, { timeout: 90_000, interval: 2000 })
      .toMatchObject({ uncommitted: 1, unpushed: 1 });
    await page.goto(`${oneloop.url}/`);
    const row = page.getByRole("listitem").filter({ hasText: plain });
    await row.getByRole("button", { name: "1 behind the remote. Ask again." }).waitFor();
    await row.getByText("1 uncommitted, 1 unpushed").waitFor();
    const shown = await row.innerText();
    for (const word of [/running/i, /main/, /used/i]) expect(shown).toMatch(word);
  });
});

describe("a terminal", () => {
  it("is searched", async () => {
    await page.goto(`${oneloop.url}/workspaces/${plain}`);
    await waitForTerminal(page, "typed-42");
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("typed-42");
    await page.getByRole("search").getByText("1 of 1").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.getByRole("search").count()).toBe(0);
  });

  it("writes the clipboard and never reads it", async () => {
    await browser.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await typeLine(page, String.raw`printf '\033]52;c;aGVsbG8tNDI=\a'`);
    await page.getByText("A program in the terminal copied 8 characters.").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe("hello-42");
    // Were it answered, the shell would get the clipboard's text as if it were typed.
    await typeLine(page, String.raw`printf '\033]52;c;?\a'; read -t 1 -s -N 12 x; echo "got:$x:"`);
    await waitForTerminal(page, "got::");
  });

  it("gives wide characters two cells, those of later Unicode versions too, and knows where it is", async () => {
    // It says its cursor's column, which begins at 1. The face is of Unicode 11.
    const column = String.raw`IFS='[;' read -rsdR -p $'\e[6n' _ _ column`;
    await typeLine(
      page,
      String.raw`printf '\u65e5\u672cx\U1f973'; ${column}; echo " column=$column"`,
    );
    await waitForTerminal(page, "日本x🥳");
    await waitForTerminal(page, "column=8");
  });

  it("has a title that is text, whatever a program sets", async () => {
    await typeLine(page, String.raw`PS1='$ '; printf '\033]0;<img src=x id=evil>\a'`);
    await page.getByRole("tab", { name: "<img src=x id=evil>" }).waitFor();
    expect(await page.locator("#evil").count()).toBe(0);
  });

  it("fits its place: its program sees the size of the window, and of one that changes", async () => {
    await page.goto(`${oneloop.url}/workspaces/${plain}`);
    await waitForTerminal(page, "$");
    let asked = 0;
    const columns = async (): Promise<number> => {
      asked += 1;
      const answer = new RegExp(`size-${asked}-\\d+ (\\d+)-end`);
      await typeLine(page, `echo size-${asked}-$(stty size)-end`);
      await expect.poll(() => terminalText(page), { timeout: 10_000 }).toMatch(answer);
      return Number(answer.exec(await terminalText(page))?.[1]);
    };
    const wide = await columns();
    const polled = { timeout: 20_000 };
    await page.setViewportSize({ width: 700, height: 800 });
    await expect.poll(columns, polled).toBeLessThan(wide);
    await page.setViewportSize({ width: 1280, height: 800 });
    await expect.poll(columns, polled).toBe(wide);
  });
});

describe("a devfile with mistakes", () => {
  it("is shown with its mistakes, edited, and opened again with the new text", async () => {
    await page.goto(`${oneloop.url}/new`);
    await page.getByLabel(/^Repository, branch/).fill(fixture.urls.mistakes);
    await button("Open").click();
    await page.getByText(/devfile\.yaml has \d mistakes\. Nothing was started\./).waitFor();
    await page.getByText("- nam: app").first().waitFor();
    await button("Edit and retry").click();
    const editor = page.getByLabel("devfile.yaml", { exact: true });
    await expect.poll(() => editor.inputValue()).toContain("- nam: app");

    await checkAxe();

    // The place of a mistake leads there.
    await page
      .getByRole("button", { name: /^devfile\.yaml:8:/ })
      .first()
      .click();
    const selected = "((area) => area.value.slice(area.selectionStart, area.selectionEnd))";
    expect(await page.evaluate(`${selected}(document.querySelector("textarea"))`)).toBe("lots");

    // Tab indents, and Escape gives it back to the page.
    await editor.fill("a:");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("b");
    expect(await editor.inputValue()).toBe("a:\n    b");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Open with this text");

    await editor.fill(mendedDevfile);
    await button("Open with this text").click();
    await page.waitForURL(/\/workspaces\/mistakes-/, { timeout: 60_000 });
    await waitForTerminal(page, "");
  });
});

describe("a port", () => {
  it("is made public only after a question, and that is kept", async () => {
    await page.getByRole("link", { name: /^Ports/ }).click();
    await button("Port 3000: Private").press("Enter");
    await page.getByRole("menuitemradio", { name: /^Public/ }).click();
    const dialog = page.getByRole("dialog", { name: "Make port 3000 public?" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await button("Port 3000: Private").press("Enter");
    await page.getByRole("menuitemradio", { name: /^Public/ }).press("Enter");
    await dialog.getByRole("button", { name: "Make it public" }).click();
    await button("Port 3000: Public").waitFor();
    await page.reload();
    await button("Port 3000: Public").press("Enter");
    await page.getByRole("menuitemradio", { name: /^Signed in/ }).press("Enter");
    await button("Port 3000: Signed in").waitFor();
    const list = await oneloop.loopJson<WorkspaceSummary[]>("list");
    const ports = list.flatMap((each) => each.ports).filter(({ port }) => port === 3000);
    expect(ports.map(({ visibility }) => visibility)).toEqual(["signed-in"]);
  });
});

describe("the settings", () => {
  it("add and remove an SSH key, and say what is wrong with one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "oneloop-key-"));
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
    const key = await readFile(join(folder, "key.pub"), "utf8");
    await rm(folder, { recursive: true });
    await page.goto(`${oneloop.url}/settings/keys`);
    await page.getByLabel("Public key").fill("no key at all");
    await button("Add the key").click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Public key").fill(key);
    await page.getByLabel("Name", { exact: true }).fill("laptop");
    await button("Add the key").click();
    await button("Remove laptop").click();
    const dialog = page.getByRole("dialog", { name: "Remove the key laptop?" });
    await dialog.getByRole("button", { name: "Remove" }).click();
    await page.getByText("No key yet").waitFor();
  });

  it("make a one-time code for ssh, and another in its place", async () => {
    await page.goto(`${oneloop.url}/settings/keys`);
    await button("Make a code").click();
    const code = page.getByText(/^(?:[a-z]{4}-){3}[a-z]{4}$/);
    const first = (await code.textContent()) ?? "";
    await checkAxe();
    await button("Make another").click();
    await page.getByText(first).waitFor({ state: "detached" });
    await code.waitFor();
    await button("Copy: One-time code").waitFor();
  });

  it("store a credential, and never show it again", async () => {
    await page.goto(`${oneloop.url}/settings/credentials`);
    await page.getByLabel("Host").fill("https://git.example.org");
    await page.getByLabel("User", { exact: true }).fill("ada");
    await page.getByLabel("Token, password or private key").fill("s3cret-token");
    await button("Store it").click();
    await button("Remove the credential for git.example.org").waitFor();
    expect(await page.getByLabel("Token, password or private key").inputValue()).toBe("");
    await page.reload();
    await button("Remove the credential for git.example.org").click();
    expect(await page.content()).not.toContain("s3cret-token");
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("None: public repositories").waitFor();
  });

  it("set variables, for all repositories or by a pattern, and refuse Oneloop's own names", async () => {
    await page.goto(`${oneloop.url}/settings/variables`);
    await page.getByLabel("Name", { exact: true }).fill("ONELOOP_X");
    await button("Set it").click();
    await page.getByRole("alert").getByText("ONELOOP_X is set by Oneloop itself.").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("NPM_TOKEN");
    await page.getByLabel("Repositories", { exact: true }).fill("github.com/acme/*");
    await page.getByLabel("Value").fill("t0ken");
    await page.getByLabel("Secret").check();
    await button("Set it").click();
    await page.getByRole("listitem").getByText("Repositories github.com/acme/*").waitFor();
    await page.reload();
    await button("Remove NPM_TOKEN").click();
    expect(await page.content()).not.toContain("t0ken");
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("None yet.").waitFor();
  });

  it("keep what is typed while the variable before is being set", async () => {
    await page.goto(`${oneloop.url}/settings/variables`);
    const typed = new Promise<void>((resolve) => {
      void page.route(
        "**/variables.set*",
        async (route) => {
          await page.getByLabel("Name", { exact: true }).fill("NEXT");
          await route.continue();
          resolve();
        },
        { times: 1 },
      );
    });
    await page.getByLabel("Name", { exact: true }).fill("FIRST");
    await page.getByLabel("Value").fill("1");
    await button("Set it").click();
    await typed;
    await button("Remove FIRST").waitFor();
    await button("Set it").click();
    await button("Remove NEXT").waitFor();
    for (const name of ["FIRST", "NEXT"]) {
      await button(`Remove ${name}`).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    }
    await page.getByText("None yet.").waitFor();
  });

  it("keep the chosen theme", async () => {
    await page.goto(`${oneloop.url}/settings/appearance`);
    await page.getByLabel(/^Dark/).check();
    await page.reload();
    expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe(
      "dark",
    );
    await page.getByLabel(/^As the system/).check();
  });

  it("revoke a token of the command line", async () => {
    await page.goto(`${oneloop.url}/settings/sessions`);
    const tokens = page.getByRole("list", { name: "Tokens" });
    await tokens
      .getByRole("button", { name: /^Revoke/ })
      .first()
      .click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });
});

describe("people", () => {
  it("are added with a one-time link, see no People page, and are signed out when removed", async () => {
    await page.goto(`${oneloop.url}/people`);
    await page.getByLabel("Name").fill("Not A Name");
    await button("Add").click();
    await page.getByRole("alert").getByText("small letters").waitFor();
    await page.getByLabel("Name").fill("grace");
    await button("Add").click();
    const link = await page.getByText(/\/sign-in#/).innerText();

    await using guest = await startBrowser();
    const other = await guest.newPage();
    await signIn(other, link);
    await other.getByRole("heading", { name: "Open a workspace" }).waitFor();
    expect(await other.getByRole("link", { name: "People" }).count()).toBe(0);
    await other.goto(`${oneloop.url}/people`);
    await other.getByText("Only the owner of this installation").waitFor();
    await other.goto(`${oneloop.url}/workspaces/${plain}`);
    await other.getByText(`You have no workspace ${plain}`).waitFor();
    await other.goto(oneloop.url);
    await other.getByRole("heading", { name: "Open a workspace" }).waitFor();

    await button("Remove grace").click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await button("Remove grace").waitFor({ state: "detached" });
    await other.getByRole("heading", { name: "Your session has ended" }).waitFor();
  });
});

describe("axe finds nothing serious", () => {
  it.each([
    ["/", "Workspaces"],
    ["/new", "New workspace"],
    ["/people", "People"],
    ["/no/such/page", "There is nothing at this address"],
    ["/settings/profile", "Settings"],
    ["/settings/keys", "Settings"],
    ["/settings/credentials", "Settings"],
    ["/settings/variables", "Settings"],
    ["/settings/sessions", "Settings"],
    ["/settings/appearance", "Settings"],
  ])("at %s", async (path, heading) => {
    await page.goto(`${oneloop.url}${path}`);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await checkAxe();
  });

  it.each(["ports", "services", "events", "connect", "about"])(
    "in a workspace with its %s",
    async (view) => {
      await page.goto(`${oneloop.url}/workspaces/${plain}?view=${view}`);
      await page.getByRole("region", { name: new RegExp(view, "i") }).waitFor();
      await checkAxe();
    },
  );

  it("in a dialog over a terminal", async () => {
    await page.goto(`${oneloop.url}/workspaces/${plain}`);
    await waitForTerminal(page, "");
    await page.getByRole("button", { name: /^More for/ }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("dialog").waitFor();
    await checkAxe();
  });
});

describe("what is lost and found", () => {
  it("says when the control plane is away, and goes on by itself when it is back", async () => {
    await page.goto(oneloop.url);
    await page.getByRole("link", { name: plain, exact: true }).waitFor();
    await oneloop.kill();
    await page.getByText("The control plane does not answer. Reconnecting.").waitFor();
    await oneloop.start();
    await page
      .getByText("The control plane does not answer. Reconnecting.")
      .waitFor({ state: "detached" });
    await page.getByRole("link", { name: plain, exact: true }).waitFor();
  });

  it("asks before it revokes its own session, and is signed out at once", async () => {
    await page.goto(`${oneloop.url}/settings/sessions`);
    const own = page.getByRole("listitem").filter({ hasText: "this one" });
    await own.getByRole("button", { name: /^Revoke/ }).click();
    await page
      .getByRole("dialog", { name: "End the session that you are in?" })
      .getByRole("button", { name: "Revoke" })
      .click();
    await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
    expect(await axeProblems(page)).toEqual([]);
    await page.goto(`${oneloop.url}/people`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await axeProblems(page)).toEqual([]);
  });
});
