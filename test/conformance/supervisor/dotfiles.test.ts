import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomIds } from "../../../server/util/ids.ts";
import type { SupervisorUnderTest } from "../../helpers/supervisor.ts";
import { anyImages, imageKinds, users, type AnyImages } from "./images.ts";

const installation = `t${randomIds.id().slice(0, 8)}`;
let images: AnyImages;

beforeAll(async () => {
  images = await anyImages(installation);
});
afterAll(() => images[Symbol.asyncDispose]());

const home = "/tmp/home";
const origin = "file:///tmp/origin";

/** A workspace with an empty home, and beside it a bare repository of what a script makes. */
async function withDotfiles(
  kind: "default" | "musl" | "empty",
  make: string,
  user?: { uid: number; gid: number },
): Promise<SupervisorUnderTest> {
  const supervisor = await images.start(kind, user === undefined ? {} : { user });
  await supervisor.setup({ env: {}, git: { name: "n", email: "e@x" } });
  const { stderr, code } = await supervisor.sh(
    `set -e; mkdir ${home} /tmp/source; cd /tmp/source; export HOME=/tmp; git init -q -b main .
     ${make}
     git add -A .; git commit -qm dotfiles; git clone -q --bare . /tmp/origin`,
  );
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return supervisor;
}

const bring = (supervisor: SupervisorUnderTest, args = origin) =>
  supervisor.sh(`export HOME=${home}; cd /; oneloop-dotfiles ${args}`);

/** A script of the dotfiles, for images without /bin/sh. */
const script = (name: string, body: string): string =>
  `printf '%s\\n' '#!/.oneloop/bin/sh' '${body}' > ${name}; chmod +x ${name}`;

describe.each(imageKinds)("in the %s image", (kind) => {
  test.each(users)("uid $uid: what installs the dotfiles is run, once", async (user) => {
    await using supervisor = await withDotfiles(
      kind,
      `${script("install", "echo ran $0 in $(pwd); echo yes > $HOME/installed; read x || echo no input")}
       ${script("setup.sh", "echo never")}; touch .vimrc`,
      user,
    );
    const first = await bring(supervisor);
    expect(first).toEqual({
      code: 0,
      stdout:
        `Cloning ${origin}\nRunning install\nran ./install in ${home}/.dotfiles\nno input\n` +
        "The dotfiles are in place.\n",
      stderr: "",
    });
    expect((await supervisor.sh(`ls -A ${home}`)).stdout).toBe(".dotfiles\ninstalled\n");
    expect(await bring(supervisor)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("is there already"),
    });
  });

  test("without such a program they are linked, and what was there is kept", async () => {
    await using supervisor = await withDotfiles(
      kind,
      `mkdir .config .github; echo new > .profile; echo x > .config/x; touch .gitignore .gitmodules
       touch README.md .github/x ".two words" ..odd; mkdir setup; touch setup/file`,
    );
    await supervisor.sh(`echo old > ${home}/.profile; ln -s /nowhere ${home}/.config`);
    const { code, stderr } = await bring(supervisor);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const seen = await supervisor.sh(
      `cd ${home}; ls -A; cat .profile .profile.before-dotfiles .config/x; readlink .config.before-dotfiles`,
    );
    expect(seen.stdout.split("\n")).toEqual([
      "..odd",
      ".config",
      ".config.before-dotfiles",
      ".dotfiles",
      ".profile",
      ".profile.before-dotfiles",
      ".two words",
      "new",
      "old",
      "x",
      "/nowhere",
      "",
    ]);
  });
});

test("a file without its run bit is run by the shell", async () => {
  await using supervisor = await withDotfiles("default", 'echo "echo by the shell" > bootstrap.sh');
  expect((await bring(supervisor)).stdout).toContain("Running bootstrap.sh\nby the shell\n");
});

test("an installation that fails is said, with its own words before", async () => {
  await using supervisor = await withDotfiles(
    "default",
    script("install.sh", "echo the reason >&2; exit 7"),
  );
  const { code, stderr } = await bring(supervisor);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "the reason\noneloop-dotfiles: install.sh of the dotfiles failed with status 7.\n",
  );
});

test("what is kept already is not written over", async () => {
  await using supervisor = await withDotfiles("default", "touch .a .b");
  await supervisor.sh(`cd ${home}; echo 1 > .a; echo 2 > .a.before-dotfiles`);
  const { code, stderr } = await bring(supervisor);
  expect(code).toBe(1);
  expect(stderr).toContain("left alone");
  const seen = await supervisor.sh(`cd ${home}; cat .a .a.before-dotfiles; readlink .b`);
  expect(seen.stdout).toBe("1\n2\n.dotfiles/.b\n");
});

test("what takes too long is ended, with all that it started", async () => {
  await using supervisor = await withDotfiles(
    "empty",
    script("install.sh", "sleep 1000 & echo $! > $HOME/pid; sleep 1000"),
  );
  const { code, stderr } = await bring(supervisor, `${origin} 1`);
  expect(code).toBe(1);
  expect(stderr).toContain("took longer than 1 s");
  const alive = await supervisor.sh(`kill -0 $(cat ${home}/pid) 2>/dev/null && echo alive`);
  expect(alive.stdout).toBe("");
});

test("a repository that is not there leaves nothing behind", async () => {
  await using supervisor = await withDotfiles("empty", "touch .a");
  const { code, stderr } = await bring(supervisor, "file:///tmp/none");
  expect(code).toBe(1);
  expect(stderr).toContain("could not be cloned");
  expect((await supervisor.sh(`ls -A ${home}`)).stdout).toBe("");
  // An address is never an option.
  const option = await bring(supervisor, "--upload-pack=/bin/false");
  expect(option.code).toBe(1);
  expect(await bring(supervisor, "")).toMatchObject({ code: 2 });
});
