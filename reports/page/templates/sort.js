// A column's head sorts its table: best first, then worst first, then as it was.
(() => {
  const RANKS = { best: "worst", worst: "", "": "best" };

  // Numbers by data-value, text as it stands; what is missing comes last in either order.
  function compare(numeric, descending) {
    const sign = descending ? -1 : 1;
    const read = (cell) => (numeric ? cell.dataset.value : cell.textContent.trim().replace("–", ""));
    return (one, other) => {
      const [a, b] = [read(one), read(other)];
      if (!a || !b) { return Number(!a) - Number(!b); }
      return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en"));
    };
  }

  function sort(table, rows, head, rank) {
    const numeric = "better" in head.dataset;
    const descending = (head.dataset.better === "up") === (rank === "best");
    const order = compare(numeric, descending);
    const column = head.cellIndex;
    const fixed = rows.filter((row) => row.classList.contains("ceiling"));
    const moved = rows.filter((row) => !fixed.includes(row));
    if (rank) { moved.sort((one, other) => order(one.cells[column], other.cells[column])); }
    table.tBodies[0].append(...fixed, ...moved);
    [...table.tHead.rows[0].cells].forEach((one) => {
      const sorted = one === head && rank;
      one.dataset.rank = sorted ? rank : "";
      if (!sorted) { one.removeAttribute("aria-sort"); }
    });
    if (rank) { head.setAttribute("aria-sort", descending ? "descending" : "ascending"); }
  }

  document.querySelectorAll("table.sortable").forEach((table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 2) { return; }
    [...table.tHead.rows[0].cells].forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, rows, head, RANKS[head.dataset.rank ?? ""]));
    });
  });
})();
