/** Every sentence that the page says: what happened, and what to do. */

export const NOTHING = "–";
export const IDLE = "Press Start to ask for the camera, or drop a picture or a video here.";
export const ASKING = "Your browser asks whether this page may use the camera.";
export const OPENING = "Opening the file.";
export const CONNECTING = "Connecting to the server.";
export const LIVE = "Live.";
export const NO_FACE = "No face in view.";
export const STOPPED = "Stopped. Nothing is sent any more.";
export const VIDEO_ENDED = "The video has ended. Play it again, or use the camera.";
export const UNPLUGGED = "The camera was disconnected. Plug it in or choose another, and start again.";
export const SERVER_GONE = "The server cannot be reached. The stream goes on by itself when it is back.";
export const SERVER_STARTING = "The server is starting. The stream begins by itself when it is ready.";
export const NOT_PLAYABLE = "This file is neither a picture nor a video that this browser plays. Choose another one.";

const INSECURE =
  "Browsers give a camera only to pages opened over https or on localhost. " +
  "Open this page that way, or choose a picture or a video.";

/** By the name of getUserMedia's DOMException. */
const CAMERA = {
  NotFoundError: "No camera was found. Plug one in and start again, or choose a picture or a video.",
  NotAllowedError: "This page may not use the camera. Allow it in the browser's settings and start again.",
  NotReadableError: "The camera is in use by another program. Close that one and start again.",
};

/**
 * @param {DOMException} error  from opening the camera
 * @returns {string}
 */
export function cameraTrouble(error) {
  if (!navigator.mediaDevices) {
    return INSECURE;
  }
  return CAMERA[error.name] ?? `The camera could not be opened (${error.name}). Choose another one, or start again.`;
}

/**
 * @param {string} message  the server's
 * @returns {string}
 */
export function refused(message) {
  return `The server refused the stream: ${message || "it gave no reason."} Reload the page to try again.`;
}

/**
 * @param {string} message  the server's
 * @returns {string}
 */
export function frameTrouble(message) {
  return `The server could not read a frame: ${message}`;
}

/**
 * @param {number} count  faces in a picture
 * @returns {string}
 */
export function facesInPicture(count) {
  return count === 0 ? NO_FACE : count === 1 ? "One face in the picture." : `${count} faces in the picture.`;
}

/**
 * @param {number} seconds  until the next try, a whole number
 * @returns {string}
 */
export function nextTry(seconds) {
  return `Trying again in ${seconds} s.`;
}

/**
 * @param {number} share  0 to 1
 * @returns {string}
 */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
