// A picture with its answer: sent, shown, and looked into.

import { legible, make, nameOf, namedIn, rankingOf, rankingsOf, rounded, show } from "./answers.js";
import { Refusal, ask, firstByte } from "./server.js";

const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export class Card {
  // model() returns what the server says of its network; askAgain(card) has answer() called when it is its turn.
  constructor(file, model, askAgain) {
    Object.assign(this, { file, model });
    this.fault = "";
    this.summary = [];
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
    for (const image of this.element.querySelectorAll("img")) {
      image.addEventListener("load", () => image.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight));
    }
    // Browsers turn it upright as the server does.
    this.preview = new Promise((resolve) => {
      const image = this.part(".whole");
      image.addEventListener("load", () => resolve(true));
      image.addEventListener("error", () => resolve(false));
      // The console shall not tell of what the page tells.
      firstByte(file).then(() => { image.src = this.addressOf(file); }, () => resolve(false));
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
    this.reset();
    this.element.ariaBusy = "true";
    const progress = (text) => { this.part("h2").textContent = text || "Looking …"; };
    progress("");
    try {
      const network = await this.model();
      this.checkSize(network.max_bytes);
      const found = await ask("predict", this.file, progress).then((answer) => answer.json());
      this.network = network;
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

  // There may be an answer of another network.
  reset() {
    this.showHeat(false);
    this.part(".heat").removeAttribute("src");
    this.part(".heat-controls").hidden = this.part(".again").hidden = true;
    this.part(".groups").replaceChildren();
    for (const name of [".note", ".look-fault", ".answer-fault"]) {
      show(this.part(name), "");
    }
  }

  // A browser does not read the answer to a body that is cut off.
  checkSize(maxBytes) {
    const { size } = this.file;
    if (!size) {
      throw new Refusal("The file is empty.");
    }
    if (size > maxBytes) {
      throw new Refusal(`The file has ${inMegabytes(size)}; the server takes ${inMegabytes(maxBytes)}.`);
    }
  }

  // What this browser cannot show, the server may.
  async showPreview() {
    if (await this.preview) {
      return;
    }
    const image = this.part(".whole");
    image.hidden = true;
    show(this.part(".no-picture"), "This browser cannot show the file.");
    if (this.fault || !this.network.has_heat_maps) {
      return;
    }
    await this.drawn("explain?layer=image").then((address) => {
      image.src = address;
      image.hidden = false;
      show(this.part(".no-picture"), "");
    }, () => {});
  }

  // Returns the address of what the server draws of the picture.
  async drawn(path) {
    const answer = await ask(path, this.file);
    if (answer.headers.get("X-Network") !== this.network.identity) {
      this.part(".again").hidden = false;
      throw new Error("The server has another network now. Try again for its answer.");
    }
    return this.addressOf(await answer.blob());
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
    this.summary = named.length
      ? named.flatMap(({ name, score }, place) => [place ? ", " : "", nameOf(name), ` ${rounded(score)}`])
      : [heading.textContent];
  }

  async toggleHeat() {
    const button = this.part(".toggle"), isOn = button.ariaPressed !== "true";
    if (button.ariaBusy !== "true" && (!isOn || await this.hasHeat())) {
      this.showHeat(isOn);
    }
  }

  showHeat(isOn) {
    this.part(".toggle").ariaPressed = String(isOn);
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
      const addresses = await Promise.all([this.drawn("explain?layer=image"), this.drawn("explain")]);
      [this.part(".seen").src, heat.src] = addresses;
    } catch (error) {
      show(this.part(".look-fault"), error.message);
    }
    button.ariaBusy = "false";
    button.textContent = "Where it looks";
    return Boolean(heat.src);
  }
}
