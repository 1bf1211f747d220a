import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    // Inlined assets would be `data:` URLs, which the content security policy refuses.
    assetsInlineLimit: 0,
    // The first versions that have `light-dark()`, which carries both themes.
    target: ["chrome123", "firefox120", "safari17.5"],
    // xterm.js is half of this; it is loaded with the workspace's page only.
    chunkSizeWarningLimit: 700,
  },
});
