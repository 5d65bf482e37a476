import { takeFragment } from "./guest/fragment";

// Before anything else runs: the words have no place in an address, a history or a report of an error.
const code = takeFragment();

import { mount } from "svelte";
import { version } from "../package.json";
import App from "./App.svelte";
import { BrowserBackend } from "./backend/browser";
import { Model } from "./model.svelte";
import "./styles/base.css";

const target = document.getElementById("app");
if (target !== null) {
  const model = new Model(new BrowserBackend(location, version));
  model.typedCode = code;
  mount(App, { target, props: { model } });
  // Another link, pasted over this one.
  window.addEventListener("hashchange", () => {
    const next = takeFragment();
    if (next !== "") model.typedCode = next;
  });
}
