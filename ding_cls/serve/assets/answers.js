// From what the server answers to what is shown. Names become text, never HTML.

const LONGEST_NAME = 300, NUM_SHOWN = 5;

export const rounded = (score) => score.toFixed(4);
const plural = (noun) => (noun.endsWith("s") ? `${noun}es` : `${noun}s`);
export const counted = (count, noun) => `${count.toLocaleString("en")} ${count === 1 ? noun : plural(noun)}`;

// Returns an element; children are elements or text.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// What would break a line or turn the letters around it is shown as its number; of a very long name the middle is left out.
const CONTROLS = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;
const numberOf = (letter) => `\\u${letter.codePointAt(0).toString(16).padStart(4, "0")}`;
export const legible = (name) => {
  const letters = [...name], half = LONGEST_NAME / 2;
  const shown = letters.length > LONGEST_NAME ? [...letters.slice(0, half), "…", ...letters.slice(-half)] : letters;
  return shown.join("").replace(CONTROLS, numberOf);
};
// Each name stands by itself, whatever its direction.
export const nameOf = (text) => make("bdi", {}, legible(text));

export function show(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

// Returns the classes that an answer names, as {label, name, score}; of several tasks one of each.
export function namedIn({ label, name, score }) {
  if (label === null) {
    return [];
  }
  const [labels, names, scores] = [label, name, score].map((value) => (Array.isArray(value) ? value : [value]));
  return labels.map((each, place) => ({ label: each, name: names[place], score: scores[place] }));
}

// Returns for each task the likeliest classes, the likeliest first, and all that are named.
export function rankingsOf(network, found) {
  const top = found.top.slice(0, NUM_SHOWN), named = namedIn(found);
  if (network.num_tasks) {
    return Array.from({ length: network.num_tasks }, (_, task) => top.map(({ label, name, score }) => (
      { label: label[task], name: name[task], score: score[task], isNamed: label[task] === named[task]?.label }
    )));
  }
  const isNamed = (row) => named.some(({ label }) => label === row.label);
  const others = named.filter((row) => !top.some(({ label }) => label === row.label));
  return [[...top, ...others].map((row) => ({ ...row, isNamed: isNamed(row) }))];
}

export function rankingOf(rows, network) {
  return make("ol", { className: "ranking" }, ...rows.map(({ name, score, isNamed }) => {
    const fill = make("i");
    fill.style.width = `${100 * score}%`;
    const value = { ariaValueMin: 0, ariaValueMax: 1, ariaValueNow: rounded(score), ariaValueText: rounded(score) };
    const track = make("div", { className: "track", role: "meter", ariaLabel: legible(name), ...value }, fill);
    const mark = isNamed && network.has_several_labels ? [make("span", { ariaHidden: "true" }, "✓ ")] : [];
    return make(
      "li", { className: isNamed ? "is-named" : "", ariaCurrent: isNamed ? "true" : null },
      make("span", {}, ...mark, nameOf(name)),
      make("span", { className: "score", ariaHidden: "true" }, rounded(score)), track,
    );
  }));
}
