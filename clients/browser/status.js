/** What the page says about its state, to eyes and to screen readers. */

import { nextTry } from "./messages.js";

export class Status {
  #sentence;
  #countdown;
  #ticking;

  /**
   * @param {HTMLElement} sentence  a live region
   * @param {HTMLElement} countdown  none, so that not every second is read out
   */
  constructor(sentence, countdown) {
    this.#sentence = sentence;
    this.#countdown = countdown;
  }

  /**
   * @param {string} sentence
   * @param {number} [seconds]  until something is tried again, which is counted down
   */
  say(sentence, seconds) {
    if (this.#sentence.textContent !== sentence) {
      this.#sentence.textContent = sentence;
    }
    clearInterval(this.#ticking);
    this.#countdown.textContent = "";
    if (seconds !== undefined) {
      this.#countFrom(Math.ceil(seconds));
    }
  }

  #countFrom(seconds) {
    let left = seconds;
    const show = () => {
      this.#countdown.textContent = nextTry(left);
      left = Math.max(0, left - 1);
    };
    show();
    this.#ticking = setInterval(show, 1000);
  }
}
