/**
 * The service that the page came from: its routes lie beside the page's, whatever prefix a proxy put before them all.
 *
 * @typedef {object} Health
 * @property {"ok" | "starting" | "gone"} status  gone: it did not answer
 * @property {string[]} [labels]  of the model, in its order
 * @property {string} [model]  its tag
 */

const HEALTH_TIMEOUT_MS = 5_000;

/** @returns {Promise<Health>} */
export async function health() {
  try {
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const response = await fetch(new URL("health", document.baseURI), { signal, cache: "no-store" });
    return await response.json();
  } catch {
    return { status: "gone" };
  }
}

/** @returns {URL} */
export function streamUrl() {
  const url = new URL("stream?smoothing=0.5&track=true", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}
