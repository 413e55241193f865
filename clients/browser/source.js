/**
 * What frames are taken from: a camera, a video file, or a picture. Each is let go of when its signal aborts.
 *
 * @typedef {object} Source
 * @property {HTMLVideoElement | HTMLImageElement} element  shows it
 * @property {boolean} mirrored  whether it is shown as in a mirror
 * @property {boolean} still  a picture, whose one frame is all there is
 *
 * @typedef {object} Lifetime
 * @property {AbortSignal} signal  its abort lets go of the source; a camera's light goes off
 * @property {() => void} onEnded  called if the source ends by itself
 */

import { NOT_PLAYABLE, cameraTrouble } from "./messages.js";

/** A source that could not be opened; the message is for people. */
export class SourceError extends Error {}

/**
 * @param {HTMLVideoElement} video
 * @param {string} deviceId  empty: whichever the browser prefers
 * @param {Lifetime} lifetime
 * @returns {Promise<Source>}
 */
export async function openCamera(video, deviceId, { signal, onEnded }) {
  const wanted = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({
      video: { ...wanted, width: { ideal: 1280 }, height: { ideal: 720 } },
    });
  } catch (error) {
    throw new SourceError(cameraTrouble(error));
  }
  const [track] = media.getVideoTracks();
  onAbort(signal, () => track.stop());
  signal.throwIfAborted();
  track.addEventListener("ended", onEnded, { signal });
  video.srcObject = media;
  onAbort(signal, () => (video.srcObject = null));
  await video.play();
  return { element: video, mirrored: track.getSettings().facingMode !== "environment", still: false };
}

/**
 * @returns {Promise<MediaDeviceInfo[]>}  their labels are empty until the camera was allowed
 */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput");
}

/**
 * @param {File} file
 * @param {{video: HTMLVideoElement, image: HTMLImageElement}} elements
 * @param {Lifetime} lifetime
 * @returns {Promise<Source>}
 */
export async function openFile(file, { video, image }, { signal, onEnded }) {
  const url = URL.createObjectURL(file);
  onAbort(signal, () => URL.revokeObjectURL(url));
  for (const [element, ready] of [[image, () => image.decode()], [video, () => play(video)]]) {
    element.src = url;
    onAbort(signal, () => unload(element));
    try {
      await ready();
    } catch {
      signal.throwIfAborted();
      continue;
    }
    signal.throwIfAborted();
    element.addEventListener("ended", onEnded, { signal });
    return { element, mirrored: false, still: element === image };
  }
  throw new SourceError(NOT_PLAYABLE);
}

/** @param {HTMLVideoElement} video */
async function play(video) {
  await video.play();
  if (!video.videoWidth) {
    throw new DOMException("There is sound alone in it", "NotSupportedError");
  }
}

/** @param {HTMLVideoElement | HTMLImageElement} element */
function unload(element) {
  element.removeAttribute("src");
  element.load?.(); // a video plays on until then
}

/**
 * @param {AbortSignal} signal
 * @param {() => void} release  called once, now if the signal has aborted already
 */
function onAbort(signal, release) {
  if (signal.aborted) {
    release();
  } else {
    signal.addEventListener("abort", release, { once: true });
  }
}
