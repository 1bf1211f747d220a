import { spawn } from "node:child_process";
import { once } from "node:events";
import { systemExecer } from "../../server/util/execer.ts";
import { Lifetime } from "../../server/util/lifetime.ts";

/** The host's end; nobody's on the internet (RFC 5737), and no range that is refused. */
export const hostPublicAddress = "203.0.113.1";
const outsidePublicAddress = "203.0.113.10";

/**
 * Greets over TCP and UDP, once its network is made and it is told so. By UDP each address has a
 * socket of its own: an answer must come from where the question went.
 */
const greeter = `
const net = require("node:net"), dgram = require("node:dgram");
const { addresses, ports } = JSON.parse(process.argv[1]);
const listen = (port) => [
  new Promise((resolve) => net.createServer((socket) => {
    socket.on("error", () => {});
    socket.end("reached\\n");
  }).listen(port, "0.0.0.0", resolve)),
  ...addresses.map((address) => new Promise((resolve) => {
    const socket = dgram.createSocket("udp4");
    socket.on("message", (_, from) => socket.send("reached\\n", from.port, from.address));
    socket.bind(port, address, resolve);
  })),
];
const begin = async () => {
  await Promise.all(ports.flatMap(listen));
  console.log("listening");
};
process.stdin.once("data", begin);
console.log("here");
`;

export interface Outside extends AsyncDisposable {
  readonly publicAddress: string;
}

/**
 * A network beyond this machine that is this machine's own: another network namespace behind a veth,
 * which carries these addresses beside a public one, and greets on these ports. What a workspace
 * sends there is routed and masqueraded as to the internet, and leaves nothing.
 */
export async function startOutside(options: {
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}): Promise<Outside> {
  const lifetime = new Lifetime();
  try {
    const addresses = [outsidePublicAddress, ...options.addresses];
    const told = JSON.stringify({ addresses, ports: options.ports });
    const program = ["--net", process.execPath, "-e", greeter, told];
    const child = spawn("unshare", program, { stdio: ["pipe", "pipe", "inherit"] });
    const closed = once(child, "close");
    lifetime.defer(async () => {
      child.kill("SIGKILL");
      await closed;
    });
    const said = (): Promise<unknown> =>
      Promise.race([
        once(child.stdout, "data"),
        once(child, "exit").then(() => Promise.reject(new Error("the network's program ended"))),
      ]);
    await said();
    const pid = String(child.pid);
    const host = `olt${pid}`;
    // The pair ends with the namespace.
    await must("ip", ["link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", pid]);
    await must("ip", ["address", "add", `${hostPublicAddress}/24`, "dev", host]);
    await must("ip", ["link", "set", host, "up"]);
    const within = (...args: string[]): Promise<void> =>
      must("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", ...args]);
    await within("link", "set", "eth0", "up");
    await within("address", "add", `${outsidePublicAddress}/24`, "dev", "eth0");
    await within("route", "add", "default", "via", hostPublicAddress);
    for (const address of options.addresses) {
      await within("address", "add", `${address}/32`, "dev", "eth0");
      await must("ip", ["route", "add", `${address}/32`, "dev", host]);
    }
    const listening = said();
    child.stdin.write("go\n");
    await listening;
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    throw error;
  }
  return {
    publicAddress: outsidePublicAddress,
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await systemExecer.run(program, args);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
