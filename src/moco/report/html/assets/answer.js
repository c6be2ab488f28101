// One question in one cell: the answer, why it was given, who saw what, the conversation, and the others' answers.
function callOf(number) {
  const [id, member, agent, stage, round, prompt, text, key, finish, tokensIn, tokensOut, sees, content, calls] = DATA.calls[number];
  const t = (i) => (i < 0 ? null : DATA.strings[i]);
  const draw = Number(t(id).match(/\.(\d+)(?:\.\d+)?$/)?.[1] ?? 0);
  return { number, id: t(id), name: t(agent) + (draw ? `#${draw}` : "") + (agent === member ? "" : ` (${t(member)})`), member: t(member), agent: t(agent), stage: t(stage), round, prompt: t(prompt) ?? "", text: t(text) ?? "", key: t(key), finish: t(finish), tokensIn, tokensOut, sees: sees.map(t), content: t(content), calls };
}

function outcomeOf(row) {
  const t = (i) => (i < 0 ? null : DATA.strings[i]);
  const [place, points, flags, text, extracted, rule, finish, usage, source, confidence, reason, failed, calls] = row;
  return { place, points, flags, text: t(text) ?? "", extracted: t(extracted), rule: t(rule), finish: t(finish), usage, source: t(source), confidence, reason: JSON.parse(t(reason) ?? "{}") ?? {}, failed: t(failed), calls };
}

const flagNames = (flags) => [[FAILED, "failed"], [UNPARSED, "unparsed"], [TRUNCATED, "truncated"], [EMERGENT, "only together"]].filter(([bit]) => flags & bit).map(([, name]) => make("span", { class: "flag" }, name));

// Spans: [[text, owner], ...] or [{text, source}, ...], under the keys methods use for them.
function spansOf(reason) {
  const found = reason.spans ?? reason.segments;
  if (!Array.isArray(found) || !found.length) return null;
  const pairs = found.map((s) => (Array.isArray(s) ? [s[0], s[1]] : s && typeof s === "object" ? [s.text, s.source ?? s.owner ?? s.member] : [null, null]));
  return pairs.every(([text, owner]) => typeof text === "string" && (typeof owner === "string" || owner === null || owner === undefined)) ? pairs : null;
}

function coloured(pairs) {
  const owners = [...new Set(pairs.map(([, owner]) => owner ?? "unknown"))];
  const style = (owner) => `c${owners.indexOf(owner ?? "unknown") % 8}`;
  return [make("pre", { class: "quote", dir: "auto" }, pairs.map(([text, owner]) => make("span", { class: `span ${style(owner)}`, title: owner ?? "unknown" }, text))),
    make("p", { class: "facts spans" }, owners.map((owner) => make("span", { class: `owner ${style(owner)}` }, owner)))];
}

function votesOf(outcome) {
  const votes = outcome.reason.votes;
  if (!Array.isArray(votes) || !votes.every((v) => Array.isArray(v) && Array.isArray(v[1]))) return null;
  const rows = votes.map(([key, voters]) => [key ?? "nothing read", voters, key === outcome.extracted]);
  const abstained = outcome.reason.abstained;
  if (Array.isArray(abstained) && abstained.length) rows.push(["abstained", abstained, false]);
  return make("ul", { class: "votes" }, rows.map(([key, voters, won]) => make("li", { class: won ? "won" : undefined },
    make("span", { class: "what", title: key }, key), make("span", { class: "voters" }, voters.map((v) => make("span", { class: "voter" }, v))))));
}

function routeOf(reason) {
  if (typeof reason.route !== "string") return null;
  return make("p", { class: "route" }, reason.router && [make("span", { class: "voter" }, reason.router), "chose"], !reason.router && "went to", make("span", { class: "won" }, make("span", { class: "voter" }, reason.route)));
}

function whyOf(outcome) {
  const spans = spansOf(outcome.reason), votes = votesOf(outcome), route = routeOf(outcome.reason);
  const shown = new Set([...(votes ? ["votes", "abstained"] : []), ...(route ? ["route", "router"] : []), ...(spans ? ["spans", "segments"] : [])]);
  const rest = Object.entries(outcome.reason).filter(([key, v]) => !shown.has(key) && v !== null && v !== false && !(Array.isArray(v) && !v.length));
  if (!votes && !route && !rest.length) return [];
  return [make("h2", {}, "Why this answer"), route, votes, rest.length > 0 && make("dl", { class: "why" }, rest.map(([key, v]) => [make("dt", {}, key), make("dd", { dir: "auto" }, value(v))]))];
}

const anchorOf = (call) => `call-${call.number}`;

// "saw beta, gamma (answer)": whose texts the prompt quotes, by the stage these come from.
function sawWhat(call, names) {
  const stages = new Map();
  for (const id of call.sees) {
    const other = names.get(id), stage = other ? stageOf(other) : "";
    stages.set(stage, [...(stages.get(stage) ?? []), other ? other.agent : id]);
  }
  return `saw ${[...stages].map(([stage, who]) => who.join(", ") + (stage && ` (${stage})`)).join("; ")}`;
}

const stageOf = (call) => call.stage + (call.round ? `, round ${call.round}` : "");

function conversation(calls, question) {
  const names = new Map(calls.map((call) => [call.id, call]));
  const turn = (call) => {
    const inner = call.calls.map(callOf);
    return make("article", { class: "call", id: anchorOf(call) },
      make("header", {}, make("b", {}, call.name),
        call.key !== null && make("span", {}, "→ ", make("bdi", {}, short(call.key, 80))),
        make("span", { class: "n" }, `${count(call.tokensIn)} + ${count(call.tokensOut)} tokens`), call.finish === "length" && make("span", { class: "flag" }, "truncated"), call.finish === "error" && make("span", { class: "flag" }, "no reply")),
      call.sees.length > 0 && make("p", { class: "n" }, sawWhat(call, names)),
      quote(call.text),
      make("details", {}, make("summary", {}, call.prompt === question ? "prompt: the question as it is" : "prompt"), quote(call.prompt)),
      inner.length > 0 && make("details", {}, make("summary", {}, `inside ${call.agent}: ${inner.length} calls`), conversation(inner, question)));
  };
  const turns = [];
  for (const call of calls) {
    const stage = stageOf(call);
    if (turns.at(-1)?.stage !== stage) turns.push({ stage, calls: [] });
    turns.at(-1).calls.push(call);
  }
  return turns.map((t) => [make("h3", { class: "stage" }, t.stage), make("div", { class: "turns" }, t.calls.map(turn))]);
}

// Rows are methods and members, columns seeds: what was read from each answer, and whether it was right.
function elsewhere(cell, name) {
  const rows = new Map();
  DATA.about.forEach((other, i) => {
    if (other.task !== cell.task) return;
    const key = `${other.role} ${other.label}`;
    if (!rows.has(key)) rows.set(key, { other, seeds: new Map() });
    rows.get(key).seeds.set(other.seed, [other, rowOf(i, name)]);
  });
  const seeds = [...new Set([...rows.values()].flatMap((row) => [...row.seeds.keys()]))].sort((a, b) => a - b);
  const field = (found) => {
    if (!found?.[1]) return make("td", { class: "word" }, "–");
    const [other, row] = found, said = row[4] < 0 ? "–" : short(DATA.strings[row[4]], 40);
    return make("td", { class: "word" }, make("a", { href: linkTo(other.id, name), "aria-current": other.id === cell.id ? "page" : undefined }, verdict(row[1], row[2]).node, " ", make("bdi", {}, said)));
  };
  return [make("h2", {}, "The same question elsewhere"), make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The same question elsewhere" }, make("table", { class: "plain narrow same-question" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "method or member"), seeds.map((seed) => make("th", { scope: "col", class: "word" }, `seed ${seed}`)))),
    make("tbody", {}, [...rows.values()].map(({ other, seeds: found }) => make("tr", {}, make("th", { scope: "row" }, signOf(other), other.label), seeds.map((seed) => field(found.get(seed))))))))];
}

function answerView(cell, name, row) {
  const outcome = outcomeOf(row), found = verdict(outcome.points, outcome.flags);
  const [, asked, gold] = DATA.items[cell.task][outcome.place];
  const question = asked < 0 ? name : DATA.strings[asked];
  const calls = outcome.calls.map(callOf);
  const spans = spansOf(outcome.reason);
  const facts = [["score", score(outcome.points)], ["read by rule", outcome.rule], ["said by", outcome.source], ["confidence", outcome.confidence === null ? null : score(outcome.confidence)],
    ["finish", outcome.finish], ["calls", count(outcome.usage[2])], ["tokens", `${count(outcome.usage[0])} + ${count(outcome.usage[1])}`]];
  return [
    make("h1", { class: "unseen" }, `Question ${name}`),
    make("div", { class: "asked", dir: "auto" }, question),
    gold >= 0 && make("p", { class: "n" }, "expected: ", make("b", {}, make("bdi", {}, DATA.strings[gold]))),
    make("div", { class: `answer ${found.kind}` },
      make("p", {}, found.node, " ", make("b", {}, make("bdi", {}, outcome.extracted === null ? "nothing could be read" : outcome.extracted)), make("span", { class: "n" }, ` ${found.word}`), flagNames(outcome.flags)),
      outcome.failed ? quote(outcome.failed) : spans ? coloured(spans) : quote(outcome.text)),
    make("ul", { class: "facts" }, facts.filter(([, v]) => v !== null && v !== "").map(([k, v]) => make("li", {}, `${k} `, make("b", {}, v)))),
    whyOf(outcome),
    calls.length > 0 && [make("h2", {}, "Who saw what"), messageGraph(calls, outcome, anchorOf), make("h2", {}, "Conversation"), conversation(calls, question)],
    elsewhere(cell, name),
  ];
}
