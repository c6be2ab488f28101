// Building blocks. Texts of models only ever become text nodes; nothing here parses markup.
const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "rect", "path", "text", "title", "use"]);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) node.append(child instanceof Node ? child : String(child));
  return node;
}

function make(name, attributes = {}, ...children) {
  return fill(DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name), attributes, children);
}

function drawnLink(href, attributes, ...children) {
  return fill(document.createElementNS(SVG, "a"), { href, ...attributes }, children);
}

const show = (node, ...children) => { node.replaceChildren(); return fill(node, {}, children); };
const quote = (text) => make("pre", { class: "quote", dir: "auto" }, text);
const count = (n) => (n >= 1000 ? n.toLocaleString("en").replaceAll(",", "\u202f") : String(n));
const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function signOf(cell) {
  const kind = cell.role === "member" ? "member" : cell.role === "method" && ["routing", "text", "logit", "weight"].includes(cell.level) ? cell.level : "baseline";
  return make("svg", { class: `key l-${kind}`, width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, make("use", { href: `#m-${kind}` }));
}

// A verdict is a sign and a word, never a colour alone.
function verdict(value, flags) {
  const [kind, sign, word] = flags & FAILED ? ["part", "!", "failed"] : value >= 0.999 ? ["right", "✓", "right"] : value >= 0.5 ? ["right", "≈", "mostly right"] : value > 0.001 ? ["part", "~", "partly right"] : ["wrong", "✗", "wrong"];
  return { kind, word, node: make("span", { class: `verdict ${kind}`, role: "img", "aria-label": word, title: word }, sign) };
}

// Any value of a method's reason: lists of like records as tables, plain lists in a line, the rest as text.
function value(v) {
  if (v === null || v === undefined) return "–";
  if (typeof v === "number") return Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(4)));
  if (typeof v !== "object") return String(v);
  if (!Array.isArray(v)) return make("dl", { class: "why" }, Object.entries(v).map(([k, x]) => [make("dt", {}, k), make("dd", { dir: "auto" }, value(x))]));
  if (v.length && v.every((x) => x && typeof x === "object" && !Array.isArray(x))) {
    const columns = [...new Set(v.flatMap((x) => Object.keys(x)))];
    return make("table", { class: "plain" }, make("thead", {}, make("tr", {}, columns.map((c) => make("th", { scope: "col" }, c)))),
      make("tbody", {}, v.map((x) => make("tr", {}, columns.map((c) => make("td", {}, value(x[c])))))));
  }
  if (v.every((x) => x === null || typeof x !== "object")) return v.length ? v.map((x) => value(x)).join(", ") : "none";
  return make("ol", {}, v.map((x) => make("li", {}, value(x))));
}
