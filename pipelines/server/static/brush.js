// The outline of the object over its picture, corrected by a brush: pointer, touch or keyboard.

const MOST_UNDO = 20;

export class Brush {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.mask = new OffscreenCanvas(1, 1);
    this.picture = null;
    this.adds = true;
    this.radius = 18;
    this.cursor = null;
    this.past = [];
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerleave", () => { if (!this.last) { this.cursor = null; this.draw(); } });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.last = null; });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.cursor = null; this.draw(); });
    canvas.addEventListener("focus", () => {
      if (!this.cursor && canvas.matches(":focus-visible")) this.cursor = { x: canvas.width / 2, y: canvas.height / 2 };
      this.draw();
    });
  }

  // picture, alpha: ImageBitmaps of one size; alpha null while it is not known.
  show(picture, alpha) {
    const { width, height } = picture;
    if (width !== this.canvas.width || height !== this.canvas.height) [this.canvas.width, this.canvas.height] = [width, height];
    this.picture = picture;
    this.mask = new OffscreenCanvas(width, height);
    this.found = null;
    this.past = [];
    if (alpha) {
      // Gray to alpha, so that the mask can be painted and composed.
      const context = this.mask.getContext("2d", { willReadFrequently: true });
      context.drawImage(alpha, 0, 0, width, height);
      const pixels = context.getImageData(0, 0, width, height);
      for (let i = 0; i < pixels.data.length; i += 4) {
        pixels.data[i + 3] = pixels.data[i];
        pixels.data[i] = pixels.data[i + 1] = pixels.data[i + 2] = 255;
      }
      context.putImageData(pixels, 0, 0);
      this.found = pixels;
    }
    this.draw();
    this.onChange(this);
  }

  get isChanged() { return this.past.length > 0; }

  // The mask as a gray PNG; null while it is as it was found and nobody has to hear of it.
  async png() {
    const gray = new OffscreenCanvas(this.mask.width, this.mask.height);
    const context = gray.getContext("2d");
    context.fillRect(0, 0, gray.width, gray.height);
    context.drawImage(this.mask, 0, 0);
    return gray.convertToBlob({ type: "image/png" });
  }

  undo() {
    const before = this.past.pop();
    if (before) this.restore(before);
  }

  reset() {
    if (this.found && this.past.length) {
      this.past = [];
      this.restore(this.found);
    }
  }

  restore(pixels) {
    this.mask.getContext("2d").putImageData(pixels, 0, 0);
    this.draw();
    this.onChange(this);
  }

  remember() {
    this.past.push(this.mask.getContext("2d").getImageData(0, 0, this.mask.width, this.mask.height));
    if (this.past.length > MOST_UNDO) this.past.shift();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) * this.canvas.width) / box.width,
      y: ((event.clientY - box.top) * this.canvas.height) / box.height,
    };
  }

  // A px of the page in px of the picture.
  get scale() { return this.canvas.width / (this.canvas.getBoundingClientRect().width || this.canvas.width); }

  press(event) {
    if (!this.found || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.remember();
    this.last = this.cursor = this.at(event);
    this.stroke(this.last, this.last);
  }

  move(event) {
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      this.cursor = this.at(each);
      if (this.last) { this.stroke(this.last, this.cursor, false); this.last = this.cursor; }
    }
    if (this.last) this.onChange(this);
    this.draw();
  }

  stroke(from, to, tell = true) {
    const context = this.mask.getContext("2d");
    context.globalCompositeOperation = this.adds ? "source-over" : "destination-out";
    context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * this.radius * this.scale;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    context.globalCompositeOperation = "source-over";
    if (tell) { this.draw(); this.onChange(this); }
  }

  key(event) {
    const step = (event.shiftKey ? 4 : 1) * Math.max(2, this.radius / 3) * this.scale;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!this.found) return;
    this.cursor ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    if (event.key in moves) {
      const [x, y] = moves[event.key];
      this.cursor = {
        x: Math.min(this.canvas.width, Math.max(0, this.cursor.x + x * step)),
        y: Math.min(this.canvas.height, Math.max(0, this.cursor.y + y * step)),
      };
      this.draw();
    } else if (event.key === " " || event.key === "Enter") {
      this.remember();
      this.stroke(this.cursor, this.cursor);
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
      this.undo();
    } else {
      return; // the page knows the letters
    }
    event.preventDefault();
  }

  draw() {
    if (!this.picture) return;
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.globalCompositeOperation = "copy";
    if (this.found) {
      // The object in full colours, all else pale.
      context.drawImage(this.mask, 0, 0);
      context.globalCompositeOperation = "source-in";
      context.drawImage(this.picture, 0, 0, width, height);
      context.globalCompositeOperation = "destination-over";
      context.globalAlpha = 0.22;
      context.drawImage(this.picture, 0, 0, width, height);
      context.globalAlpha = 1;
    } else {
      context.drawImage(this.picture, 0, 0, width, height);
    }
    context.globalCompositeOperation = "source-over";
    if (this.cursor && this.found) {
      for (const [colour, more] of [["#000", 1.5], [this.adds ? "#4ade80" : "#fb7185", 0]]) {
        context.strokeStyle = colour;
        context.lineWidth = 2 * this.scale;
        context.beginPath();
        context.arc(this.cursor.x, this.cursor.y, this.radius * this.scale + more * this.scale, 0, 7);
        context.stroke();
      }
    }
  }
}
