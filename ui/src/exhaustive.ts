/** The end of a `switch` over every variant: a variant without a case no longer compiles. */
export function exhaustive(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
