// Which systems are shown: those that are ticked and whose name holds what is typed.
(() => {
  const tool = document.getElementById("pick");
  if (!tool) { return; }
  const text = tool.querySelector("input[type=search]");
  const boxes = [...tool.querySelectorAll("input[type=checkbox]")];
  const names = boxes.map((box) => box.value);
  const parts = [...document.querySelectorAll("main [data-system]")];
  const pictures = [...document.querySelectorAll("figure[data-marked] picture > *")].map((one) => {
    const key = one.hasAttribute("srcset") ? "srcset" : "src";
    return { one, key, whole: one.getAttribute(key) };
  });
  const START = "data:image/svg+xml;base64,";
  const DIM = 0.08;
  let waiting = 0;

  // Words apart by spaces must all be in a name; commas part alternatives. The baseline always fits.
  function fits(name, index) {
    const asked = text.value.toLowerCase().split(",").map((one) => one.trim()).filter(Boolean);
    const has = (words) => words.split(/\s+/).every((word) => name.toLowerCase().includes(word));
    return index === 0 || asked.length === 0 || asked.some(has);
  }

  // An SVG whose groups of other systems are faint: they have the ids s<number of the system>-...
  function dimmed(whole, chosen) {
    const svg = atob(whole.slice(START.length)).replace(
      /<g id="s(\d+)-/g,
      (group, number) => (chosen[number] ? group : `<g opacity="${DIM}" id="s${number}-`),
    );
    return START + btoa(svg);
  }

  function draw(chosen) {
    const every = chosen.every(Boolean);
    pictures.forEach(({ one, key, whole }) => {
      const asked = every ? whole : dimmed(whole, chosen);
      if (one.getAttribute(key) !== asked) { one.setAttribute(key, asked); }
    });
  }

  function apply() {
    const fitting = names.map(fits);
    const chosen = boxes.map((box, index) => box.checked && fitting[index]);
    const shown = new Set(names.filter((name, index) => chosen[index]));
    boxes.forEach((box, index) => { box.closest("label").hidden = !fitting[index]; });
    parts.forEach((part) => { part.hidden = !shown.has(part.dataset.system); });
    tool.querySelector("output").textContent = `${shown.size} of ${names.length} systems`;
    document.dispatchEvent(new Event("pick"));
    clearTimeout(waiting);
    waiting = setTimeout(() => draw(chosen), 150);
  }

  function tickAll(ticked) {
    boxes.forEach((box) => { if (!box.closest("label").hidden) { box.checked = ticked; } });
    apply();
  }

  text.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  tool.querySelector(".all").addEventListener("click", () => tickAll(true));
  tool.querySelector(".none").addEventListener("click", () => tickAll(false));
  tool.hidden = false;
  apply();
})();
