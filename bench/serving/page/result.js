// Shows an answer. Every text of it goes in as text, never as HTML.

const COLOURS = ["#0757ba", "#a33b00", "#006b4e", "#8c2f8f", "#7a5c00", "#3f4a57"];
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const score = (value) => Number(value).toFixed(3);

export function element(name, content = "", classes = "") {
  const node = document.createElement(name);
  node.className = classes;
  node.append(...[content].flat().filter((part) => part !== ""));
  return node;
}

function bars(answer) {
  const inside = new Set(answer.set ?? []);
  return element("ul", Object.entries(answer.probabilities ?? {}).map(([label, value]) => {
    const filled = element("span");
    filled.style.width = `${100 * value}%`;
    const name = element("bdi", label);
    name.title = label;
    const row = element("li", [name, element("span", filled, "track"), element("span", percent(value), "number")]);
    row.className = !inside.size || inside.has(label) ? "inside" : "";
    return row;
  }), "bars");
}

function support(answer) {
  const lines = [];
  if (answer.set?.length) {
    lines.push(element("p", ["Set: ", element("bdi", answer.set.join(", "))]));
  }
  const { metric, value, low, high } = answer.measured ?? {};
  if (metric) {
    const bounds = low == null || high == null ? "" : ` (95 % interval ${score(low)} to ${score(high)})`;
    lines.push(element("p", `Measured on held-out clips: ${metric} ${score(value)}${bounds}.`, "soft"));
  }
  if (answer.calibrated === false) lines.push(element("p", "The probabilities are not calibrated.", "soft"));
  if (answer.remarks?.length) lines.push(element("p", `Remarks: ${answer.remarks.join(", ")}.`, "soft"));
  return lines;
}

function transcript(answer) {
  if (answer.transcription == null) return [];
  const language = answer.language ? ` (${answer.language})` : "";
  const text = answer.transcription.trim();
  const words = text ? element("p", element("bdi", text), "text") : element("p", "No speech was heard.", "soft");
  return [element("h2", `Transcript${language}`), words];
}

// Fills a section with an answer.
export function show(section, answer) {
  const confidence = answer.confidence == null ? "" : element("span", percent(answer.confidence), "number soft");
  const far = answer.unfamiliar?.flag
    ? [element("p", `Unlike the training clips: ${answer.unfamiliar.score.toFixed(1)} times as far as the limit. The label may mean nothing.`, "care")]
    : [];
  const raw = element("details", [element("summary", "JSON"), element("pre", JSON.stringify(answer, null, 2))]);
  section.replaceChildren(
    ...far,
    element("p", [element("strong", element("bdi", String(answer.predicted_label))), confidence], "label"),
    bars(answer), ...support(answer), ...transcript(answer), raw,
  );
  section.hidden = false;
}

// Fills a strip below the spectrogram with the segments of an answer.
export function timeline(strip, answer, seconds) {
  const segments = answer.segments ?? [];
  const labels = [...new Set(segments.map((segment) => segment.label))];
  strip.replaceChildren(...segments.map((segment) => {
    const part = element("span", segment.unfamiliar ? `${segment.label} ?` : segment.label, segment.unfamiliar ? "far" : "");
    part.style.left = `${100 * segment.start / seconds}%`;
    part.style.width = `${100 * (segment.end - segment.start) / seconds}%`;
    part.style.background = COLOURS[labels.indexOf(segment.label) % COLOURS.length];
    part.title = `${segment.label}: ${segment.start} to ${segment.end} s${segment.unfamiliar ? ", unlike the training clips" : ""}`;
    return part;
  }));
  strip.hidden = !segments.length;
}
