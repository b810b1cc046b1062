// Blind listening: ABX and preference tests of two systems, with the results as CSV.
(() => {
  const tool = document.getElementById("blind");
  if (!tool) { return; }
  const dialog = document.getElementById("trial");
  const { test, kind, one, other, count } = tool.querySelector("form").elements;
  const buttons = [...dialog.querySelectorAll("[data-side]")];
  const answers = [...dialog.querySelectorAll("[data-answer]")];
  const clips = [...document.querySelectorAll(".player")].map((player) => ({
    name: player.getAttribute("aria-label"),
    kind: player.dataset.kind,
    sounds: new Map([...player.querySelectorAll(".cell")].map(
      (cell) => [cell.dataset.heard, cell.querySelector("audio").src],
    )),
  }));
  const ASKED = {
    abx: { question: "Which one is X?", choices: ["1: X is A", "2: X is B"] },
    preference: { question: "Which one is better?", choices: ["1: A", "2: B"] },
  };
  const COLUMNS = [
    "test", "trial", "clip", "system_a", "system_b", "x", "answer", "correct", "preferred",
    "seconds", "time",
  ];
  let session = null; // the trials of the test that goes on, and the rows of those answered

  const coin = () => Math.random() < 0.5;

  function shuffled(values) {
    const left = [...values];
    return values.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
  }

  // The clips that both systems have.
  const shared = () => clips.filter((clip) => clip.kind === kind.value
    && [one, other].every((choice) => clip.sounds.has(choice.value)));

  // Every clip once in random order, then again; sides, and which of them X is, by coin.
  function plan() {
    const names = [one.value, other.value];
    const trials = [];
    while (trials.length < Number(count.value)) { trials.push(...shuffled(shared())); }
    return trials.slice(0, Number(count.value)).map((clip) => {
      const [a, b] = coin() ? names : [names[1], names[0]];
      const x = test.value === "abx" ? ["A", "B"][Number(coin())] : "";
      return { clip, x, systems: { A: a, B: b, X: { A: a, B: b }[x] } };
    });
  }

  function begin() {
    document.querySelectorAll("audio").forEach((sound) => sound.pause());
    session = { test: test.value, names: [one.value, other.value], trials: plan(), rows: [] };
    const asked = ASKED[session.test];
    dialog.querySelector(".question").textContent = asked.question;
    answers.forEach((button, place) => { button.textContent = asked.choices[place]; });
    dialog.querySelectorAll("[data-side=X], .x").forEach((part) => {
      part.hidden = session.test !== "abx";
    });
    dialog.showModal();
    next();
  }

  function next() {
    const trial = session.trials[session.rows.length];
    const sides = buttons.filter((button) => !button.hidden).map((button) => button.dataset.side);
    session.sounds = new Map(sides.map((side) => {
      const sound = new Audio(trial.clip.sounds.get(trial.systems[side]));
      sound.addEventListener("ended", () => { sound.currentTime = 0; show(); });
      return [side, sound];
    }));
    Object.assign(session, { side: null, heard: new Set(), began: Date.now() });
    dialog.querySelector("#trial-count").textContent =
      `Trial ${session.rows.length + 1} of ${session.trials.length}`;
    dialog.querySelector(".clip").textContent = trial.clip.name;
    buttons[0].focus();
    show();
  }

  // Another side goes on from the place of the one before; the same one pauses.
  function play(side) {
    const sound = session.sounds.get(side);
    if (!sound) { return; }
    const before = session.sounds.get(session.side);
    const goesOn = side !== session.side || sound.paused;
    if (before) { before.pause(); }
    if (before && before !== sound) { sound.currentTime = before.currentTime; }
    session.side = side;
    if (goesOn) {
      session.heard.add(side);
      sound.play().catch(() => {}).then(show);
    }
    show();
  }

  function show() {
    if (!session) { return; }
    buttons.forEach((button) => {
      const { side } = button.dataset;
      const plays = side === session.side && !session.sounds.get(side).paused;
      button.setAttribute("aria-pressed", String(plays));
      button.classList.toggle("heard", session.heard.has(side));
    });
    answers.forEach((button) => { button.disabled = session.heard.size < session.sounds.size; });
  }

  function answer(side) {
    if (session.heard.size < session.sounds.size) { return; }
    session.sounds.forEach((sound) => sound.pause());
    const { clip, x, systems } = session.trials[session.rows.length];
    session.rows.push({
      test: session.test,
      trial: session.rows.length + 1,
      clip: clip.name,
      system_a: systems.A,
      system_b: systems.B,
      x,
      answer: side,
      correct: x && Number(side === x),
      preferred: x ? "" : systems[side],
      seconds: ((Date.now() - session.began) / 1000).toFixed(1),
      time: new Date().toISOString(),
    });
    if (session.rows.length < session.trials.length) { next(); } else { dialog.close(); }
  }

  function verdict({ test: name, names, trials, rows }) {
    const early = rows.length < trials.length
      ? ` Ended after ${rows.length} of ${trials.length} trials: the p-value is that of a test of`
        + " a number of trials chosen beforehand."
      : "";
    if (name === "abx") {
      const correct = rows.filter((row) => row.correct).length;
      const p = binomial.text(binomial.oneSided(correct, rows.length));
      return `${names.join(" and ")}: ${correct} of ${rows.length} correct, ${p}`
        + ` (exact binomial test against guessing, one-sided).${early}`;
    }
    const [first, second] = names.map((system) => rows.filter((r) => r.preferred === system).length);
    const p = binomial.text(binomial.twoSided(first, rows.length));
    return `${names[0]} preferred in ${first}, ${names[1]} in ${second} of ${rows.length}, ${p}`
      + ` (exact binomial test against even chances, two-sided).${early}`;
  }

  // What a spreadsheet would take for a formula begins with an apostrophe.
  function cell(value) {
    const text = String(value).replace(/^[=+\-@\t\r]/, "'$&");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function end() {
    const ended = session;
    session = null;
    ended.sounds.forEach((sound) => sound.pause());
    const link = tool.querySelector(".save a");
    link.closest("p").hidden = ended.rows.length === 0;
    tool.querySelector(".result").textContent =
      ended.rows.length ? verdict(ended) : "No trial was answered.";
    const lines = [COLUMNS, ...ended.rows.map((row) => COLUMNS.map((name) => row[name]))];
    const csv = lines.map((line) => `${line.map(cell).join(",")}\n`).join("");
    link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(csv)}`;
    link.download = `blind-${ended.test}.csv`;
  }

  // The systems of which such clips are there; two different ones.
  function offer() {
    const found = clips.filter((clip) => clip.kind === kind.value);
    const names = [...new Set(found.flatMap((clip) => [...clip.sounds.keys()]))];
    [one, other].forEach((choice) => {
      const { value } = choice;
      choice.replaceChildren(...names.map((name) => new Option(name)));
      if (names.includes(value)) { choice.value = value; }
    });
    if (one.value === other.value) { other.selectedIndex = one.selectedIndex ? 0 : 1; }
    check();
  }

  function check() {
    const apart = one.value !== other.value && shared().length > 0;
    other.setCustomValidity(apart ? "" : "Choose another system, with clips that both have.");
  }

  kind.replaceChildren(...[...new Set(clips.map((clip) => clip.kind))].map((name) => new Option(name)));
  kind.addEventListener("change", offer);
  [one, other].forEach((choice) => choice.addEventListener("change", check));
  tool.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
  buttons.forEach((button) => button.addEventListener("click", () => play(button.dataset.side)));
  answers.forEach((button) => button.addEventListener("click", () => answer(button.dataset.answer)));
  dialog.querySelector(".end").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", end);
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) { return; }
    const key = event.key.toUpperCase();
    if (session.sounds.has(key)) { play(key); }
    if (key === "1" || key === "2") { answer("AB"[Number(key) - 1]); }
  });
  tool.hidden = false;
  offer();
})();
