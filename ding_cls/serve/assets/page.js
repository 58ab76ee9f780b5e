// Takes pictures, and asks about a few at a time.

import { counted, make, nameOf, show } from "./answers.js";
import { Card } from "./card.js";
import { ask } from "./server.js";

const AT_ONCE = 3, MOST_FILES = 100;

const byId = (id) => document.getElementById(id);
let described = null;

// Returns what the server says of its network, asked for once for the pictures that come together.
function model() {
  described ??= ask("model").then(async (answer) => {
    const found = await answer.json();
    describe(found);
    return { ...found, identity: answer.headers.get("X-Network") };
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
  const list = () => details.querySelector("ul").replaceChildren(...classes.map((each) => make("li", {}, nameOf(each))));
  details.ontoggle = list;
  if (details.open) {
    list();
  }
}

// Pictures, a few at a time.

const cards = new Set(), waiting = [];
// Those of which the page has yet to say that they are done.
let running = 0, batch = [];

function take(files) {
  const pictures = [...files].slice(0, MOST_FILES);
  if (!pictures.length) {
    say("That was no file. Save the picture, then drop or choose it.");
    return;
  }
  const added = pictures.map((file) => new Card(file, model, enqueue));
  byId("results").prepend(...added.map((card) => card.element));
  document.body.classList.add("has-results");
  byId("clear").hidden = false;
  const rest = files.length - pictures.length;
  say(`Looking at ${counted(pictures.length, "picture")} …${rest ? ` ${counted(rest, "more picture")} left out.` : ""}`);
  added.forEach(enqueue);
}

function enqueue(card) {
  if (!batch.length) {
    // The server may have been started anew, with another network.
    described = null;
  }
  cards.add(card);
  waiting.push(card);
  batch.push(card);
  work();
}

function work() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift().answer().finally(() => {
      running -= 1;
      work();
      report();
    });
  }
}

function report() {
  const left = batch.filter((card) => cards.has(card));
  if (running || !left.length) {
    return;
  }
  batch = [];
  const failed = left.filter((card) => card.fault).length;
  if (left.length === 1) {
    const [{ name, fault, summary }] = left;
    say(nameOf(name), ": ", ...(fault ? [fault] : summary));
  } else {
    say(`${counted(left.length - failed, "picture")} answered${failed ? `, ${failed} could not be` : ""}.`);
  }
}

function say(...words) {
  byId("status").replaceChildren(...words);
}

function clear() {
  cards.forEach((card) => card.remove());
  cards.clear();
  waiting.length = batch.length = 0;
  document.body.classList.remove("has-results");
  byId("clear").hidden = true;
  byId("files").focus();
  say("All pictures removed.");
}

// Where pictures come from.

byId("files").addEventListener("change", (event) => {
  take(event.target.files);
  // The same file can be chosen again.
  event.target.value = "";
});
byId("clear").addEventListener("click", clear);
document.addEventListener("paste", ({ clipboardData }) => {
  // Text is for the field that has the focus.
  if (clipboardData.files.length) {
    take(clipboardData.files);
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
