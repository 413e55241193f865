/** A bar for each emotion; its name has the line's colour and dashes in the chart beside it. */

import { NOTHING, percent } from "./messages.js";
import { colour, dash } from "./palette.js";

const SVG = "http://www.w3.org/2000/svg";

export class Bars {
  #verdict;
  #list;
  /** @type {Map<string, {row: HTMLElement, meter: HTMLElement, fill: HTMLElement, text: HTMLElement}>} by label */
  #rows = new Map();

  /**
   * @param {HTMLElement} verdict  says the emotion
   * @param {HTMLElement} list  gets the bars
   */
  constructor(verdict, list) {
    this.#verdict = verdict;
    this.#list = list;
  }

  /** @param {string[]} labels  of the model, in its order */
  setLabels(labels) {
    if (labels.join() !== [...this.#rows.keys()].join()) {
      this.#rows = new Map(labels.map((label, index) => [label, makeRow(label, index)]));
      this.#list.replaceChildren(...[...this.#rows.values()].map(({ row }) => row));
      this.show(undefined);
    }
  }

  /** @param {import("./stream.js").Face | undefined} face  without one the bars are empty */
  show(face) {
    this.#verdict.textContent = face ? `${face.emotion} ${percent(face.probabilities[face.emotion])}` : NOTHING;
    for (const [label, { row, meter, fill, text }] of this.#rows) {
      const share = face?.probabilities[label] ?? 0;
      const said = face ? percent(share) : NOTHING;
      row.classList.toggle("top", face?.emotion === label);
      meter.setAttribute("aria-valuenow", Math.round(100 * share));
      meter.setAttribute("aria-valuetext", said);
      fill.style.width = `${100 * share}%`;
      text.textContent = said;
    }
  }
}

function makeRow(label, index) {
  const [row, name, meter, fill, text] = ["li", "span", "div", "div", "span"].map((tag) => document.createElement(tag));
  row.style.setProperty("--colour", `var(${colour(index)})`);
  name.className = "name";
  name.textContent = label;
  meter.className = "meter";
  meter.setAttribute("role", "meter");
  meter.setAttribute("aria-label", label);
  meter.setAttribute("aria-valuemin", 0);
  meter.setAttribute("aria-valuemax", 100);
  text.className = "share";
  text.setAttribute("aria-hidden", true);
  meter.append(fill);
  row.append(makeSample(index), name, meter, text);
  return { row, meter, fill, text };
}

function makeSample(index) {
  const [sample, line] = ["svg", "line"].map((tag) => document.createElementNS(SVG, tag));
  sample.setAttribute("aria-hidden", true);
  const looks = { x1: 0, x2: 28, y1: 4, y2: 4, "stroke-dasharray": dash(index).join(" ") };
  for (const [name, value] of Object.entries(looks)) {
    line.setAttribute(name, value);
  }
  sample.append(line);
  return sample;
}
