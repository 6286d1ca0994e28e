"use strict";
(() => {
  const all = (query, within = document) => [...within.querySelectorAll(query)];

  // A link into a folded part opens it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target.hidden) {
      const form = document.querySelector("form.filter");
      form.reset();
      form.dispatchEvent(new Event("input"));
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);

  // The contents: folded on a narrow screen, the section that is read marked.
  const contents = document.querySelector("nav details"), narrow = matchMedia("(max-width: 62rem)");
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  const places = all("a", contents).map(link => [link, document.getElementById(link.hash.slice(1))]);
  const mark = () => {
    const passed = places.filter(([, place]) => place.getBoundingClientRect().top < innerHeight / 3);
    const last = passed.reduce((best, one) => !best
      || one[1].getBoundingClientRect().top >= best[1].getBoundingClientRect().top ? one : best, null);
    for (const [link] of places) link.removeAttribute("aria-current");
    if (last) last[0].setAttribute("aria-current", "true");
  };
  addEventListener("scroll", mark, { passive: true });
  requestAnimationFrame(mark);  // measuring places would hold up the first paint

  // The published numbers: filtered, and sorted by a click on a column's head.
  const table = document.getElementById("numbers"), form = document.querySelector("form.filter");
  if (table) {
    const body = table.tBodies[0], rows = [...body.rows], list = document.getElementById("printed");
    const at = { place: 0, follows: 4, met: 6 };
    const plain = text => text.toLowerCase().replaceAll("−", "-");
    const filter = () => {
      const text = plain(form.querySelector("input").value);
      const wanted = all("select", form).filter(one => one.value);
      let shown = 0;
      for (const row of rows) {
        row.hidden = !(plain(row.textContent).includes(text) && wanted.every(
          one => row.cells[at[one.dataset.column]].textContent === one.value));
        shown += !row.hidden;
      }
      form.querySelector("output").textContent = `${shown} of ${rows.length} numbers`;
    };
    form.hidden = false;
    form.addEventListener("input", () => { list.open = true; filter(); });
    form.addEventListener("submit", event => event.preventDefault());
    filter();
    for (const link of all("[data-follows]")) link.addEventListener("click", () => {
      for (const one of all("select", form)) one.value = "";
      form.querySelector("[data-column=follows]").value = link.dataset.follows;
      list.open = true;
      filter();
    });
    const words = new Intl.Collator("en", { numeric: true }).compare;
    const order = (a, b) => {  // numbers by value, "<0.001" among them, else words
      const [x, y] = [a, b].map(one => parseFloat(plain(one).replace(/^[<>]/, "")));
      return x - y || words(a, b);
    };
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.ariaSort !== "ascending", text = row => row.cells[head.cellIndex].textContent;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        rows.sort((a, b) => (up ? 1 : -1) * order(text(a), text(b)));
        body.append(...rows);
      });
    }
  }

  const print = document.querySelector("button.print");
  print.hidden = false;
  print.addEventListener("click", () => {
    for (const one of all("details:not(.code)")) one.open = true;
    window.print();
  });
  reveal();
})();
