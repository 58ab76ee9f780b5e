// Asks the server; knows its token, and what to do where it is busy.

const MOST_TRIES = 6, LONGEST_PAUSE_S = 10, LONGEST_ANSWER_S = 120;

// What the same request would meet again.
export class Refusal extends Error {}

// It stays in this variable: no storage and no address ever holds it.
let token = "";
let entered = null;

// Resolves when a token other than `refused` was entered.
function anotherToken(refused) {
  if (token !== refused) {
    return Promise.resolve();
  }
  entered ??= new Promise((resolve) => {
    const form = document.getElementById("locked").querySelector("form"), field = document.getElementById("token");
    document.getElementById("token-hint").textContent = refused
      ? "The server does not accept this token." : "It is forgotten when the page is closed.";
    document.getElementById("locked").hidden = false;
    // A link sends no token.
    document.getElementById("described").hidden = true;
    field.focus();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      token = field.value.trim();
      field.value = "";
      document.getElementById("locked").hidden = true;
      document.getElementById("files").focus();
      entered = null;
      resolve();
    }, { once: true });
  });
  return entered;
}

// Returns what the server answers; waits for a token where it asks for one, and a while where it is busy.
export async function ask(path, file, say = () => {}) {
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
      const Fault = answer.status < 500 ? Refusal : Error;
      throw new Fault(await faultOf(answer));
    } else {
      return answer;
    }
    say("");
  }
}

// Fails where the browser cannot read a file.
export const firstByte = (file) => file.slice(0, 1).arrayBuffer();

async function sent(path, file) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = { headers, cache: "no-store", signal: AbortSignal.timeout(1000 * LONGEST_ANSWER_S) };
  if (file) {
    // Of an unreadable file a browser says what it says of an unreachable server.
    await firstByte(file).catch(() => {
      throw new Refusal("The browser cannot read this file. Was it changed, or is it a folder?");
    });
    headers["Content-Type"] = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    Object.assign(options, { method: "POST", body: file });
  }
  try {
    const answer = await fetch(path, options);
    // Its body too: a connection may break off in the middle of it.
    return new Response(await answer.blob(), answer);
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "The server does not answer." : "The server cannot be reached.");
  }
}

async function faultOf(answer) {
  const told = await answer.json().catch(() => ({}));
  const words = told.error ?? `The server answers ${answer.status} ${answer.statusText}`.trim();
  return told.id ? `${words} (error ${told.id})` : words;
}
