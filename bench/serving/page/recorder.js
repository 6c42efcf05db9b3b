// Records the microphone as a WAV file, which every server reads: MediaRecorder has none.

// What a browser does to speech for calls would change what the model hears.
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

export function wav(blocks, rate) {
  const n = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * n));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * n, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * n, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

// Starts to record; `heard(seconds, peak)` is called several times a second. Returns a function that stops, and
// returns the WAV file.
export async function record(heard) {
  if (!navigator.mediaDevices) throw new Error("The browser records only on localhost or over https.");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  const context = new AudioContext();
  const blocks = [];
  let n = 0, peak = 0, last = 0;
  await context.audioWorklet.addModule("recorder-worklet.js");
  const node = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
  node.port.onmessage = ({ data }) => {
    blocks.push(data);
    n += data.length;
    for (const sample of data) peak = Math.max(peak, Math.abs(sample));
    if (n - last > context.sampleRate / 15) {
      heard(n / context.sampleRate, peak);
      last = n;
      peak = 0;
    }
  };
  context.createMediaStreamSource(stream).connect(node).connect(context.destination);
  return async () => {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
    if (!n) throw new Error("The microphone gave no sound.");
    return wav(blocks, context.sampleRate);
  };
}
