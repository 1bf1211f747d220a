import { describe, expect, it } from "vitest";
import { homeOf, resolveUser } from "../../../server/engine/docker/passwd.ts";

const files = {
  passwd: "root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1001::/home/dev:/bin/zsh\nbroken\n",
  group: "root:x:0:\nstaff:x:50:dev\n",
};

describe("resolveUser", () => {
  it.each([
    ["", { uid: 0, gid: 0, name: "root", home: "/root", shell: "/bin/bash" }],
    ["dev", { uid: 1000, gid: 1001, name: "dev", home: "/home/dev", shell: "/bin/zsh" }],
    ["1000", { uid: 1000, gid: 1001, name: "dev", home: "/home/dev", shell: "/bin/zsh" }],
    ["dev:staff", { uid: 1000, gid: 50, name: "dev", home: "/home/dev", shell: "/bin/zsh" }],
    ["4242", { uid: 4242, gid: 0, name: null, home: null, shell: null }],
    ["4242:17", { uid: 4242, gid: 17, name: null, home: null, shell: null }],
  ])("resolves %j as the engine does", (user, expected) => {
    expect(resolveUser(user, files)).toEqual(expected);
  });

  it("knows no user of a name without an entry", () => {
    expect(resolveUser("nobody", files)).toBeNull();
    expect(resolveUser("dev:nogroup", files)).toBeNull();
  });

  it("works for an image with no files at all", () => {
    const empty = { passwd: "", group: "" };
    expect(resolveUser("", empty)).toEqual({ uid: 0, gid: 0, name: null, home: null, shell: null });
  });
});

describe("homeOf", () => {
  const user = { uid: 1, gid: 1, name: null, home: "/home/dev", shell: null };

  it("takes the image's HOME, then the passwd entry's", () => {
    expect(homeOf("/srv/me", user)).toBe("/srv/me");
    expect(homeOf(undefined, user)).toBe("/home/dev");
  });

  it("is /home/oneloop where nothing else can be owned", () => {
    expect(homeOf("/", { ...user, home: "/" })).toBe("/home/oneloop");
    expect(homeOf("", { ...user, home: null })).toBe("/home/oneloop");
    expect(homeOf("relative", { ...user, home: "//" })).toBe("/home/oneloop");
  });
});
