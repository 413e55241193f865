/**
 * Frames of a source, made ready to be sent.
 *
 * @typedef {object} Frame
 * @property {Blob} jpeg
 * @property {number} width  pixels
 * @property {number} height  pixels
 * @property {number} at  when it was taken, in ms of performance.now()
 */

const JPEG_QUALITY = 0.8;
/** Pixels. A stream is to be quick; a picture is sent once, and its faces may be small. */
const LONG_SIDE = { video: 640, picture: 1280 };
/** For browsers without requestVideoFrameCallback. */
const FALLBACK_INTERVAL_MS = 33;

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });

/**
 * Sends a source's newest frame whenever the stream takes one, until the stream is closed.
 *
 * @param {import("./source.js").Source} source
 * @param {import("./stream.js").Stream} stream
 */
export async function pump({ element, still }, stream) {
  while (await stream.free()) {
    if (!still) {
      await nextFrame(element);
    }
    stream.send(await capture(element, still ? LONG_SIDE.picture : LONG_SIDE.video));
  }
}

/**
 * Its size in its own pixels.
 *
 * @param {HTMLVideoElement | HTMLImageElement} element
 * @returns {{width: number, height: number}}
 */
export function sizeOf(element) {
  return element instanceof HTMLVideoElement
    ? { width: element.videoWidth, height: element.videoHeight }
    : { width: element.naturalWidth, height: element.naturalHeight };
}

/**
 * Resolves when the video shows a frame that it has not shown yet.
 *
 * @param {HTMLVideoElement} video
 */
function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback(resolve);
    } else {
      setTimeout(resolve, FALLBACK_INTERVAL_MS);
    }
  });
}

/**
 * @param {HTMLVideoElement | HTMLImageElement} element
 * @param {number} longSide  pixels, at most
 * @returns {Promise<Frame>}
 */
async function capture(element, longSide) {
  const at = performance.now();
  const { width, height } = sizeOf(element);
  const scale = Math.min(1, longSide / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  context.drawImage(element, 0, 0, canvas.width, canvas.height);
  const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  return { jpeg, width: canvas.width, height: canvas.height, at };
}
