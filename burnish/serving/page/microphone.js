/** A recording of the microphone as a WAV file, which every service reads; what browsers record themselves is not. */

import { make, tell } from "./dom.js";

const LONGEST = 30; // seconds
const RATE = 44_100; // samples a second, of two bytes: the longest recording is just below what is sent (2.8 MB)

/**
 * Buttons to record with, where the browser lets a page have a microphone, and close(), which turns it off; `take` gets
 * the file.
 */
export function microphone(take, outcome) {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return { parts: [], close: () => {} };
  let recorder = null;
  let end; // the timer of the longest recording
  const start = make("button", { type: "button", say: "microphoneStart" });
  const stop = make("button", { type: "button", class: "main", say: "microphoneStop", hidden: true });
  const recording = (on) => {
    start.hidden = on;
    stop.hidden = !on;
  };
  const close = () => recorder?.state === "recording" && recorder.stop();
  stop.addEventListener("click", close);
  start.addEventListener("click", async () => {
    let stream;
    start.disabled = true; // until the browser has asked
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return tell(outcome, "microphoneFailed");
    } finally {
      start.disabled = false;
    }
    const silence = () => stream.getTracks().forEach((track) => track.stop());
    if (!start.isConnected) return silence(); // another model was chosen meanwhile
    recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", async () => {
      clearTimeout(end);
      silence();
      recording(false);
      try {
        await take(await wav(new Blob(parts)));
      } catch {
        tell(outcome, "audioBroken");
      }
    });
    end = setTimeout(close, 1000 * LONGEST);
    recorder.start();
    recording(true);
  });
  return { parts: [start, stop], close };
}

/** What the browser recorded, as a WAV file of one channel and 16 bits. */
async function wav(recorded) {
  const context = new AudioContext({ sampleRate: RATE });
  const sound = await context.decodeAudioData(await recorded.arrayBuffer());
  await context.close();
  const samples = sound.getChannelData(0).subarray(0, LONGEST * RATE);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const letters = (place, text) => [...text].forEach((letter, index) => view.setUint8(place + index, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // whole numbers
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, sound.sampleRate, true);
  view.setUint32(28, 2 * sound.sampleRate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  letters(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, index) => view.setInt16(44 + 2 * index, 32767 * Math.max(-1, Math.min(1, value)), true));
  return new File([view.buffer], "recording.wav", { type: "audio/wav" });
}
