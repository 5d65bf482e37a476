import { describe, expect, it } from "vitest";
import type { KeychainView, PasswordPlace } from "../bindings/view";
import { deviceOptions, newIceServer, passwordHint } from "./draft";

const ids = (options: { id: string }[]) => options.map(({ id }) => id);

it("offers each device once, the system's choice first, and keeps one that is gone", () => {
  const listed = ["a", "b", "a", "default"].map((id) => ({ id, name: id }));
  expect(ids(deviceOptions(listed, "b"))).toEqual(["default", "a", "b"]);
  expect(ids(deviceOptions(listed, "gone"))).toEqual(["default", "a", "b", "gone"]);
});

describe("beside a password it says where it is kept", () => {
  const relay = { urls: ["turn:x"], username: "ada", credential: "", kept: "a" };
  const hint = (keychain: Partial<KeychainView>, place?: PasswordPlace, credential = "") =>
    passwordHint(
      { state: "usable", problem: null, passwords: place === undefined ? [] : [{ name: "a", place }], ...keychain },
      newIceServer({ ...relay, credential }),
    );
  const locked = { state: "unusable", problem: "It is locked." } as const;

  it("for one that is kept", () => {
    expect(hint({}, "keychain")).toBe("Kept in this computer's keychain.");
    expect(hint({}, "missing")).toContain("Enter it again");
    expect(hint(locked, "unread")).toContain("It is locked. It has the password");
    expect(hint(locked, "file")).toContain("It is locked. The password is kept in the settings file");
    expect(hint({ state: "asking" }, "unread")).toContain("Waiting");
  });

  it("for one that is typed", () => {
    expect(hint({}, undefined, "typed")).toBe("Kept in this computer's keychain.");
    expect(hint({}, "file", "typed")).toBe("Kept in this computer's keychain.");
    expect(hint(locked, "keychain", "typed")).toContain("in the settings file");
    expect(hint({ state: "waiting" }, "keychain", "typed")).toContain("Waiting");
    expect(hint({ state: "asking" }, undefined, "typed")).toBeUndefined();
  });
});
