// The page: takes a file or a recording, asks the server, and shows the answer.

import { record } from "./recorder.js";
import { show, timeline } from "./result.js";
import { RATE, decode, draw } from "./spectrogram.js";

const part = (id) => document.getElementById(id);
const limits = { bytes: Number(document.body.dataset.bytes), seconds: Number(document.body.dataset.seconds) };
let file = null, samples = null, stop = null, starting = false, question = 0;

function fail(text) {
  part("failure").textContent = text;
  part("failure").hidden = !text;
  part("status").textContent = "";
}

async function look(blob) {
  URL.revokeObjectURL(part("player").src);
  part("player").src = URL.createObjectURL(blob);
  part("name").textContent = blob.name;
  part("sound").hidden = false;
  part("timeline").hidden = true;
  samples = null;
  try {
    samples = await decode(blob);
  } catch {
    part("name").textContent = `${blob.name} (this browser cannot draw it)`;
  }
  part("spectrogram").parentElement.hidden = !samples;
  if (samples) draw(part("spectrogram"), samples);
}

async function ask() {
  const number = ++question;
  const query = new URLSearchParams();
  if (part("segments").value) query.set("segments", part("segments").value);
  if (part("transcribe")) query.set("transcribe", String(part("transcribe").checked));
  const form = new FormData();
  form.append("file", file, file.name);
  part("result").hidden = true;
  part("timeline").hidden = true;
  part("status").textContent = "The model listens ...";
  try {
    const response = await fetch(`predict?${query}`, { method: "POST", body: form });
    const answer = await response.json();
    if (number !== question) return;
    if (!response.ok) {
      fail(answer.error);
      return;
    }
    show(part("result"), answer);
    if (samples) timeline(part("timeline"), answer, samples.length / RATE);
    part("status").textContent = `Answered in ${Number(answer.seconds ?? 0).toFixed(2)} s.`;
  } catch {
    if (number === question) fail("The server does not answer; is it still running?");
  }
}

async function take(blob) {
  fail("");
  if (blob.size > limits.bytes) {
    fail(`The file is larger than ${limits.bytes / 1e6} MB.`);
    return;
  }
  file = blob;
  part("again").disabled = false;
  await Promise.all([look(blob), ask()]);
}

function recording(on) {
  part("record").setAttribute("aria-pressed", String(on));
  part("record").textContent = on ? "Stop" : "Record";
  part("recording").hidden = !on;
  part("choose").disabled = on;
}

async function toggle() {
  if (starting) return;
  starting = true;
  try {
    if (stop) {
      const end = stop;
      stop = null;
      recording(false);
      const blob = await end();
      await take(new File([blob], "recording.wav", { type: blob.type }));
    } else {
      fail("");
      stop = await record((seconds, peak) => {
        part("clock").textContent = `${seconds.toFixed(1)} s`;
        part("level").style.width = `${100 * Math.min(1, peak)}%`;
        if (stop && seconds >= limits.seconds - 1) toggle();
      });
      recording(true);
    }
  } catch (error) {
    recording(false);
    const words = { NotAllowedError: "The browser may not use the microphone.", NotFoundError: "There is no microphone." };
    fail(words[error.name] ?? error.message);
  } finally {
    starting = false;
  }
}

part("choose").addEventListener("click", () => part("file").click());
part("file").addEventListener("change", ({ target }) => {
  if (target.files.length) take(target.files[0]);
  target.value = "";
});
part("record").addEventListener("click", toggle);
part("again").addEventListener("click", () => { fail(""); ask(); });
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    part("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}
new ResizeObserver(() => {
  if (samples && part("spectrogram").clientWidth) draw(part("spectrogram"), samples);
}).observe(part("spectrogram").parentElement);
