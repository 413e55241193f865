/** The last minute of the largest face: a line for each emotion, broken where there was no face. */

import { colour, dash } from "./palette.js";

const SPAN_MS = 60_000;
/** Without an answer for this long, a line is broken. */
const GAP_MS = 1_000;
/** Lines that ended above this are named at their ends; the bars name them all. */
const NAMED_FROM = 0.1;
const SHARES = [0, 0.5, 1];
const AGES_S = [60, 40, 20, 0];

/**
 * @typedef {object} Point
 * @property {number} at  ms of performance.now()
 * @property {number} [track]  of the face
 * @property {number[]} [shares]  of each label, 0 to 1; none where there was no face
 */

export class Chart {
  #canvas;
  #labels = [];
  /** @type {Point[]} oldest first */
  #points = [];

  /** @param {HTMLCanvasElement} canvas  as large as its style says */
  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** @param {string[]} labels  of the model, in its order */
  setLabels(labels) {
    if (labels.join() !== this.#labels.join()) {
      this.#labels = labels;
      this.#points = [];
    }
  }

  clear() {
    this.#points = [];
  }

  /**
   * @param {import("./stream.js").Face | undefined} face  undefined where the frame shows none
   * @param {number} at  when the frame was taken, in ms of performance.now()
   */
  add(face, at) {
    this.#points = this.#points.filter((point) => point.at > at - SPAN_MS - GAP_MS);
    const shares = face && this.#labels.map((label) => face.probabilities[label]);
    this.#points.push({ at, track: face?.track, shares });
  }

  /** @param {number} now  the right edge, in ms of performance.now() */
  draw(now) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const dots = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * dots);
    this.#canvas.height = Math.round(height * dots);
    const pen = this.#canvas.getContext("2d");
    pen.scale(dots, dots);

    const style = getComputedStyle(this.#canvas);
    const size = Number.parseFloat(style.fontSize);
    pen.font = `${size}px ${style.fontFamily}`;
    const widest = Math.max(0, ...this.#labels.map((label) => pen.measureText(label).width));
    const area = {
      left: pen.measureText("100 %").width + 0.5 * size,
      right: width - widest - size,
      top: size,
      bottom: height - 1.8 * size,
    };
    const x = (at) => area.right - ((now - at) / SPAN_MS) * (area.right - area.left);
    const y = (share) => area.bottom - share * (area.bottom - area.top);

    this.#drawGrid(pen, { area, size, style, x: (age) => x(now - 1000 * age), y });
    const segments = this.#segments();
    this.#labels.forEach((_, index) => {
      pen.strokeStyle = style.getPropertyValue(colour(index));
      this.#drawLine(pen, { segments, index, area, x, y });
    });
    this.#drawNames(pen, { last: segments.at(-1)?.at(-1), area, size, style, x, y });
  }

  #drawGrid(pen, { area, size, style, x, y }) {
    pen.fillStyle = style.getPropertyValue("--muted");
    pen.strokeStyle = style.getPropertyValue("--grid");
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const share of SHARES) {
      pen.beginPath();
      pen.moveTo(area.left, Math.round(y(share)) + 0.5);
      pen.lineTo(area.right, Math.round(y(share)) + 0.5);
      pen.stroke();
      pen.fillText(`${100 * share} %`, area.left - 0.5 * size, y(share));
    }
    pen.textBaseline = "bottom";
    for (const age of AGES_S) {
      pen.textAlign = age === AGES_S[0] ? "left" : "center";
      pen.fillText(age ? `−${age} s` : "now", x(age), area.bottom + 1.8 * size);
    }
  }

  #drawLine(pen, { segments, index, area, x, y }) {
    pen.save();
    pen.beginPath();
    pen.rect(area.left, 0, area.right - area.left, area.bottom + 2);
    pen.clip();
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.setLineDash(dash(index));
    for (const segment of segments) {
      pen.lineDashOffset = x(segment[0].at) - x(0); // dashes stay with their line as it moves
      pen.beginPath();
      segment.forEach(({ at, shares }) => pen.lineTo(x(at), y(shares[index])));
      pen.stroke();
    }
    pen.restore();
  }

  #drawNames(pen, { last, area, size, style, x, y }) {
    if (!last || x(last.at) < area.left) {
      return;
    }
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    const named = this.#labels
      .map((label, index) => ({ label, index, share: last.shares[index] }))
      .filter(({ share }) => share >= NAMED_FROM)
      .sort((a, b) => b.share - a.share);
    let lowest = 0;
    for (const { label, index, share } of named) {
      lowest = Math.max(y(share), lowest + 1.1 * size);
      pen.fillStyle = style.getPropertyValue(colour(index));
      pen.fillText(label, Math.min(x(last.at), area.right) + 0.4 * size, lowest);
    }
  }

  /** @returns {Point[][]} of one face each, without a gap */
  #segments() {
    const segments = [];
    let previous;
    for (const point of this.#points) {
      if (point.shares && previous?.track === point.track && point.at - previous.at < GAP_MS) {
        segments.at(-1).push(point);
      } else if (point.shares) {
        segments.push([point]);
      }
      previous = point;
    }
    return segments;
  }
}
