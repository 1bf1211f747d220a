import type { ISearchOptions } from "@xterm/addon-search";
import type { ITheme } from "@xterm/xterm";
import type { Theme } from "../lib/theme.ts";

const dark: ITheme = {
  background: "#100f0e",
  foreground: "#e9e5de",
  cursor: "#ff8a5c",
  cursorAccent: "#100f0e",
  selectionBackground: "#6b3a2299",
  scrollbarSliderBackground: "#f1eee81f",
  scrollbarSliderHoverBackground: "#f1eee83d",
  scrollbarSliderActiveBackground: "#f1eee85c",
  black: "#262421",
  red: "#ff8577",
  green: "#63d391",
  yellow: "#f0b84d",
  blue: "#7fb0ff",
  magenta: "#d9a0f5",
  cyan: "#6fd3d6",
  white: "#d6d0c6",
  brightBlack: "#857d72",
  brightRed: "#ffa79c",
  brightGreen: "#93e5b3",
  brightYellow: "#f8d183",
  brightBlue: "#aacaff",
  brightMagenta: "#e8c4fb",
  brightCyan: "#a0e6e8",
  brightWhite: "#fbf9f5",
};

const light: ITheme = {
  background: "#fbfaf8",
  foreground: "#242220",
  cursor: "#c2410c",
  cursorAccent: "#fbfaf8",
  selectionBackground: "#f6cdb899",
  scrollbarSliderBackground: "#1c1b191f",
  scrollbarSliderHoverBackground: "#1c1b193d",
  scrollbarSliderActiveBackground: "#1c1b195c",
  black: "#242220",
  red: "#b42318",
  green: "#1c7344",
  yellow: "#8a5a00",
  blue: "#1f5fc4",
  magenta: "#8a3fb3",
  cyan: "#0b6f78",
  white: "#6e675d",
  brightBlack: "#7b7469",
  brightRed: "#cf3a2d",
  brightGreen: "#258a54",
  brightYellow: "#9f6b05",
  brightBlue: "#3574de",
  brightMagenta: "#a155cc",
  brightCyan: "#12838d",
  brightWhite: "#4a453e",
};

export function palette(theme: Theme): ITheme {
  return theme === "dark" ? dark : light;
}

/** All places that a search found, and the present one. The addon takes `#RRGGBB` only. */
export function searchColors(theme: Theme): NonNullable<ISearchOptions["decorations"]> {
  return theme === "dark"
    ? {
        matchBackground: "#4a3a1a",
        matchOverviewRuler: "#f0b84d",
        activeMatchBackground: "#8a5a00",
        activeMatchColorOverviewRuler: "#ff8a5c",
      }
    : {
        matchBackground: "#f5d58a",
        matchOverviewRuler: "#8a5a00",
        activeMatchBackground: "#f0b84d",
        activeMatchColorOverviewRuler: "#c2410c",
      };
}
