// Answers of face-api itself (TensorFlow.js, CPU backend), to compare ours with.
//   node face_api.mjs PACKAGE INPUT OUTPUT      INPUT.112, .150 and .416: (N, side, side, 3) float32 in [0, 255]
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

// tfjs takes its browser platform where there is a document; that for node misses TextEncoder in the bundle
globalThis.window = globalThis;
globalThis.document = { createElement: () => ({ getContext: () => null }) };

const [folder, input, output] = process.argv.slice(2);
const faceapi = await import(pathToFileURL(path.join(folder, "dist", "face-api.esm.js")).href);
const tf = faceapi.tf;
await tf.setBackend("cpu");
const networks = {
  tiny_face_detector: [faceapi.nets.tinyFaceDetector, 416, (net, faces) => net.forwardInput(faces, 416)],
  expression: [faceapi.nets.faceExpressionNet, 112, (net, faces) => net.runNet(faces)],
  landmark_68: [faceapi.nets.faceLandmark68Net, 112, (net, faces) => net.runNet(faces)],
  recognition: [faceapi.nets.faceRecognitionNet, 150, (net, faces) => net.forwardInput(faces)],
};
const answers = {};
for (const [name, [net, side, answer]] of Object.entries(networks)) {
  const file = path.join(folder, "model", `${name.includes("face") ? "" : "face_"}${name}_model`);
  const manifest = JSON.parse(fs.readFileSync(`${file}-weights_manifest.json`, "utf8"));
  net.loadFromWeightMap(tf.io.decodeWeights(new Uint8Array(fs.readFileSync(`${file}.bin`)).buffer, manifest[0].weights));
  const raw = new Uint8Array(fs.readFileSync(`${input}.${side}`)).buffer;
  const faces = tf.tensor4d(new Float32Array(raw), [raw.byteLength / (side * side * 12), side, side, 3]);
  answers[name] = answer(net, new faceapi.NetInput(tf.unstack(faces), true)).arraySync();
}
fs.writeFileSync(output, JSON.stringify(answers));
