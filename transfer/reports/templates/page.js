"use strict";
(() => {
  // Tables: a click or Enter on a heading sorts; a field filters rows.
  const number = (cell) => (cell.dataset.key === undefined ? NaN : Number(cell.dataset.key.replace("inf", "Infinity")));
  const compare = (one, other) => {
    const [a, b] = [number(one), number(other)];
    if (!Number.isNaN(a) || !Number.isNaN(b)) {
      return Number.isNaN(a) ? NaN : Number.isNaN(b) ? -NaN : a - b;
    }
    return one.textContent.localeCompare(other.textContent, "en", { numeric: true });
  };
  const sort = (table, place, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const without = (row) => heading.classList.contains("number") && Number.isNaN(number(row.cells[place]));
    rows.sort((one, other) => {
      if (without(one) || without(other)) return without(one) - without(other); // what has no number comes last
      const order = compare(one.cells[place], other.cells[place]);
      return down ? -order : order;
    });
    body.append(...rows);
    for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  for (const table of document.querySelectorAll("table.data")) {
    if (table.tBodies[0].rows.length < 2) continue;
    Array.from(table.tHead.rows[0].cells).forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, place, heading));
    });
    if (table.tBodies[0].rows.length < 9) continue;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "Filter rows";
    field.className = "filter";
    field.setAttribute("aria-label", `Filter: ${table.caption.textContent}`);
    const count = document.createElement("span");
    count.className = "quiet";
    count.setAttribute("role", "status");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? ` ${left} of ${table.tBodies[0].rows.length}` : "";
    });
    const line = document.createElement("p");
    line.className = "filtering";
    line.append(field, count);
    table.parentElement.before(line);
  }

  // Charts: what a browser shows after a while as a title is shown at once, and to fingers as well.
  const told = document.getElementById("told");
  const show = (group, x, y) => {
    told.textContent = group.dataset.told;
    told.hidden = false;
    const width = told.offsetWidth;
    told.style.left = `${Math.max(4, Math.min(x + 12, document.documentElement.clientWidth - width - 4))}px`;
    told.style.top = `${Math.max(4, y - told.offsetHeight - 12)}px`;
  };
  for (const group of document.querySelectorAll("svg g.hover")) {
    const title = group.querySelector(":scope > title");
    if (!title) continue;
    group.dataset.told = title.textContent;
    group.setAttribute("aria-label", title.textContent);
    group.setAttribute("role", "img");
    title.remove();
    group.addEventListener("pointermove", (event) => show(group, event.clientX, event.clientY));
    group.addEventListener("pointerdown", (event) => show(group, event.clientX, event.clientY));
    group.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") told.hidden = true;
    });
  }
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("svg g.hover")) told.hidden = true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") told.hidden = true;
  });
  document.addEventListener("scroll", () => (told.hidden = true), { passive: true });

  // A link to what is folded away opens it; paper shows everything.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details:not([open])"));
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });

  for (const box of document.querySelectorAll(".command")) {
    if (!navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    box.append(button);
  }
})();
