// Must run before model-viewer.min.js: its element reads these when the first one is made. Without them a file with
// Draco, KTX2 or Lottie in it would make the page ask other people's servers for a decoder. Nothing that this project
// writes needs one; such a file fails to load here with a message instead.
self.ModelViewerElement = {
  dracoDecoderLocation: "data:,",
  ktx2TranscoderLocation: "data:,",
  lottieLoaderLocation: "data:text/javascript,",
};
