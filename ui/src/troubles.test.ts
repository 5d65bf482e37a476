import { render, screen } from "@testing-library/svelte";
import { beforeAll, describe, expect, it } from "vitest";
import App from "./App.svelte";
import { FakeBackend } from "./backend/fake";
import { idle, scenes } from "./backend/scenes";
import { Model } from "./model.svelte";

beforeAll(() => {
  // The page has no graphics here; the canvases then only count.
  HTMLCanvasElement.prototype.getContext = () => null;
});

async function open(scene: string, guestOf: string | null = null): Promise<FakeBackend> {
  const backend = new FakeBackend(scenes[scene] ?? idle, guestOf);
  render(App, { model: new Model(backend) });
  await screen.findByRole("main");
  return backend;
}

describe("what goes wrong is said in words", () => {
  it("names a server that isn't there, and that it is tried again", async () => {
    await open("unreachable");
    expect(screen.getByRole("main").textContent).toContain("nothing listens there. Trying again…");
  });

  it("says since when a connection is lost, and whose it is", async () => {
    await open("reconnecting");
    const main = screen.getByRole("main").textContent;
    expect(main).toContain("Connection lost. Trying to get it back…");
    expect(main).toContain("Your network seems to be down.");
    expect(main).toContain("For 0:08");
  });

  it("says that a call goes on without its server", async () => {
    await open("no-server");
    expect(screen.getByRole("main").textContent).toContain("Signalling server unreachable; your call goes on.");
  });
});

describe("where there is no picture", () => {
  it("the figures say that their camera is off, and not the last size", async () => {
    await open("muted");
    screen.getByRole("button", { name: /Quality good/ }).click();
    const details = (await screen.findByRole("region", { name: "Call quality" })).textContent;
    expect(details).toContain("Their camera is off");
    expect(details).not.toContain("1280");
  });

  it("one sentence says that no codec is shared, whatever the camera does", async () => {
    const backend = await open("no-codec");
    const sentence = /share no video codec. Sound goes on./;
    expect(screen.getAllByText(sentence)).toHaveLength(1);
    expect(screen.queryByText("Waiting for the picture")).toBeNull();
    screen.getByRole("button", { name: /Quality good/ }).click();
    expect(await screen.findByText("No codec in common")).toBeTruthy();
    backend.emit({ remote: { ...backend.view.call.remote, camera: false } });
    await Promise.resolve();
    // In place of the picture, and of the praise for it.
    expect(screen.getAllByText(sentence)).toHaveLength(2);
  });
});

describe("figures and reports", () => {
  it("shows the reason first and all figures on request", async () => {
    const backend = await open("slow");
    screen.getByRole("button", { name: /Quality poor/ }).click();
    const details = await screen.findByRole("region", { name: "Call quality" });
    expect(details.textContent).toContain("Your network is slow: 140 kb/s.");
    expect(details.textContent).not.toContain("Way out carries");
    screen.getByRole("button", { name: "All figures" }).click();
    expect(await screen.findByText("140 kb/s, less than wanted")).toBeTruthy();
    expect(details.textContent).toContain("4 times");
    screen.getByRole("button", { name: "Save a report" }).click();
    expect(await screen.findByText(/visavis-report-1/)).toBeTruthy();
    expect(backend.asked).toContain("saveReport false");
  });

  it("tells what the other side, the relay and the server know", async () => {
    await open("slow");
    screen.getByRole("button", { name: /Quality poor/ }).click();
    (await screen.findByRole("button", { name: "All figures" })).click();
    const knowledge = (await screen.findByRole("region", { name: "Who knows what" })).textContent;
    expect(knowledge).toContain("Was told your addresses");
    expect(knowledge).toContain("There is none");
    expect(knowledge).not.toContain("The relay");
  });

  it("leaves addresses out of a report unless they are asked for", async () => {
    const backend = await open("ended");
    screen.getByText("Save a report", { selector: "summary" }).click();
    (await screen.findByRole("switch", { name: "Include addresses and the code" })).click();
    screen.getByRole("button", { name: "Save a report" }).click();
    expect(await screen.findByText(/visavis-report-1/)).toBeTruthy();
    expect(backend.asked).toContain("saveReport true");
  });
});

it("saves how sound is processed", async () => {
  const backend = await open("idle");
  screen.getByRole("button", { name: "Settings" }).click();
  (await screen.findByRole("switch", { name: "Remove echo" })).click();
  const noise: HTMLSelectElement = screen.getByLabelText("Reduce noise");
  noise.value = "high";
  noise.dispatchEvent(new Event("change", { bubbles: true }));
  screen.getByRole("button", { name: "Save" }).click();
  await screen.findByRole("button", { name: "Start a call" });
  const { removeEcho, reduceNoise, evenLoudness } = backend.view.settings;
  expect([removeEcho, reduceNoise, evenLoudness]).toEqual([false, "high", true]);
});

describe("hiding one's address", () => {
  it("holds for the calls that follow, and leaves the settings alone", async () => {
    const backend = await open("with-server");
    screen.getByRole("switch", { name: "Hide my address" }).click();
    screen.getByRole("button", { name: "Start a call" }).click();
    expect(backend.asked).toContain("startCall relayOnly");
    expect(backend.view.settings.relayOnly).toBe(false);
  });

  it("is the same for a guest, for as long as the page stands", async () => {
    const backend = await open("with-server", "calls.example.org");
    screen.getByRole("switch", { name: "Hide my address" }).click();
    screen.getByRole("button", { name: "Start a call" }).click();
    expect(backend.asked).toContain("startCall relayOnly");
    backend.emit({ phase: { kind: "idle" } });
    expect((await screen.findByRole("switch", { name: "Hide my address" })).getAttribute("aria-checked")).toBe("true");
  });

  it.each([null, "calls.example.org"])("is told among who knows what (guest of %s)", async (guestOf) => {
    await open("hidden", guestOf);
    screen.getByRole("button", { name: /Quality good/ }).click();
    (await screen.findByRole("button", { name: "All figures" })).click();
    const knowledge = (await screen.findByRole("region", { name: "Who knows what" })).textContent;
    expect(knowledge).toContain("Knows the relay's address and not yours.");
    expect(knowledge).toContain("The relay");
  });
});

describe("what comes after a call", () => {
  it("begins a new call after one that connected, as its code is used up", async () => {
    const backend = await open("ended");
    expect(document.activeElement).toBe(screen.getByRole("main"));
    expect(screen.queryByRole("button", { name: "Open settings" })).toBeNull();
    screen.getByRole("button", { name: "New call" }).click();
    expect(backend.asked).toContain("startCall");
  });

  it("asks the same person again while they are there", async () => {
    const backend = await open("may-call-again");
    screen.getByRole("button", { name: "Call again" }).click();
    expect(backend.asked).toContain("again");
  });

  it.each([
    ["Join", "again"],
    ["Done", "dismiss"],
  ])("says that the other person asks, and takes %s for an answer", async (button, command) => {
    const backend = await open("asked-again");
    expect(screen.getByText("The other person wants to call again.")).toBeTruthy();
    screen.getByRole("button", { name: button }).click();
    expect(backend.asked).toContain(command);
  });

  it("waits for a yes, and can be cancelled", async () => {
    const backend = await open("awaiting-again");
    expect(screen.getByText("The other person has been asked…")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Call again" })).toBeNull();
    screen.getByRole("button", { name: "Cancel" }).click();
    expect(backend.asked).toContain("dismiss");
  });

  it("tries the same again after one that didn't, and leads to what would help", async () => {
    const backend = await open("failed");
    screen.getByRole("button", { name: "Open settings" }).click();
    await screen.findByRole("textbox", { name: "Server address" });
    expect(screen.queryByText(/Devices and sound change at once/)).toBeNull();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    screen.getByRole("button", { name: "Try again" }).click();
    expect(backend.asked).toContain("again");
  });
});
