// Images go to /predict; what it answers comes back as bars. Names reach the page only as text, never as HTML.
"use strict";

const AT_ONCE = 3, MOST_FILES = 100, MOST_TRIES = 6, LONGEST_PAUSE_S = 10, LONGEST_ANSWER_S = 120, NUM_SHOWN = 5;

const byId = (id) => document.getElementById(id);
const plural = (noun) => (noun.endsWith("s") ? `${noun}es` : `${noun}s`);
const counted = (count, noun) => `${count.toLocaleString("en")} ${count === 1 ? noun : plural(noun)}`;
const rounded = (score) => score.toFixed(4);
const listed = (value) => (Array.isArray(value) ? value : [value]);

// Returns an element; children are elements or text.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Each name by itself, whatever its direction; of a very long one the middle is left out.
const LONGEST_NAME = 300;
const shortened = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME / 2)}…${name.slice(-LONGEST_NAME / 2)}` : name);
const nameOf = (text) => make("bdi", {}, shortened(text));

function show(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

// The server.

// It stays in this variable: no storage and no address ever holds it.
let token = "";
let entered = null;

// Resolves when a token other than `refused` was entered.
function anotherToken(refused) {
  if (token !== refused) {
    return Promise.resolve();
  }
  entered ??= new Promise((resolve) => {
    const form = byId("locked").querySelector("form"), field = byId("token");
    byId("token-hint").textContent = refused
      ? "The server does not accept this token." : "It is forgotten when the page is closed.";
    byId("locked").hidden = false;
    field.focus();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      token = field.value.trim();
      field.value = "";
      byId("locked").hidden = true;
      byId("files").focus();
      entered = null;
      resolve();
    }, { once: true });
  });
  return entered;
}

// Returns what the server answers; waits for a token where it asks for one, and a while where it is busy.
async function ask(path, file, say = () => {}) {
  for (let attempt = 1; ; attempt += 1) {
    const used = token;
    const answer = await sent(path, file);
    if (answer.status === 401) {
      say("Waiting for the token …");
      await anotherToken(used);
      attempt -= 1;
    } else if (answer.status === 503 && attempt < MOST_TRIES) {
      say(`The server is busy, trying again (${attempt + 1} of ${MOST_TRIES}) …`);
      const wanted = Number(answer.headers.get("Retry-After")) || 2 ** attempt / 4;
      // Clients that were refused together shall not come back together.
      const pause = Math.min(wanted, LONGEST_PAUSE_S) * (1 + Math.random() / 4);
      await new Promise((resolve) => { setTimeout(resolve, 1000 * pause); });
    } else if (!answer.ok) {
      throw new Error(await faultOf(answer));
    } else {
      return answer;
    }
    say("");
  }
}

async function sent(path, file) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = { headers, cache: "no-store", signal: AbortSignal.timeout(1000 * LONGEST_ANSWER_S) };
  if (file) {
    headers["Content-Type"] = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    Object.assign(options, { method: "POST", body: file });
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "The server does not answer." : "The server cannot be reached.");
  }
}

async function faultOf(answer) {
  const told = await answer.json().catch(() => ({}));
  const words = told.error ?? `The server answers ${answer.status} ${answer.statusText}`.trim();
  return told.id ? `${words} (error ${told.id})` : words;
}

let described = null;

// Returns what the server says of its network, asked for once.
function model() {
  described ??= ask("model").then((answer) => answer.json()).then((found) => {
    describe(found);
    return found;
  }).catch((error) => {
    described = null;
    show(byId("trouble"), error.message);
    throw error;
  });
  return described;
}

function describe({ name, classes, num_tasks: numTasks, has_several_labels: hasSeveral }) {
  show(byId("trouble"), "");
  byId("name").textContent = document.title = name;
  const details = byId("classes"), tasks = numTasks ? `${counted(numTasks, "task")} of ` : "";
  details.hidden = false;
  details.querySelector("summary").textContent = (
    tasks + counted(classes.length, "class") + (hasSeveral ? ", several on a picture" : "")
  );
  details.addEventListener("toggle", () => {
    details.querySelector("ul").append(...classes.map((each) => make("li", {}, nameOf(each))));
  }, { once: true });
}

// Pictures, a few at a time.

const cards = new Set(), waiting = [];
let running = 0;

function take(files) {
  const pictures = [...files].slice(0, MOST_FILES);
  if (!pictures.length) {
    say("That was no file. Save the picture, then drop or choose it.");
    return;
  }
  const added = pictures.map((file) => new Card(file));
  byId("results").prepend(...added.map((card) => card.element));
  document.body.classList.add("has-results");
  byId("clear").hidden = false;
  added.forEach(enqueue);
  const rest = files.length - pictures.length;
  say(`Looking at ${counted(pictures.length, "picture")} …${rest ? ` ${counted(rest, "more picture")} left out.` : ""}`);
}

function enqueue(card) {
  cards.add(card);
  waiting.push(card);
  work();
}

function work() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift().answer().finally(() => {
      running -= 1;
      report();
      work();
    });
  }
}

function say(text) {
  byId("status").textContent = text;
}

function report() {
  if (running || waiting.length || !cards.size) {
    return;
  }
  const last = [...cards], failed = last.filter((card) => card.fault).length;
  if (last.length === 1) {
    say(`${last[0].file.name}: ${last[0].fault || last[0].summary}`);
  } else {
    const answered = `${counted(last.length - failed, "picture")} answered`;
    say(failed ? `${answered}, ${failed} could not be.` : `${answered}.`);
  }
}

function clear() {
  cards.forEach((card) => card.remove());
  cards.clear();
  waiting.length = 0;
  document.body.classList.remove("has-results");
  byId("clear").hidden = true;
  byId("files").focus();
  say("All pictures removed.");
}

// A picture with its answer.
class Card {
  constructor(file) {
    this.file = file;
    this.fault = this.summary = "";
    this.addresses = [];
    this.element = byId("card").content.firstElementChild.cloneNode(true);
    this.element.ariaLabel = file.name;
    this.part(".file bdi").textContent = shortened(file.name);
    this.part("h2").textContent = "Waiting …";
    this.part(".again").addEventListener("click", () => {
      this.part("h2").focus();
      enqueue(this);
    });
    this.part(".toggle").addEventListener("click", () => this.toggleHeat());
    this.part("input").addEventListener("input", (event) => { this.part(".heat").style.opacity = event.target.value / 100; });
    // Browsers turn it upright as the server does.
    this.preview = new Promise((resolve) => {
      const image = this.part(".whole");
      image.addEventListener("load", () => resolve(true));
      image.addEventListener("error", () => resolve(false));
      image.src = this.addressOf(file);
    });
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  addressOf(blob) {
    this.addresses.push(URL.createObjectURL(blob));
    return this.addresses.at(-1);
  }

  remove() {
    this.isRemoved = true;
    this.element.remove();
    this.addresses.forEach((each) => URL.revokeObjectURL(each));
  }

  async answer() {
    this.fault = "";
    this.part(".again").hidden = true;
    this.element.ariaBusy = "true";
    show(this.part(".answer-fault"), "");
    const progress = (text) => { this.part("h2").textContent = text || "Looking …"; };
    progress("");
    try {
      const network = await model();
      await this.check(network.max_bytes);
      const found = await ask("predict", this.file, progress).then((answer) => answer.json());
      this.showAnswer(network, found);
      this.part(".heat-controls").hidden = !network.has_heat_maps;
    } catch (error) {
      this.fault = error.message;
      this.part("h2").textContent = "No answer";
      this.part("h2").className = "is-quiet";
      show(this.part(".answer-fault"), this.fault);
      this.part(".again").hidden = false;
    }
    this.element.ariaBusy = "false";
    this.showPreview();
  }

  // A browser does not read the answer to a body that is cut off, and says the same of an unreadable file.
  async check(maxBytes) {
    if (this.file.size > maxBytes) {
      throw new Error(`The file has ${inMegabytes(this.file.size)}; the server takes ${inMegabytes(maxBytes)}.`);
    }
    await this.file.slice(0, 1).arrayBuffer().catch(() => {
      throw new Error("The browser cannot read this file.");
    });
  }

  // What this browser cannot show, the server may.
  async showPreview() {
    if (await this.preview) {
      return;
    }
    const image = this.part(".whole");
    image.hidden = true;
    show(this.part(".no-picture"), "This browser cannot show the file.");
    if (this.fault || !(await model()).has_heat_maps) {
      return;
    }
    await this.load("explain?layer=image", image).then(() => show(this.part(".no-picture"), ""), () => {});
  }

  async load(path, image) {
    const blob = await ask(path, this.file).then((answer) => answer.blob());
    image.src = this.addressOf(blob);
    await image.decode();
    image.hidden = false;
  }

  showAnswer(network, found) {
    const tasks = network.num_tasks ?? 0;
    const heading = this.part("h2");
    const named = found.label === null ? [] : listed(found.label);
    const scores = found.label === null ? [] : listed(found.score);
    const title = (name, score) => make("span", {}, nameOf(name), " ", make("span", { className: "score" }, rounded(score)));
    heading.className = named.length ? "" : "is-quiet";
    heading.replaceChildren(...named.map((each, place) => title(network.classes[each], scores[place])));
    if (!named.length) {
      heading.textContent = network.has_several_labels ? "no class" : found.name;
    }
    show(this.part(".note"), named.length ? "" : "No class is likely enough to be named.");
    this.part(".groups").replaceChildren(...(
      tasks ? Array.from({ length: tasks }, (_, task) => rankingOfTask(network, found, task)) : [ranking(network, found)]
    ));
    const best = listed(found.top[0]?.label ?? []).map((each) => shortened(network.classes[each])).join(", ");
    this.part(".scale bdi").textContent = best;
    this.part(".heat").alt = `Heat map: where the network sees ${best}`;
    this.part(".seen").alt = "The picture as the network sees it";
    this.summary = heading.textContent;
  }

  async toggleHeat() {
    const button = this.part(".toggle");
    const isOn = button.ariaPressed !== "true";
    if (isOn && !this.part(".heat").src) {
      if (button.ariaBusy === "true") {
        return;
      }
      button.ariaBusy = "true";
      button.textContent = "Looking …";
      try {
        await Promise.all([this.load("explain?layer=image", this.part(".seen")), this.load("explain", this.part(".heat"))]);
      } catch (error) {
        this.part(".heat").removeAttribute("src");
        show(this.part(".look-fault"), error.message);
      }
      button.ariaBusy = "false";
      button.textContent = "Where it looks";
      if (!this.part(".heat").src) {
        return;
      }
    }
    show(this.part(".look-fault"), "");
    button.ariaPressed = String(isOn);
    for (const name of [".seen", ".heat", ".scale", ".heat-controls label"]) {
      this.part(name).hidden = !isOn;
    }
    this.part(".whole").hidden = isOn;
  }
}

const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// The likeliest classes, and all that are named.
function ranking(network, found) {
  const rows = new Map(found.top.slice(0, NUM_SHOWN).map(({ label, score }) => [label, score]));
  const named = found.label === null ? [] : listed(found.label);
  named.forEach((label, place) => rows.set(label, listed(found.score)[place]));
  const sorted = [...rows].sort((one, other) => other[1] - one[1]);
  return make("div", {}, rankingOf(network, sorted, named));
}

function rankingOfTask(network, found, task) {
  const rows = found.top.slice(0, NUM_SHOWN).map(({ label, score }) => [label[task], score[task]]);
  const named = found.label === null ? [] : [found.label[task]];
  return make("div", {}, make("h3", {}, `Task ${task + 1}`), rankingOf(network, rows, named));
}

function rankingOf(network, rows, named) {
  return make("ol", { className: "ranking" }, ...rows.map(([label, score]) => {
    const name = network.classes[label], isNamed = named.includes(label);
    const fill = make("i");
    fill.style.width = `${100 * score}%`;
    const track = make("div", { className: "track", role: "meter", ariaLabel: shortened(name), ariaValueMin: 0, ariaValueMax: 1 }, fill);
    Object.assign(track, { ariaValueNow: rounded(score), ariaValueText: rounded(score) });
    const mark = isNamed && network.has_several_labels ? ["✓ ", make("span", { className: "only-heard" }, "named: ")] : [];
    return make(
      "li", { className: isNamed ? "is-named" : "" },
      make("span", {}, ...mark, nameOf(name)), make("span", { className: "score" }, rounded(score)), track,
    );
  }));
}

// Where pictures come from.

byId("files").addEventListener("change", (event) => {
  take(event.target.files);
  // The same file can be chosen again.
  event.target.value = "";
});
byId("clear").addEventListener("click", clear);
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    take(event.clipboardData.files);
  }
});
// Whatever is dropped beside the zone would be opened in place of the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("is-dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    document.body.classList.remove("is-dragging");
  }
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("is-dragging");
  take(event.dataTransfer.files);
});
model().catch(() => {});
