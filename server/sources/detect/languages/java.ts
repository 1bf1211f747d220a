import type { Detector, Finding, FilePlace, Reason } from "../finding.ts";
import type { Project } from "../tree.ts";
import { compare, imageVersions, parseVersion } from "../versions.ts";
import { askedVersion, managerFiles, type Wanted } from "./asked.ts";
import { miseInstall } from "./mise.ts";
import { offer } from "./offering.ts";

/** Where programs that ask for JAVA_HOME find the one that mise installed. */
const javaHome = "/home/dev/.local/share/java";

const reads = [...managerFiles, ".java-version", ".sdkmanrc"];

export const maven: Detector = {
  name: "Java with Maven",
  language: true,
  marks: ["pom.xml"],
  reads,
  detect(project) {
    const file = project.first(["pom.xml"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Maven" };
    const wrapper = project.first(["mvnw"]);
    const mvn = wrapper === null ? "mvn" : "sh ./mvnw";
    const spring = file.find(/<artifactId>spring-boot-maven-plugin<\/artifactId>/);
    const springReason = spring === null ? null : { at: spring.at, why: "Spring Boot" };
    return {
      ...jdk(project, {
        reason,
        builder: wrapper === null ? "maven" : null,
        oldest: file.find(
          /<(?:maven\.compiler\.(?:source|release)|java\.version)>\s*(?:1\.)?(\d+)/,
        ),
      }),
      commands: [
        ...(springReason === null ? [] : [offer("run", `${mvn} spring-boot:run`, springReason)]),
        offer("test", `${mvn} test`, reason),
        offer("build", `${mvn} package`, reason),
      ],
      ports: springReason === null ? [] : [{ port: 8080, reason: springReason }],
    };
  },
};

export const gradle: Detector = {
  name: "Java with Gradle",
  language: true,
  marks: ["build.gradle", "build.gradle.kts"],
  reads,
  detect(project) {
    const file = project.first(["build.gradle", "build.gradle.kts"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Gradle" };
    const wrapper = project.first(["gradlew"]);
    const program = wrapper === null ? "gradle" : "sh ./gradlew";
    const spring = file.find(/org\.springframework\.boot/);
    const application = file.find(/\bapplication\b/);
    const springReason = spring === null ? null : { at: spring.at, why: "Spring Boot" };
    return {
      ...jdk(project, {
        reason,
        builder: wrapper === null ? "gradle" : null,
        oldest: file.find(/(?:JavaLanguageVersion\.of\(|VERSION_(?:1_)?)(\d+)/),
      }),
      commands: [
        ...(springReason !== null
          ? [offer("run", `${program} bootRun`, springReason)]
          : application === null
            ? []
            : [offer("run", `${program} run`, { at: application.at, why: "an application" })]),
        offer("test", `${program} test`, reason),
        offer("build", `${program} build`, reason),
      ],
      ports: springReason === null ? [] : [{ port: 8080, reason: springReason }],
    };
  },
};

/** The JDK, and the program that builds, where the project does not bring it. */
function jdk(
  project: Project,
  {
    reason,
    builder,
    oldest,
  }: {
    readonly reason: Reason;
    readonly builder: string | null;
    /** Of the build file, the oldest Java that will do: its first group is the number. */
    readonly oldest: { readonly match: RegExpExecArray; readonly at: FilePlace } | null;
  },
): Pick<Finding, "packages" | "setUp" | "env" | "leftOut"> {
  const wanted = pinnedJava(project) ?? { pinned: newerThan(imageVersions.java, oldest) };
  const other = miseInstall(
    { tool: "java", name: "Java", debian: imageVersions.java, link: javaHome },
    wanted.pinned,
  );
  const [first] = other.setUp;
  return {
    packages: [
      ...(first === undefined ? [{ name: "default-jdk-headless", reason }] : []),
      ...(builder === null ? [] : [{ name: builder, reason }]),
    ],
    env: first === undefined ? [] : [{ name: "JAVA_HOME", value: javaHome, reason: first.reason }],
    ...other,
  };
}

/** What the version managers' files say; null where they say nothing. */
function pinnedJava(project: Project): { readonly pinned: Wanted | null } | null {
  const asked = askedVersion(
    project,
    ["java"],
    [
      [".sdkmanrc", /^java=(\S+)/m],
      [".java-version", /^[ \t]*([^\s#]+)/m],
    ],
  );
  if (asked === null) return null;
  if (asked.text === "system") return { pinned: null };
  const said = asked.at.file.endsWith(".sdkmanrc") ? ofSdkman(asked.text) : asked.text;
  // `1.8` is how Java was counted before 9; jenv writes `openjdk64-21.0.2`.
  const version = said.replace(/^([a-z]+)64-/, "$1-").replace(/(^|-)1\.(?=[5-8]\b)/, "$1");
  const [, maker, major] = /^([a-z][a-z0-9-]*?-)?(\d{1,3})(?:[.+_-][\w.+-]*)?$/.exec(version) ?? [];
  if (major === undefined) return { pinned: { ...asked, version: null } };
  const fits = compare(imageVersions.java, [Number(major)]) === 0 && !ownMachine.test(maker ?? "");
  if (fits) return { pinned: null };
  const ofMise = /\.(?:toml|tool-versions)$/.test(asked.at.file);
  return {
    pinned: { ...asked, version: maker === undefined && !ofMise ? `${usual}-${version}` : version },
  };
}

/** Builds of OpenJDK that go on being mended, for those who name no maker. */
const usual = "temurin";

/** Makers whose virtual machine is another than Debian's. */
const ownMachine = /graal|mandrel|nik|semeru|openj9|dragonwell/;

/** The names that SDKMAN has for makers, as mise has them. */
const makers: Readonly<Record<string, string>> = {
  amzn: "corretto",
  albba: "dragonwell",
  graalce: "graalvm-community",
  librca: "liberica",
  ms: "microsoft",
  open: "openjdk",
  sapmchn: "sapmachine",
  sem: "semeru-openj9",
  tem: "temurin",
};

/** `21.0.4-tem` is Temurin's 21.0.4. Of Zulu mise tells the major versions apart. */
function ofSdkman(text: string): string {
  const [, version = text, short] = /^([\d.]+)[\w.+-]*-([a-z]+)$/.exec(text) ?? [];
  if (short === undefined) return text;
  const maker = makers[short] ?? short;
  return `${maker}-${maker === "zulu" ? version.replace(/\..*$/, "") : version}`;
}

function newerThan(
  have: readonly number[],
  oldest: { readonly match: RegExpExecArray; readonly at: FilePlace } | null,
): Wanted | null {
  const text = oldest?.match[1] ?? "";
  const version = parseVersion(text);
  if (oldest === null || version === null || compare(have, version) >= 0) return null;
  return { text, at: oldest.at, version: `${usual}-${text}` };
}
