/**
 * A colour and a dash pattern for each label, by its index. The colours are in app.css, for light and for dark: those
 * of Okabe and Ito (2008), which colour-blind people can tell apart, shifted until each stands out from the background.
 */

const COLOURS = 8;
/** CSS pixels: dash, gap, ... Five patterns and eight colours share no factor: 40 labels until a pair comes again. */
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [14, 4]];

/**
 * @param {number} index  of the label
 * @returns {string}  a CSS custom property's name
 */
export function colour(index) {
  return `--line-${index % COLOURS}`;
}

/**
 * @param {number} index  of the label
 * @returns {number[]}  CSS pixels
 */
export function dash(index) {
  return DASHES[index % DASHES.length];
}
