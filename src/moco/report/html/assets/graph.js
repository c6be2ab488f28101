// Who saw what: calls as boxes, round by round from left to right, one lane per agent; an arrow wherever a call quotes another.
const BOX = { width: 150, height: 40, across: 70, down: 12, head: 22 };
const MOST = 40;

// The column of each call: stages and rounds in the order of asking; what quotes another call always stands to the right of it.
function depths(calls) {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const stages = [...new Set(calls.map(stageOf))];
  const known = new Map();
  const depth = (call, above) => {
    if (known.has(call.id)) return known.get(call.id);
    const seen = call.sees.map((id) => byId.get(id)).filter((other) => other && !above.has(other.id));
    const found = Math.max(stages.indexOf(stageOf(call)), ...seen.map((other) => 1 + depth(other, new Set([...above, call.id]))));
    known.set(call.id, found);
    return found;
  };
  for (const call of calls) depth(call, new Set([call.id]));
  const used = [...new Set(known.values())].sort((one, other) => one - other);
  return new Map([...known].map(([id, found]) => [id, used.indexOf(found)]));
}

// What a column holds: its stages and rounds, in the order of asking.
function captions(calls, depth, columns) {
  return Array.from({ length: columns }, (_, column) => [...new Set(calls.filter((call) => depth.get(call.id) === column).map(stageOf))].join("; "));
}

// The calls the answer was made of: the voters if there were votes, else the ones whose text it is, else the last ones.
function makers(calls, depth, outcome) {
  if (outcome.reason.votes) {
    const voters = calls.filter((call) => call.key !== null && !calls.some((other) => other.sees.includes(call.id)));
    if (voters.length) return voters;
  }
  const same = calls.filter((call) => call.text === outcome.text && (!outcome.source || call.member === outcome.source));
  if (same.length) return same.slice(-1);
  const last = Math.max(...calls.map((call) => depth.get(call.id)));
  return calls.filter((call) => depth.get(call.id) === last);
}

function messageGraph(all, outcome, anchor) {
  const calls = all.slice(0, MOST);
  const depth = depths(calls);
  const columns = 1 + Math.max(...depth.values());
  const lanes = [...new Set(calls.map((call) => call.agent))];
  const cell = new Map();
  for (const call of calls) { const at = `${lanes.indexOf(call.agent)}.${depth.get(call.id)}`; cell.set(at, [...(cell.get(at) || []), call]); }
  const rows = lanes.map((_, lane) => Math.max(...Array.from({ length: columns }, (_, column) => (cell.get(`${lane}.${column}`) || []).length)));
  const above = rows.map((_, lane) => rows.slice(0, lane).reduce((a, b) => a + b, 0));
  const total = rows.reduce((a, b) => a + b, 0);
  const step = BOX.height + BOX.down;
  const place = new Map();
  for (const [at, group] of cell) {
    const [lane, column] = at.split(".").map(Number);
    const shift = (rows[lane] - group.length) / 2;
    group.forEach((call, i) => place.set(call.id, { x: 2 + column * (BOX.width + BOX.across), y: 2 + BOX.head + (above[lane] + shift + i) * step }));
  }
  const origins = makers(calls, depth, outcome), middle = origins.reduce((sum, call) => sum + place.get(call.id).y, 0) / origins.length;
  const end = { x: 2 + columns * (BOX.width + BOX.across), y: middle };
  const arrows = [];
  const arrow = (from, to, extra, of) => {
    const x1 = from.x + BOX.width, y1 = from.y + BOX.height / 2, x2 = to.x - 5, y2 = to.y + BOX.height / 2, bend = Math.min(60, (x2 - x1) / 2 + 10);
    arrows.push(make("g", { "data-of": of }, make("path", { class: extra, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }), make("path", { class: "tip", d: `M${x2 + 5} ${y2}l-8-4v8z` })));
  };
  for (const call of calls) for (const id of call.sees) if (place.has(id) && depth.get(id) < depth.get(call.id)) arrow(place.get(id), place.get(call.id), "", `${id} ${call.id}`);
  for (const call of origins) arrow(place.get(call.id), end, outcome.extracted !== null && call.key !== null && call.key !== outcome.extracted ? "soft" : "", call.id);
  const box = (at, name, small, kind, href) => {
    const inner = [make("title", {}, `${name}: ${small}`), make("rect", { x: at.x, y: at.y, width: BOX.width, height: BOX.height, rx: 5 }),
      make("text", { x: at.x + 10, y: at.y + 17 }, short(name, 20)), make("text", { class: "small", x: at.x + 10, y: at.y + 32 }, short(small, 22))];
    return href ? drawnLink(href, { class: kind, "aria-label": `${name}: ${small}` }, inner) : make("g", { class: kind }, inner);
  };
  const boxes = calls.map((call) => {
    const said = call.finish === "error" ? "no reply" : call.key !== null ? call.key : call.text.replace(/\s+/g, " ");
    const kind = call.finish === "error" ? "error" : call.key !== null && call.key === outcome.extracted ? "agrees" : "";
    return fill(box(place.get(call.id), call.name, said, kind, "#"), { "data-call": anchor(call) }, []);
  });
  boxes.push(box(end, "answer", outcome.extracted === null ? "nothing could be read" : outcome.extracted, "final"));
  const heads = captions(calls, depth, columns).map((text, column) => make("text", { class: "small head", x: 2 + column * (BOX.width + BOX.across), y: 12 }, make("title", {}, text), short(text, 30)));
  const width = end.x + BOX.width + 4, height = BOX.head + total * step;
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Message graph" }, heads, arrows, boxes);
  return make("div", { class: "graph", tabindex: 0, role: "region", "aria-label": "Who saw what" }, svg,
    all.length > MOST && make("p", { class: "n" }, `the first ${MOST} of ${all.length} calls`));
}
