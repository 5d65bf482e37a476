import { mount } from "svelte";
import App from "./App.svelte";
import type { Backend } from "./backend/backend";
import { Model } from "./model.svelte";
import "./styles/base.css";

/** The shell's window, or, outside it and never in a release, the fake: `?scene=waiting` opens one view of it. */
async function backend(): Promise<Backend> {
  if (import.meta.env.MODE === "production" || "__TAURI_INTERNALS__" in window) {
    return (await import("./backend/tauri")).tauri;
  }
  const { FakeBackend } = await import("./backend/fake");
  const { scenes } = await import("./backend/scenes");
  return new FakeBackend(scenes[new URLSearchParams(location.search).get("scene") ?? "idle"]);
}

const target = document.getElementById("app");
if (target !== null) mount(App, { target, props: { model: new Model(await backend()) } });
