// Sorting and filtering of tables, the theme, copying of BibTeX. Without it every page still reads.
"use strict";
(() => {
  const THEMES = ["system", "light", "dark"];
  const WORDS = { system: "as the system", light: "light", dark: "dark" };

  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const store = (value) => { try { localStorage.setItem("theme", value); } catch { /* from disk */ } };

  function setTheme(name) {
    const root = document.documentElement;
    if (name === "system") delete root.dataset.theme; else root.dataset.theme = name;
    const button = document.getElementById("theme");
    if (button) { button.textContent = `Theme: ${WORDS[name]}`; button.dataset.name = name; button.hidden = false; }
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  function compare(a, b) {
    const x = Number(a), y = Number(b);
    if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return a.localeCompare(b, "en", { numeric: true });
  }

  const key = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.sort ?? cell.textContent.trim();
  };

  function sortBy(table, at) {
    const heads = [...table.tHead.rows[0].cells];
    const up = heads[at].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head, i) => {
      if (i === at) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, order) => ({ row, order, key: key(row, at) }));
    rows.sort((a, b) => {
      if ((a.key === "") !== (b.key === "")) return a.key === "" ? 1 : -1; // nothing goes last
      return (up ? 1 : -1) * compare(a.key, b.key) || a.order - b.order;
    });
    body.append(...rows.map(({ row }) => row));
  }

  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sortBy(table, at));
      head.replaceChildren(button);
    });
  }

  function makeFilter(input) {
    const table = document.getElementById(`table-${input.dataset.filter}`);
    const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
    const rows = [...table.tBodies[0].rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    input.closest(".tools").hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row) => {
        row.hidden = !words.every((word) => texts.get(row).includes(word));
        shown += !row.hidden;
      });
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
  }

  // Long texts are cut off until asked for: all of a table by its box, one row by a click on it.
  function makeUnfoldable(tools) {
    const table = document.getElementById(`table-${tools.dataset.tools}`);
    if (!table.querySelector("td.clip")) return;
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => table.classList.toggle("whole", box.checked));
    label.append(box, " whole texts");
    tools.append(label);
    tools.hidden = false;
    table.addEventListener("click", ({ target }) => {
      if (!target.closest("a, button")) target.closest("tbody tr")?.classList.toggle("whole");
    });
    table.addEventListener("mouseover", ({ target }) => {
      const cell = target.closest("td.clip");
      if (cell && !cell.title) cell.title = cell.textContent;
    });
  }

  function start() {
    setTheme(THEMES.includes(stored()) ? stored() : "system");
    document.getElementById("theme")?.addEventListener("click", (event) => {
      const next = THEMES[(THEMES.indexOf(event.target.dataset.name) + 1) % THEMES.length];
      store(next);
      setTheme(next);
    });
    document.querySelectorAll(".grid table").forEach(makeSortable);
    document.querySelectorAll("[data-filter]").forEach(makeFilter);
    document.querySelectorAll("[data-tools]").forEach(makeUnfoldable);
    document.querySelectorAll("[data-copy]").forEach((button) => {
      if (!navigator.clipboard) return;
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(document.querySelector(".bibtex").textContent.trim());
        button.textContent = "Copied";
      });
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
