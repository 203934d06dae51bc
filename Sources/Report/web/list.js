// Clips to look at: galleries beside a limit, and the list of all.
function verdictText(table, row) {
  const verdict = table.verdicts[row], word = table.words[verdict];
  if (verdict === 0) return "accepted";
  const metric = table.metrics[verdict - table.ruleCode];
  if (!metric) return word;
  const value = table.value(metric, row), { minimum, maximum } = metric.limits;
  const isLow = minimum !== null && metric.codes[row] < 2 * minimum;
  return `${word} ${short(value)}, ${isLow ? "at least" : "at most"} ${short(metric.edges[isLow ? minimum : maximum])}`;
}

function thumbnail(table, row) {
  const address = table.frames[row] ? resources.address(`clips/${row}.jpg`) : null;
  const blank = node("span", { class: "blank" });
  if (!address) return blank;
  // The source may be gone.
  const picture = node("img", { src: address, loading: "lazy", alt: "", onerror: () => picture.replaceWith(blank) });
  return picture;
}

const spanText = (table, row) => `${seconds(table.start[row]).toFixed(2)}–${seconds(table.end(row)).toFixed(2)} s`;

class Galleries {
  static most = 8;

  constructor(table, onOpen) {
    Object.assign(this, { table, onOpen });
    this.element = node("div", { class: "galleries" });
    this.refresh = soon(() => this.draw());
  }

  show(metric, bound) {
    this.metric = metric;
    const { minimum, maximum } = metric.limits;
    this.bound = bound && metric.limits[bound] !== null ? bound
      : maximum !== null ? "maximum" : minimum !== null ? "minimum" : null;
    this.refresh();
  }

  draw() {
    const { metric, bound, table } = this;
    if (!metric) return;
    if (!bound || metric.limits[bound] === null) {
      this.element.replaceChildren(node("p", { class: "note" }, `${metric.name} has no limit: move a slider to set one.`));
      return;
    }
    const { inside, outside } = table.nearest(metric, bound, Galleries.most);
    const limit = table.limit(metric, bound);
    const part = (kind, title, rows) => node("section", { class: kind },
      node("h3", {}, title),
      rows.length ? node("div", { class: "gallery" }, ...rows.map(row => node("button", { type: "button",
        class: "tile", "data-row": row, onclick: () => this.onOpen(row, rows) }, thumbnail(table, row),
        node("span", {}, short(table.value(metric, row))))))
        : node("p", { class: "note" }, "No clip hangs on this limit here."));
    this.element.replaceChildren(
      part("inside", `Just inside: ${metric.name} ${bound === "minimum" ? "at least" : "at most"} ${short(limit)}`, inside),
      part("outside", "Just outside", outside));
  }
}

// Rows in the order that was asked for. Only those in view are elements.
class List {
  static height = 60;
  // The pixels that every browser can scroll over. Where rows take more, a pixel stands for several.
  static tallest = 8e6;

  constructor(table, onOpen) {
    Object.assign(this, { table, onOpen, chosen: -1 });
    this.filter = node("input", { type: "search", id: "filter", placeholder: "filter: accepted, rule:rotation, speech>0.8, name",
      "aria-label": "filter", oninput: soon(() => this.refresh()) });
    this.order = node("select", { "aria-label": "order", onchange: () => this.refresh() },
      node("option", { value: "" }, "in the dataset's order"),
      ...table.metrics.filter(one => one.isMeasured).flatMap(one => [
        node("option", { value: `${one.name} up` }, `${one.name}, lowest first`),
        node("option", { value: `${one.name} down` }, `${one.name}, highest first`)]));
    this.count = node("span", { class: "note", role: "status" });
    this.space = node("div", { class: "space" });
    this.scroller = node("div", { class: "list", tabindex: 0, role: "listbox", "aria-label": "clips",
      onscroll: soon(() => this.draw()) }, this.space);
    this.element = node("div", { class: "browser" },
      node("div", { class: "tools" }, this.filter, this.order, this.count), this.scroller);
    new ResizeObserver(soon(() => this.draw())).observe(this.scroller);
    this.shown = new Uint32Array(0);
  }

  // The test of rows that the filter's words ask for.
  tests() {
    const { table } = this;
    return this.filter.value.trim().split(/\s+/).filter(word => word).map(word => {
      if (word === "accepted") return row => table.verdicts[row] === 0;
      if (word === "rejected") return row => table.verdicts[row] !== 0;
      const rule = word.match(/^rule:(.+)$/);
      if (rule) {
        const code = table.words.indexOf(rule[1]);
        return row => table.verdicts[row] === code;
      }
      const limit = word.match(/^([a-z_0-9]+)([<>])(-?[0-9.]+)$/);
      const metric = limit && table.metrics.find(one => one.name === limit[1]);
      if (metric) {
        const code = 2 * table.edge(metric, Number(limit[3])), codes = metric.codes;
        return limit[2] === "<" ? row => codes[row] < code : row => codes[row] > code && codes[row] !== Table.unmeasured;
      }
      const text = word.toLowerCase();
      const names = table.sources.map(name => name.toLowerCase().includes(text));
      return row => names[table.source[row]];
    });
  }

  refresh() {
    const { table } = this, tests = this.tests();
    const rows = new Uint32Array(table.rows);
    let count = 0;
    for (let row = 0; row < table.rows; row++) if (tests.every(test => test(row))) rows[count++] = row;
    this.shown = rows.subarray(0, count);
    const [name, direction] = this.order.value.split(" ");
    const metric = table.metrics.find(one => one.name === name);
    if (metric) this.sort(metric.codes, direction === "down");
    this.count.textContent = many(count, "clip");
    this.space.style.height = `${Math.min(count * List.height, List.tallest)}px`;
    this.draw();
  }

  // Counting: codes are small numbers. What was not measured comes last.
  sort(codes, isDown) {
    const starts = new Uint32Array(Table.unmeasured + 2);
    const key = row => codes[row] === Table.unmeasured ? Table.unmeasured
      : isDown ? Table.unmeasured - 1 - codes[row] : codes[row];
    for (const row of this.shown) starts[key(row) + 1]++;
    for (let code = 1; code < starts.length; code++) starts[code] += starts[code - 1];
    const sorted = new Uint32Array(this.shown.length);
    for (const row of this.shown) sorted[starts[key(row)]++] = row;
    this.shown = sorted;
  }

  // The pixels of rows for one that is scrolled.
  get scale() {
    const rows = this.shown.length * List.height, { clientHeight } = this.scroller;
    return rows <= List.tallest ? 1 : (rows - clientHeight) / (List.tallest - clientHeight);
  }

  draw() {
    const { table, scroller } = this, height = List.height;
    const above = Math.min(scroller.scrollTop * this.scale, Math.max(0, this.shown.length * height - scroller.clientHeight));
    const first = Math.max(0, Math.floor(above / height) - 4);
    const last = Math.min(this.shown.length, first + Math.ceil(scroller.clientHeight / height) + 8);
    this.space.replaceChildren(...Array.from(this.shown.subarray(first, last), (row, index) =>
      node("div", { class: `row ${table.verdicts[row] ? "rejected" : "accepted"}${row === this.chosen ? " chosen" : ""}`,
        id: `row-${row}`, role: "option", "aria-selected": row === this.chosen, "data-row": row,
        style: `top: ${(first + index) * height - above + scroller.scrollTop}px`, onclick: () => this.onOpen(row) },
        thumbnail(table, row),
        node("div", {}, node("b", {}, table.name(row)), node("span", { class: "note" }, spanText(table, row))),
        node("span", { class: "verdict" }, verdictText(table, row)))));
  }

  // Marks a row, and scrolls to it.
  choose(row) {
    this.chosen = row;
    const index = this.shown.indexOf(row);
    if (index >= 0) {
      const top = index * List.height, { scale } = this, { scrollTop, clientHeight } = this.scroller;
      if (top < scrollTop * scale || top + List.height > scrollTop * scale + clientHeight)
        this.scroller.scrollTop = (top - clientHeight / 2 + List.height / 2) / scale;
    }
    this.draw();
    this.scroller.setAttribute("aria-activedescendant", `row-${row}`);
  }

  // The row so many after the chosen one.
  neighbour(step) {
    if (!this.shown.length) return null;
    const index = this.shown.indexOf(this.chosen);
    return this.shown[Math.min(this.shown.length - 1, Math.max(0, index < 0 ? 0 : index + step))];
  }
}
