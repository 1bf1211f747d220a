import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../helpers/engine-objects.ts";

let id: string;

beforeAll(async () => {
  const container = await docker.createContainer({
    Image: "oneloop/workspace:latest",
    Cmd: ["sleep", "infinity"],
    Labels: { "oneloop.part": "default-image-test" },
    HostConfig: { NetworkMode: "none", Init: true },
  });
  ({ id } = container);
  await container.start();
});
afterAll(() => docker.getContainer(id).remove({ force: true }));

async function sh(script: string): Promise<{ exitCode: number; output: string }> {
  const exec = await docker.getContainer(id).exec({
    Cmd: ["bash", "-c", script],
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
  });
  const output = await text(await exec.start({ Tty: true }));
  const { ExitCode } = await exec.inspect();
  return { exitCode: ExitCode ?? -1, output: output.replaceAll("\r\n", "\n") };
}

describe("the default image", () => {
  it("is of the user dev (1000), with a home, bash, UTF-8, and sudo without a password", async () => {
    const { output } = await sh("id -un; id -u; pwd; echo $HOME; getent passwd dev; sudo -n id -u");
    expect(output.split("\n").slice(0, 4)).toEqual(["dev", "1000", "/home/dev", "/home/dev"]);
    expect(output).toMatch(/^dev:x:1000:1000::\/home\/dev:\/bin\/bash$/m);
    expect(output.trimEnd().split("\n").at(-1)).toBe("0");
    expect((await sh("locale charmap; printf 'ü世' | wc -m")).output).toBe("UTF-8\n2\n");
  });

  it.each([
    ...["bash", "zsh", "git", "git-lfs", "curl", "ssh", "rg", "jq", "tmux", "vim", "nano", "less"],
    ...["gcc", "g++", "make", "python3", "node", "npm", "npx", "rsync"],
  ])("has %s", async (program) => {
    const { exitCode, output } = await sh(`command -v ${program}`);
    expect(exitCode, output).toBe(0);
  });

  it("compiles C, makes a Python environment, and runs Node", async () => {
    const made = await sh(
      "cd && echo 'int main(void){return 7;}' > a.c && make -s a && { ./a; echo $?; } && " +
        "python3 -m venv v && v/bin/python -c 'print(6 * 7)' && node -e 'console.log(String(6 * 8))' && npm --version",
    );
    expect(made.exitCode, made.output).toBe(0);
    expect(made.output).toMatch(/^7\n42\n48\n\d+\.\d+\.\d+\n$/);
  });
});
