import { ClipboardAddon, type IClipboardProvider } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon, type ISearchOptions } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { currentTheme, onThemeChange } from "../lib/theme.ts";
import {
  TerminalConnection,
  terminalSocketUrl,
  type ConnectionState,
  type TerminalSink,
} from "./connection.ts";
import { linkTarget } from "./links.ts";
import { palette, searchColors } from "./palette.ts";

/** How many places a search found; `index` of the present one, -1 where they are not numbered. */
export interface SearchResults {
  index: number;
  count: number;
}

export interface ViewOptions {
  workspaceId: string;
  terminalId: string;
  /** For links to the workspace's own ports; asked at each click. */
  ports: () => readonly { port: number; url: string }[];
  onState: (state: ConnectionState) => void;
  /** The title that the program in the terminal chose, as it came. */
  onTitle: (title: string) => void;
  /** The user wants out by the keyboard: a terminal takes every other key. */
  onLeave: () => void;
  /** The user wants to search (Ctrl+Shift+F). */
  onSearch: () => void;
  onResults: (results: SearchResults) => void;
  /** A program put text into the clipboard (OSC 52): nobody should have to wonder. */
  onCopied: (characters: number) => void;
}

/** More is no text to paste any more; it also bounds what a program can do to the clipboard. */
const maxCopiedCharacters = 1_000_000;

/** Lines above the screen; about what the supervisor's ring can replay, a few times over. */
const scrollbackLines = 10_000;

/** Undoes whatever state the lost bytes may have left the parser in, then resets the terminal. */
const fullReset = "\u0018\u001bc";

const encoder = new TextEncoder();

/** xterm.js in an element, joined to a terminal of a workspace. */
export class TerminalView implements Disposable {
  readonly #host: HTMLElement;
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon();
  readonly #connection: TerminalConnection;
  readonly #ends: (() => void)[] = [];
  #webgl: WebglAddon | null = null;
  #frame = 0;
  #visible = false;

  constructor(host: HTMLElement, options: ViewOptions) {
    this.#host = host;
    const terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: true,
      disableStdin: true,
      fontFamily: getComputedStyle(host).fontFamily,
      fontSize: 13,
      lineHeight: 1.2,
      macOptionIsMeta: true,
      minimumContrastRatio: 4.5,
      scrollback: scrollbackLines,
      theme: palette(currentTheme()),
    });
    this.#terminal = terminal;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    terminal.loadAddon(this.#search);
    this.#search.onDidChangeResults(({ resultIndex, resultCount }) =>
      options.onResults({ index: resultIndex, count: resultCount }),
    );
    terminal.loadAddon(new ClipboardAddon(undefined, this.#clipboard(options)));
    terminal.loadAddon(
      new WebLinksAddon((event, uri) => {
        event.preventDefault();
        const target = linkTarget(uri, options.ports());
        if (target !== null) window.open(target, "_blank", "noopener,noreferrer");
      }),
    );
    terminal.open(host);
    terminal.attachCustomKeyEventHandler((event) => this.#key(event, options));
    terminal.onTitleChange(options.onTitle);

    this.#connection = new TerminalConnection({
      open: (attach) => new WebSocket(terminalSocketUrl(window.location, options, attach)),
      sink: this.#sink(),
      onState: (state) => {
        // Also keeps xterm.js from answering the queries in a replay.
        terminal.options.disableStdin = state.kind !== "open" || state.readOnly;
        terminal.options.cursorBlink = state.kind === "open";
        options.onState(state);
        if (state.kind === "open") this.fit();
      },
    });
    terminal.onData((data) => this.#connection.send(encoder.encode(data)));
    // Mouse reports of the old kind are bytes, not text.
    terminal.onBinary((data) =>
      this.#connection.send(Uint8Array.from(data, (character) => character.charCodeAt(0))),
    );

    const resized = new ResizeObserver(() => this.fit());
    resized.observe(host);
    this.#ends.push(
      () => resized.disconnect(),
      onThemeChange(() => (terminal.options.theme = palette(currentTheme()))),
    );
    this.#listen(window, "online", () => this.#connection.retryNow());
    this.#listen(document, "visibilitychange", () => {
      if (document.visibilityState === "visible") this.#connection.retryNow();
    });
    // Of several viewers, the one that is looked at sets the size.
    this.#listen(window, "focus", () => this.fit());
  }

  /** Shows or rests the terminal: a hidden one keeps reading but paints nothing. */
  set visible(visible: boolean) {
    this.#visible = visible;
    if (visible) {
      this.#accelerate();
      this.fit();
    } else {
      // Browsers allow about 16 WebGL contexts: only what is seen holds one.
      this.#webgl?.dispose();
      this.#webgl = null;
    }
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Marks all places of a text and goes to one; the empty text takes the marks away. */
  find(text: string, direction: "next" | "previous" | "typing"): void {
    if (text === "") {
      this.endSearch();
      return;
    }
    const search: ISearchOptions = {
      incremental: direction === "typing",
      decorations: searchColors(currentTheme()),
    };
    if (direction === "previous") this.#search.findPrevious(text, search);
    else this.#search.findNext(text, search);
  }

  endSearch(): void {
    this.#search.clearDecorations();
    this.#terminal.clearSelection();
  }

  /** Fills the element at the next frame, and tells the terminal in the workspace. */
  fit(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      if (!this.#visible || this.#host.clientWidth === 0) return;
      this.#fit.fit();
      this.#connection.resize({ cols: this.#terminal.cols, rows: this.#terminal.rows });
    });
  }

  retryNow(): void {
    this.#connection.retryNow();
  }

  [Symbol.dispose](): void {
    cancelAnimationFrame(this.#frame);
    for (const end of this.#ends.splice(0)) end();
    this.#connection[Symbol.dispose]();
    this.#terminal.dispose();
  }

  /**
   * Programs may put text into the clipboard, never read it: what a person copied elsewhere is
   * nothing for a workspace. A replay of old output copies nothing again.
   */
  #clipboard(options: ViewOptions): IClipboardProvider {
    return {
      readText: () => "",
      writeText: async (_selection, text) => {
        const { kind } = this.#connection.state;
        if (kind !== "open" || !this.#visible || !document.hasFocus()) return;
        if (text === "" || text.length > maxCopiedCharacters) return;
        try {
          await navigator.clipboard.writeText(text);
          options.onCopied(text.length);
        } catch {
          // The browser's own rule; the program's text is still on the screen to be selected.
        }
      },
    };
  }

  #sink(): TerminalSink {
    const terminal = this.#terminal;
    return {
      write: (bytes, parsed) => terminal.write(bytes, parsed),
      // Written, not called: it must come after the bytes that still wait to be parsed.
      reset: () => terminal.write(fullReset),
      resize: ({ cols, rows }) => terminal.resize(cols, rows),
    };
  }

  /** The GPU where there is one; the DOM where there is none, or where it was lost. */
  #accelerate(): void {
    if (this.#webgl !== null) return;
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose();
        this.#webgl = null;
      });
      this.#terminal.loadAddon(webgl);
      this.#webgl = webgl;
    } catch {
      this.#webgl = null;
    }
  }

  /** False: xterm.js leaves the key alone. */
  #key(event: KeyboardEvent, options: ViewOptions): boolean {
    if (event.type !== "keydown") return true;
    if (event.ctrlKey && event.key === "F6") {
      event.preventDefault();
      options.onLeave();
      return false;
    }
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault();
      const selection = this.#terminal.getSelection();
      if (selection !== "") void navigator.clipboard?.writeText(selection);
      return false;
    }
    if (event.code === "KeyF") {
      event.preventDefault();
      options.onSearch();
      return false;
    }
    // The browser pastes as plain text, and xterm.js takes it from its own text area.
    return event.code !== "KeyV";
  }

  #listen(target: EventTarget, type: string, listener: () => void): void {
    target.addEventListener(type, listener);
    this.#ends.push(() => target.removeEventListener(type, listener));
  }
}
