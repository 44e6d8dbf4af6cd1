// Prints the Khronos validator's report on each file named, as one JSON object a line.
const fs = require("fs");
const validator = require("gltf-validator");

(async () => {
  for (const path of process.argv.slice(2)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(path)), { uri: path, maxIssues: 0 });
    console.log(JSON.stringify(report));
  }
})();
