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
    while (this.#list.children.length < faces.length) {
      this.#list.append(makeItem());
    }
    while (this.#list.children.length > faces.length) {
      this.#list.lastChild.remove();
    }
    faces.forEach((face, index) => {
      const item = this.#list.children[index];
      this.#place(item, face.box, frame, mirrored);
      const number = faces.length > 1 ? `${face.track}: ` : "";
      item.firstChild.textContent = `${number}${face.emotion} ${percent(face.probabilities[face.emotion])}`;
    });
  }

  clear() {
    this.#list.replaceChildren();
  }

  #place(item, box, frame, mirrored) {
    const left = mirrored ? frame.width - box.x - box.width : box.x;
    item.style.left = `${(100 * left) / frame.width}%`;
    item.style.top = `${(100 * box.y) / frame.height}%`;
    item.style.width = `${(100 * box.width) / frame.width}%`;
    item.style.height = `${(100 * box.height) / frame.height}%`;
    item.classList.toggle("label-inside", (box.y / frame.height) * this.#list.clientHeight < LABEL_HEIGHT);
    item.classList.toggle("label-leftwards", left + box.width / 2 > (2 / 3) * frame.width);
  }
}

function makeItem() {
  const item = document.createElement("li");
  item.append(document.createElement("span"));
  return item;
}
