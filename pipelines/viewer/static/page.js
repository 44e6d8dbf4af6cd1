// The buttons of a page with one model, and what is said when it cannot be drawn.
const viewer = document.querySelector("model-viewer");
const turn = document.getElementById("turn");

for (const button of document.querySelectorAll("[data-orbit]")) {
  button.addEventListener("click", () => {
    viewer.resetTurntableRotation(0);
    viewer.cameraOrbit = button.dataset.orbit;
  });
}

turn.addEventListener("click", () => {
  const turns = viewer.toggleAttribute("auto-rotate");
  turn.setAttribute("aria-pressed", String(turns));
});

viewer.addEventListener("error", () => {
  const failed = document.getElementById("failed");
  failed.textContent = "The model cannot be drawn here: this browser has no WebGL 2, or the file is damaged.";
  failed.hidden = false;
});
