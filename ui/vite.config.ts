import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

// Two pages out of one source. The window is WebKitGTK, WKWebView or WebView2, and the guest page any browser with WebRTC;
// the targets are the oldest of each that they run on.
const targets = {
  window: { outDir: "dist", target: ["safari15.5", "chrome105"] },
  guest: { outDir: "dist-guest", target: ["safari16.4", "chrome105", "firefox115"] },
};

export default defineConfig(({ mode }) => {
  const { outDir, target } = mode === "guest" ? targets.guest : targets.window;
  return {
    plugins: [svelte(), svelteTesting()],
    clearScreen: false,
    server: { host: "127.0.0.1", port: 5173, strictPort: true, fs: { allow: [".."] } },
    // The guest page may lie anywhere on its host.
    base: mode === "guest" ? "./" : "/",
    // Nothing is inlined, so that the content security policy needs no `data:`.
    build: {
      outDir,
      assetsInlineLimit: 0,
      target,
      cssTarget: target,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: mode === "guest" ? "guest.html" : "index.html" },
    },
    test: { environment: "jsdom", include: ["src/**/*.test.ts"] },
  };
});
