// What the browser keeps for us: the place may be closed, then nothing is kept.

/** Reads or, with a value, writes a key of a storage; `null` removes it. */
export function store(storage, key, value) {
  try {
    const place = globalThis[storage];
    if (value === undefined) return place.getItem(key);
    if (value === null) place.removeItem(key);
    else place.setItem(key, value);
  } catch {
    return null;
  }
  return value;
}
