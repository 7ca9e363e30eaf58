/** Choosing an image or a sound: from a file, dropped, pasted, or taken by camera or microphone; with a look at it. */

import { make, tell } from "./dom.js";
import { microphone } from "./microphone.js";

const MOST = 2_800_000; // bytes that are sent as they are: a request may have 4 MB, and base64 makes them a third more
const SIDE = 2048; // pixels to which the longer side of a larger one is brought

const HINTS = { image: "imageHint", audio: "audioHint" };

/** The element, value(): the image or the sound as a data URI, or null, focus(), and close(), which turns a device off. */
export function filePicker(kind = "image") {
  const heard = kind === "audio";
  let found = null;
  const outcome = make("div", { class: "outcome", "aria-live": "polite" });
  const picker = make("input", { type: "file", accept: `${kind}/*`, label: kind });
  const look = heard ? { controls: true } : { alt: "" };
  const preview = make(heard ? "audio" : "img", { class: "preview", hidden: true, ...look });
  const take = async (file) => {
    tell(outcome);
    try {
      const { uri, smaller } = await (heard ? soundOf(file) : dataOf(file));
      found = uri;
      preview.src = uri;
      preview.hidden = false;
      if (smaller) tell(outcome, "imageSmaller");
    } catch {
      found = null;
      preview.hidden = true;
      tell(outcome, heard ? "audioBroken" : "imageBroken");
    }
  };
  picker.addEventListener("change", () => picker.files[0] && take(picker.files[0]));
  const hint = make("p", { class: "soft", say: HINTS[kind] });
  const device = (heard ? microphone : camera)(take, outcome);
  const row = make("div", { class: "row" }, picker, ...device.parts);
  const node = make("div", { class: "drop stack tight" }, make("span", { say: kind }), row, hint, preview, outcome);
  const over = (event, on) => {
    event.preventDefault();
    node.classList.toggle("over", on);
  };
  node.addEventListener("dragover", (event) => over(event, true));
  node.addEventListener("dragleave", (event) => over(event, false));
  node.addEventListener("drop", (event) => {
    over(event, false);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
  node.addEventListener("paste", (event) => event.clipboardData.files[0] && take(event.clipboardData.files[0]));
  return { node, value: () => found, focus: () => picker.focus(), close: device.close };
}

/** A file as a data URI; one that is larger than the service takes is made smaller. Throws for what is no image. */
async function dataOf(file) {
  if (file.size <= MOST) {
    const uri = await read(file);
    return { uri: uri.replace(/^data:[^,]*/, `data:${file.type || "image/png"};base64`), smaller: false };
  }
  const bitmap = await createImageBitmap(file);
  const share = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  return { uri: drawn(bitmap, Math.round(bitmap.width * share), Math.round(bitmap.height * share)), smaller: true };
}

/** A sound as a data URI. Throws for one that is larger than the service takes. */
async function soundOf(file) {
  if (file.size > MOST) throw new Error("too large");
  const uri = await read(file);
  return { uri: uri.replace(/^data:[^,]*/, `data:${file.type || "audio/wav"};base64`), smaller: false };
}

function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

function drawn(source, width, height) {
  const canvas = make("canvas", { width, height });
  canvas.getContext("2d").drawImage(source, 0, 0, width, height);
  return canvas.toDataURL("image/jpeg", 0.92);
}

/** Buttons and the picture of a camera, where the browser lets a page have one, and close(), which turns it off. */
function camera(take, outcome) {
  if (!navigator.mediaDevices?.getUserMedia) return { parts: [], close: () => {} };
  let stream = null;
  const video = make("video", { class: "preview", playsinline: true, muted: true, hidden: true });
  const open = make("button", { type: "button", say: "cameraOpen" });
  const shoot = make("button", { type: "button", class: "main", say: "cameraTake", hidden: true });
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.hidden = shoot.hidden = true;
    open.hidden = false;
  };
  open.addEventListener("click", async () => {
    open.disabled = true; // until the browser has asked
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      return tell(outcome, "cameraFailed");
    } finally {
      open.disabled = false;
    }
    if (!open.isConnected) return close(); // another model was chosen meanwhile
    video.srcObject = stream;
    video.hidden = shoot.hidden = false;
    open.hidden = true;
    await video.play().catch(() => {}); // it was closed before it began
  });
  shoot.addEventListener("click", async () => {
    const uri = drawn(video, video.videoWidth, video.videoHeight);
    close();
    const bytes = Uint8Array.from(atob(uri.split(",")[1]), (letter) => letter.charCodeAt(0));
    await take(new Blob([bytes], { type: "image/jpeg" }));
  });
  return { parts: [open, shoot, video], close };
}
