// Confusions, images and classes of a report. Names reach the page only as text, never as HTML.
"use strict";

// A matrix of more classes is drawn by blocks: an overview of blocks, then the cells of the chosen one.
const MOST_CELLS = 40;
const IMAGES_AT_ONCE = 12, BARS_AT_ONCE = 25, LONGEST_LIST = 20;

function showReport(data) {
  const samples = {
    ...data,
    scores: unpacked(data.scores, Float32Array),
    right: unpacked(data.right, Uint8Array),
    targets: data.targets && unpacked(data.targets, Int32Array),
    predicted: data.predicted && unpacked(data.predicted, Int32Array),
    hasPictures: Object.keys(data.thumbnails).length > 0,
  };
  if (samples.targets) {
    showConfusions(samples);
  }
  const wrong = worstFirst(samples, positionsWhere(samples, (position) => !samples.right[position]));
  const suggested = new Map((samples.issues ?? []).map(([position, , number]) => [position, number]));
  for (const [id, positions, labels] of [["mistakes", wrong], ["labels", [...suggested.keys()], suggested]]) {
    const section = document.getElementById(id);
    section.hidden = positions.length === 0 && !(id === "labels" && samples.issues);
    showGallery(samples, section.querySelector(".gallery-place"), positions, labels);
  }
  document.getElementById("no-labels").hidden = suggested.size > 0;
  if (samples.measures) {
    showClasses(samples);
  }
}

const unpacked = (text, Type) => new Type(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const className = (samples, number) => samples.classes[number] ?? "no class";
const bold = (text) => make("bdi", { className: "mark" }, text);
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const range = (from, to) => Array.from({ length: to - from }, (_, index) => from + index);
const positionsWhere = (samples, isMeant) => [...samples.names.keys()].filter(isMeant);

// Returns an element; children are elements or text.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function makeButton(className, onClick, ...children) {
  const button = make("button", { type: "button", className }, ...children);
  button.addEventListener("click", onClick);
  return button;
}

function makeSelect(label, choices, onChange) {
  const list = make("select", {}, ...choices.map((text, index) => make("option", { value: index }, text)));
  list.addEventListener("change", () => onChange(Number(list.value)));
  return make("label", {}, label, list);
}

// The surest mistakes, then the right answers, the least sure first; an unknown score counts as unsure.
function worstFirst(samples, positions) {
  const badness = (position) => {
    const sure = Number.isNaN(samples.scores[position]) ? -1 : samples.scores[position];
    return samples.right[position] ? -10 - sure : sure;
  };
  return [...positions].sort((one, other) => badness(other) - badness(one));
}

function showGallery(samples, place, positions, suggested) {
  const isPaired = positions.some((position) => position in samples.heatMaps);
  const gallery = make("div", { className: isPaired ? "gallery pairs" : "gallery" });
  const addImages = () => {
    const shown = gallery.childElementCount;
    const next = positions.slice(shown, shown + IMAGES_AT_ONCE);
    gallery.append(...next.map((position) => imageOf(samples, position, suggested)));
    const left = positions.length - shown - next.length;
    more.textContent = `Show more: ${counted(left, "image")} left`;
    more.hidden = left === 0;
  };
  const more = makeButton("more", addImages);
  place.replaceChildren(gallery, more);
  addImages();
}

function imageOf(samples, position, suggested) {
  const { scores, right, targets, predicted, texts } = samples;
  const addresses = [["", samples.thumbnails[position]], ["where the network looked", samples.heatMaps[position]]];
  const pictures = addresses.filter(([, src]) => src).map(([alt, src]) => make("img", { src, alt }));
  if (!pictures.length && samples.hasPictures) {
    pictures.push(make("div", { className: "no-picture" }, "not kept"));
  }
  const caption = make("figcaption");
  if (targets || texts) {
    const answer = predicted ? className(samples, predicted[position]) : texts[1][position];
    const label = targets ? className(samples, targets[position]) : texts[0][position];
    const [kind, sign] = right[position] ? ["is-right", "✓ "] : ["is-wrong", "✗ "];
    const sure = Number.isNaN(scores[position]) ? "" : ` ${scores[position].toFixed(3)}`;
    const mark = make("span", { className: `mark ${kind}` }, sign);
    caption.append(make("div", {}, mark, "predicted ", bold(answer), sure), make("div", {}, "label ", bold(label)));
  }
  if (suggested) {
    caption.append(make("div", {}, "suggested ", bold(className(samples, suggested.get(position)))));
  }
  caption.append(make("div", { className: "quiet" }, make("bdi", {}, samples.names[position])));
  return make("figure", { className: "image" }, make("div", { className: "pictures" }, ...pictures), caption);
}

// Opens images over the page. sets: [words, positions], of which one is shown.
function openImages(samples, title, sets) {
  const dialog = document.getElementById("images");
  let [chosen, isReversed] = [0, 0];
  const show = () => {
    const positions = worstFirst(samples, sets[chosen][1]);
    showGallery(samples, dialog.querySelector(".gallery-place"), isReversed ? positions.reverse() : positions);
  };
  const words = sets.map(([text, positions]) => text + counted(positions.length, "image"));
  dialog.querySelector("h2").replaceChildren(...title);
  dialog.querySelector(".controls").replaceChildren(
    sets.length > 1 ? makeSelect("show", words, (index) => { chosen = index; show(); }) : words[0],
    makeSelect("order", ["worst first", "best first"], (index) => { isReversed = index; show(); }),
  );
  show();
  dialog.showModal();
  dialog.scrollTop = 0;
}

// Returns the cells that hold an image, by label and answer; what is no class stands behind the last one.
function cellsOf(samples) {
  const cells = new Map(), width = samples.classes.length + 1;
  samples.targets.forEach((target, position) => {
    const answer = samples.predicted[position] in samples.classes ? samples.predicted[position] : width - 1;
    const key = target * width + answer;
    cells.set(key, cells.get(key) ?? { target, answer, positions: [] });
    cells.get(key).positions.push(position);
  });
  return [...cells.values()];
}

function showConfusions(samples) {
  document.getElementById("confusion").hidden = false;
  const cells = cellsOf(samples), numClasses = samples.classes.length;
  const numColumns = numClasses + (cells.some((cell) => cell.answer === numClasses) ? 1 : 0);
  const isSmall = numClasses <= MOST_CELLS;
  document.getElementById("matrix").append(
    isSmall ? cellMatrix(samples, cells, [0, numClasses], [0, numColumns]) : blockMatrix(samples, cells, numColumns),
  );
  document.getElementById("blocks-hint").hidden = isSmall;
  const mistakes = cells.filter((cell) => cell.target !== cell.answer);
  mistakes.sort((one, other) => other.positions.length - one.positions.length);
  const entries = mistakes.slice(0, LONGEST_LIST).map((cell) => make("li", {}, makeButton(
    "", () => openCell(samples, cell), make("span", {}, ...wordsOf(samples, cell)),
    make("span", { className: "number" }, cell.positions.length.toLocaleString("en")),
  )));
  document.getElementById("confusions").append(...(entries.length ? entries : [make("li", {}, "None.")]));
}

function wordsOf(samples, cell) {
  const [target, answer] = [cell.target, cell.answer].map((number) => make("bdi", {}, className(samples, number)));
  return cell.target === cell.answer ? [target, " recognised"] : [target, " taken for ", answer];
}

const openCell = (samples, cell) => openImages(samples, wordsOf(samples, cell), [["", cell.positions]]);

// The cells of rows and columns [from, to), each shaded by its share of its class's images.
function cellMatrix(samples, cells, rows, columns) {
  const totals = new Map(), inside = new Map();
  for (const cell of cells) {
    totals.set(cell.target, (totals.get(cell.target) ?? 0) + cell.positions.length);
    inside.set(`${cell.target} ${cell.answer}`, cell);
  }
  const [rowNumbers, columnNumbers] = [range(...rows), range(...columns)];
  const headings = [rowNumbers, columnNumbers].map((all) => all.map((number) => [className(samples, number), ""]));
  return matrixOf(...headings, (row, column) => {
    const cell = inside.get(`${rowNumbers[row]} ${columnNumbers[column]}`);
    const count = cell?.positions.length ?? 0, isRight = rowNumbers[row] === columnNumbers[column];
    // A mistake of one in a hundred shall be seen.
    const share = count / (totals.get(rowNumbers[row]) || 1);
    return { count, share: isRight ? share : Math.sqrt(share), isRight, noun: "image", open: () => openCell(samples, cell) };
  });
}

// Mistakes by blocks, about the root of the number of classes a side; a block opens its cells below.
function blockMatrix(samples, cells, numColumns) {
  const size = Math.ceil(Math.sqrt(samples.classes.length)), counts = new Map();
  for (const cell of cells.filter((each) => each.target !== each.answer)) {
    const key = `${Math.floor(cell.target / size)} ${Math.floor(cell.answer / size)}`;
    counts.set(key, (counts.get(key) ?? 0) + cell.positions.length);
  }
  const most = Math.max(...counts.values());
  const bounds = (end) => range(0, Math.ceil(end / size)).map((each) => [each * size, Math.min((each + 1) * size, end)]);
  const [rows, columns] = [bounds(samples.classes.length), bounds(numColumns)];
  const heading = ([from, to]) => [`${from}–${to - 1}`, `${className(samples, from)} … ${className(samples, to - 1)}`];
  return matrixOf(rows.map(heading), columns.map(heading), (row, column) => {
    const count = counts.get(`${row} ${column}`) ?? 0;
    const open = () => {
      const title = `Classes ${heading(rows[row])[0]}, predicted ${heading(columns[column])[0]}`;
      const place = document.getElementById("block");
      place.replaceChildren(make("h3", {}, title), cellMatrix(samples, cells, rows[row], columns[column]));
      place.querySelector("button").focus();
      place.scrollIntoView({ block: "nearest" });
    };
    return { count, share: Math.sqrt(count / most), isRight: false, noun: "mistake", open };
  });
}

// A table of buttons with one tab stop. Headings are [text, title]; cellAt(row, column) says what a cell shows.
function matrixOf(rows, columns, cellAt) {
  const heading = (scope) => ([text, title]) => make("th", { scope, title: title || text }, make("bdi", {}, text));
  const grid = rows.map(([row], down) => columns.map(([column], across) => (
    cellButton(cellAt(down, across), `${row}, predicted ${column}`)
  )));
  const head = make("tr", {}, make("td"), ...columns.map(heading("col")));
  const inCells = (buttons) => buttons.map((button) => make("td", {}, button));
  const lines = grid.map((buttons, row) => make("tr", {}, heading("row")(rows[row]), ...inCells(buttons)));
  const areLong = columns.some(([text]) => text.length > 3);
  const kind = `matrix ${rows.length > 12 ? "dense" : ""} ${areLong ? "long" : ""}`;
  const table = make("table", { className: kind }, make("thead", {}, head), make("tbody", {}, ...lines));
  grid[0][0].tabIndex = 0;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  table.addEventListener("keydown", (event) => {
    const row = grid.findIndex((buttons) => buttons.includes(event.target)), step = steps[event.key];
    const next = step && grid[row + step[0]]?.[grid[row].indexOf(event.target) + step[1]];
    if (next) {
      event.preventDefault();
      [event.target.tabIndex, next.tabIndex] = [-1, 0];
      next.focus();
    }
  });
  return make("div", { className: "scroll" }, table);
}

function cellButton(cell, place) {
  const words = `${place}: ${counted(cell.count, cell.noun)}`;
  const button = makeButton(cell.isRight ? "cell right" : "cell", cell.count ? cell.open : () => {}, cell.count || "");
  Object.assign(button, { title: words, ariaLabel: words, ariaDisabled: cell.count ? null : "true", tabIndex: -1 });
  button.style.setProperty("--share", cell.count ? cell.share.toFixed(3) : 0);
  return button;
}

function showClasses(samples) {
  document.getElementById("classes").hidden = false;
  const support = unpacked(samples.measures.support, Int32Array);
  const names = ["f1", "recall", "precision"];
  const measures = names.map((name) => unpacked(samples.measures[name], Float32Array));
  // A class about which there is nothing to say comes last.
  const byValue = (sign) => (one, other) => {
    const [first, second] = [one, other].map((number) => sign * measures[measure][number]);
    return Number.isNaN(first) - Number.isNaN(second) || first - second || one - other;
  };
  const orders = [byValue(1), byValue(-1), (one, other) => support[other] - support[one] || one - other, () => 0];
  let [measure, order, words, most] = [0, 0, "", BARS_AT_ONCE];
  const show = () => {
    const numbers = [...samples.classes.keys()].filter((each) => samples.classes[each].toLowerCase().includes(words));
    const bars = numbers.sort(orders[order]).slice(0, most);
    document.getElementById("bars").replaceChildren(
      ...bars.map((number) => classBar(samples, number, measures[measure][number], support[number])),
      ...(numbers.length > most ? [makeButton("more", () => { most = Infinity; show(); }, `Show all ${numbers.length}`)] : []),
    );
  };
  const search = make("input", { type: "search" });
  search.addEventListener("input", () => { words = search.value.toLowerCase(); show(); });
  document.querySelector("#classes .controls").append(
    makeSelect("measure", names, (index) => { measure = index; show(); }),
    makeSelect("order", ["lowest first", "highest first", "most images first", "by number"], (index) => { order = index; show(); }),
    make("label", {}, "name has", search),
  );
  show();
}

function classBar(samples, number, value, support) {
  const fill = make("i");
  fill.style.width = `${value || 0}%`;
  const parts = [
    make("bdi", {}, className(samples, number)), make("span", { className: "meter" }, fill),
    make("span", { className: "number" }, Number.isNaN(value) ? "–" : `${value.toFixed(1)} %`),
    make("span", { className: "number quiet" }, counted(support, "image")),
  ];
  return samples.targets
    ? makeButton("bar", () => openClass(samples, number), ...parts)
    : make("div", { className: "bar" }, ...parts);
}

function openClass(samples, number) {
  const { targets, predicted } = samples;
  openImages(samples, [make("bdi", {}, className(samples, number))], [
    ["labelled so: ", positionsWhere(samples, (each) => targets[each] === number)],
    ["predicted so, labelled otherwise: ", positionsWhere(samples, (each) => predicted[each] === number && targets[each] !== number)],
  ]);
}

const source = document.getElementById("data");
if (source) {
  showReport(JSON.parse(source.textContent));
}
for (const section of document.querySelectorAll("section[id]:not([hidden])")) {
  const title = section.querySelector("h2").textContent;
  document.querySelector("nav").append(make("a", { href: `#${section.id}` }, title));
}
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
