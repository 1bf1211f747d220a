/**
 * Installs programs from npm into a folder of the home volume, with links where every shell finds
 * them. Not by `sudo npm`: that has neither the user's settings nor the certificates that Node.js is
 * told of.
 */
export function npmProgram(wanted: {
  readonly folder: string;
  readonly packages: readonly string[];
  readonly programs: readonly string[];
}): string {
  const prefix = `"$HOME/.local/share/${wanted.folder}"`;
  const links = wanted.programs.map((name) => `${prefix}/bin/${name}`).join(" ");
  return `npm install --global --prefix ${prefix} ${wanted.packages.join(" ")} && sudo ln -sf ${links} /usr/local/bin/`;
}
