import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CannotStart, Environment } from "../../../workspace-image/supervisor/environment.ts";

let folder: string;
let passwd: string;
const uid = process.getuid?.() ?? 0;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-environment-"));
  passwd = join(folder, "passwd");
  await writeFile(
    passwd,
    `other:x:4711:4711::/:/bin/false\nada:x:${uid}:0:Ada:/home/ada:/bin/sh\n`,
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plain = { argv: ["sh"], cwd: null, env: {}, term: null };
const make = (config: object = {}, file = passwd) =>
  new Environment({ cwd: folder, home: "/home/h", shell: null, env: {}, ...config }, file);

test("the user, the shell and the defaults come from the container", () => {
  const { env } = make().program(plain);
  expect(env).toEqual({
    HOME: "/home/h",
    USER: "ada",
    LOGNAME: "ada",
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/.oneloop/bin",
    PWD: folder,
  });
});

test("nothing of the supervisor's own environment is passed on", () => {
  process.env["ONELOOP_TEST_LEAK"] = "secret";
  expect(make().program(plain).env).not.toHaveProperty("ONELOOP_TEST_LEAK");
  delete process.env["ONELOOP_TEST_LEAK"];
});

test("what the image and the devfile say wins, and the request after that", () => {
  const config = { env: { PATH: "/usr/bin:/bin", LANG: "de_DE", USER: "dev", HOME: "/", A: "1" } };
  const { env } = make(config).program({ ...plain, env: { A: "2" }, term: "vt100" });
  expect(env).toMatchObject({
    PATH: "/usr/bin:/bin:/.oneloop/bin",
    LANG: "de_DE",
    USER: "dev",
    HOME: "/home/h",
    A: "2",
    TERM: "vt100",
  });
});

test("the person's variables win over a service's and a task's, and not over a request's", () => {
  const environment = make({ env: { A: "service", B: "service", C: "service", PATH: "/a" } });
  environment.setPerson({
    B: "person",
    C: "person",
    D: "person",
    HOME: "/x",
    PATH: "/usr/bin:/bin",
  });
  const taskEnv = { A: "task", B: "task" };
  const { env } = environment.program({ ...plain, taskEnv, env: { C: "request" } });
  expect(env).toMatchObject({ A: "task", B: "person", C: "request", D: "person" });
  expect(env).toMatchObject({ HOME: "/home/h", PATH: "/usr/bin:/bin:/.oneloop/bin" });
});

test("a uid without an entry, and an image without users", async () => {
  await writeFile(passwd, "other:x:4711:4711::/:/bin/false\n");
  expect(make().program(plain).env["USER"]).toBe("oneloop");
  expect(make({}, join(folder, "none")).program(plain).env["USER"]).toBe("oneloop");
});

test("the login shell is the chosen one where it exists, else the user's, else the image's", () => {
  const chosen = (shell: string) => make({ env: { SHELL: shell }, shell: "/usr/bin/env" });
  expect(chosen("/usr/bin/tail").loginShell()).toBe("/usr/bin/tail");
  for (const none of ["/no/such/shell", "bash", "/etc"]) {
    expect(chosen(none).loginShell()).toBe("/bin/sh");
    expect(chosen(none).program(plain).env["SHELL"]).toBe("/bin/sh");
  }
  const environment = chosen("/usr/bin/tail");
  environment.setPerson({ SHELL: "/usr/bin/head" });
  expect(environment.program({ ...plain, argv: null }).file).toBe("/usr/bin/head");
  const nobody = join(folder, "none");
  expect(make({ shell: "/usr/bin/env" }, nobody).loginShell()).toBe("/usr/bin/env");
  expect(make({}, nobody).loginShell()).toBe("/bin/bash");
});

test("a login shell that changes is used by what starts next", async () => {
  const environment = make();
  expect(environment.program({ ...plain, argv: null }).file).toBe("/bin/sh");
  await writeFile(passwd, `ada:x:${uid}:0:Ada:/home/ada:/bin/bash\n`);
  const { file, env } = environment.program({ ...plain, argv: null });
  expect([file, env["SHELL"]]).toEqual(["/bin/bash", "/bin/bash"]);
});

test("a line is the login shell's, and without one the shell keeps the PATH that it is given", () => {
  const environment = make();
  const line = environment.program({ ...plain, argv: null, shell: "echo" });
  expect([line.file, ...line.args]).toEqual(["/bin/sh", "-c", "echo"]);
  const login = environment.program({ ...plain, argv: null });
  expect([login.file, login.argv0, ...login.args]).toEqual(["/bin/sh", "/bin/sh"]);
});

test("a folder that is missing gives way to the configured one, then home, then the root", () => {
  expect(make().program({ ...plain, cwd: "/usr" }).cwd).toBe("/usr");
  expect(make().program({ ...plain, cwd: "/none" }).cwd).toBe(folder);
  expect(make({ cwd: "/none", home: "/tmp" }).program(plain).cwd).toBe("/tmp");
  expect(make({ cwd: "/none", home: "/none" }).program(plain).cwd).toBe("/");
});

test("programs are found as a shell finds them", async () => {
  const file = join(folder, "tool");
  await writeFile(file, "#!/bin/sh\n");
  const run = (name: string) => () =>
    make().program({ ...plain, argv: [name], env: { PATH: `${folder}:/bin` } });
  expect(run("sh")().file).toBe("/bin/sh");
  for (const name of ["tool", "./tool", file, "/etc"]) {
    expect(run(name)).toThrow(expect.objectContaining({ exitCode: 126 }));
  }
  for (const name of ["", "nothing", "./nothing", "/a/b"]) {
    expect(run(name)).toThrow(expect.objectContaining({ exitCode: 127 }));
  }
  expect(run("nothing")).toThrow(CannotStart);
});
