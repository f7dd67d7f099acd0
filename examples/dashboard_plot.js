/**
 * Draws the gauges of the dashboard: each is a line of hills, those in front hide those behind.
 *
 * @module
 */
const PERIOD = 30; // milliseconds between two pictures, at least

export class Plot {
  #canvas;
  #context;
  #gauges = new Map(); // the newest values by number
  #colors = {};
  #changed = false;
  #drawn = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#readColors());
    this.#readColors();
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
    const frame = (now) => {
      if (this.#changed && now - this.#drawn > PERIOD) {
        this.#changed = false;
        this.#drawn = now;
        this.#draw();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** Takes the newest values of a gauge. */
  set(number, values) {
    this.#gauges.set(number, values.filter((_, i) => i % 2 === values.length % 2));
    this.#changed = true;
  }

  #readColors() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["low", "high"]) {
      this.#colors[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.max(1, Math.round(clientWidth * scale));
    this.#canvas.height = Math.max(1, Math.round(clientHeight * scale));
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.#changed = true;
  }

  #draw() {
    const context = this.#context;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    const lines = [...this.#gauges].sort(([a], [b]) => a - b);
    const hill = height * 0.3;
    const gap = (height - hill - 4) / Math.max(1, lines.length - 1);
    context.lineJoin = "round";
    lines.forEach(([, values], i) => {
      const depth = lines.length < 2 ? 1 : i / (lines.length - 1);
      // The back is narrower, as things far away are.
      const margin = (1 - depth) * width * 0.12;
      this.#line(
        values,
        margin,
        width - margin,
        hill + i * gap,
        hill * (0.55 + 0.45 * depth),
        depth,
      );
    });
  }

  #line(values, left, right, base, hill, depth) {
    const context = this.#context;
    const color = context.createLinearGradient(0, base - hill * 0.9, 0, base);
    color.addColorStop(0, this.#colors.high);
    color.addColorStop(0.8, this.#colors.low);
    const y = (i) => base - hill * smooth(values, i) / 1000;
    this.#trace(values.length, left, right, y);
    context.lineTo(right, base + 2);
    context.lineTo(left, base + 2);
    context.save();
    // The hill hides what is behind it, and has a breath of color.
    context.globalCompositeOperation = "destination-out";
    context.fill();
    context.globalCompositeOperation = "destination-over";
    context.globalAlpha = 0.14;
    context.fillStyle = color;
    context.fill();
    context.restore();
    this.#trace(values.length, left, right, y);
    context.strokeStyle = color;
    context.lineWidth = 1 + depth;
    context.globalAlpha = 0.35 + 0.65 * depth;
    context.stroke();
    context.globalAlpha = 1;
  }

  /** Begins a path along a line. */
  #trace(count, left, right, y) {
    const context = this.#context;
    const step = (right - left) / (count - 1);
    context.beginPath();
    context.moveTo(left, y(0));
    for (let i = 1; i < count; i++) {
      const x = left + i * step;
      context.quadraticCurveTo(x - step, y(i - 1), x - step / 2, (y(i - 1) + y(i)) / 2);
    }
    context.lineTo(right, y(count - 1));
  }
}

/** A value, between its neighbours. */
function smooth(values, i) {
  const before = values[Math.max(0, i - 1)];
  const after = values[Math.min(values.length - 1, i + 1)];
  return (before + 2 * values[i] + after) / 4;
}
