// node detect.mjs FOLDER_WITH_NODE_MODULES MODEL SIZE IMAGE...: what onnxruntime-web finds, as JSON.
// An image is its raw bytes, S x S x 3.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, model, size, ...images] = process.argv.slice(2);
const ort = createRequire(modules + "/")("onnxruntime-web");
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model), {
  executionProviders: ["wasm"],
});
const found = [];
for (const image of images) {
  const pixels = new Uint8Array(readFileSync(image));
  const tensor = new ort.Tensor("uint8", pixels, [1, Number(size), Number(size), 3]);
  const { boxes, scores, labels } = await session.run({ image: tensor });
  found.push({
    boxes: Array.from(boxes.data),
    scores: Array.from(scores.data),
    labels: Array.from(labels.data, Number),
  });
}
console.log(JSON.stringify(found));
