/**
 * The connection to the service's WebSocket: paced, and taken up again by itself after it broke.
 *
 * @typedef {object} Face
 * @property {{x: number, y: number, width: number, height: number}} box  pixels of the frame
 * @property {string} emotion  the label with the highest probability
 * @property {Record<string, number>} probabilities  of each label, 0 to 1
 * @property {number} track  stays with the face
 *
 * @typedef {object} Answer
 * @property {number} frame  its number in the stream, from 1
 * @property {number} dropped  frames that the server has not read, since newer ones had come
 * @property {Face[]} [faces]  largest first
 * @property {{code: string, message: string}} [error]  instead of faces, where the frame could not be read
 *
 * @typedef {object} Listener
 * @property {(health: import("./service.js").Health) => void} onConnecting  the server is there and ready
 * @property {(answer: Answer, frame: import("./frames.js").Frame) => void} onAnswer
 * @property {(starting: boolean, seconds: number) => void} onWaiting  no connection; the next try is in so many seconds
 * @property {(message: string) => void} onRefused  for good; the message is the server's, and may be empty
 */

import * as service from "./service.js";

/** One frame is read by the server while the next one travels; more would only wait, and make answers late. */
const MAX_UNANSWERED = 2;
const RETRY_SECONDS = { first: 0.5, last: 8 };
/** A connection on which a frame has waited this long for its answer is given up. */
const SILENCE_MS = 15_000;
const POLICY_VIOLATION = 1008;

/** Begins at once, and goes on until it is closed or refused. */
export class Stream {
  #listener;
  #maxUnanswered;
  #socket = null;
  /** @type {Map<number, import("./frames.js").Frame>} by their number, oldest first */
  #unanswered = new Map();
  #number = 0;
  #closed = false;
  #wake = () => {};

  /**
   * @param {Listener} listener
   * @param {number} [maxUnanswered]  frames
   */
  constructor(listener, maxUnanswered = MAX_UNANSWERED) {
    this.#listener = listener;
    this.#maxUnanswered = maxUnanswered;
    this.#run();
  }

  /** Ends it; nothing is sent and nobody is told of anything any more. */
  close() {
    this.#closed = true;
    this.#socket?.close();
    this.#wake();
  }

  /**
   * Waits until a frame may be sent.
   *
   * @returns {Promise<boolean>}  false once the stream is closed
   */
  async free() {
    while (!this.#closed && !(this.#open && this.#unanswered.size < this.#maxUnanswered)) {
      await new Promise((resolve) => (this.#wake = resolve));
    }
    return !this.#closed;
  }

  /**
   * Sends a frame, or forgets it where the connection has just gone.
   *
   * @param {import("./frames.js").Frame} frame
   */
  send(frame) {
    if (this.#open && !this.#closed) {
      this.#number += 1;
      this.#unanswered.set(this.#number, frame);
      this.#socket.send(frame.jpeg);
    }
  }

  get #open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  async #run() {
    let seconds = RETRY_SECONDS.first;
    while (!this.#closed) {
      const health = await service.health();
      if (this.#closed) {
        return;
      }
      if (health.status === "ok") {
        this.#listener.onConnecting(health);
        if (await this.#converse()) {
          seconds = RETRY_SECONDS.first;
        }
      }
      if (this.#closed) {
        return;
      }
      this.#listener.onWaiting(health.status === "starting", seconds);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      seconds = Math.min(2 * seconds, RETRY_SECONDS.last);
    }
  }

  /**
   * Opens a connection and hears it out.
   *
   * @returns {Promise<boolean>}  whether a frame was answered on it
   */
  #converse() {
    this.#number = 0;
    this.#unanswered.clear();
    let answered = false;
    return new Promise((over) => {
      const socket = new WebSocket(service.streamUrl());
      this.#socket = socket;
      const watch = setInterval(() => this.#silent && giveUp(), 1000);
      const giveUp = () => {
        clearInterval(watch);
        socket.onmessage = socket.onclose = null;
        socket.close();
        over(answered);
      };
      socket.onopen = () => this.#wake();
      socket.onmessage = ({ data }) => {
        if (!this.#closed) {
          this.#hear(JSON.parse(data));
          answered = true;
        }
      };
      socket.onclose = ({ code, reason }) => {
        if (code === POLICY_VIOLATION && !this.#closed) {
          this.#refuse(reason);
        }
        giveUp();
      };
    });
  }

  get #silent() {
    const [oldest] = this.#unanswered.values();
    return oldest && performance.now() - oldest.at > SILENCE_MS;
  }

  /** @param {Answer} answer */
  #hear(answer) {
    if (answer.frame === 0) {
      this.#refuse(answer.error.message);
      return;
    }
    const frame = this.#unanswered.get(answer.frame);
    for (const number of this.#unanswered.keys()) {
      if (number <= answer.frame) {
        this.#unanswered.delete(number);
      }
    }
    this.#listener.onAnswer(answer, frame);
    this.#wake();
  }

  /** @param {string} message */
  #refuse(message) {
    this.close();
    this.#listener.onRefused(message);
  }
}
