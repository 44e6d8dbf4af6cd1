// The page: a picture, its outline, the model, what to change, what to take away. See api.js, brush.js and viewer.js.
import { ENDED, ask, begin, blob, json, watch } from "/static/api.js";
import { Brush } from "/static/brush.js";
import { Viewer } from "/static/viewer.js";

const $ = (id) => document.getElementById(id);
const STAGES = {
  waiting: "Waiting", starting: "Starting", picture: "Drawing the picture", cutout: "Cutting it out",
  views: "Guessing the shape", align: "Comparing the views", fit: "Fitting the surface", mesh: "Cleaning the mesh",
  refine: "Refining it", register: "Placing the picture", texture: "Painting it", check: "Checking it", pack: "Packing it",
  export: "Writing the file",
};

const visit = { image: null, sheet: null, picture: null, job: null, shown: null, offers: null, past: [] };
const viewer = new Viewer($("viewer"), $("compare-over"), $("compare-line"));
const brush = new Brush($("brush"), () => {
  $("undo").disabled = $("reset").disabled = !brush.isChanged;
});

// ---- what is said
const say = (text) => { $("said").textContent = text; };
function trouble(error) {
  if (error?.name === "AbortError") return;
  $("trouble").textContent = error ? String(error.message ?? error) : "";
}
const guarded = (work) => async (...given) => {
  trouble(null);
  try { await work(...given); } catch (error) { trouble(error); }
};
function list(place, lines) {
  place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: plain(line) })));
}
// Configuration keys are for the command line; here there are controls.
const plain = (line) => line.replace(/; ?cutout\.method=\S+ [^;.]*/g, "; correct the outline by the brush").replace(/^./, (first) => first.toUpperCase());

function step(name) {
  document.body.dataset.step = name;
  $("start").hidden = name !== "start";
  $("outline").hidden = name !== "outline";
  $("model").hidden = name !== "model";
  $("side").hidden = name !== "model";
  $("again").hidden = name === "start";
}

// ---- the picture
const take = guarded(async (file) => {
  stop();
  performance.mark("picture");
  if (visit.offers && file.size > visit.offers.upload_bytes) {
    throw new Error(`This file has more than ${visit.offers.upload_bytes >> 20} MB. Scale the picture down first.`);
  }
  if (document.querySelector("input[name=kind]:checked").value === "sheet") {
    Object.assign(visit, { image: null, sheet: file, cutout: null });
    return make();
  }
  Object.assign(visit, { image: file, sheet: null });
  await outline({ image: file }, file);
});

async function outline(fields, file) {
  step("outline");
  $("outline-warnings").replaceChildren();
  $("make").disabled = true;
  $("brush-wait").hidden = false;
  if (file) brush.show(await shownAt(file), null);
  $("outline-title").scrollIntoView({ block: "nearest" });
  try {
    const job = await follow(await begin("/v1/cutouts", fields));
    const [picture, alpha] = await Promise.all(["picture.jpg", "alpha.png"].map(async (name) => {
      const content = await blob(job.files[name]);
      if (name === "picture.jpg" && !file) visit.image = content;
      return createImageBitmap(content);
    }));
    brush.show(picture, alpha);
    list($("outline-warnings"), job.warnings);
    say("The object was found. Correct its outline, or make it 3D.");
    $("make").disabled = false;
    $("make").focus({ preventScroll: true });
    performance.mark("cutout");
    viewer.load().catch(() => {});
  } finally {
    $("brush-wait").hidden = true;
  }
}

// At most as large as the server shows it; kinds that the browser cannot show wait for the server's.
async function shownAt(file) {
  const whole = await createImageBitmap(file).catch(() => createImageBitmap(new ImageData(480, 360)));
  const scale = Math.min(1, 1280 / Math.max(whole.width, whole.height));
  return scale === 1 ? whole : createImageBitmap(whole, { resizeWidth: Math.round(whole.width * scale), resizeHeight: Math.round(whole.height * scale), resizeQuality: "high" });
}

// ---- the model
function asked() {
  const form = new FormData($("knobs")), fields = {};
  const isPreview = !visit.sheet && (form.get("model") ?? "preview") === "preview";
  for (const name of ["target_polycount", "texture_size", "seed", ...(visit.sheet ? [] : ["model"])]) fields[name] = form.get(name);
  if (isPreview) {
    for (const name of ["depth", "elevation", "up"]) {
      if (isSet(name)) fields[name] = $(name).value;
    }
    if (form.get("symmetry") !== "off") fields.symmetry = form.get("symmetry");
    if (form.get("back")?.size) fields.back = form.get("back");
  }
  return fields;
}

const make = guarded(async () => {
  stop();
  const start = performance.now();
  performance.mark("make");
  const mask = visit.sheet ? null : await brush.png();
  step("model");
  $("facts").hidden = true;
  uncompare();
  showViews(null);
  const fields = visit.sheet ? { sheet: visit.sheet } : { image: visit.image, mask };
  say("Making the model.");
  const job = await follow(await begin("/v1/jobs", { ...fields, ...asked() }), async (state, seen) => {
    const isNew = (name) => state.files[name] && !seen.has(name) && seen.add(name);
    if (isNew("views.png")) showViews(await blob(state.files["views.png"]));
    if (isNew("untextured.glb")) {
      await viewer.show(await blob(state.files["untextured.glb"]), "The shape, not painted yet");
      performance.mark("untextured");
    }
  });
  const names = ["model.glb", "report.json", "thumbnail.png", ...["cutout.png", "views.png"].filter((name) => name in job.files)];
  const contents = await Promise.all(names.map((name) => blob(job.files[name])));
  const made = { job, blobs: Object.fromEntries(names.map((name, at) => [name, contents[at]])), seconds: (performance.now() - start) / 1000, image: visit.image, sheet: visit.sheet };
  visit.past.unshift(made);
  await show(made);
  performance.mark("textured");
  say(`The model is ready. ${$("facts-line").textContent}`);
});

// Tells of a job until it has ended; returns its last state.
async function follow(job, each) {
  const ending = new AbortController(), seen = new Set();
  visit.job = { id: job.id, ending };
  $("progress").hidden = false;
  let state = job, work = Promise.resolve();
  try {
    for await (state of watch(job.id, ending.signal)) {
      progress(state);
      const now = state;
      if (each && !ENDED.includes(state.status)) work = work.then(() => each(now, seen)).catch(trouble);
    }
    await work;
  } finally {
    $("progress").hidden = true;
    if (visit.job?.id === job.id) visit.job = null;
  }
  if (state.status === "FAILED") throw new Error(sentence(state.task_error.message));
  if (state.status === "CANCELED") throw new DOMException("cancelled", "AbortError");
  if (!ENDED.includes(state.status)) throw new Error("The server broke off. Try again.");
  return state;
}
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, ".");

function progress(state) {
  const name = state.status === "PENDING" ? (state.position > 1 ? `Waiting, ${state.position - 1} before you` : "Waiting") : STAGES[state.stage] ?? "Working";
  $("stage-name").textContent = name;
  $("bar").value = state.progress;
  const left = state.seconds_left;
  $("left").textContent = left === null || left === undefined ? "" : left < 1.5 ? "about a second" : left < 90 ? `about ${Math.round(left)} s` : `about ${Math.round(left / 60)} min`;
}

function stop() {
  if (!visit.job) return;
  visit.job.ending.abort();
  ask(`/v1/jobs/${visit.job.id}/cancel`, { method: "POST" }).catch(() => {});
  visit.job = null;
}

async function show(made) {
  Object.assign(visit, { shown: made, image: made.image, sheet: made.sheet });
  await viewer.show(made.blobs["model.glb"], "The finished model");
  const { mesh, warnings, note, licence, camera } = made.job;
  $("facts").hidden = false;
  $("facts-line").textContent = `${mesh.faces.toLocaleString("en")} triangles, ${mesh.watertight ? "closed" : "not closed"}, ${(made.blobs["model.glb"].size / 1e6).toFixed(1)} MB, in ${made.seconds.toFixed(1)} s`;
  list($("warnings"), warnings);
  $("licence").textContent = [note, licence ? `Licence of what was made: ${licence}.` : ""].filter(Boolean).join(" ");
  for (const [id, name] of [["download-glb", "model.glb"], ["download-report", "report.json"]]) {
    URL.revokeObjectURL($(id).href);
    $(id).href = URL.createObjectURL(made.blobs[name]);
  }
  if (camera) {
    $("elevation").dataset.rest = Math.round(camera.elevation);
    if (!isSet("elevation")) valueOf("elevation").click();
  }
  $("compare").hidden = !(camera && made.blobs["cutout.png"]);
  $("back-to-outline").hidden = Boolean(made.sheet);
  showViews(made.blobs["views.png"]);
  remember();
}

function showViews(sheet) {
  URL.revokeObjectURL($("views-picture").src);
  $("views").hidden = !sheet;
  if (sheet) $("views-picture").src = URL.createObjectURL(sheet);
}

function remember() {
  $("history").hidden = visit.past.length < 2;
  $("past").replaceChildren(...visit.past.map((made, at) => {
    const button = document.createElement("button");
    const image = Object.assign(document.createElement("img"), { alt: "" });
    made.thumbnail ??= URL.createObjectURL(made.blobs["thumbnail.png"]);
    image.src = made.thumbnail;
    button.append(image, `Model ${visit.past.length - at}`);
    button.type = "button";
    if (made === visit.shown) button.setAttribute("aria-current", "true");
    button.addEventListener("click", guarded(async () => { stop(); step("model"); uncompare(); await show(made); }));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

// ---- compare
function uncompare() {
  viewer.endCompare();
  $("compare").setAttribute("aria-pressed", "false");
  $("compare-at-label").hidden = true;
}
viewer.uncompare = uncompare;
viewer.stopTurning = () => { viewer.turn(false); $("turn").setAttribute("aria-pressed", "false"); };
$("compare").addEventListener("click", () => {
  if ($("compare").getAttribute("aria-pressed") === "true") return uncompare();
  viewer.stopTurning();
  const { blobs, job } = visit.shown;
  viewer.compare(URL.createObjectURL(blobs["cutout.png"]), job.camera, Number($("compare-at").value));
  $("compare").setAttribute("aria-pressed", "true");
  $("compare-at-label").hidden = false;
});
$("compare-at").addEventListener("input", (event) => viewer.split(Number(event.target.value)));

// ---- controls
$("file").addEventListener("change", (event) => { if (event.target.files[0]) take(event.target.files[0]); event.target.value = ""; });
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) { event.preventDefault(); take(file); }
});
for (const kind of ["dragover", "dragenter"]) document.addEventListener(kind, (event) => { event.preventDefault(); document.body.classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (file) take(file); else trouble("Drop a file; addresses of other sites are not fetched. Save the picture first.");
});
$("prompt-form").addEventListener("submit", guarded(async (event) => {
  event.preventDefault();
  stop();
  Object.assign(visit, { sheet: null });
  await outline({ prompt: $("prompt").value, seed: new FormData($("knobs")).get("seed") }, null);
}));
$("again").addEventListener("click", () => { stop(); uncompare(); trouble(null); step("start"); $("file").focus(); });
$("make").addEventListener("click", make);
$("knobs").addEventListener("submit", (event) => { event.preventDefault(); make(); });
$("back-to-outline").addEventListener("click", () => { step("outline"); $("make").focus(); });
$("cancel").addEventListener("click", () => {
  stop();
  say("Cancelled.");
  if (!visit.shown) step(visit.sheet ? "start" : "outline"); else $("facts").hidden = false;
});
$("undo").addEventListener("click", () => brush.undo());
$("reset").addEventListener("click", () => brush.reset());
$("brush-size").addEventListener("input", (event) => { brush.radius = Number(event.target.value) / 2; brush.draw(); });
for (const input of document.querySelectorAll("input[name=brush]")) input.addEventListener("change", () => { brush.adds = input.value === "add"; brush.draw(); });
for (const input of document.querySelectorAll("input[name=look]")) input.addEventListener("change", () => viewer.draw(input.value));
$("turn").addEventListener("click", () => {
  const turns = $("turn").getAttribute("aria-pressed") !== "true";
  $("turn").setAttribute("aria-pressed", String(turns));
  if (turns) uncompare();
  viewer.turn(turns);
});
$("front").addEventListener("click", () => { uncompare(); viewer.stopTurning(); viewer.start(); });
$("brush").addEventListener("keydown", (event) => {
  const size = $("brush-size"), choose = (value) => { document.querySelector(`input[name=brush][value=${value}]`).click(); };
  if (event.ctrlKey || event.metaKey) return;
  if (event.key === "a") choose("add");
  else if (event.key === "r") choose("remove");
  else if (event.key === "+" || event.key === "-") {
    size.value = Number(size.value) + (event.key === "+" ? 6 : -6);
    size.dispatchEvent(new Event("input"));
  }
});
// A knob is as the network saw it until it is moved; its value beside it, pressed, lets it be so again.
const valueOf = (name) => document.querySelector(`.seen[data-for=${name}]`);
const isSet = (name) => "set" in valueOf(name).dataset;
for (const input of document.querySelectorAll("#knobs input[type=range]")) {
  const value = valueOf(input.id), unit = input.id === "depth" ? "" : "\u00b0";
  const tell = (text) => { value.textContent = text; input.setAttribute("aria-valuetext", text); };
  input.addEventListener("input", () => { value.dataset.set = ""; tell(`${Number(input.value).toFixed(unit ? 0 : 1)}${unit}`); });
  value.addEventListener("click", () => { delete value.dataset.set; input.value = input.dataset.rest; tell("as seen"); });
  value.click();
}
$("models").addEventListener("change", () => { document.querySelector(".preview-only").hidden = $("models").value !== "preview"; });
$("export").addEventListener("submit", guarded(async (event) => {
  event.preventDefault();
  const job = await follow(await begin(`/v1/jobs/${visit.shown.job.id}/exports`, Object.fromEntries(new FormData(event.target))));
  for (const [name, path] of Object.entries(job.files)) save(await blob(path), name);
}));
function save(content, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- theme
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-pressed", String(name === "dark"));
}
theme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", name);
  theme(name);
});

// ---- what the server offers
async function health() {
  let offers;
  try {
    offers = await json("/v1/health");
  } catch (error) {
    $("health").textContent = error.status === 401 ? "a token is needed: open the address that the server printed" : "no answer";
    $("health").dataset.state = "failed";
    return setTimeout(health, 3000);
  }
  const state = offers.worker.split(":")[0];
  $("health").dataset.state = state;
  $("health").textContent = { warming: "loading", ready: "ready", failed: "cannot work" }[state] + (offers.waiting > 1 ? `, ${offers.waiting} waiting` : "");
  $("health").title = offers.worker;
  if (!visit.offers) {
    $("most").textContent = offers.upload_bytes >> 20;
    $("keep").textContent = offers.keep_seconds === 3600 ? "an hour" : `${Math.round(offers.keep_seconds / 60)} minutes`;
    $("models").replaceChildren(...offers.models.map((name) => new Option(name)));
    $("formats").replaceChildren(...offers.formats.map((name) => new Option(name)));
    $("prompt-form").hidden = !offers.prompts;
    $("examples").replaceChildren(...offers.examples.map((path) => {
      const item = document.createElement("li"), button = document.createElement("button");
      const name = path.replace(/.*example-|\.webp/g, "");
      button.type = "button";
      button.append(Object.assign(document.createElement("img"), { src: path, alt: name }));
      button.addEventListener("click", guarded(async () => {
        document.querySelector("input[name=kind][value=image]").checked = true;
        await take(await blob(path));
      }));
      item.append(button);
      return item;
    }));
  }
  visit.offers = offers;
  setTimeout(health, state === "ready" ? 10_000 : 1000);
}
step("start");
health();
// The viewer's megabyte is fetched when somebody moves, and its canvas made when there is a picture: first paint first.
for (const kind of ["pointermove", "keydown", "dragenter"]) addEventListener(kind, () => viewer.fetch().catch(() => {}), { once: true });
