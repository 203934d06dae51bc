// One clip from near: the pictures with the key points, values over time under a cursor, every rule.
class Player {
  static tracks = [
    { name: "yaw, pitch, roll (°)", columns: ["yaw", "pitch", "roll"], colours: ["--ink", "--good", "--warm"] },
    { name: "mouth opening", columns: ["mouthOpening"], colours: ["--ink"], least: 0 },
    { name: "face height (px)", columns: ["faceHeight"], colours: ["--ink"] },
    { name: "sharpness", columns: ["sharpness"], colours: ["--ink"], least: 0 },
  ];

  constructor(table) {
    this.table = table;
    this.element = node("article", { class: "player-panel" },
      node("p", { class: "note" }, "Choose a clip: a tile, a row, or the arrow keys."));
  }

  // Shows a row; another one that is asked for meanwhile wins.
  async show(row) {
    const { table } = this, ticket = this.ticket = {};
    this.row = row;
    // What is open goes on playing.
    if (this.element.dataset.row === String(row)) return;
    const [details, bytes] = await Promise.all([resources.json(`clips/${row}.json`), resources.bytes(`clips/${row}.tracks`)]);
    if (ticket !== this.ticket) return;
    this.details = details;
    const parts = [node("h3", {}, table.name(row)),
      node("p", { class: "note" }, listed([spanText(table, row), details?.path !== table.name(row) && details?.path]).join(" · ")),
      node("p", { class: table.verdicts[row] ? "rejected" : "accepted" }, verdictText(table, row))];
    this.video = null;
    const tracks = bytes && this.tracks(bytes, details);
    const stage = details && table.frames[row] ? this.stage(row, details, tracks) : null;
    if (stage) parts.push(stage);
    else if (!resources.isServed) parts.push(node("p", { class: "note" },
      "This page holds the pictures of some clips only; loopy serve shows all of them."));
    if (tracks) parts.push(this.plots(tracks, details));
    if (details?.sync_curve) parts.push(this.sync(details));
    parts.push(this.rules(row, details));
    this.element.replaceChildren(...parts);
    this.element.dataset.row = row;
  }

  // Nothing is open, and nothing plays, or is on its way.
  close() {
    this.ticket = this.row = this.video = undefined;
    delete this.element.dataset.row;
    this.element.replaceChildren();
  }

  // The verdict and the rules anew, when limits have changed.
  refresh() {
    const verdict = this.element.querySelector("p.accepted, p.rejected");
    // Nothing is open, or what is to be open is on its way.
    if (!verdict) return;
    verdict.className = this.table.verdicts[this.row] ? "rejected" : "accepted";
    verdict.textContent = verdictText(this.table, this.row);
    this.element.querySelector(".rules").replaceWith(this.rules(this.row, this.details));
  }

  tracks(bytes, details) {
    const names = details.track_columns, width = names.length, points = 68 * 2;
    const values = new Float32Array(bytes), frames = values.length / (width + points);
    const column = name => Array.from({ length: frames }, (_, frame) => values[frame * width + names.indexOf(name)]);
    const tracks = Object.fromEntries(names.map(name => [name, column(name)]));
    tracks.faceHeight = tracks.faceBottom.map((bottom, frame) => bottom - tracks.faceTop[frame]);
    tracks.points = values.subarray(frames * width);
    tracks.frames = frames;
    return tracks;
  }

  // The video with key points and the face's box; as it was cut where the shards have it.
  stage(row, details, tracks) {
    const source = resources.address(`clips/${row}.mp4`), heard = resources.address(`clips/${row}.flac`);
    if (!source) return null;
    const video = this.video = node("video", { src: source, controls: "", playsinline: "", preload: "auto" });
    const audio = details.has_sound && heard ? sound(video, heard) : null;
    const { x, y, side } = details.shown, { width, height } = details;
    const dots = node("path", { fill: "none", stroke: "#ffdc3c", "stroke-linecap": "round", "stroke-width": side / 110 });
    const box = node("rect", { fill: "none", stroke: "#4ad07d", "stroke-width": side / 240 });
    const crop = details.crop && node("rect", { fill: "none", stroke: "#fff", "stroke-dasharray": side / 60, "stroke-width": side / 300,
      x: details.crop.x, y: details.crop.y, width: details.crop.side, height: details.crop.side });
    const drawing = node("svg", { viewBox: `0 0 ${width} ${height}` }, box, crop, dots);
    if (tracks) follow(video, frame => {
      frame = Math.min(frame, tracks.frames - 1);
      let d = "";
      for (let i = 136 * frame; i < 136 * (frame + 1); i += 2)
        d += `M${tracks.points[i].toFixed(1)} ${tracks.points[i + 1].toFixed(1)}h0`;
      dots.setAttribute("d", d);
      box.setAttribute("x", tracks.faceLeft[frame]);
      box.setAttribute("y", tracks.faceTop[frame]);
      box.setAttribute("width", Math.max(0, tracks.faceRight[frame] - tracks.faceLeft[frame]));
      box.setAttribute("height", Math.max(0, tracks.faceBottom[frame] - tracks.faceTop[frame]));
    });
    // The drawing lies on the pictures only where the frame has their shape, however little room there is.
    const shape = (width, height) => `aspect-ratio: ${width} / ${height}; width: min(100%, ${60 * width / height}vh)`;
    const frame = node("div", { class: "player", style: shape(width, height) }, video, drawing);
    const cut = details.is_packed && resources.address(`clips/${row}.cut.mp4`);
    const buttons = !cut ? null : node("p", {}, node("button", { type: "button", class: "switch", onclick: event => {
      const isCut = drawing.toggleAttribute("hidden");
      frame.style.cssText = isCut ? shape(1, 1) : shape(width, height);
      video.src = isCut ? cut : source;
      if (audio) audio.src = isCut ? resources.address(`clips/${row}.cut.flac`) : heard;
      event.target.textContent = isCut ? "show the source" : "show the clip as it was cut";
    } }, "show the clip as it was cut"));
    return node("div", {}, frame, buttons);
  }

  // Lines over time, with a cursor where the video is.
  plots(tracks, details) {
    const width = 600, height = 54, x = frame => width * frame / Math.max(1, tracks.frames - 1);
    const cursors = [];
    const plot = (name, ...drawings) => {
      const cursor = node("line", { y1: 0, y2: height, stroke: "currentColor", "stroke-width": 1.5 });
      cursors.push(cursor);
      const drawing = node("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": name,
        onclick: event => {
          const area = drawing.getBoundingClientRect();
          if (this.video) this.video.currentTime = (event.clientX - area.left) / area.width * (tracks.frames - 1) / 25;
        } }, ...drawings, cursor);
      return node("figure", { class: "track" }, node("figcaption", {}, name), drawing);
    };
    const line = (values, low, high, colour) => node("path", { fill: "none", stroke: `var(${colour})`, "stroke-width": 2,
      "vector-effect": "non-scaling-stroke",
      d: values.map((value, frame) => `${frame ? "L" : "M"}${x(frame).toFixed(1)} ${(height - 3 - (height - 6) * (value - low) / Math.max(1e-9, high - low)).toFixed(1)}`).join("") });
    const figures = Player.tracks.map(({ name, columns, colours, least }) => {
      const all = columns.flatMap(column => tracks[column]);
      const low = least ?? Math.min(...all), high = Math.max(...all);
      return plot(`${name}: ${short(low)} to ${short(high)}`, ...columns.map((column, i) => line(tracks[column], low, high, colours[i])));
    });
    const heard = details.loudness;
    if (heard) {
      const loudest = Math.max(1e-9, ...heard);
      const speech = details.is_speech.flatMap((speaks, frame) => speaks ? [node("rect", { x: x(frame - 0.5), y: 0,
        width: x(1), height, fill: "var(--good)", opacity: 0.25 })] : []);
      figures.push(plot("sound, and where somebody speaks", ...speech, line(heard, 0, loudest, "--ink")));
    }
    if (this.video) follow(this.video, frame => cursors.forEach(cursor => {
      const at = x(Math.min(frame, tracks.frames - 1));
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
    }));
    return node("div", { class: "tracks" }, ...figures);
  }

  // How likely each offset of the sound is, from -15 to 15 frames.
  sync({ sync_curve: curve, metrics }) {
    const width = 600, height = 54, reach = (curve.length - 1) / 2, top = Math.max(0, ...curve), low = Math.min(0, ...curve);
    const x = lag => (lag + reach) * width / (curve.length - 1), y = value => 3 + (height - 6) * (top - value) / Math.max(1e-9, top - low);
    const words = `sound against lips: offset ${short(metrics.sync_offset)} frames, confidence ${short(metrics.sync_confidence)}`;
    return node("figure", { class: "track" }, node("figcaption", {}, words),
      node("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
        node("line", { x1: x(0), x2: x(0), y1: 0, y2: height, stroke: "currentColor", opacity: 0.35 }),
        node("line", { x1: 0, x2: width, y1: y(0), y2: y(0), stroke: "currentColor", opacity: 0.2 }),
        node("path", { d: curve.map((value, i) => `${i ? "L" : "M"}${x(i - reach).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
          fill: "none", stroke: "var(--ink)", "stroke-width": 2, "vector-effect": "non-scaling-stroke" })));
  }

  // Every metric with its value, and whether it keeps its limits.
  rules(row, details) {
    const { table } = this;
    const lines = table.metrics.filter(metric => metric.isMeasured || table.hasRule(metric)).map(metric => {
      const value = details?.metrics?.[metric.name] ?? table.value(metric, row), code = metric.codes[row];
      const { minimum, maximum } = metric.limits, isMeasured = code !== Table.unmeasured;
      const breaks = isMeasured && ((minimum !== null && code < 2 * minimum) || (maximum !== null && code > 2 * maximum));
      const limits = listed([minimum !== null && `≥\u00a0${short(metric.edges[minimum])}`,
        maximum !== null && `≤\u00a0${short(metric.edges[maximum])}`]).join(", ");
      const note = details?.notes?.[metric.name];
      return node("tr", { class: breaks ? "rejected" : limits ? "ruled" : "", title: metric.meaning },
        node("td", {}, breaks ? "✗" : limits ? isMeasured ? "✓" : "–" : ""),
        node("td", {}, metric.name, note && node("div", { class: "note" }, note)),
        node("td", { class: "number" }, short(value)), node("td", { class: "note" }, metric.unit),
        node("td", { class: "limits" }, limits));
    });
    return node("div", { class: "scroll rules" }, node("table", {}, ...lines));
  }

  toggle() {
    if (!this.video) return;
    if (this.video.paused) this.video.play(); else this.video.pause();
  }
}
