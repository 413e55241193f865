/** Figures of the stream: how fast, how late, how many. */

import { NOTHING } from "./messages.js";

const WINDOW_MS = 2_000;

export class Figures {
  #cells;
  /** @type {{at: number, latency: number}[]} when answers came, and how long after their capture; ms, oldest first */
  #answers = [];

  /** @param {{rate: HTMLElement, latency: HTMLElement, dropped: HTMLElement, count: HTMLElement}} cells */
  constructor(cells) {
    this.#cells = cells;
  }

  /**
   * @param {import("./stream.js").Answer} answer
   * @param {number} captured  when its frame was taken, in ms of performance.now()
   */
  add(answer, captured) {
    const at = performance.now();
    this.#answers.push({ at, latency: at - captured });
    this.#cells.dropped.textContent = answer.dropped;
    this.#cells.count.textContent = answer.faces?.length ?? NOTHING;
  }

  /** @param {number} now  ms of performance.now() */
  draw(now) {
    this.#answers = this.#answers.filter(({ at }) => at > now - WINDOW_MS);
    const count = this.#answers.length;
    const latency = this.#answers.reduce((sum, answer) => sum + answer.latency, 0) / count;
    this.#cells.rate.textContent = count > 1 ? (count / (WINDOW_MS / 1000)).toFixed(1) : NOTHING;
    this.#cells.latency.textContent = count ? `${Math.round(latency)} ms` : NOTHING;
  }

  clear() {
    this.#answers = [];
    Object.values(this.#cells).forEach((cell) => (cell.textContent = NOTHING));
  }
}
