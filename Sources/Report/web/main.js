// Puts the parts together.
async function start() {
  const state = await resources.json("state.json");
  document.title = `${state.dataset} – Loopy`;
  const bytes = await resources.bytes("table");
  const hasTable = bytes !== null;
  const views = { clips: node("main", { id: "clips" }), training: node("main", { id: "training", hidden: "" }),
    generated: node("main", { id: "generated", hidden: "" }), about: node("main", { id: "about", hidden: "" }) };
  const words = { clips: "Clips", training: "Training", generated: "Generated", about: "About" };
  const tabs = Object.keys(views).map(name => node("button", { type: "button", "data-tab": name, onclick: () => choose(name) }, words[name]));
  const runs = new Runs(), generated = new Generated();
  function choose(name) {
    for (const [other, view] of Object.entries(views)) view.hidden = other !== name;
    for (const tab of tabs) tab.setAttribute("aria-current", tab.dataset.tab === name ? "page" : "false");
    document.body.dataset.view = name;
    if (name === "generated") generated.refresh();
  }
  const summary = node("span", { id: "summary", role: "status" });
  document.body.append(node("header", { class: "top" }, node("h1", {}, state.dataset), summary,
    node("nav", {}, ...tabs)), ...Object.values(views));
  views.training.append(runs.element);
  views.generated.append(generated.element);
  about(views.about, state);
  if (hasTable) explore(views.clips, new Table(bytes), summary, state);
  else views.clips.append(node("p", { class: "note" }, "Nothing is measured here yet: run loopy measure, or loopy run, and load the page again."));
  choose(location.hash.slice(1) in views ? location.hash.slice(1) : state.begins_with_videos ? "generated" : "clips");
  if (resources.isServed) setInterval(() => { if (!views.training.hidden) runs.refresh(); }, 2000);
  document.body.dataset.ready = "";
  await runs.refresh();
  if (!hasTable && views.generated.hidden) choose("training");
}

// The clips: limits on the left, what they make of the dataset on the right.
function explore(view, table, summary, state) {
  const players = [new Player(table), new Player(table)];
  players[1].element.hidden = true;
  let current = players[0];
  const galleries = new Galleries(table, row => open(row));
  const list = new List(table, row => open(row));
  const funnel = new Funnel(table, filter => { list.filter.value = filter; list.refresh(); });
  const changed = soon(() => {
    table.decide();
    funnel.refresh();
    limits.refresh();
    galleries.refresh();
    list.refresh();
    players.forEach(player => player.refresh());
    sum();
  });
  const limits = new Limits(table, changed, (metric, bound) => galleries.show(metric, bound));
  function sum() {
    const hours = duration(table.time[0]);
    summary.textContent = `${many(table.spans[0], "clip")} accepted, ${hours}`;
    const changes = table.changes();
    changesText.textContent = changes.length ? `${many(changes.length, "limit")} changed` : "as selected";
    reset.disabled = !changes.length;
  }
  function open(row) {
    current.show(row);
    list.choose(row);
    document.body.classList.add("opened");
  }
  // Two side by side: what is open stays, and the next one opens beside it.
  function pin() {
    const [first, second] = players;
    if (second.element.hidden && first.row !== undefined) {
      second.element.hidden = false;
      current = second;
    } else {
      second.element.hidden = true;
      second.close();
      current = first;
    }
    view.classList.toggle("two", !second.element.hidden);
  }

  const changesText = node("span", { class: "note", role: "status" });
  const note = text => { changesText.textContent = text; };
  const button = (id, text, title, action) => node("button", { type: "button", id, title, onclick: action }, text);
  const copy = button("copy", "Copy as settings", "for loopy select or loopy run", () => take(asArguments(table, state), note));
  const copyYAML = button("copy-yaml", "as YAML", "for a pipeline file", () => take(asYAML(table, state), note));
  const reset = button("reset", "Reset", "the limits that the dataset was selected with", () => {
    for (const { metric, bound } of table.changes()) table.set(metric, bound, table.edge(metric, metric.written[bound]));
    limits.showAll();
    changed();
  });
  const save = button("save", "Save…", "as a file of the dataset's folder selections", async () => {
    const name = prompt("Save these limits as", "strict");
    if (!name) return;
    const answer = await fetch(`selections/${encodeURIComponent(name)}`, { method: "POST", body: asYAML(table, state) });
    note(answer.ok ? `saved: loopy select --dataset … --config ${await answer.text()}` : `not saved: ${await answer.text()}`);
  });
  view.append(
    node("div", { class: "side" }, node("div", { class: "actions" }, copy, copyYAML, resources.isServed ? save : null, reset, changesText),
      limits.element),
    node("div", { class: "middle" }, funnel.element, galleries.element, list.element),
    node("div", { class: "near" },
      node("div", { class: "tools" }, button("pin", "Side by side (p)", "keep this clip, and open the next beside it", pin),
        button("close", "Close", "", () => document.body.classList.remove("opened"))),
      node("div", { class: "players" }, ...players.map(player => player.element))));
  sum();
  limits.refresh();
  list.refresh();
  // Where there is room for it, something is open from the beginning.
  if (table.rows && matchMedia("(min-width: 68rem)").matches) {
    const first = table.verdicts.indexOf(0);
    open(first >= 0 ? first : 0);
  }
  document.addEventListener("keydown", event => {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || view.hidden) return;
    const actions = {
      ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      " ": () => players.forEach(player => player.toggle()), p: pin, "/": () => list.filter.focus(),
      Escape: () => document.body.classList.remove("opened"),
    };
    const action = actions[event.key];
    // Space on a button presses it.
    if (!action || (event.key === " " && event.target.matches("button, video, summary"))) return;
    event.preventDefault();
    action();
  });
  function step(by) {
    const row = list.neighbour(by);
    if (row !== null) open(row);
  }
  window.loopy = { table, list, limits };
  const first = table.metrics.find(metric => table.hasRule(metric) && table.spans[table.ruleCode + metric.index])
    ?? table.metrics.find(metric => table.hasRule(metric));
  if (first) limits.focus(first);
}

// The settings that make this selection: all that differ from the defaults.
function asSettings(table, state) {
  const rules = table.metrics.flatMap(metric => ["minimum", "maximum"]
    .filter(bound => table.limit(metric, bound) !== (metric.defaults[bound] ?? null))
    .map(bound => [`rules.${metric.name}.${bound}`, table.limit(metric, bound)]));
  return [...Object.entries(state.settings), ...rules];
}

const asArguments = (table, state) =>
  asSettings(table, state).map(([key, value]) => `--set select.${key}=${value ?? "null"}`).join(" ");

function asYAML(table, state) {
  const tree = {};
  for (const [key, value] of asSettings(table, state)) {
    const names = key.split("."), last = names.pop();
    names.reduce((part, name) => part[name] ??= {}, tree)[last] = value;
  }
  const lines = (part, indent) => Object.entries(part).map(([key, value]) => value !== null && typeof value === "object"
    ? `${indent}${key}:\n${lines(value, indent + "  ")}` : `${indent}${key}: ${value ?? "null"}\n`).join("");
  return "select:\n" + lines(tree, "  ");
}

// To the clipboard, or to a field where there is none to be had.
async function take(text, note) {
  try {
    await navigator.clipboard.writeText(text);
    note(`copied: ${text}`);
  } catch {
    prompt("Copy this", text);
  }
  window.loopy.copied = text;
}

function about(view, state) {
  const columns = Object.entries(state.columns).sort();
  const plain = settings => Object.entries(settings).filter(([_, value]) => value !== "" && typeof value !== "object")
    .sort().map(([key, value]) => `${key}: ${value}`).join(", ");
  view.append(node("h2", {}, "What is in the dataset"),
    node("p", {}, `${many(state.counts.sources, "source")}, ${many(state.counts.clips, "clip")} in shards with ` +
      `${state.counts.frames} frames, 25 a second.` + (state.rules_not_applied.length
        ? ` Rules that are not applied, for nothing measured their values: ${state.rules_not_applied.join(", ")}.` : "")),
    node("div", { class: "scroll" }, node("table", {}, node("tr", {}, node("th", {}, "column"), node("th", {}, "settings")),
      ...columns.map(([name, settings]) => node("tr", {}, node("td", {}, name), node("td", { class: "note" }, plain(settings)))))),
    ...(state.work.length ? [node("h2", {}, "At work"), node("pre", { class: "scroll" }, state.work.join("\n"))] : []),
    node("h2", {}, "Keys"), node("p", {}, "Arrows: the next clip and the one before. Space: play and pause. p: two side by side. /: filter. Escape: close."));
}

start().catch(error => document.body.append(node("p", { class: "rejected" }, String(error))));
