/** The box of each face, with its emotion, over the picture. */

import { percent } from "./messages.js";

/** CSS pixels above a box that its label needs; with less it goes inside. */
const LABEL_HEIGHT = 30;

export class Overlay {
  #list;

  /** @param {HTMLElement} list  lies exactly over the picture, whatever size that is shown in */
  constructor(list) {
    this.#list = list;
  }

  /**
   * @param {import("./stream.js").Face[]} faces  largest first
   * @param {{width: number, height: number}} frame  pixels, which the boxes are measured in
   * @param {boolean} mirrored
   */
  show(faces, frame, mirrored) {
    this.#list.replaceChildren(...faces.map((face) => this.#box(face, frame, mirrored, faces.length > 1)));
  }

  clear() {
    this.#list.replaceChildren();
  }

  #box({ box, emotion, probabilities, track }, frame, mirrored, numbered) {
    const left = mirrored ? frame.width - box.x - box.width : box.x;
    const item = document.createElement("li");
    item.style.left = `${(100 * left) / frame.width}%`;
    item.style.top = `${(100 * box.y) / frame.height}%`;
    item.style.width = `${(100 * box.width) / frame.width}%`;
    item.style.height = `${(100 * box.height) / frame.height}%`;
    item.classList.toggle("label-inside", (box.y / frame.height) * this.#list.clientHeight < LABEL_HEIGHT);
    item.classList.toggle("label-leftwards", left + box.width / 2 > frame.width / 2);
    item.dataset.track = track;

    const label = document.createElement("span");
    label.textContent = `${numbered ? `${track}: ` : ""}${emotion} ${percent(probabilities[emotion])}`;
    item.append(label);
    return item;
  }
}
