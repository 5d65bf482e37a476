import { expect, it } from "vitest";
import { takeFragment } from "./fragment";

it("the code is taken out of the address at once", () => {
  history.replaceState(null, "", "/guest?x=1#4827-tulip%20orbit");
  expect(takeFragment()).toBe("4827-tulip orbit");
  expect(location.href).toMatch(/\/guest\?x=1$/);
  expect(takeFragment()).toBe("");
});

it("what isn't encoded as an address is taken as it is", () => {
  history.replaceState(null, "", "/#%E0%A4%A");
  expect(takeFragment()).toBe("%E0%A4%A");
});
