// A picture with its answer: sent, shown, and looked into.

import { legible, make, nameOf, namedIn, rankingOf, rankingsOf, rounded, show } from "./answers.js";
import { Refusal, ask } from "./server.js";

const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export class Card {
  // model() returns what the server says of its network; askAgain(card) has answer() called when it is its turn.
  constructor(file, model, askAgain) {
    Object.assign(this, { file, model });
    this.fault = this.summary = "";
    this.addresses = [];
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.element.ariaLabel = this.part(".file bdi").textContent = this.name = legible(file.name);
    this.part("h2").textContent = "Waiting …";
    this.part(".again").addEventListener("click", () => {
      this.part("h2").focus();
      askAgain(this);
    });
    this.part(".toggle").addEventListener("click", () => this.toggleHeat());
    this.part("input").addEventListener("input", ({ target }) => { this.part(".heat").style.opacity = target.value / 100; });
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
      const network = await this.model();
      await this.check(network.max_bytes);
      const found = await ask("predict", this.file, progress).then((answer) => answer.json());
      this.showAnswer(network, found);
      this.part(".heat-controls").hidden = !network.has_heat_maps;
    } catch (error) {
      this.fault = error.message;
      this.part("h2").textContent = "No answer";
      this.part("h2").className = "is-quiet";
      show(this.part(".answer-fault"), this.fault);
      this.part(".again").hidden = error instanceof Refusal;
    }
    this.element.ariaBusy = "false";
    this.showPreview();
  }

  // A browser does not read the answer to a body that is cut off, and says the same of an unreadable file.
  async check(maxBytes) {
    if (this.file.size > maxBytes) {
      throw new Refusal(`The file has ${inMegabytes(this.file.size)}; the server takes ${inMegabytes(maxBytes)}.`);
    }
    await this.file.slice(0, 1).arrayBuffer().catch(() => {
      throw new Refusal("The browser cannot read this file.");
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
    if (this.fault || !(await this.model()).has_heat_maps) {
      return;
    }
    await this.load("explain?layer=image", image).then(() => {
      image.hidden = false;
      show(this.part(".no-picture"), "");
    }, () => {});
  }

  async load(path, image) {
    const blob = await ask(path, this.file).then((answer) => answer.blob());
    image.src = this.addressOf(blob);
    await image.decode();
  }

  showAnswer(network, found) {
    const heading = this.part("h2"), named = namedIn(found), rankings = rankingsOf(network, found);
    heading.className = named.length ? "" : "is-quiet";
    heading.replaceChildren(...named.map(({ name, score }) => (
      make("span", {}, nameOf(name), " ", make("span", { className: "score" }, rounded(score)))
    )));
    if (!named.length) {
      heading.textContent = network.has_several_labels ? "no class" : found.name;
    }
    show(this.part(".note"), named.length ? "" : "No class is likely enough to be named.");
    this.part(".groups").replaceChildren(...rankings.map((rows, task) => (
      make("div", {}, ...(network.num_tasks ? [make("h3", {}, `Task ${task + 1}`)] : []), rankingOf(rows, network))
    )));
    const best = rankings.map((rows) => legible(rows[0].name)).join(", ");
    this.part(".scale bdi").textContent = best;
    this.part(".heat").alt = `Heat map: where the network sees ${best}`;
    this.part(".seen").alt = "The picture as the network sees it";
    this.summary = named.map(({ name, score }) => `${legible(name)} ${rounded(score)}`).join(", ") || heading.textContent;
  }

  async toggleHeat() {
    const button = this.part(".toggle"), isOn = button.ariaPressed !== "true";
    if (button.ariaBusy === "true" || (isOn && !await this.hasHeat())) {
      return;
    }
    button.ariaPressed = String(isOn);
    for (const name of [".seen", ".heat", ".scale", ".heat-controls label"]) {
      this.part(name).hidden = !isOn;
    }
    this.part(".whole").hidden = isOn;
  }

  // Returns whether there is a heat map; it is fetched once.
  async hasHeat() {
    const button = this.part(".toggle"), heat = this.part(".heat");
    if (heat.src) {
      return true;
    }
    show(this.part(".look-fault"), "");
    button.ariaBusy = "true";
    button.textContent = "Looking …";
    try {
      await Promise.all([this.load("explain?layer=image", this.part(".seen")), this.load("explain", heat)]);
    } catch (error) {
      heat.removeAttribute("src");
      show(this.part(".look-fault"), error.message);
    }
    button.ariaBusy = "false";
    button.textContent = "Where it looks";
    return Boolean(heat.src);
  }
}
