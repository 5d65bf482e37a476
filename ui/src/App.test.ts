import { render, screen, waitFor } from "@testing-library/svelte";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { tick } from "svelte";
import App from "./App.svelte";
import { FakeBackend } from "./backend/fake";
import { checkedServers, idle, scenes } from "./backend/scenes";
import type { AppView } from "./bindings/view";
import { Model } from "./model.svelte";
import { clock, duration } from "./text";

beforeAll(() => {
  // The page has no graphics here; the canvases then only count.
  HTMLCanvasElement.prototype.getContext = () => null;
});

async function open(view: AppView): Promise<FakeBackend> {
  const backend = new FakeBackend(view);
  render(App, { model: new Model(backend) });
  await screen.findByRole("main");
  return backend;
}

function press(key: string, target: Element = document.body) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}

function type(field: HTMLElement, value: string) {
  (field as HTMLInputElement).value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

describe("every view has its screen", () => {
  const expected: Record<string, string> = {
    idle: "Visavis",
    "with-server": "Visavis",
    preparing: "Reaching the server",
    unreachable: "Reaching the server",
    machine: "Give this code to the other person",
    waiting: "Give this code to the other person",
    "sound-only": "Give this code to the other person",
    private: "Give this code to the other person",
    "no-devices": "Give this code to the other person",
    words: "Give this code to the other person",
    knocking: "Give this code to the other person",
    joining: "Looking for the other person",
    "in-line": "Looking for the other person",
    connecting: "Connecting",
    connected: "Call",
    muted: "Call",
    "no-codec": "Call",
    hidden: "Call",
    notice: "Call",
    reconnecting: "Call",
    "no-server": "Call",
    slow: "Call",
    ended: "Call ended",
    "may-call-again": "Call ended",
    "asked-again": "Call ended",
    "awaiting-again": "Call ended",
    failed: "Call ended",
    "no-such-room": "Visavis",
    "wrong-words": "Visavis",
    burnt: "Call ended",
    guessed: "Give this code to the other person",
    servers: "Visavis",
  };
  it.each(Object.entries(scenes))("%s", async (name, view) => {
    await open(view);
    expect(screen.getByRole("main").getAttribute("aria-label")).toBe(expected[name]);
    for (const control of document.querySelectorAll("button, input, select")) {
      const labels = control instanceof HTMLButtonElement ? [] : [...((control as HTMLInputElement).labels ?? [])];
      const spoken = control.getAttribute("aria-label") ?? control.getAttribute("aria-labelledby");
      expect(spoken ?? (control.textContent + labels.map((label) => label.textContent).join("")).trim()).not.toBe("");
    }
  });
});

describe("start", () => {
  it("starts a call", async () => {
    const backend = await open(idle);
    screen.getByRole("button", { name: "Start a call" }).click();
    expect(backend.asked).toContain("startCall");
  });

  it("has the code field in focus and joins with what is typed", async () => {
    const backend = await open(idle);
    const field = screen.getByRole("textbox", { name: "Code" });
    expect(document.activeElement).toBe(field);
    type(field, " 4827 Tulip orb");
    screen.getByRole("button", { name: "Join" }).click();
    expect(backend.asked).toContain("joinCall 4827-tulip-orbit");
  });

  it("says at the field what is wrong with it, until it is changed", async () => {
    const backend = await open(idle);
    const field = screen.getByRole("textbox", { name: "Code" });
    type(field, "12");
    screen.getByRole("button", { name: "Join" }).click();
    expect((await screen.findByRole("alert")).textContent).toContain("at least four digits");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    type(field, "4827-tulip-orbit");
    await waitFor(() => {
      expect(screen.queryByRole("alert")).toBeNull();
    });
    backend.refuse = { code: "no-such-room", text: "No one is waiting on 4827.", field: "code" };
    screen.getByRole("button", { name: "Join" }).click();
    expect((await screen.findByRole("alert")).textContent).toContain("No one is waiting");
  });

  it("completes a word by Tab once it is certain, and names those that fit before", async () => {
    await open(idle);
    const field = screen.getByRole("textbox", { name: "Code" });
    type(field, "4827 tul");
    await screen.findByText("Press Tab for tulip.");
    press("Tab", field);
    await waitFor(() => {
      expect((field as HTMLInputElement).value).toBe("4827 tulip-");
    });
    type(field, "4827 tulip-ox");
    await screen.findByText("oxbow · oxygen");
  });

  it("says what is wrong with a word, and which was meant", async () => {
    await open(idle);
    type(screen.getByRole("textbox", { name: "Code" }), "4827-tulpi-orbit");
    screen.getByRole("button", { name: "Join" }).click();
    expect((await screen.findByRole("alert")).textContent).toContain("Did you mean tulip?");
  });

  it("shows wrong words beside the field, and asks for them again", async () => {
    await open(scenes["wrong-words"] ?? idle);
    expect(screen.getByRole("alert").textContent).toContain("No one is waiting under this code");
  });

  it("shows a code that the server didn't know beside the field", async () => {
    await open(scenes["no-such-room"] ?? idle);
    expect(screen.getByRole("alert").textContent).toContain("No one is waiting on 4827");
  });

  it("shows a refusal of no field on its own, in plain words whatever was thrown", async () => {
    const backend = await open(idle);
    backend.refuse = new TypeError("x is undefined");
    screen.getByRole("button", { name: "Start a call" }).click();
    expect((await screen.findByRole("alert")).textContent).toContain("Something went wrong inside the app");
    screen.getByRole("button", { name: "Close message" }).click();
    await waitFor(() => {
      expect(screen.queryByRole("alert")).toBeNull();
    });
  });
});

describe("waiting", () => {
  it("shows the code, copies it and says so", async () => {
    const backend = await open(scenes["waiting"] ?? idle);
    expect(screen.getByRole("img", { name: "Code 4 8 2 7, tulip, orbit" }).textContent).toBe("4827tuliporbit");
    screen.getByRole("button", { name: "Copy code" }).click();
    await screen.findByRole("button", { name: "Copied" });
    expect(backend.asked).toContain("copyText 4827-tulip-orbit");
  });

  it("tells of a wrong guess in plain words", async () => {
    await open(scenes["guessed"] ?? idle);
    expect(document.body.textContent).toContain("words that don't match");
    expect(document.body.textContent).toContain("2 tries are left");
  });

  it("offers a new call where a code is burnt", async () => {
    const backend = await open(scenes["burnt"] ?? idle);
    screen.getByRole("button", { name: "New call" }).click();
    expect(backend.asked).toContain("startCall");
  });

  it("offers a longer code where a network may find nobody", async () => {
    const backend = await open(scenes["waiting"] ?? idle);
    expect(screen.getByRole("note").textContent).toContain("4827-tulip-orbit@192.168.1.7:7880");
    screen.getByRole("button", { name: "Copy it" }).click();
    await screen.findByRole("button", { name: "Copied" });
    expect(backend.asked).toContain("copyText 4827-tulip-orbit@192.168.1.7:7880");
  });

  it("says that no server is set, and leads to it", async () => {
    await open(scenes["machine"] ?? idle);
    screen.getByRole("button", { name: "Open settings" }).click();
    await screen.findByRole("textbox", { name: "Server address" });
  });

  it("shows what the other will see, and both can be turned off before they come", async () => {
    const backend = await open(scenes["waiting"] ?? idle);
    expect(screen.getByRole("img", { name: "You" })).toBeTruthy();
    screen.getByRole("switch", { name: "Microphone" }).click();
    press("v");
    await waitFor(() => {
      expect(screen.queryByRole("img", { name: "You" })).toBeNull();
    });
    expect(screen.getByRole("switch", { name: "Camera" }).getAttribute("aria-checked")).toBe("false");
    expect(backend.asked).toEqual(["getView", "setMicrophone false", "setCamera false"]);
  });

  it("tells a joiner how long the line is", async () => {
    const backend = await open(scenes["in-line"] ?? idle);
    expect(screen.getByText("2 people are before you.")).toBeTruthy();
    backend.emit({ phase: { kind: "joining", code: "4827-tulip-orbit", ahead: 1 } });
    await screen.findByText("1 person is before you.");
    backend.emit({ phase: { kind: "joining", code: "4827-tulip-orbit", ahead: 0 } });
    await screen.findByText("Code 4827 tulip orbit");
    expect(screen.getByRole("switch", { name: "Camera" })).toBeTruthy();
  });

  it("is left by Escape", async () => {
    const backend = await open(scenes["waiting"] ?? idle);
    press("Escape");
    expect(backend.asked).toContain("hangUp");
  });
});

describe("in a call", () => {
  it("switches say their state, and keys do what they do", async () => {
    const backend = await open(scenes["connected"] ?? idle);
    const microphone = screen.getByRole("switch", { name: "Microphone" });
    expect(microphone.getAttribute("aria-checked")).toBe("true");
    press("m");
    await waitFor(() => {
      expect(microphone.getAttribute("aria-checked")).toBe("false");
    });
    press("v");
    await waitFor(() => {
      expect(screen.queryByRole("img", { name: "You" })).toBeNull();
    });
    press("Escape");
    expect(backend.asked.filter((asked) => asked !== "getView")).toEqual(["setMicrophone false", "setCamera false"]);
  });

  it("draws frames and counts them on the canvas", async () => {
    await open(scenes["connected"] ?? idle);
    const canvas = screen.getByRole("img", { name: "The other person" }).querySelector("canvas");
    await waitFor(() => {
      expect(Number(canvas?.dataset["frames"])).toBeGreaterThan(1);
    });
    expect(canvas?.dataset).toMatchObject({ width: "640", height: "360", renderer: "none" });
  });

  it("opens the quality in words", async () => {
    await open(scenes["connected"] ?? idle);
    screen.getByRole("button", { name: "Quality good, call time 4:07" }).click();
    expect((await screen.findByRole("region", { name: "Call quality" })).textContent).toContain("24 ms");
  });

  it("lets a touch that wakes the controls work none of them", async () => {
    const backend = await open(scenes["connected"] ?? idle);
    const hangUp = screen.getByRole("button", { name: "Hang up" });
    const touch = () => {
      hangUp.dispatchEvent(new Event("pointerdown", { bubbles: true }));
      hangUp.dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
    };
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    window.dispatchEvent(new Event("pointermove"));
    vi.advanceTimersByTime(3000);
    await tick();
    expect(screen.getByRole("main").className).toContain("quiet");
    touch();
    expect(backend.asked).not.toContain("hangUp");
    vi.advanceTimersByTime(200);
    touch();
    vi.useRealTimers();
    expect(backend.asked).toContain("hangUp");
  });

  it("says which side dropped", async () => {
    await open(scenes["reconnecting"] ?? idle);
    expect(screen.getByText(/Your network seems to be down/)).toBeTruthy();
  });
});

describe("settings", () => {
  it("give the focus back, and leave no refusal behind", async () => {
    const backend = await open(idle);
    const opener = screen.getByRole("button", { name: "Settings" });
    opener.focus();
    opener.click();
    const field = await screen.findByRole("textbox", { name: "Server address" });
    await waitFor(() => {
      expect(backend.asked).toContain("listDevices");
    });
    backend.refuse = { code: "bad-url", text: "This address has no host.", field: "server" };
    screen.getByRole("button", { name: "Save" }).click();
    await screen.findByRole("alert");
    press("Escape", field);
    await waitFor(() => {
      expect(document.activeElement).toBe(opener);
    });
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("make way for a call that connects, and not for one that comes back", async () => {
    const backend = await open(scenes["machine"] ?? idle);
    screen.getByRole("button", { name: "Open settings" }).click();
    await screen.findByText(/Devices and sound change at once/);
    backend.emit({ phase: { kind: "connected", sinceMs: 0 }, notices: scenes["notice"]?.call.notices ?? [] });
    await waitFor(() => {
      expect(screen.queryByRole("textbox", { name: "Server address" })).toBeNull();
    });
    screen.getByRole("button", { name: "Open settings" }).click();
    await screen.findByRole("textbox", { name: "Server address" });
    backend.emit({ phase: { kind: "reconnecting", sinceMs: 0, lostMs: 0, side: "local" } });
    backend.emit({ phase: { kind: "connected", sinceMs: 0 } });
    await Promise.resolve();
    expect(screen.getByRole("textbox", { name: "Server address" })).toBeTruthy();
  });

  it("ask the servers as they stand in the form, say what came of it, and stop when they are left", async () => {
    const backend = await open(scenes["servers"] ?? idle);
    screen.getByRole("button", { name: "Settings" }).click();
    (await screen.findByRole("button", { name: "Test these servers" })).click();
    await screen.findByRole("button", { name: "Stop" });
    expect(await screen.findAllByRole("img", { name: "Being asked" })).toHaveLength(2);
    backend.tellCheck(checkedServers(["stun:stun.example.org:3478", "turn:turn.example.org:3478"]));
    await screen.findByRole("img", { name: "Can be used" });
    await screen.findByRole("img", { name: "Can't be used" });
    await screen.findByText(/refused the user name/);
    (await screen.findByRole("button", { name: "Test these servers" })).click();
    await screen.findByRole("button", { name: "Stop" });
    press("Escape");
    await waitFor(() => {
      expect(backend.asked).toContain("stopCheck");
    });
  });

  it("are saved as a whole, and a refusal stands at its field", async () => {
    const backend = await open(scenes["servers"] ?? idle);
    screen.getByRole("button", { name: "Settings" }).click();
    const address = await screen.findByRole("textbox", { name: "Address of server 2" });
    type(address, "turn:");
    await waitFor(() => {
      expect(backend.asked).toContain("listDevices");
    });
    backend.refuse = { code: "bad-url", text: "This address has no host.", field: "iceServers.1.urls" };
    screen.getByRole("button", { name: "Save" }).click();
    expect((await screen.findByRole("alert")).textContent).toContain("no host");
    await waitFor(() => {
      expect(document.activeElement).toBe(address);
    });
    type(address, "turn:turn.example.net:3478 turns:turn.example.net:443");
    screen.getByRole("button", { name: "Remove server 1" }).click();
    screen.getByRole("button", { name: "Save" }).click();
    await waitFor(() => {
      expect(screen.queryByRole("textbox", { name: "Server address" })).toBeNull();
    });
    expect(backend.view.settings.iceServers).toEqual([
      {
        urls: ["turn:turn.example.net:3478", "turns:turn.example.net:443"],
        username: "ada",
        credential: "",
        kept: "a",
      },
    ]);
  });

  it("are left by Escape, unsaved, without touching the call beneath", async () => {
    const backend = await open(scenes["machine"] ?? idle);
    screen.getByRole("button", { name: "Open settings" }).click();
    press("Escape", await screen.findByRole("textbox", { name: "Server address" }));
    await waitFor(() => {
      expect(screen.queryByRole("textbox", { name: "Server address" })).toBeNull();
    });
    expect(backend.asked).not.toContain("saveSettings");
    expect(backend.asked).not.toContain("hangUp");
  });
});

it("never swallows a refusal, whatever field it is about", async () => {
  const backend = await open(idle);
  backend.refuse = { code: "too-many-servers", text: "More than 16 servers can't be used.", field: "iceServers" };
  screen.getByRole("button", { name: "Start a call" }).click();
  expect((await screen.findByRole("alert")).textContent).toContain("More than 16 servers");
});

it("writes times as a clock and in words", () => {
  expect(clock(247_000)).toBe("4:07");
  expect(clock(3_729_000)).toBe("1:02:09");
  expect(duration(247_000)).toBe("4 minutes 7 seconds");
  expect(duration(3_600_000)).toBe("1 hour");
  expect(duration(100)).toBe("less than a second");
});
