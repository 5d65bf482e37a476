const PLACES = /^(code|server|camera|microphone|speaker|iceServers\.\d+\.(urls|username|credential))$/;

/** Whether a form shows what is wrong with a field at the field itself; anything else is said on its own. */
export function hasPlace(field: string | null): boolean {
  return field !== null && PLACES.test(field);
}
