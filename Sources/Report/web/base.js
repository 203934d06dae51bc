"use strict";
// What every part of the page uses: making elements, getting resources, words.

// An element with attributes and children. Text is never read as markup.
function node(name, attributes = {}, ...children) {
  const isDrawing = ["svg", "path", "line", "text", "rect", "g"].includes(name);
  const made = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

const $ = selector => document.querySelector(selector);
const many = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
// What there is of some texts.
const listed = parts => parts.filter(part => part);
// A number with so many digits as a person reads.
const short = value => value === null || value === undefined || Number.isNaN(value) ? "–"
  : Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
const seconds = frames => frames / 25;
function duration(frames) {
  const time = seconds(frames);
  return time < 120 ? `${time.toFixed(1)} s` : time < 7200 ? `${(time / 60).toFixed(1)} min` : `${(time / 3600).toFixed(1)} h`;
}

// Where resources come from: a server that makes them when they are asked for, or the page itself, which holds
// some of them.
const resources = {
  held: JSON.parse($("#resources").textContent),

  // Whether a server answers.
  get isServed() { return this.held === null; },

  // The bytes; null where there is no such resource.
  async bytes(name) {
    if (!this.isServed) {
      const text = this.held[name];
      return text === undefined ? null : Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
    }
    const answer = await fetch(name);
    return answer.ok ? answer.arrayBuffer() : null;
  },

  async json(name) {
    const bytes = await this.bytes(name);
    return bytes && JSON.parse(new TextDecoder().decode(bytes));
  },

  // An address for src; null where there is no such resource.
  address(name) {
    if (this.isServed) return name;
    if (this.held[name] === undefined) return null;
    const types = { mp4: "video/mp4", flac: "audio/flac", jpg: "image/jpeg", png: "image/png" };
    return `data:${types[name.split(".").pop()]};base64,${this.held[name]}`;
  },
};

// Calls draw with the index of the picture that a video shows, whenever it shows another.
function follow(video, draw) {
  let last = 0, isWaiting = false;
  const look = () => {
    isWaiting = false;
    const frame = Math.floor(video.currentTime * 25 + 0.01);
    if (frame !== last) draw(last = frame);
    if (!video.paused && !video.ended) wait();
  };
  const wait = () => { if (!isWaiting) isWaiting = requestAnimationFrame(look) > 0; };
  for (const event of ["play", "seeked", "timeupdate", "pause", "ended"]) video.addEventListener(event, wait);
  draw(0);
}

// Plays a sound while a video without sound plays.
function sound(video, file) {
  const audio = node("audio", { src: file, preload: "none" });
  video.addEventListener("play", () => { audio.currentTime = video.currentTime; audio.play(); });
  video.addEventListener("seeked", () => { audio.currentTime = video.currentTime; });
  for (const event of ["pause", "ended", "waiting"]) video.addEventListener(event, () => audio.pause());
  video.addEventListener("playing", () => { if (!video.paused) audio.play(); });
  return audio;
}

// Calls a function at the next picture of the browser, once however often it was asked for.
function soon(action) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; action(); });
  };
}
