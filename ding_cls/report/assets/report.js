// Confusions, images and classes of a report. Names reach the page only as text, never as HTML.
"use strict";

// A matrix of more classes is drawn by blocks: an overview of blocks, then the cells of the chosen one.
const MOST_CELLS = 32;
const IMAGES_AT_ONCE = 24, BARS_AT_ONCE = 25, LONGEST_LIST = 20;

const source = document.getElementById("data");
if (source) {
  showReport(JSON.parse(source.textContent));
}
showNavigation();
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});

function showReport(data) {
  const samples = {
    ...data,
    scores: unpacked(data.scores, Float32Array),
    right: unpacked(data.right, Uint8Array),
    targets: data.targets && unpacked(data.targets, Int32Array),
    predicted: data.predicted && unpacked(data.predicted, Int32Array),
    hasPictures: Object.keys(data.thumbnails).length > 0,
  };
  const everything = [...samples.names.keys()];
  const wrong = worstFirst(samples, everything.filter((position) => !samples.right[position]));
  if (samples.targets && samples.classes.length) {
    showConfusions(samples, cellsOf(samples));
  }
  fill("mistakes", wrong, (place) => showGallery(samples, place, wrong));
  const suggested = new Map(samples.issues.map(([position, , number]) => [position, number]));
  fill("labels", samples.issues, (place) => showGallery(samples, place, [...suggested.keys()], suggested));
  if (samples.measures) {
    showClasses(samples);
  }
}

// ---- small parts

function unpacked(text, Type) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let index = 0; index < letters.length; index++) {
    bytes[index] = letters.charCodeAt(index);
  }
  return new Type(bytes.buffer);
}

// Returns an element; children are elements or text.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function className(samples, number) {
  return samples.classes[number] ?? "no class";
}

function nameOf(samples, number) {
  return make("bdi", {}, className(samples, number));
}

function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function fill(id, items, show) {
  if (items.length) {
    const section = document.getElementById(id);
    section.hidden = false;
    show(section.querySelector(".gallery-place"));
  }
}

function select(label, choices, onChange) {
  const list = make("select", {}, ...choices.map((text, index) => make("option", { value: index }, text)));
  list.addEventListener("change", () => onChange(Number(list.value)));
  return make("label", {}, label, list);
}

// The surest mistakes, then the right answers, the least sure first; unknown scores last of each.
function worstFirst(samples, positions) {
  const sure = (position) => (Number.isNaN(samples.scores[position]) ? -1 : samples.scores[position]);
  return [...positions].sort((one, other) => {
    const isRight = samples.right[one];
    if (isRight !== samples.right[other]) {
      return isRight - samples.right[other];
    }
    return isRight ? sure(one) - sure(other) : sure(other) - sure(one);
  });
}

function showNavigation() {
  for (const section of document.querySelectorAll("section[id]:not([hidden])")) {
    const title = section.querySelector("h2").textContent;
    document.querySelector("nav")?.append(make("a", { href: `#${section.id}` }, title));
  }
}

// ---- images

function showGallery(samples, place, positions, suggested = null) {
  const isPaired = positions.some((position) => position in samples.heatMaps);
  const gallery = make("div", { className: isPaired ? "gallery pairs" : "gallery" });
  const more = make("button", { type: "button", className: "more" });
  const addImages = () => {
    const from = gallery.childElementCount;
    const next = positions.slice(from, from + IMAGES_AT_ONCE);
    gallery.append(...next.map((position) => imageOf(samples, position, suggested)));
    const left = positions.length - from - next.length;
    more.textContent = `Show more: ${counted(left, "image")} left`;
    more.hidden = left <= 0;
  };
  more.addEventListener("click", addImages);
  place.replaceChildren(gallery, more);
  addImages();
}

function imageOf(samples, position, suggested) {
  const pictures = make("div", { className: "pictures" });
  const addresses = [samples.thumbnails[position], samples.heatMaps[position]];
  for (const [index, src] of addresses.entries()) {
    if (src) {
      pictures.append(make("img", { src, alt: index ? "where the network looked" : "", loading: "lazy" }));
    }
  }
  if (!pictures.childElementCount && samples.hasPictures) {
    pictures.append(make("div", { className: "no-picture" }, "not kept"));
  }
  const score = samples.scores[position], isRight = Boolean(samples.right[position]);
  const { targets, predicted, texts } = samples;
  const given = targets ? className(samples, targets[position]) : texts?.[0][position];
  const answer = predicted ? className(samples, predicted[position]) : texts?.[1][position];
  const sure = Number.isNaN(score) ? "" : ` ${score.toFixed(3)}`;
  const caption = make("figcaption", {});
  if (answer !== undefined) {
    const mark = make("span", { className: `mark ${isRight ? "is-right" : "is-wrong"}` }, isRight ? "✓ " : "✗ ");
    caption.append(make("div", {}, mark, "answer ", make("bdi", { className: "mark" }, answer), sure));
    caption.append(make("div", {}, "label ", make("bdi", { className: "mark" }, given)));
  }
  if (suggested) {
    caption.append(make("div", {}, "suggested ", make("bdi", { className: "mark" }, className(samples, suggested.get(position)))));
  }
  caption.append(make("div", { className: "quiet" }, make("bdi", {}, samples.names[position])));
  return make("figure", { className: "image" }, pictures, caption);
}

// Opens images over the page. sets: [words, positions], of which one is shown.
function openImages(samples, title, sets) {
  const dialog = document.getElementById("images");
  const place = dialog.querySelector(".gallery-place");
  let [chosen, isReversed] = [0, 0];
  const show = () => {
    const positions = worstFirst(samples, sets[chosen][1]);
    showGallery(samples, place, isReversed ? positions.reverse() : positions);
  };
  const order = select("order", ["worst first", "best first"], (index) => { isReversed = index; show(); });
  const words = sets.map(([text, positions]) => `${text}: ${positions.length.toLocaleString("en")}`);
  const which = select("images", words, (index) => { chosen = index; show(); });
  dialog.querySelector("h2").replaceChildren(...title);
  dialog.querySelector(".controls").replaceChildren(...(sets.length > 1 ? [which, order] : [order]));
  show();
  dialog.showModal();
  dialog.scrollTop = 0;
}

// ---- the confusion matrix

// Returns the cells that hold an image: label, answer and the positions of their images.
function cellsOf(samples) {
  const cells = new Map(), width = samples.classes.length + 1;
  samples.targets.forEach((target, position) => {
    const answer = samples.predicted[position] in samples.classes ? samples.predicted[position] : width - 1;
    const key = target * width + answer;
    if (!cells.has(key)) {
      cells.set(key, { target, answer, positions: [] });
    }
    cells.get(key).positions.push(position);
  });
  return [...cells.values()];
}

function showConfusions(samples, cells) {
  document.getElementById("confusion").hidden = false;
  const size = Math.ceil(Math.sqrt(samples.classes.length));
  const place = document.getElementById("matrix");
  const hasNone = cells.some((cell) => cell.answer === samples.classes.length);
  const numColumns = samples.classes.length + (hasNone ? 1 : 0);
  if (samples.classes.length <= MOST_CELLS) {
    place.append(cellMatrix(samples, cells, [0, samples.classes.length], [0, numColumns]));
  } else {
    place.append(blockMatrix(samples, cells, size, numColumns));
  }
  const mistakes = cells.filter((cell) => cell.target !== cell.answer);
  mistakes.sort((one, other) => other.positions.length - one.positions.length);
  const entries = mistakes.slice(0, LONGEST_LIST).map((cell) => {
    const words = make("span", {}, ...confusionWords(samples, cell));
    const button = make("button", { type: "button" }, words, make("span", { className: "number" }, cell.positions.length));
    button.addEventListener("click", () => openCell(samples, cell));
    return make("li", {}, button);
  });
  document.getElementById("confusions").append(...(entries.length ? entries : [make("li", {}, "None.")]));
}

function confusionWords(samples, cell) {
  const words = [nameOf(samples, cell.target)];
  return cell.target === cell.answer ? [...words, " recognised"] : [...words, " taken for ", nameOf(samples, cell.answer)];
}

function openCell(samples, cell) {
  const title = [...confusionWords(samples, cell), `: ${counted(cell.positions.length, "image")}`];
  openImages(samples, title, [["all", cell.positions]]);
}

// The cells of rows and columns [from, to): each is shaded by its share of its class's images.
function cellMatrix(samples, cells, rows, columns) {
  const totals = new Map(), inside = new Map();
  for (const cell of cells) {
    totals.set(cell.target, (totals.get(cell.target) ?? 0) + cell.positions.length);
    inside.set(`${cell.target} ${cell.answer}`, cell);
  }
  const headings = (numbers) => numbers.map((number) => ({ text: className(samples, number), number }));
  return matrix(headings(range(...rows)), headings(range(...columns)), (row, column) => {
    const cell = inside.get(`${row.number} ${column.number}`);
    return cell && {
      count: cell.positions.length,
      share: cell.positions.length / totals.get(row.number),
      isRight: row.number === column.number,
      words: `${row.text}, answered ${column.text}: ${counted(cell.positions.length, "image")}`,
      open: () => openCell(samples, cell),
    };
  });
}

// Mistakes by blocks of size x size classes; a block opens its cells below.
function blockMatrix(samples, cells, size, numColumns) {
  const counts = new Map();
  for (const cell of cells.filter((each) => each.target !== each.answer)) {
    const key = `${Math.floor(cell.target / size)} ${Math.floor(cell.answer / size)}`;
    counts.set(key, (counts.get(key) ?? 0) + cell.positions.length);
  }
  const most = Math.max(...counts.values(), 1);
  const blocks = (end) => range(0, Math.ceil(end / size)).map((number) => {
    const [from, to] = [number * size, Math.min((number + 1) * size, end)];
    return { number, from, to, text: to - from > 1 ? `${from}–${to - 1}` : `${from}` };
  });
  return matrix(blocks(samples.classes.length), blocks(numColumns), (row, column) => {
    const count = counts.get(`${row.number} ${column.number}`) ?? 0;
    return {
      count,
      share: Math.sqrt(count / most),
      isRight: false,
      words: `classes ${row.text}, answered ${column.text}: ${counted(count, "mistake")}`,
      open: () => {
        const place = document.getElementById("block");
        const title = make("h3", {}, `Classes ${row.text}, answered ${column.text}`);
        place.replaceChildren(title, cellMatrix(samples, cells, [row.from, row.to], [column.from, column.to]));
        place.scrollIntoView({ block: "nearest" });
      },
    };
  });
}

function range(from, to) {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

// A table of buttons with one tab stop; cellAt(row, column) gives what a cell shows, undefined: nothing.
function matrix(rows, columns, cellAt) {
  const heading = (scope) => ({ text }) => make("th", { scope, title: text }, make("bdi", {}, text));
  const head = make("tr", {}, make("td"), ...columns.map(heading("col")));
  const grid = rows.map((row) => columns.map((column) => cellButton(cellAt(row, column))));
  const lines = rows.map((row, index) => {
    return make("tr", {}, heading("row")(row), ...grid[index].map((button) => make("td", {}, button)));
  });
  const name = rows.length > 12 ? "matrix dense" : "matrix";
  const table = make("table", { className: name }, make("thead", {}, head), make("tbody", {}, ...lines));
  grid[0][0].tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const [down, across] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    const row = grid.findIndex((buttons) => buttons.includes(event.target));
    const next = grid[row + down]?.[grid[row]?.indexOf(event.target) + across];
    if ((down || across) && next) {
      event.preventDefault();
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  });
  return make("div", { className: "scroll" }, table);
}

function cellButton(cell) {
  const button = make("button", { type: "button", tabIndex: -1 }, cell?.count ? String(cell.count) : "");
  if (!cell?.count) {
    button.ariaDisabled = "true";
    button.ariaLabel = cell?.words ?? "no image";
    return button;
  }
  button.className = cell.isRight ? "right" : "";
  button.title = button.ariaLabel = cell.words;
  button.style.setProperty("--share", cell.share.toFixed(3));
  button.addEventListener("click", cell.open);
  return button;
}

// ---- classes

function showClasses(samples) {
  document.getElementById("classes").hidden = false;
  const columns = Object.fromEntries(["f1", "recall", "precision"].map((name) => [name, unpacked(samples.measures[name], Float32Array)]));
  const support = unpacked(samples.measures.support, Int32Array);
  const measures = [["F1", columns.f1], ["recall", columns.recall], ["precision", columns.precision]];
  let [measure, order, words, shown] = [0, 0, "", BARS_AT_ONCE];
  const place = document.getElementById("bars");
  const show = () => {
    const values = measures[measure][1];
    // Of a class without an image there is nothing to say: last.
    const value = (number) => (Number.isNaN(values[number]) ? Infinity : values[number]);
    const orders = [
      (one, other) => value(one) - value(other) || one - other,
      (one, other) => value(other) - value(one) || one - other,
      (one, other) => support[other] - support[one] || one - other,
      (one, other) => one - other,
    ];
    const numbers = [...samples.classes.keys()].filter((number) => samples.classes[number].toLowerCase().includes(words));
    numbers.sort(orders[order]);
    const bars = numbers.slice(0, shown).map((number) => classBar(samples, number, values[number], support[number]));
    const more = make("button", { type: "button", className: "more", hidden: numbers.length <= shown }, `Show all ${counted(numbers.length, "class").replace(/classs$/, "classes")}`);
    more.addEventListener("click", () => { shown = Infinity; show(); });
    place.replaceChildren(...bars, more);
  };
  const search = make("input", { type: "search" });
  search.addEventListener("input", () => { words = search.value.toLowerCase(); show(); });
  document.querySelector("#classes .controls").append(
    select("measure", measures.map(([name]) => name), (index) => { measure = index; show(); }),
    select("order", ["lowest first", "highest first", "most images first", "by number"], (index) => { order = index; show(); }),
    make("label", {}, "name has", search),
  );
  show();
}

function classBar(samples, number, value, support) {
  const fillOf = make("i");
  fillOf.style.width = `${Number.isNaN(value) ? 0 : value}%`;
  const text = Number.isNaN(value) ? "–" : `${value.toFixed(1)} %`;
  const isOpenable = Boolean(samples.targets);
  const bar = make(
    isOpenable ? "button" : "div", { className: "class-bar", title: className(samples, number) }, nameOf(samples, number),
    make("span", { className: "meter" }, fillOf), make("span", { className: "number" }, text),
    make("span", { className: "number quiet", title: "images of this class" }, `n ${support.toLocaleString("en")}`),
  );
  if (isOpenable) {
    bar.addEventListener("click", () => openClass(samples, number));
  }
  return bar;
}

function openClass(samples, number) {
  const everything = [...samples.names.keys()];
  const labelled = everything.filter((position) => samples.targets[position] === number);
  const mistaken = everything.filter((position) => samples.predicted[position] === number && !samples.right[position]);
  openImages(samples, [nameOf(samples, number)], [["labelled so", labelled], ["answered so, labelled otherwise", mistaken]]);
}
