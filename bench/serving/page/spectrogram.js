// Draws a mel spectrogram of a file: time in s, frequency in Hz on the mel scale of HTK, level in dB.

export const RATE = 16000;
const FRAME = 1024, RANGE = 80, LEFT = 52, BOTTOM = 22;
const MAP = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]];
const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const hertz = (mels) => 700 * (10 ** (mels / 2595) - 1);

// Returns the samples of a file at 16 kHz, its channels averaged.
export async function decode(blob) {
  const buffer = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await blob.arrayBuffer());
  const samples = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((sample, i) => { samples[i] += sample / buffer.numberOfChannels; });
  }
  return samples;
}

// Returns the power spectrum of a frame of FRAME samples around a place, by a radix-2 FFT.
export function power(samples, centre) {
  const re = new Float64Array(FRAME), im = new Float64Array(FRAME);
  for (let i = 0, reversed = 0; i < FRAME; i++) {
    const at = centre - FRAME / 2 + i;
    re[reversed] = at >= 0 && at < samples.length ? samples[at] * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / FRAME)) : 0;
    let bit = FRAME >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed |= bit;
  }
  for (let size = 2; size <= FRAME; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const c = Math.cos(-2 * Math.PI * k / size), s = Math.sin(-2 * Math.PI * k / size);
      for (let i = k; i < FRAME; i += size) {
        const j = i + size / 2, x = re[j] * c - im[j] * s, y = re[j] * s + im[j] * c;
        re[j] = re[i] - x; im[j] = im[i] - y; re[i] += x; im[i] += y;
      }
    }
  }
  return Float64Array.from({ length: FRAME / 2 + 1 }, (_, i) => re[i] ** 2 + im[i] ** 2);
}

function pixels(samples, width, height) {
  const levels = new Float64Array(width * height);
  const top = mel(RATE / 2);
  const bins = Float64Array.from({ length: height }, (_, y) => hertz(top * (1 - (y + 0.5) / height)) * FRAME / RATE);
  let loudest = -Infinity;
  for (let x = 0; x < width; x++) {
    const spectrum = power(samples, Math.round((x + 0.5) / width * samples.length));
    for (let y = 0; y < height; y++) {
      const bin = Math.floor(bins[y]), share = bins[y] - bin;
      const level = 10 * Math.log10((1 - share) * spectrum[bin] + share * spectrum[Math.min(bin + 1, FRAME / 2)] + 1e-10);
      levels[y * width + x] = level;
      loudest = Math.max(loudest, level);
    }
  }
  const image = new ImageData(width, height);
  levels.forEach((level, i) => {
    const place = Math.max(0, 1 + (level - loudest) / RANGE) * (MAP.length - 1), low = Math.min(MAP.length - 2, Math.floor(place));
    MAP[low].forEach((value, c) => { image.data[4 * i + c] = value + (MAP[low + 1][c] - value) * (place - low); });
    image.data[4 * i + 3] = 255;
  });
  return image;
}

function ticks(seconds) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((size) => seconds / size <= 7) ?? 600;
  return Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, i) => Number((i * step).toFixed(1)));
}

// Draws samples at RATE into a canvas of its size on the page.
export function draw(canvas, samples) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  const plotWidth = Math.max(1, width - LEFT), plotHeight = Math.max(1, height - BOTTOM - 6);
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const picture = new OffscreenCanvas(plotWidth, plotHeight);
  picture.getContext("2d").putImageData(pixels(samples, plotWidth, plotHeight), 0, 0);
  context.drawImage(picture, LEFT, 6);
  const style = getComputedStyle(document.body);
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
  context.font = `12px ${style.fontFamily}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of [8000, 4000, 2000, 1000, 500, 0]) {
    context.fillText(value ? String(value) : "0 Hz", LEFT - 6, 6 + Math.min(plotHeight - 6, Math.max(6, plotHeight * (1 - mel(value) / mel(RATE / 2)))));
  }
  const seconds = samples.length / RATE;
  context.textBaseline = "top";
  for (const value of ticks(seconds)) {
    const x = LEFT + plotWidth * value / seconds;
    context.textAlign = value === 0 ? "left" : x > width - 24 ? "right" : "center";
    context.fillText(`${value} s`, x, height - BOTTOM + 6);
  }
}
