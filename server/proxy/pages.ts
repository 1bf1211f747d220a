/** An answer of Oneloop's own on a port host. */
export interface Notice {
  readonly status: number;
  readonly title: string;
  /** What to do. */
  readonly text: string;
  readonly link?: { readonly href: string; readonly text: string };
}

/** One page without a script, an image or a font of anywhere; light or dark as the browser is. */
export function noticePage({ title, text, link }: Notice): string {
  const anchor =
    link === undefined ? "" : `<p><a href="${escape(link.href)}">${escape(link.text)}</a></p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 20vh auto 0; padding: 0 1.5rem }
h1 { font-size: 1.25rem; font-weight: 600 }
</style>
<h1>${escape(title)}</h1>
<p>${escape(text)}</p>
${anchor}
</html>
`;
}

export function noticeText({ title, text, link }: Notice): string {
  return `${title}\n${text}\n${link === undefined ? "" : `${link.href}\n`}`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
