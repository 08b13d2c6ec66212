"use strict";
// The meeting's page. Every text from outside enters the document as a text node, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const children = data.children;
  // what files and tables call the same way is spelled in the vocabulary only
  const words = data.words;
  const STRONG = new Set(["protected", "newly_found", "open_consultation"]);
  const HIDDEN_NOTE = "点数は判定のあとに表示します（無作為に選んだ児童を含むため）";
  // Longer answers are cut on paper, and say so: a child stays on one page.
  const ANSWER_ON_PAPER = 300;
  // What a page of A4 holds inside its margins (277 mm), less a little for rounding.
  const PAGE_MM = 272;
  // How small a child with much to tell may be set: down to what can still be read.
  const ZOOMS = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6];
  const MANY_PAGES = 300;
  // A child's row in rem (the style's --row), and how much of it the heading of a school year takes.
  const ROW = 3.6;
  const GROUP = 0.55;
  // A further line of tags in parts of a row; in rem a sign of a tag and of a verdict, what a tag has around it, and what
  // the row and the verdict have.
  const TAG_LINE = 0.45;
  const [TAG_SIGN, VERDICT_SIGN, AROUND_TAG, AROUND_ROW] = [0.8, 0.85, 1.15, 2.3];

  // Until everyone is decided nothing may tell the random sample from the list: no number, no count, no place of before.
  const hidden = data.score_mode === "hidden";
  let scoreShown = data.score_mode === "always";
  let current = -1;
  let shown = [];
  let rows = [];
  let height = 0;
  let printed = null;

  // ---- small helpers
  function h(tag, attributes, ...content) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") element.className = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
    }
    element.append(...content.flat(2).filter((part) => part !== null && part !== undefined && part !== false));
    return element;
  }
  const schoolYear = (year) => words.school_years[year];
  const date = (iso) => {
    const [year, month, day] = iso.split("-").map(Number);
    return `${year}年${month}月${day}日`;
  };
  const count = (number) => number.toLocaleString("ja-JP");
  const tenths = (points) => Math.round(points * 10);
  const plain = (points) => (Math.abs(tenths(points)) / 10).toFixed(1);
  const points = (value) => (tenths(value) < 0 ? "−" : "") + plain(value);
  const signed = (value) => (tenths(value) > 0 ? "+" : tenths(value) < 0 ? "−" : "±") + plain(value);
  // one form for full-width and half-width, upper and lower case, hiragana and katakana
  const folded = (text) =>
    text.normalize("NFKC").toLowerCase().replace(/[ぁ-ゖ]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) + 0x60));
  const compare = new Intl.Collator("ja", { numeric: true }).compare;
  const schoolOf = (child) => (child.flags.includes("protected") ? words.flags.protected : child.school || `${words.school}名なし`);

  // ---- what is worked out once for each child
  const byNumber = new Map();
  children.forEach((child, at) => {
    child.at = at;
    if (!byNumber.has(child.number)) byNumber.set(child.number, at);
    child.read = child.factors.map(([item, level, value]) => ({
      ja: data.items[item].ja,
      about: data.items[item].about,
      level: data.levels[level].ja,
      applies: data.levels[level].applies,
      missing: data.levels[level].missing,
      points: value,
    }));
    child.about = new Set(child.read.filter((factor) => factor.applies).flatMap((factor) => factor.about));
    child.text = folded(
      [
        child.number,
        schoolOf(child),
        ...child.read.filter((factor) => factor.applies).map((factor) => `${factor.ja} ${factor.level}`),
        ...child.hints,
      ].join("\n"),
    );
  });
  const cohorts = new Map(data.cohorts.map((cohort) => [cohort.school_year, cohort]));
  // One scale for all children, so that a bar means the same on every page.
  const largest = (values) => values.reduce((top, value) => Math.max(top, Math.abs(value || 0)), 0);
  const factorScale = largest(children.map((child) => largest(child.read.map((factor) => factor.points))));
  const difficultyScale = largest(children.map((child) => largest(Object.values(child.difficulties || {}))));

  // ---- one child, for the screen and for paper
  function bar(name, level, value, scale, bold) {
    const side = Math.sign(tenths(value));
    const piece = h("i", { class: side > 0 ? "raise" : "lower" });
    piece.style.width = `${(Math.abs(value) / scale) * 50}%`;
    return h(
      "div",
      { class: "bar", role: "listitem" },
      h("div", { class: "what" }, h(bold ? "b" : "span", {}, name), " ", level && h("span", { class: "level" }, level)),
      h("div", { class: "track", "aria-hidden": "true" }, side !== 0 && piece),
      h("div", { class: "value" }, `${["▽ ", "", "▲ "][side + 1]}${signed(value)}`),
    );
  }

  const tally = (title, things) => (hidden ? title : `${title}（${things.length}）`);
  const section = (title, ...content) => h("section", {}, h("h3", {}, title), ...content);
  const facts = (pairs) => h("dl", {}, pairs.filter((pair) => pair).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  // on paper nothing can be unfolded
  const fold = (title, text, paper) =>
    paper ? h("p", { class: "soft" }, `${title}：${text}`) : h("details", {}, h("summary", { class: "soft" }, title), h("p", { class: "soft" }, text));
  const names = (factors) => factors.map((factor) => factor.ja).join("、");
  const aboutOf = (factor) => factor.about.map((id) => data.difficulties[id] || id).join("・");

  function decisionSection(child, paper) {
    const made = child.decision;
    if (made)
      return section(
        words.decision,
        facts([
          [words.decision, h("b", {}, `${made.decision} ${data.decisions[made.decision] || ""}`)],
          [words.direction, made.direction || "（記載なし）"],
          [words.reason, made.reason || "（記載なし）"],
          [`${words.meeting_date}・${words.decided_by}`, `${date(made.meeting_date)}　${made.decided_by}`],
        ]),
      );
    return section(
      words.decision,
      h("p", {}, h("b", {}, words.undecided)),
      paper && [
        h("div", { class: "tick" }, Object.entries(data.decisions).map(([id, ja]) => h("span", {}, `□ ${id} ${ja}`))),
        h("div", { class: "write" }, words.direction),
        h("div", { class: "write" }, words.reason),
      ],
    );
  }

  function factsSection(child, paper) {
    const applying = child.read.filter((factor) => factor.applies);
    const others = child.read.filter((factor) => !factor.applies && !factor.missing);
    // what raises the score by the weights in force, and what is a fact beside it; before the decisions one list: a child
    // whom nothing raises would be known to be of the sample
    const raises = (factor) => tenths(factor.points) > 0;
    const groups = [
      ["点数を上げる要因", applying.filter(raises)],
      ["その他の該当する項目（点数を上げない・点数に使わない）", applying.filter((factor) => !raises(factor))],
    ].filter(([, factors]) => factors.length > 0);
    const lists = hidden ? factsList(applying) : groups.map(([title, factors]) => [h("h4", {}, tally(title, factors)), factsList(factors)]);
    return section(
      tally("該当する項目", applying),
      applying.length ? lists : h("p", {}, "該当する項目はありません"),
      others.length > 0 && !(paper && scoreShown) && fold(tally("該当しない項目", others), names(others), paper),
    );
  }

  const factsList = (factors) =>
    h(
      "ul",
      { class: "facts" },
      factors.map((factor) =>
        h(
          "li",
          {},
          h("span", { class: "name" }, factor.ja),
          h("span", {}, factor.level),
          factor.about.length > 0 && h("span", { class: "about-what" }, aboutOf(factor)),
        ),
      ),
    );

  function missingSection(child) {
    const missing = child.read.filter((factor) => factor.missing);
    return section(
      tally(words.missing_items, missing),
      missing.length
        ? facts(
            Object.entries(words.missing).map(([cause, ja]) => {
              const of = missing.filter((factor) => factor.missing === cause);
              return of.length > 0 && [tally(ja, of), names(of)];
            }),
          )
        : h("p", {}, `${words.missing_items}はありません`),
    );
  }

  function scoreSection(child, paper) {
    if (child.points === undefined) return section("点数と要因", h("p", {}, "この児童には点数がありません"));
    const cohort = cohorts.get(child.school_year);
    const counted = child.read.filter((factor) => factor.points !== undefined);
    const zero = counted.filter((factor) => tenths(factor.points) === 0);
    const drawn = counted.filter((factor) => tenths(factor.points) !== 0);
    drawn.sort((one, other) => Math.abs(other.points) - Math.abs(one.points));
    const sum = counted.reduce((total, factor) => total + factor.points, 0);
    const base = child.base_points || 0;
    const rest = tenths(child.points) - tenths(base) - tenths(sum);
    return section(
      "点数と要因",
      h(
        "p",
        { class: "total" },
        h("span", { class: "points" }, h("small", {}, "点数"), points(child.points)),
        child.rank !== undefined &&
          h("span", {}, h("small", {}, `${schoolYear(child.school_year)}の順位`), `${count(child.rank)}位`, cohort && h("small", {}, ` ／${count(cohort.screened)}人中`)),
      ),
      drawn.length > 0 && h("div", { class: "ends" }, h("div", {}, h("span", {}, "◀ 点数を下げる"), h("span", {}, "上げる ▶"))),
      h(
        "div",
        { class: "factors", role: "list", "aria-label": "要因" },
        drawn.map((factor) =>
          bar(factor.ja, words.missing[factor.missing] || factor.level, factor.points, factorScale, factor.applies),
        ),
      ),
      zero.length > 0 && fold(`点数が±0.0の項目（${zero.length}）`, names(zero), paper),
      h(
        "p",
        { class: "sum" },
        `基準 ${points(base)} ${tenths(sum) < 0 ? "−" : "+"} 要因の合計 ${plain(sum)} = 点数 ${points(child.points)}`,
        rest !== 0 && h("span", { class: "soft" }, `（端数の差 ${signed(rest / 10)}）`),
      ),
      h("p", { class: "soft" }, `太字は該当する項目。棒の長さは全員共通（端まで${plain(factorScale)}点）`),
    );
  }

  function difficultySection(child) {
    const given = Object.entries(data.difficulties).filter(([id]) => child.difficulties && child.difficulties[id] !== undefined);
    return (
      given.length > 0 &&
      section(
        "難しさごとの点数",
        h("div", { class: "difficulties", role: "list" }, given.map(([id, ja]) => bar(ja, "", child.difficulties[id], difficultyScale, false))),
        h("p", { class: "soft" }, `一つの項目を複数の難しさに数えるため、足しても点数にはなりません。棒は端まで${plain(difficultyScale)}点`),
      )
    );
  }

  function siblingLinks(child, paper) {
    return child.siblings.map((number) => {
      const at = byNumber.get(number);
      if (at === undefined) return h("span", {}, `${number}　`);
      const other = children[at];
      const label = `${number}（${schoolYear(other.school_year)}）`;
      if (paper) return h("span", {}, `${label}　`);
      return [
        h("a", { href: "#", onclick: (event) => { event.preventDefault(); open(at); heading().focus(); } }, label),
        "　",
      ];
    });
  }

  function backgroundSection(child, paper) {
    const last = child.last_term;
    const legacy = child.legacy_flag === undefined ? "不明（欠損が多く判断できません）" : child.legacy_flag ? "抽出されていた" : "抽出されていなかった";
    const undelivered = data.sources.filter((source) => !source.delivered_on);
    const dated = data.sources.filter((source) => source.delivered_on);
    const days = [...new Set(dated.map((source) => source.delivered_on))].sort();
    const dates = days
      .map((day) => `${date(day)}：${dated.filter((source) => source.delivered_on === day).map((source) => source.ja).join("、")}`)
      .join("　");
    return section(
      "これまでの経過とデータの時点",
      facts([
        !hidden && [
          "前回",
          last
            ? `${date(last.reference_date)}：` +
              (scoreShown && last.rank !== undefined ? `${count(last.ranked)}人中${count(last.rank)}位、` : "") +
              (last.selected ? "抽出された" : "抽出されなかった")
            : "一覧なし",
        ],
        !hidden && [words.siblings, child.siblings.length ? siblingLinks(child, paper) : "一覧にいません"],
        !hidden && ["データベースみまもり", `${legacy}${child.legacy_items.length ? `（${child.legacy_items.join("、")}）` : "（該当項目なし）"}`],
        !hidden && child.newly_found === undefined && [words.flags.newly_found, "不明"],
        undelivered.length > 0 && ["未納品の表", undelivered.map((source) => source.ja).join("、")],
      ]),
      dates && fold(`データの時点（${dated.length}表）`, dates, paper),
    );
  }

  function answer(text, paper) {
    const signs = Array.from(text);
    if (!text) return "（空欄）";
    if (!paper || signs.length <= ANSWER_ON_PAPER) return text;
    return `${signs.slice(0, ANSWER_ON_PAPER).join("")}…（以下省略。全${count(signs.length)}字は画面か${words.sheet}で）`;
  }

  function sheetSection(child, paper) {
    const title = `${words.school}からの${words.sheet}`;
    if (child.sheet === undefined)
      return section(title, h("p", {}, child.flags.includes("protected") && !child.released ? `${words.flags.protected}のため、${words.school}への${words.sheet}はありません` : "未返却"));
    const element = section(
      title,
      child.sheet.length
        ? h(
            "dl",
            {},
            child.sheet.map(([question, text]) => [
              h("dt", {}, question),
              h("dd", text.length > ANSWER_ON_PAPER && !paper ? { tabindex: "0" } : {}, answer(text, paper)),
            ]),
          )
        : h("p", {}, "返却されましたが、回答がありません"),
    );
    element.className = "sheet";
    return element;
  }

  function tags(child) {
    const found = child.flags.map((flag) => ({ text: words.flags[flag], strong: STRONG.has(flag) }));
    return child.siblings.length > 0 ? [...found, { text: words.siblings, strong: false }] : found;
  }

  const badges = (child) =>
    h("div", { class: "badges" }, tags(child).map((tag) => h("span", { class: tag.strong ? "badge strong" : "badge" }, tag.text)));

  function childArticle(child, paper) {
    const hints = child.hints.length > 0 && section(words.hints, h("ul", { class: "hints" }, child.hints.map((hint) => h("li", {}, hint))));
    const told = [decisionSection(child, paper), hints, factsSection(child, paper)];
    const [sheet, missing, background] = [sheetSection(child, paper), missingSection(child), backgroundSection(child, paper)];
    // beside the bars a sheet would make the page of paper too long: there it stands below, over the whole width
    const below = scoreShown && paper;
    const left = scoreShown ? [told, !below && sheet, missing, background] : [told, missing];
    const right = scoreShown ? [scoreSection(child, paper), difficultySection(child)] : [sheet, background];
    return h(
      "article",
      { class: "child", "aria-label": `${words.number} ${child.number}` },
      h(
        "header",
        {},
        h("h2", { tabindex: "-1" }, h("span", {}, child.number), h("span", {}, schoolYear(child.school_year)), h("span", {}, schoolOf(child))),
        h("span", { class: "caution" }, data.no_judgement),
        !paper && h("button", { class: "only", type: "button", onclick: () => print([child.at]) }, "この児童だけ印刷"),
      ),
      badges(child),
      hidden && h("p", { class: "soft" }, HIDDEN_NOTE),
      h("div", { class: scoreShown ? "columns scored" : "columns" }, h("div", {}, left), h("div", {}, right)),
      below && sheet,
    );
  }

  // ---- the frame of the screen
  const select = (id, label, options) =>
    h("label", { class: "field" }, label, h("select", { id, onchange: refresh }, options.map(([value, text]) => h("option", { value }, text))));
  const check = (id, label) => h("label", {}, h("input", { type: "checkbox", id, onchange: refresh }), " ", label);

  function schoolOptions() {
    const schools = new Map();
    for (const child of children) schools.set(schoolOf(child), child.school_code || "~");
    return [...schools].sort(([one, code], [other, otherCode]) => compare(code, otherCode) || compare(one, other)).map(([ja]) => [`=${ja}`, ja]);
  }

  const years = [...new Set(children.map((child) => child.school_year))].sort((one, other) => one - other);
  const search = h("input", {
    type: "search", id: "search", autocomplete: "off", spellcheck: "false", oninput: refresh, "aria-label": "検索",
    placeholder: `検索（/）　${words.number}・${words.school}・項目・ヒント`,
  });
  const status = h("span", { role: "status", "aria-live": "polite", id: "status" });
  const space = h("div", { class: "space", role: "presentation" });
  const list = h("div", { class: "list", role: "listbox", tabindex: "0", id: "list", "aria-label": "児童の一覧", onscroll: drawRows }, space);
  const detail = h("main", { class: "detail", id: "detail", "aria-label": "選んだ児童" });
  const heading = () => detail.querySelector("h2") || list;
  const sortSelect = select("sort", "並び", [
    ["given", "一覧の順"],
    ["number", words.number],
    ["school", words.school],
    ["undecided", `${words.undecided}が先`],
  ]);
  const scoreSorts = hidden ? [] : [["rank", "順位"], ...Object.entries(data.difficulties).map(([id, ja]) => [`by:${id}`, `点数（${ja}）`])];
  const scoreOptions = scoreSorts.map(([value, ja]) => h("option", { value }, ja));
  sortSelect.querySelector("select").append(...scoreOptions);
  const scoreSwitch = h(
    "button",
    { type: "button", role: "switch", class: "switch", id: "score-switch", "aria-checked": "false", onclick: () => { scoreShown = !scoreShown; scoreChanged(); } },
    "点数を表示",
  );
  const about = h("div", { class: "blocks" });
  const nextButton = h("button", { type: "button", id: "next-undecided", onclick: () => nextUndecided() });
  const printButton = h("button", { type: "button", id: "print", onclick: () => print(shown) });
  const filterFields = [
    select("school-year", words.school_year, [["", "すべて"], ...years.map((year) => [year, schoolYear(year)])]),
    select("school", words.school, [["", "すべて"], ...schoolOptions()]),
    select("difficulty", "難しさ", [["", "すべて"], ...Object.entries(data.difficulties)]),
    select("decision", words.decision, [["", "すべて"], ["none", words.undecided], ...Object.entries(data.decisions).map(([id, ja]) => [id, `${id} ${ja}`])]),
  ];
  // a box that finds nobody, because all are hidden, tells that something is
  const boxes = ["newly_found", "open_consultation", "borderline", "tied_at_cut"]
    .filter((id) => !hidden || id === "open_consultation")
    .map((id) => [id, words.flags[id]]);
  const checks = boxes.map(([id, label]) => check(id, label));
  const value = (id) => document.getElementById(id).value;
  const checked = (id) => document.getElementById(id).checked;

  document.getElementById("app").replaceChildren(
    h(
      "header",
      { class: "top" },
      h("h1", {}, words.meeting),
      h("span", {}, `基準日 ${date(data.reference_date)}`),
      h("span", {}, `重みの版 ${data.weights_version}`),
      h("span", { class: "caution" }, data.no_judgement),
      h("span", { class: "pass-on" }, data.do_not_pass_on),
      h("div", { class: "right" }, data.score_mode === "on_request" && scoreSwitch, printButton),
      hidden && h("p", { id: "hidden-note" }, HIDDEN_NOTE),
      data.cautions.map((caution) => h("p", { class: "beware" }, caution)),
    ),
    h("details", { class: "about" }, h("summary", {}, "この資料について（対象・データの時点・キー操作）"), about),
    h(
      "div",
      { class: "work" },
      h(
        "nav",
        { class: "side", "aria-label": "一覧" },
        h(
          "div",
          { class: "filters", role: "search" },
          h("div", { class: "wide field" }, search),
          filterFields,
          h("div", { class: "wide checks" }, checks),
          sortSelect,
          h("div", { class: "counts" }, h("button", { type: "button", id: "clear", onclick: clear }, "条件を消す（Esc）")),
          h("div", { class: "wide counts" }, status, nextButton),
        ),
        list,
      ),
      detail,
    ),
  );

  function drawAbout() {
    const cuts = scoreShown && data.cohorts.some((cohort) => cohort.cut_points !== undefined);
    const numbers = (...texts) => texts.map((text) => h("td", { class: "number" }, text));
    about.replaceChildren(
      h(
        "div",
        {},
        h("h2", {}, hidden ? "学年ごとの対象" : "学年ごとの対象と抽出"),
        h(
          "table",
          {},
          h("tr", {}, h("th", {}, words.school_year), ["対象", ...(hidden ? [] : ["抽出"]), ...(cuts ? [words.cut] : [])].map((text) => h("th", { class: "number" }, text))),
          data.cohorts.map((cohort) =>
            h(
              "tr",
              {},
              h("td", {}, schoolYear(cohort.school_year)),
              numbers(count(cohort.screened), ...(hidden ? [] : [count(cohort.selected)])),
              cuts && numbers(cohort.cut_points === undefined ? "―" : points(cohort.cut_points)),
            ),
          ),
        ),
      ),
      data.funnel.length > 0 &&
        h("div", {}, h("h2", {}, "人数の流れ"), h("table", {}, data.funnel.map((row) => h("tr", {}, h("td", {}, row.ja), numbers(count(row.children)))))),
      h(
        "div",
        {},
        h("h2", {}, "データの時点（納品日）"),
        h("ul", { class: "sources" }, data.sources.map((source) => h("li", {}, `${source.ja}　`, source.delivered_on ? date(source.delivered_on) : h("b", {}, "未納品")))),
      ),
      h(
        "div",
        { class: "help" },
        h("h2", {}, "見かたとキー操作"),
        h("p", {}, "点数は、過去の児童相談の記録から求めた重みの合計で、学年のなかで順番を付けるための参考の数です。起こりやすさの割合ではありません。"),
        h("p", {}, h("kbd", {}, "↑"), " ", h("kbd", {}, "↓"), " ", h("kbd", {}, "j"), " ", h("kbd", {}, "k"), " 前後の児童　", h("kbd", {}, "n"), ` 次の${words.undecided}　`, h("kbd", {}, "Enter"), " 開く　", h("kbd", {}, "/"), " 検索　", h("kbd", {}, "Esc"), " 条件を消す"),
      ),
    );
  }

  // ---- filter and sort
  function refresh() {
    const wanted = folded(search.value).split(/\s+/).filter((word) => word);
    const [year, school, difficulty, decision] = ["school-year", "school", "difficulty", "decision"].map(value);
    const flags = boxes.map(([id]) => id).filter(checked);
    const found = children.filter(
      (child) =>
        wanted.every((word) => child.text.includes(word)) &&
        (!year || child.school_year === Number(year)) &&
        (!school || `=${schoolOf(child)}` === school) &&
        (!difficulty || child.about.has(difficulty)) &&
        (!decision || (child.decision ? child.decision.decision : "none") === decision) &&
        flags.every((flag) => child.flags.includes(flag)),
    );
    const order = sorter(value("sort"));
    found.sort((one, other) => one.school_year - other.school_year || order(one, other) || one.at - other.at);
    shown = found.map((child) => child.at);
    rows = [];
    found.forEach((child, at) => {
      if (at === 0 || found[at - 1].school_year !== child.school_year)
        rows.push({ year: child.school_year, children: 0 });
      rows.push({ at: child.at, place: at });
    });
    let group;
    for (const row of rows) {
      if (row.year) group = row;
      else group.children += 1;
    }
    layOut();
    status.textContent = `${count(children.length)}名のうち${count(shown.length)}名を表示`;
    printButton.textContent = `印刷（${count(shown.length)}名）`;
    printButton.disabled = !shown.length;
    const left = shown.filter(undecided).length;
    nextButton.textContent = left ? `次の${words.undecided}（n）　残り${count(left)}名` : `${words.undecided}はいません`;
    nextButton.disabled = !left;
    list.scrollTop = 0;
    if (shown.length && !shown.includes(current)) open(shown[0]);
    else {
      reveal();
      drawRows();
      if (!shown.length) detail.replaceChildren(h("p", { class: "none" }, children.length ? "条件に合う児童はいません。Escで条件を消せます。" : "この基準日の一覧に児童はいません。"));
      else if (!detail.querySelector("article")) open(current);
    }
  }

  function sorter(by) {
    const last = (number) => (number === undefined ? Infinity : number);
    if (by === "rank") return (one, other) => (last(one.rank) < last(other.rank) ? -1 : last(one.rank) > last(other.rank) ? 1 : 0);
    if (by === "number") return (one, other) => compare(one.number, other.number);
    if (by === "school") return (one, other) => compare(one.school_code || "~", other.school_code || "~") || compare(schoolOf(one), schoolOf(other));
    if (by === "undecided") return (one, other) => Number(Boolean(one.decision)) - Number(Boolean(other.decision));
    if (by.startsWith("by:")) {
      const of = (child) => (child.difficulties && child.difficulties[by.slice(3)]) || 0;
      return (one, other) => of(other) - of(one);
    }
    return () => 0;
  }

  function clear() {
    search.value = "";
    for (const id of ["school-year", "school", "difficulty", "decision"]) document.getElementById(id).value = "";
    for (const [id] of boxes) document.getElementById(id).checked = false;
    refresh();
  }

  function scoreChanged() {
    scoreSwitch.setAttribute("aria-checked", String(scoreShown));
    const sort = document.getElementById("sort");
    for (const option of scoreOptions) {
      option.disabled = !scoreShown;
      if (option.selected && !scoreShown) sort.value = "given";
    }
    drawAbout();
    refresh();
    if (current >= 0 && shown.length) open(current);
  }

  // ---- the list: only the rows in sight are in the document
  // A row is as high as its tags need: none is cut, however many a child has.
  function layOut() {
    const room = list.clientWidth / remSize() - AROUND_ROW;
    height = 0;
    for (const row of rows) {
      row.top = height;
      row.size = row.year ? GROUP : 1 + TAG_LINE * (tagLines(children[row.at], room) - 1);
      height += row.size;
    }
    space.style.height = `${height * rowHeight()}px`;
  }

  function tagLines(child, room) {
    const line = room - VERDICT_SIGN * verdict(child).length;
    let lines = 1;
    let used = 0;
    for (const tag of tags(child)) {
      const size = TAG_SIGN * tag.text.length + AROUND_TAG;
      if (used && used + size > line) {
        lines += 1;
        used = 0;
      }
      used += size;
    }
    return lines;
  }

  const remSize = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
  const rowHeight = () => ROW * remSize();

  function drawRows() {
    const unit = rowHeight();
    const [from, to] = [list.scrollTop / unit - 4, (list.scrollTop + list.clientHeight) / unit + 3];
    space.style.height = `${height * unit}px`;
    space.replaceChildren(
      ...rows.filter((row) => (row.top >= from && row.top <= to) || row.at === current).map((row) => {
        const element = row.year ? groupRow(row) : childRow(row);
        element.style.top = `${row.top * unit}px`;
        element.style.height = `${row.size * unit}px`;
        return element;
      }),
    );
    if (shown.includes(current)) list.setAttribute("aria-activedescendant", `row-${current}`);
    else list.removeAttribute("aria-activedescendant");
  }

  const groupRow = (row) => h("div", { class: "group", role: "presentation" }, schoolYear(row.year), h("span", {}, `${count(row.children)}名`));

  function childRow({ at, place }) {
    const child = children[at];
    return h(
      "div",
      {
        class: "row", role: "option", id: `row-${at}`, "aria-selected": String(at === current),
        "aria-setsize": shown.length, "aria-posinset": place + 1, onclick: () => { open(at); list.focus({ preventScroll: true }); },
      },
      h(
        "div",
        {},
        scoreShown && h("span", { class: "place" }, child.rank === undefined ? "―位" : `${count(child.rank)}位`),
        h("b", {}, child.number),
        h("span", { class: "school" }, schoolOf(child)),
        scoreShown && child.points !== undefined && h("span", { class: "place" }, `${points(child.points)}点`),
      ),
      h("div", {}, badges(child), h("span", { class: child.decision ? "verdict" : "verdict open" }, verdict(child))),
    );
  }

  const verdict = (child) => (child.decision ? `${child.decision.decision} ${data.decisions[child.decision.decision] || ""}` : words.undecided);

  function reveal() {
    const at = rows.findIndex((row) => row.at === current);
    if (at < 0) return;
    const unit = rowHeight();
    // the heading of the school year stays in sight above its first child
    const top = rows[rows[at - 1].year ? at - 1 : at].top * unit;
    const bottom = (rows[at].top + rows[at].size) * unit;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  function open(at) {
    current = at;
    reveal();
    drawRows();
    const child = children[at];
    detail.replaceChildren(
      ...(shown.includes(at) ? [] : [h("p", { class: "outside" }, "この児童は、いまの絞り込みの外にいます")]),
      childArticle(child, false),
    );
    detail.scrollTop = 0;
  }

  function move(step) {
    if (!shown.length) return;
    const place = shown.indexOf(current);
    open(shown[place < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, place + step))]);
  }

  const undecided = (at) => !children[at].decision;

  // After the chosen child in the order of the list, and from its beginning where none follows.
  function nextUndecided() {
    const place = shown.indexOf(current);
    const at = [...shown.slice(place + 1), ...shown.slice(0, place + 1)].find(undecided);
    if (at !== undefined) open(at);
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    const typing = target === search;
    if (target.tagName === "SELECT" && event.key !== "Escape") return;
    const inDetail = detail.contains(target);
    const page = Math.max(1, Math.floor(list.clientHeight / rowHeight()) - 1);
    const arrows = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (typing) {
      delete arrows.Home;
      delete arrows.End;
    }
    if (event.key in arrows && !inDetail) move(arrows[event.key]);
    else if (!typing && event.key === "j") move(1);
    else if (!typing && event.key === "k") move(-1);
    else if (!typing && event.key === "n") nextUndecided();
    else if (!typing && event.key === "/") search.focus();
    else if (event.key === "Escape" && inDetail) list.focus();
    else if (event.key === "Escape") clear();
    else if (event.key === "Enter" && (typing || target === list || target === document.body)) {
      if (shown.length) heading().focus();
    } else return;
    event.preventDefault();
  });
  window.addEventListener("resize", () => {
    layOut();
    reveal();
    drawRows();
  });

  // ---- paper
  function print(which) {
    if (which.length > MANY_PAGES && !window.confirm(`${count(which.length)}枚を印刷します。よろしいですか。`)) return;
    printed = which;
    window.print();
  }

  window.addEventListener("beforeprint", () => {
    const which = printed || shown;
    const paper = document.getElementById("paper");
    const pages = which.map((at, place) =>
        h(
          "table",
          { class: "page", role: "presentation" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h(
                "td",
                {},
                h(
                  "div",
                  { class: "running" },
                  h("span", {}, `${words.meeting}　基準日 ${date(data.reference_date)}　重みの版 ${data.weights_version}`),
                  h("b", {}, data.no_judgement),
                  h("span", {}, data.do_not_pass_on),
                  h("span", {}, `${count(place + 1)}／${count(which.length)}`),
                  data.cautions.map((caution) => h("b", { class: "beware" }, caution)),
                ),
              ),
            ),
          ),
          h("tbody", {}, h("tr", {}, h("td", {}, childArticle(children[at], true)))),
        ),
    );
    // a child with much to tell is set smaller, down to what can still be read; beyond that it takes a second page
    paper.className = "measured";
    document.documentElement.className = "measuring";
    const limit = (PAGE_MM / 25.4) * 96;
    for (const page of pages) {
      paper.replaceChildren(page);
      const fits = (zoom) => {
        page.style.zoom = zoom;
        return page.getBoundingClientRect().height <= limit;
      };
      if (fits("")) continue;
      // halved, since every try lays the page out anew
      let [from, to] = [0, ZOOMS.length - 1];
      while (from < to) {
        const middle = (from + to) >> 1;
        if (fits(ZOOMS[middle])) to = middle;
        else from = middle + 1;
      }
      page.style.zoom = ZOOMS[from];
    }
    paper.className = "";
    document.documentElement.className = "";
    paper.replaceChildren(...pages);
  });
  window.addEventListener("afterprint", () => {
    printed = null;
    document.getElementById("paper").replaceChildren();
  });

  if (data.score_mode === "always") document.getElementById("sort").value = "rank";
  scoreChanged();
})();
