// Every clip that any limits could make, and what the limits make of it. `CandidateTable` in Swift says what
// the numbers mean; `loopy select` decides the same.
class Table {
  static unmeasured = 65535;

  constructor(buffer) {
    const view = new DataView(buffer), length = view.getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    const kinds = { Uint8: Uint8Array, Uint16: Uint16Array, Int32: Int32Array, Uint32: Uint32Array };
    const padded = position => Math.ceil(position / 8) * 8;
    let position = padded(4 + length);
    for (const { name, type } of header.columns) {
      const column = new kinds[type](buffer, position, header.rows);
      position = padded(position + column.byteLength);
      const metric = header.metrics.find(one => one.name === name);
      if (metric) metric.codes = column; else this[name] = column;
    }
    this.rows = header.rows;
    this.sources = header.sources;
    this.obstacles = header.obstacles;
    this.metrics = header.metrics;
    // Bit i % 32 of mask i / 32 of a row: whether the row breaks the rule of metric i.
    this.masks = Array.from({ length: Math.ceil(this.metrics.length / 32) }, () => new Uint32Array(this.rows));
    this.verdicts = new Uint8Array(this.rows);
    // The words of verdicts, by their codes.
    this.words = ["accept", ...this.obstacles.slice(1), ...this.metrics.map(one => one.name), "crop", "duplicate"];
    this.ruleCode = this.obstacles.length;
    this.cropCode = this.ruleCode + this.metrics.length;
    this.duplicateCode = this.cropCode + 1;
    this.headRule = this.metrics.find(one => one.name === "completeness");
    this.soundRule = this.metrics.findIndex(one => one.name === "sound");
    // Rows that may be the same clip, by the first of them.
    this.groups = new Map();
    for (let row = 0; row < this.rows; row++) if (this.twin[row] >= 0) {
      this.groups.set(row, this.twin[row]);
      this.groups.set(this.twin[row], this.twin[row]);
    }
    // The stretches that each row shares with others.
    this.copies = header.copies;
    this.shared = new Map();
    for (const [row, ...stretch] of this.copies.stretches) {
      if (!this.shared.has(row)) this.shared.set(row, []);
      this.shared.get(row).push(stretch);
    }
    this.metrics.forEach((metric, index) => {
      metric.index = index;
      metric.written = { minimum: metric.minimum ?? null, maximum: metric.maximum ?? null };
      metric.limits = { minimum: this.edge(metric, metric.minimum), maximum: this.edge(metric, metric.maximum) };
      metric.isMeasured = metric.codes.some(code => code !== Table.unmeasured);
      this.mark(metric);
    });
    this.decide();
  }

  // The index of the edge nearest to a value; null for none.
  edge(metric, value) {
    if (value === null || value === undefined || Number.isNaN(value)) return null;
    const edges = metric.edges;
    let low = 0, high = edges.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle] < value) low = middle + 1; else high = middle;
    }
    return low > 0 && value - edges[low - 1] < edges[low] - value ? low - 1 : low;
  }

  // The value of a limit; null for none.
  limit(metric, bound) {
    const edge = metric.limits[bound];
    return edge === null ? null : metric.edges[edge];
  }

  // The value of a row, to the width between two edges; null where it was not measured.
  value(metric, row) {
    const code = metric.codes[row];
    if (code === Table.unmeasured) return null;
    const edge = metric.edges[code >> 1];
    return code & 1 ? (edge + (metric.edges[(code >> 1) + 1] ?? edge)) / 2 : edge;
  }

  set(metric, bound, edge) {
    metric.limits[bound] = edge;
    this.mark(metric);
  }

  // Finds out anew which rows break the rule of a metric.
  mark(metric) {
    const mask = this.masks[metric.index >> 5], bit = (1 << (metric.index & 31)) >>> 0, codes = metric.codes;
    const { minimum, maximum } = metric.limits;
    const low = minimum === null ? 0 : 2 * minimum, high = maximum === null ? Table.unmeasured : 2 * maximum;
    for (let row = 0; row < this.rows; row++) {
      const code = codes[row];
      if (code !== Table.unmeasured && (code < low || code > high)) mask[row] |= bit; else mask[row] &= ~bit;
    }
  }

  // The code of the least share of a head that a crop must show: what the rule on whole heads says, or all of it.
  leastHead() { return 2 * (this.headRule.limits.minimum ?? this.edge(this.headRule, 1)); }

  hasRule(metric) { return metric.limits.minimum !== null || metric.limits.maximum !== null; }

  // The verdict of every row: the first thing that is in the way.
  decide() {
    const spans = this.spans = new Float64Array(this.words.length), frames = this.time = new Float64Array(this.words.length);
    const asksForSound = this.soundRule >= 0 && this.hasRule(this.metrics[this.soundRule]);
    const taken = new Set(), masks = this.masks, leastHead = this.leastHead();
    for (let row = 0; row < this.rows; row++) {
      let verdict = this.obstacle[row];
      if (verdict === 1 && !asksForSound) verdict = 0;
      for (let part = 0; verdict === 0 && part < masks.length; part++) {
        const mask = masks[part][row];
        if (mask !== 0) verdict = this.ruleCode + 32 * part + 31 - Math.clz32(mask & -mask);
      }
      if (verdict === 0 && this.headShare[row] < leastHead) verdict = this.cropCode;
      if (verdict === 0 && this.groups.size) {
        const group = this.groups.get(row);
        if (group !== undefined) {
          if (taken.has(group)) verdict = this.duplicateCode; else taken.add(group);
        }
      }
      this.verdicts[row] = verdict;
    }
    this.rejectCopies();
    for (let row = 0; row < this.rows; row++) {
      const verdict = this.verdicts[row];
      // What is rejected as a whole is one decision, however many pieces it would have been cut into.
      const isPiece = verdict === 0 || verdict >= this.cropCode;
      if (isPiece || this.first[row]) spans[verdict]++;
      frames[verdict] += this.frames[row];
    }
  }

  // Of accepted clips that show the same footage, the one most worth keeping is kept.
  rejectCopies() {
    const kept = new Set();
    for (const row of this.copies.order) {
      if (this.verdicts[row] !== 0) continue;
      const seen = new Uint8Array(this.frames[row]);
      for (const [other, first, count] of this.shared.get(row) ?? [])
        if (kept.has(other)) seen.fill(1, first, first + count);
      const share = seen.reduce((sum, one) => sum + one, 0) / Math.max(1, seen.length);
      if (share >= this.copies.leastShare) this.verdicts[row] = this.duplicateCode; else kept.add(row);
    }
  }

  // Whether a row would be accepted if the rule of a metric were not there.
  hangsOn(metric, row) {
    const obstacle = this.obstacle[row];
    if (obstacle > 1 || (obstacle === 1 && this.hasRule(this.metrics[this.soundRule]))) return false;
    if (this.headShare[row] < this.leastHead()) return false;
    return this.masks.every((mask, part) => {
      const own = part === metric.index >> 5 ? (1 << (metric.index & 31)) : 0;
      return (mask[row] & ~own) === 0;
    });
  }

  // The rows nearest to a limit that no other rule rejects: `count` that keep it and `count` that break it.
  nearest(metric, bound, count) {
    const limit = 2 * metric.limits[bound], sign = bound === "minimum" ? 1 : -1;
    const inside = [], outside = [];
    // Short lists that stay sorted: most rows are further away than all that are in them.
    const add = (list, row, distance) => {
      if (list.length === count && distance >= list[count - 1].distance) return;
      let at = list.length;
      while (at > 0 && list[at - 1].distance > distance) at--;
      list.splice(at, 0, { row, distance });
      if (list.length > count) list.pop();
    };
    for (let row = 0; row < this.rows; row++) {
      const code = metric.codes[row];
      if (code === Table.unmeasured || !this.first[row] || !this.hangsOn(metric, row)) continue;
      const distance = sign * (code - limit);
      if (distance >= 0) add(inside, row, distance); else add(outside, row, -distance);
    }
    return { inside: inside.map(one => one.row), outside: outside.map(one => one.row) };
  }

  // Counts rows in bins of a metric's edges: all that are measured, and those that are accepted.
  histogram(metric, bins) {
    const all = new Uint32Array(bins), accepted = new Uint32Array(bins);
    const scale = bins / (2 * metric.edges.length);
    for (let row = 0; row < this.rows; row++) {
      const code = metric.codes[row];
      if (code === Table.unmeasured) continue;
      const bin = Math.min(bins - 1, code * scale | 0);
      all[bin]++;
      if (this.verdicts[row] === 0) accepted[bin]++;
    }
    return { all, accepted };
  }

  name(row) { return this.sources[this.source[row]]; }
  end(row) { return this.start[row] + this.frames[row]; }

  // The limits that differ from those that the dataset was selected with, as settings of `loopy select`.
  changes() {
    return this.metrics.flatMap(metric => ["minimum", "maximum"]
      .filter(bound => this.limit(metric, bound) !== metric.written[bound])
      .map(bound => ({ metric, bound, value: this.limit(metric, bound) })));
  }
}
