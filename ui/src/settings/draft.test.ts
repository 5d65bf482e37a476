import { expect, it } from "vitest";
import { deviceOptions } from "./draft";

const ids = (options: { id: string }[]) => options.map(({ id }) => id);

it("offers each device once, the system's choice first, and keeps one that is gone", () => {
  const listed = ["a", "b", "a", "default"].map((id) => ({ id, name: id }));
  expect(ids(deviceOptions(listed, "b"))).toEqual(["default", "a", "b"]);
  expect(ids(deviceOptions(listed, "gone"))).toEqual(["default", "a", "b", "gone"]);
});
