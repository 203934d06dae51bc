// Training runs, and videos that models made.

// Lines over the steps of a run, or over frames: [name, colour, [[step, value], …]].
function stepsPlot(lines, unit = "steps") {
  lines = lines.filter(line => line[2].length);
  const points = lines.flatMap(line => line[2]);
  if (!points.length) return node("p", { class: "note" }, "No metrics yet.");
  const [width, height, left, bottom] = [900, 240, 60, 26];
  const lastStep = Math.max(1, ...points.map(p => p[0]));
  const top = Math.max(...points.map(p => p[1])), low = Math.min(...points.map(p => p[1]));
  const x = step => left + (width - left - 10) * step / lastStep;
  const y = value => 10 + (height - bottom - 10) * (top - value) / Math.max(1e-9, top - low);
  const drawing = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": lines.map(line => line[0]).join(", ") });
  const digits = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.max(1e-9, top - low)))));
  for (const value of [top, (top + low) / 2, low]) drawing.append(
    node("line", { x1: left, x2: width - 10, y1: y(value), y2: y(value), stroke: "var(--line)" }),
    node("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(digits)));
  drawing.append(node("text", { x: width - 10, y: height - 6, "text-anchor": "end" }, `${lastStep} ${unit}`));
  lines.forEach(([name, colour, values], index) => drawing.append(
    node("path", { d: values.map(([s, v], i) => (i ? "L" : "M") + x(s).toFixed(1) + " " + y(v).toFixed(1)).join(""),
      fill: "none", stroke: `var(${colour})`, "stroke-width": 2 }),
    ...(values.length === 1 ? [node("rect", { x: x(values[0][0]) - 3, y: y(values[0][1]) - 3, width: 6, height: 6, fill: `var(${colour})` })] : []),
    node("text", { x: left + 10 + 150 * index, y: height - 6, style: `fill: var(${colour})` }, name)));
  return node("figure", {}, drawing);
}

class Runs {
  static colours = ["--ink", "--good", "--warm", "--bad", "--quiet"];

  constructor() { this.element = node("div", { class: "runs" }); }

  // Reads the runs again while they are looked at: they may be training.
  async refresh() {
    const runs = await resources.json("runs.json") ?? [];
    const state = JSON.stringify(runs);
    if (state === this.state) return;
    this.state = state;
    this.element.replaceChildren(...(runs.length ? runs.flatMap(run => this.run(run))
      : [node("p", { class: "note" }, "No training runs. loopy serve looks into the dataset's folder runs; --run names others.")]));
  }

  run(run) {
    const validation = [...new Set(run.metrics.flatMap(line => Object.keys(line.validation ?? {})))];
    const overall = ["all", "to_teacher"].find(name => validation.includes(name));
    const values = read => run.metrics.filter(line => read(line) !== null && read(line) !== undefined).map(line => [line.step, read(line)]);
    const last = run.metrics.at(-1), speed = run.metrics.findLast(line => line.steps_per_second);
    // What a model loses without a condition is what the condition contributes.
    const without = validation.filter(name => name !== overall);
    return [node("h3", {}, run.name),
      node("p", { class: "note" }, listed([`model ${run.model}, stage ${run.stage}`, last && `step ${last.step}`,
        speed && `${short(speed.steps_per_second)} steps/s`, speed && `${(100 * (speed.waiting ?? 0)).toFixed(0)} % waiting for data`]).join(" · ")),
      stepsPlot([["loss", "--ink", values(line => line.loss)],
        [overall === "to_teacher" ? "distance to the teacher" : "validation", "--good", values(line => line.validation?.[overall])]]),
      ...(without.length ? [node("h4", {}, "What each condition contributes: the validation loss without it, over the loss with all"),
        stepsPlot(without.map((name, i) => [name.replaceAll("_", " "), Runs.colours[i % Runs.colours.length],
          values(line => line.validation?.[name] && line.validation[overall] ? line.validation[name] / line.validation[overall] : null)]))] : []),
      ...(run.samples.length ? [node("div", { class: "samples" }, ...run.samples.slice(-3).reverse().map(({ step, picture }) => {
        const address = resources.address(picture);
        return address && node("figure", {}, node("img", { src: address, loading: "lazy", alt: `samples at step ${step}` }),
          node("figcaption", {}, `step ${step}: the reference and true frames, and below them the model's`));
      }))] : [])];
  }
}

// The mouth's opening above the loudness of the sound, and a line where the video is.
function mouthPlot(curves, video) {
  const { opening, loudness } = curves, frames = Math.max(opening.length, loudness.length, 2);
  const [width, height, middle] = [600, 180, 112];
  const x = frame => width * frame / (frames - 1);
  const widest = Math.max(1e-9, ...opening.map(value => value ?? 0));
  const y = value => middle - 10 - (middle - 30) * value / widest;
  // A gap where no face is found.
  const line = opening.map((value, frame) => value === null ? ""
    : (frame && opening[frame - 1] !== null ? "L" : "M") + x(frame).toFixed(1) + " " + y(value).toFixed(1));
  const loudest = Math.max(1e-9, ...loudness), axis = height - 38;
  const edge = sign => loudness.map((value, frame) => x(frame).toFixed(1) + " " + (axis - sign * 28 * value / loudest).toFixed(1));
  const cursor = node("line", { y1: 0, y2: height, stroke: "currentColor", "stroke-width": 1.5 });
  const drawing = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "curves",
    onclick: event => {
      const box = drawing.getBoundingClientRect();
      video.currentTime = (event.clientX - box.left) / box.width * (frames - 1) / 25;
    } },
    node("text", { x: 0, y: 12, style: "fill: var(--ink)" }, "mouth opening"),
    node("path", { d: line.join(""), fill: "none", stroke: "var(--ink)", "stroke-width": 2 }),
    node("text", { x: 0, y: middle + 4, style: "fill: var(--good)" }, loudness.length ? "sound" : "no sound"),
    node("path", { d: loudness.length ? "M" + edge(1).concat(edge(-1).reverse()).join("L") + "Z" : "", fill: "var(--good)" }), cursor);
  follow(video, frame => {
    const at = x(Math.min(frame, frames - 1));
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
  });
  return drawing;
}

class Generated {
  constructor() { this.element = node("div", { class: "generated" }); }

  async refresh() {
    const videos = await resources.json("videos.json") ?? [], figures = await resources.json("figures.json") ?? [];
    const state = JSON.stringify([videos, figures]);
    // What plays goes on.
    if (state === this.state) return;
    this.state = state;
    this.element.replaceChildren(...videos.map((one, index) => this.video(one, index)),
      ...figures.map(report => node("div", { class: "scroll" }, node("table", {},
        node("tr", {}, ...["figure", "value", "videos", "frames", "how"].map(word => node("th", {}, word))),
        ...Object.entries(report).sort().map(([name, one]) => node("tr", {}, node("td", {}, name),
          node("td", { class: "number" }, short(one.value)), node("td", { class: "number" }, String(one.clips)),
          node("td", { class: "number" }, String(one.frames)), node("td", { class: "note" }, one.protocol)))))),
      ...(videos.length + figures.length ? [] : [node("p", { class: "note" },
        "No generated videos. loopy serve looks into the dataset's folder held-out; --generated names others.")]));
  }

  video(one, index) {
    const { record } = one, settings = record.settings ?? {}, guidance = settings.guidance ?? {};
    const weights = Object.entries(record.weights ?? {}).sort().map(([name, digest]) => `${name} ${String(digest).slice(0, 8)}`).join(", ");
    // Records of earlier versions call it steps.
    const steps = settings.numInferenceSteps ?? settings.num_inference_steps ?? settings.steps;
    const parts = Object.entries(record.seconds_per_frame ?? {}).sort(), name = path => String(path ?? "").split("/").pop();
    const cost = parts.reduce((sum, [_, value]) => sum + value, 0);
    const video = node("video", { src: resources.address(`videos/${index}.mp4`), controls: "", playsinline: "",
      poster: resources.address(`videos/${index}.jpg`) });
    const reference = one.has_reference && resources.address(`videos/${index}.true.mp4`);
    const truth = reference && node("video", { src: reference, muted: "", playsinline: "", preload: "auto" });
    if (truth) {
      video.addEventListener("play", () => { truth.currentTime = video.currentTime; truth.play(); });
      video.addEventListener("pause", () => { truth.pause(); truth.currentTime = video.currentTime; });
      video.addEventListener("seeked", () => { truth.currentTime = video.currentTime; });
    }
    const found = one.curves.opening.filter(value => value !== null).length;
    return node("section", { class: "talk" }, node("h3", {}, `${one.name}: by ${record.model ? `the model ${record.model}` : "a model without a name"}`),
      node("div", { class: "pair" },
        node("figure", {}, video, node("figcaption", {}, "generated")),
        truth ? node("figure", {}, truth, node("figcaption", {}, "the truth"))
          : node("figure", {}, node("img", { src: resources.address(`videos/${index}.portrait.jpg`), alt: "portrait" }),
            node("figcaption", {}, `the portrait, cropped: ${name(record.portrait?.path)}`))),
      mouthPlot(one.curves, video),
      ...(one.psnr?.length ? [stepsPlot([["PSNR of each frame against the truth (dB)", "--ink", one.psnr.map((value, frame) => [frame, value])]], "frames")] : []),
      node("p", { class: "note" }, listed([
        many(record.frames ?? one.curves.opening.length, "frame") +
          (record.audio?.seconds !== undefined ? ` for ${record.audio.seconds.toFixed(2)} s of speech: ${name(record.audio.path)}` : ""),
        `a face is found in ${found} of ${one.curves.opening.length}`,
        steps !== undefined && many(steps, "sampling step"),
        guidance.audioRatio !== undefined && `audio ratio ${guidance.audioRatio}, reference ratio ${guidance.referenceRatio}`,
        settings.seed !== undefined && `seed ${settings.seed}`,
        record.step !== undefined && `${many(record.step, "step")} of training`, weights && `weights ${weights}`,
        parts.length && `${cost.toFixed(2)} s a frame (` + parts.map(([part, s]) => `${part} ${s.toFixed(3)}`).join(", ") + ")",
      ]).join(" · ")));
  }
}
