/** The page's wiring: what is pressed, chosen and dropped, and what runs because of it. */

import { pump } from "./frames.js";
import * as messages from "./messages.js";
import { health } from "./service.js";
import { SourceError, listCameras, openCamera, openFile } from "./source.js";
import { Stream } from "./stream.js";
import { View } from "./view.js";

const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const view = new View(part);

/** @type {AbortController | null} its abort ends what is shown */
let showing = null;
/** @type {File | null} null: the camera is what Start starts */
let file = null;
let startedBefore = false;

/**
 * Shows a source and what the server says of its frames, until that is ended or ends.
 *
 * @param {string} waiting  said until the source is open
 * @param {(lifetime: import("./source.js").Lifetime) => Promise<import("./source.js").Source>} open
 */
async function begin(waiting, open) {
  end(waiting);
  view.clear();
  startedBefore = true;
  showing = new AbortController();
  const { signal } = showing;
  refreshControls();
  try {
    const source = await open({ signal, onEnded: () => end(file ? messages.VIDEO_ENDED : messages.UNPLUGGED) });
    view.showSource(source);
    follow(source, signal);
  } catch (error) {
    if (signal.aborted) {
      return; // something else was begun meanwhile
    }
    file = null;
    end(error.message);
    if (!(error instanceof SourceError)) {
      throw error;
    }
  }
  await offerCameras();
}

/**
 * Ends what is shown: nothing more is sent.
 *
 * @param {string} sentence  why
 */
function end(sentence) {
  showing?.abort();
  showing = null;
  view.showNothing();
  view.say(sentence);
  refreshControls();
}

/**
 * Streams a source; of a picture, the one frame until it is answered.
 *
 * @param {import("./source.js").Source} source
 * @param {AbortSignal} signal
 */
function follow(source, signal) {
  const listener = {
    onConnecting(ready) {
      view.setModel(ready);
      view.say(messages.CONNECTING);
    },
    onAnswer(answer, frame) {
      view.showAnswer(answer, frame, source);
      if (source.still) {
        stream.close();
      }
    },
    onWaiting(starting, seconds) {
      view.clearFaces();
      view.say(starting ? messages.SERVER_STARTING : messages.SERVER_GONE, seconds);
    },
    onRefused: (message) => end(messages.refused(message)),
  };
  const stream = new Stream(listener, source.still ? 1 : undefined);
  signal.addEventListener("abort", () => stream.close());
  pump(source, stream);
}

function startCamera() {
  file = null;
  begin(messages.ASKING, (lifetime) => openCamera(part.video, part.camera.value, lifetime));
  part.start.focus();
}

/** @param {File | undefined} chosen */
function startFile(chosen) {
  if (chosen) {
    file = chosen;
    begin(messages.OPENING, (lifetime) => openFile(chosen, part, lifetime));
  }
}

function refreshControls() {
  part.start.hidden = part.stage.dataset.shows === "picture";
  part.start.textContent = showing ? "Stop" : file ? "Play again" : startedBefore ? "Start again" : "Start";
  part["use-camera"].hidden = !file;
  part["camera-choice"].hidden = Boolean(file) || part.camera.length === 0;
}

async function offerCameras() {
  const cameras = (await listCameras()).filter(({ deviceId }) => deviceId);
  const chosen = part.video.srcObject?.getVideoTracks()[0].getSettings().deviceId ?? part.camera.value;
  const options = cameras.map(({ label, deviceId }, index) => new Option(label || `Camera ${index + 1}`, deviceId));
  part.camera.replaceChildren(...options);
  part.camera.value = cameras.some(({ deviceId }) => deviceId === chosen) ? chosen : (cameras[0]?.deviceId ?? "");
  refreshControls();
}

part.start.addEventListener("click", () => {
  if (showing) {
    end(messages.STOPPED);
  } else if (file) {
    startFile(file);
  } else {
    startCamera();
  }
});
part["use-camera"].addEventListener("click", startCamera);
part.camera.addEventListener("change", () => showing && startCamera());
part.choose.addEventListener("click", () => part.file.click());
part.file.addEventListener("change", () => {
  startFile(part.file.files[0]);
  part.file.value = "";
});
navigator.mediaDevices?.addEventListener("devicechange", offerCameras);

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  part.stage.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    part.stage.classList.remove("dropping");
  }
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  part.stage.classList.remove("dropping");
  startFile(event.dataTransfer.files[0]);
});

part.host.textContent = location.host;
view.say(messages.IDLE);
const service = await health();
if (service.status === "ok") {
  view.setModel(service);
}
