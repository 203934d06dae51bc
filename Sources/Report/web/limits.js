// The limits: a card for each metric, with its values as a histogram and its limits as sliders.
class Limits {
  static bins = 80;

  // onChange is called when limits have changed, onFocus with the metric whose limits are looked at.
  constructor(table, onChange, onFocus) {
    Object.assign(this, { table, onChange, onFocus });
    this.cards = new Map();
    const measured = table.metrics.filter(metric => metric.isMeasured || table.hasRule(metric));
    const withRule = measured.filter(metric => table.hasRule(metric));
    const others = measured.filter(metric => !table.hasRule(metric));
    this.element = node("div", { class: "limits" },
      ...withRule.map(metric => this.card(metric)),
      node("details", { class: "others", ontoggle: () => this.drawVisible() },
        node("summary", {}, `${many(others.length, "more metric")} without a limit`),
        ...others.map(metric => this.card(metric))));
    // Only histograms that somebody sees are counted again.
    this.visible = new Set();
    this.observer = new IntersectionObserver(entries => {
      for (const entry of entries) {
        const name = entry.target.dataset.metric;
        if (entry.isIntersecting) this.visible.add(name); else this.visible.delete(name);
      }
      this.drawVisible();
    });
    for (const { element } of this.cards.values()) this.observer.observe(element);
    this.drawVisible = soon(() => {
      for (const name of this.visible) this.draw(this.cards.get(name));
    });
  }

  card(metric) {
    const { table } = this, last = metric.edges.length;
    const canvas = node("canvas", { width: 320, height: 44, "aria-hidden": "true" });
    const card = { metric, canvas, sliders: {}, boxes: {} };
    const bounds = ["minimum", "maximum"].map(bound => {
      const slider = card.sliders[bound] = node("input", { type: "range", min: 0, max: last, step: 1,
        class: bound, "aria-label": `${bound} of ${metric.name}`, "data-metric": metric.name, "data-bound": bound,
        oninput: () => this.set(card, bound, this.edgeAt(bound, Number(slider.value), last)) });
      const box = card.boxes[bound] = node("input", { type: "text", inputmode: "decimal", size: 6, placeholder: "none",
        "aria-label": `${bound} of ${metric.name}, as a number`, "data-metric": metric.name, "data-bound": bound,
        onchange: () => {
          const text = box.value.trim().replace(",", "."), isNone = text === "" || text === "none";
          // What is no number changes nothing.
          if (!isNone && Number.isNaN(Number(text))) this.show(card);
          else this.set(card, bound, isNone ? null : table.edge(metric, Number(text)));
        } });
      return { slider, box };
    });
    card.title = node("h3", {}, metric.name);
    card.element = node("section", { class: "card", "data-metric": metric.name,
      onfocusin: event => this.focus(metric, event.target.dataset.bound),
      onclick: event => this.focus(metric, event.target.dataset.bound) },
      node("header", {}, card.title, node("span", { class: "unit" }, metric.unit),
        card.lost = node("span", { class: "lost" })),
      node("div", { class: "plot" }, canvas, bounds[0].slider, bounds[1].slider),
      node("div", { class: "bounds" },
        node("label", {}, "at least ", bounds[0].box), node("label", {}, "at most ", bounds[1].box)),
      node("p", { class: "note" }, metric.meaning));
    this.cards.set(metric.name, card);
    this.show(card);
    return card.element;
  }

  // The leftmost position of the minimum and the rightmost of the maximum are none.
  edgeAt(bound, position, last) {
    if (bound === "minimum") return position === 0 ? null : position - 1;
    return position === last ? null : position;
  }

  positionOf(bound, edge, last) {
    if (bound === "minimum") return edge === null ? 0 : edge + 1;
    return edge === null ? last : edge;
  }

  set(card, bound, edge) {
    this.table.set(card.metric, bound, edge);
    this.show(card);
    this.focus(card.metric, bound);
    this.onChange();
  }

  focus(metric, bound) {
    for (const card of this.cards.values()) card.element.classList.toggle("focus", card.metric === metric);
    this.onFocus(metric, bound);
  }

  // Shows the limits of a metric as they are.
  show(card) {
    const { metric } = card, last = metric.edges.length;
    for (const bound of ["minimum", "maximum"]) {
      const value = this.table.limit(metric, bound);
      card.sliders[bound].value = this.positionOf(bound, metric.limits[bound], last);
      card.sliders[bound].setAttribute("aria-valuetext", value === null ? "none" : String(value));
      card.boxes[bound].value = value === null ? "" : String(value);
      card.boxes[bound].classList.toggle("changed", value !== metric.written[bound]);
    }
    card.element?.classList.toggle("ruled", this.table.hasRule(metric));
  }

  showAll() {
    for (const card of this.cards.values()) this.show(card);
  }

  // Counts again.
  refresh() {
    for (const { metric, lost } of this.cards.values()) {
      const spans = this.table.spans[this.table.ruleCode + metric.index];
      lost.textContent = spans ? `rejects ${spans.toLocaleString("en")}` : "";
    }
    this.drawVisible();
  }

  draw({ metric, canvas }) {
    const { all, accepted } = this.table.histogram(metric, Limits.bins);
    const context = canvas.getContext("2d");
    // As the browser computes it: light or dark.
    const colour = name => {
      canvas.style.color = `var(${name})`;
      return getComputedStyle(canvas).color;
    };
    const { width, height } = canvas, step = width / Limits.bins;
    // Roots: a bin with one clip is seen beside one with a million.
    const scale = height / Math.sqrt(Math.max(1, ...all));
    context.clearRect(0, 0, width, height);
    for (const [counts, name] of [[all, "--quiet"], [accepted, "--good"]]) {
      context.fillStyle = colour(name);
      counts.forEach((count, bin) => {
        const top = Math.sqrt(count) * scale;
        if (count) context.fillRect(bin * step, height - Math.max(1, top), step - 1, Math.max(1, top));
      });
    }
    const place = edge => (edge + 0.5) / metric.edges.length * width;
    context.fillStyle = colour("--bad");
    context.globalAlpha = 0.16;
    const { minimum, maximum } = metric.limits;
    if (minimum !== null) context.fillRect(0, 0, place(minimum), height);
    if (maximum !== null) context.fillRect(place(maximum), 0, width, height);
    context.globalAlpha = 1;
  }
}

// Where the time of the dataset goes, by the first thing that is in the way.
class Funnel {
  constructor(table, onChoose) {
    Object.assign(this, { table, onChoose });
    this.element = node("div", { class: "funnel" });
    this.refresh();
  }

  refresh() {
    const { table } = this, all = table.time.reduce((a, b) => a + b, 0);
    const spans = table.spans.reduce((a, b) => a + b, 0);
    const lost = table.words.map((word, code) => ({ word, code, frames: table.time[code], spans: table.spans[code] }))
      .slice(1).filter(one => one.spans > 0).sort((a, b) => b.frames - a.frames || a.word.localeCompare(b.word));
    const bars = [{ kind: "all", text: "everything", frames: all, spans },
      ...lost.map(one => ({ kind: "rejected", text: one.word, filter: `rule:${one.word}`, ...one })),
      { kind: "accepted", text: "accepted", filter: "accepted", frames: table.time[0], spans: table.spans[0] }];
    this.element.replaceChildren(...bars.map(bar => node("button", { type: "button", class: `bar ${bar.kind}`,
      "data-verdict": bar.kind === "rejected" ? bar.text : bar.kind, "data-spans": bar.spans,
      title: "show these", onclick: () => this.onChoose(bar.filter ?? "") },
      node("span", {}, bar.text),
      node("i", { style: `width: ${100 * bar.frames / Math.max(1, all)}%` }),
      node("span", {}, duration(bar.frames)), node("span", {}, many(bar.spans, "clip")))),
    table.copies.areUnknown ? node("p", { class: "note" },
      "Among so many clips, copies of the same footage are not looked for here: loopy select may reject some as duplicate.") : "");
  }
}
