// The model on its stage: <model-viewer>, ways to draw it, and the picture in front of it from the same camera.

const DISTANCE_M = 2.35, FOV_DEG = 30; // a sphere of radius 0.5 with some room
const START = { azimuth: 25, elevation: 12, distance: DISTANCE_M, fov: FOV_DEG, target: [0, 0, 0] };

// Fragments that replace what a material has computed; model-viewer itself draws painted surfaces only.
const SHADERS = {
  normals: "gl_FragColor = vec4(normalize(normal) * 0.5 + 0.5, 1.0);",
  uv: "vec2 c = floor(vShownUv * 48.0); float k = mod(c.x + c.y, 2.0); gl_FragColor = vec4(vShownUv * (0.55 + 0.45 * k), 0.6 * k + 0.2, 1.0);",
};

export class Viewer {
  constructor(place, overlay, line) {
    this.place = place;
    this.overlay = overlay;
    this.line = line;
    this.look = "painted";
    this.turns = true;
    this.ready = null;
  }

  // The element's script, a megabyte.
  fetch() {
    this.fetched ??= import("/static/model-viewer.offline.js").then(() => import("/static/model-viewer.min.js"));
    return this.fetched;
  }

  // The element on its place, once it is wanted.
  load() {
    this.ready ??= (async () => {
      await this.fetch();
      const element = document.createElement("model-viewer");
      for (const [name, value] of Object.entries({
        "camera-controls": "", "touch-action": "pan-y", "interaction-prompt": "none", "shadow-intensity": "0.6",
        "tone-mapping": "neutral", "min-camera-orbit": "auto auto 0.6m", "max-camera-orbit": "auto auto 12m",
        "min-field-of-view": "5deg", "max-field-of-view": "80deg", "auto-rotate-delay": "0", "rotation-per-second": "24deg",
        alt: "The model, which can be turned", exposure: "0.8",
      })) element.setAttribute(name, value);
      this.element = element;
      this.from(START);
      element.addEventListener("load", () => this.draw());
      element.addEventListener("camera-change", (event) => {
        if (event.detail.source === "user-interaction") { this.stopTurning?.(); this.uncompare?.(); }
      });
      this.place.replaceChildren(element);
      this.turn(this.turns);
      return element;
    })();
    return this.ready;
  }

  // Shows a GLB; the camera stays where it is.
  async show(content, alt) {
    const element = await this.load();
    const before = this.url;
    this.url = URL.createObjectURL(content);
    const kept = this.touched ? element.getCameraOrbit().toString() : null;
    element.alt = alt;
    await new Promise((done, fail) => {
      element.addEventListener("load", done, { once: true });
      element.addEventListener("error", () => fail(new Error("The model could not be shown.")), { once: true });
      element.src = this.url;
    });
    if (kept) element.cameraOrbit = kept;
    this.touched = true;
    if (before) URL.revokeObjectURL(before);
  }

  from(camera) {
    const { azimuth, elevation, distance, fov, target } = camera;
    this.element.cameraTarget = target.map((each) => `${each}m`).join(" ");
    this.element.cameraOrbit = `${azimuth}deg ${90 - elevation}deg ${distance}m`;
    this.element.fieldOfView = `${fov}deg`;
  }

  start() {
    this.element?.resetTurntableRotation(0);
    if (this.element) this.from({ ...START, azimuth: 0, elevation: 0 });
  }

  turn(turns) {
    this.turns = turns && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (this.element) this.element.autoRotate = this.turns;
  }

  // The picture over the model, from where it was taken. camera: as the server says; at: share shown, 0 to 100.
  compare(url, camera, at) {
    this.element.resetTurntableRotation(0);
    this.from(camera);
    this.element.jumpCameraToGoal();
    const picture = this.overlay.firstElementChild;
    picture.src = url;
    picture.style.transform = `rotate(${camera.roll}deg)`;
    this.overlay.hidden = this.line.hidden = false;
    this.split(at);
  }

  split(at) {
    this.overlay.style.clipPath = `inset(0 ${100 - at}% 0 0)`;
    this.line.style.left = `${at}%`;
  }

  endCompare() { this.overlay.hidden = this.line.hidden = true; }

  // Draws the surface in another way, through the scene that model-viewer keeps behind a symbol.
  draw(look = this.look) {
    this.look = look;
    const symbol = this.element && Object.getOwnPropertySymbols(this.element).find((each) => each.description === "scene");
    const scene = symbol && this.element[symbol];
    if (!scene) return;
    scene.traverse((node) => {
      const material = node.isMesh && node.material;
      if (!material?.isMeshStandardMaterial) return;
      const kept = (material.userData.kept ??= { map: material.map, colours: material.vertexColors, colour: material.color.clone() });
      const isPainted = look === "painted";
      material.map = isPainted || look === "uv" ? kept.map : null;
      material.vertexColors = isPainted && kept.colours;
      material.color.copy(kept.colour);
      if (look === "clay") material.color.setRGB(0.36, 0.33, 0.3);
      if (look === "wires") material.color.setScalar(document.documentElement.dataset.theme === "dark" ? 0.9 : 0.02);
      material.wireframe = look === "wires";
      const shader = SHADERS[look];
      material.onBeforeCompile = (program) => {
        if (!shader || (look === "uv" && !kept.map)) return;
        const varying = look === "uv" ? "varying vec2 vShownUv;\n" : "";
        program.fragmentShader = varying + program.fragmentShader.replace("#include <dithering_fragment>", `#include <dithering_fragment>\n${shader}`);
        if (look === "uv") program.vertexShader = varying + program.vertexShader.replace("#include <uv_vertex>", "#include <uv_vertex>\nvShownUv = uv;");
      };
      material.customProgramCacheKey = () => look;
      material.needsUpdate = true;
    });
    scene.queueRender?.();
  }
}
