import { render, screen, waitFor } from "@testing-library/svelte";
import { expect, it } from "vitest";
import App from "../App.svelte";
import { FakeBackend } from "../backend/fake";
import { idle } from "../backend/scenes";
import { Model } from "../model.svelte";

function type(field: HTMLElement, value: string) {
  (field as HTMLInputElement).value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

it("asks the keychain once somebody has a password to keep, and says what comes of it", async () => {
  const backend = new FakeBackend(idle);
  render(App, { model: new Model(backend) });
  (await screen.findByRole("button", { name: "Settings" })).click();
  (await screen.findByRole("button", { name: "Add a server" })).click();
  const address = await screen.findByRole("textbox", { name: "Address of server 1" });
  expect(backend.asked).not.toContain("askKeychain");
  type(address, "turn:turn.example.org");
  type(await screen.findByLabelText(/Password of server 1/), "typed");
  await waitFor(() => {
    expect(backend.asked.filter((asked) => asked === "askKeychain")).toHaveLength(1);
  });
  backend.tellKeychain({ state: "unusable", problem: "There is no keychain here.", passwords: [] });
  await screen.findByText(/^There is no keychain here\. The password is kept in the settings file/);
});
