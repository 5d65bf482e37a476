import { fileURLToPath } from "node:url";
import svelte from "eslint-plugin-svelte";
import { defineConfig } from "eslint/config";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

const root = fileURLToPath(new URL(".", import.meta.url));

export default defineConfig(
  { ignores: ["dist/", "dist-fake/", "dist-guest/", "src/bindings/"] },
  ts.configs.strictTypeChecked,
  svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: root, extraFileExtensions: [".svelte"] },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { allowDefaultCaseForExhaustiveSwitch: true, requireDefaultForNonUnion: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "max-lines": ["warn", 400],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: { "max-lines": ["error", 150], "prefer-const": "off" },
  },
  {
    // One door to the shell, so that the rest runs in any browser.
    files: ["src/**"],
    ignores: ["src/backend/tauri.ts"],
    rules: { "no-restricted-imports": ["error", { patterns: ["@tauri-apps/*"] }] },
  },
  {
    // The screens hold no call logic: what runs a call in a browser is behind the backend that uses it.
    files: ["src/**"],
    ignores: ["src/guest/**", "src/guest.ts", "src/backend/browser.ts", "src/backend/tauri.ts", "src/kit/**"],
    rules: { "no-restricted-imports": ["error", { patterns: ["@tauri-apps/*", "**/guest/*"] }] },
  },
  {
    // The kit knows nothing of calls.
    files: ["src/kit/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: ["@tauri-apps/*", "**/bindings/*", "**/backend/*", "**/start/*", "**/call/*", "**/settings/*"] },
      ],
    },
  },
  { files: ["*.js", "*.ts"], ...ts.configs.disableTypeChecked },
);
