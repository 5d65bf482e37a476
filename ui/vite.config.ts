import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

// The window is WebKitGTK, WKWebView or WebView2; the targets are the oldest of each that the app runs on.
export default defineConfig({
  plugins: [svelte(), svelteTesting()],
  clearScreen: false,
  server: { host: "127.0.0.1", port: 5173, strictPort: true, fs: { allow: [".."] } },
  // Nothing is inlined, so that the content security policy needs no `data:`.
  build: {
    outDir: "dist",
    assetsInlineLimit: 0,
    target: ["safari15.5", "chrome105"],
    cssTarget: ["safari15.5", "chrome105"],
  },
  test: { environment: "jsdom", include: ["src/**/*.test.ts"] },
});
