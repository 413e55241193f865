/** All that is shown: of a source, of the answers to its frames, and of the stream's state. */

import { Bars } from "./bars.js";
import { Chart } from "./chart.js";
import { Figures } from "./figures.js";
import { sizeOf } from "./frames.js";
import * as messages from "./messages.js";
import { Overlay } from "./overlay.js";
import { Status } from "./status.js";

/** An answer older than this says nothing of the picture that is shown now. */
const STALE_MS = 1_000;
/** Someone who turns away for less than this is not said to be gone. */
const ABSENT_MS = 1_000;
const REDRAW_MS = { smooth: 200, calm: 1_000 };

export class View {
  #part;
  #overlay;
  #bars;
  #chart;
  #figures;
  #status;
  #stale;
  #lastFace = -Infinity;

  /** @param {Record<string, HTMLElement>} part  of the page, by id */
  constructor(part) {
    this.#part = part;
    this.#overlay = new Overlay(part.faces);
    this.#bars = new Bars(part.verdict, part.bars);
    this.#chart = new Chart(part.chart);
    this.#figures = new Figures({ rate: part.rate, latency: part.latency, dropped: part.dropped, count: part.count });
    this.#status = new Status(part.status, part.countdown);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.#redraw(), calm ? REDRAW_MS.calm : REDRAW_MS.smooth);
    this.#redraw();
  }

  /**
   * @param {string} sentence
   * @param {number} [seconds]  until something is tried again
   */
  say(sentence, seconds) {
    this.#status.say(sentence, seconds);
  }

  /** @param {import("./service.js").Health} health  ok */
  setModel({ labels, model }) {
    this.#bars.setLabels(labels);
    this.#chart.setLabels(labels);
    this.#part.model.textContent = model;
  }

  /** @param {import("./source.js").Source} source */
  showSource({ element, mirrored, still }) {
    this.#part.stage.dataset.shows = still ? "picture" : "video";
    this.#part.picture.classList.toggle("mirrored", mirrored);
    const fit = () => {
      const { width, height } = sizeOf(element);
      this.#part.stage.style.setProperty("--ratio", width / height);
    };
    element.onresize = fit;
    fit();
  }

  /** Shows no source any more; the chart keeps its last minute. */
  showNothing() {
    this.#part.stage.dataset.shows = "nothing";
    this.clearFaces();
  }

  /** Begins the chart and the figures anew. */
  clear() {
    this.#chart.clear();
    this.#figures.clear();
    this.#lastFace = -Infinity;
  }

  clearFaces() {
    clearTimeout(this.#stale);
    this.#overlay.clear();
    this.#bars.show(undefined);
  }

  /**
   * @param {import("./stream.js").Answer} answer
   * @param {import("./frames.js").Frame} frame  which it answers
   * @param {import("./source.js").Source} source  of the frame
   */
  showAnswer(answer, frame, { mirrored, still }) {
    this.#figures.add(answer, frame.at);
    if (answer.error) {
      this.#status.say(messages.frameTrouble(answer.error.message));
      return;
    }
    const { faces } = answer;
    this.#overlay.show(faces, frame, mirrored);
    this.#bars.show(faces[0]);
    if (still) {
      this.#status.say(messages.facesInPicture(faces.length));
      return;
    }
    this.#chart.add(faces[0], frame.at);
    this.#sayPresence(faces.length > 0);
    clearTimeout(this.#stale);
    this.#stale = setTimeout(() => this.clearFaces(), STALE_MS);
  }

  #sayPresence(present) {
    const now = performance.now();
    if (present) {
      this.#lastFace = now;
      this.#status.say(messages.LIVE);
    } else if (now - this.#lastFace > ABSENT_MS) {
      this.#status.say(messages.NO_FACE);
    }
  }

  #redraw() {
    const now = performance.now();
    this.#chart.draw(now);
    this.#figures.draw(now);
  }
}
