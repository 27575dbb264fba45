"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const isTouch = window.matchMedia("(pointer: coarse)");
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: false,
  };

  // Colours are names of the style sheet ("@adapted"): one place decides them.
  const resolved = (value, colours) => {
    if (typeof value === "string" && value.startsWith("@")) {
      return colours.getPropertyValue("--" + value.slice(1)).trim();
    }
    if (Array.isArray(value)) {
      const isPlain = typeof value[0] === "number" || value.length === 0;
      return isPlain ? value : value.map((part) => resolved(part, colours));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, part]) => [key, resolved(part, colours)])
      );
    }
    return value;
  };

  const pressedKeys = (figure) => {
    const states = {};
    for (const button of figure.querySelectorAll(".legend button[data-key]")) {
      states[button.dataset.key] = button.getAttribute("aria-pressed") === "true";
    }
    return states;
  };

  // Both axes of a parity plot span what is shown, so that the diagonal is true.
  const fitSquare = (data, layout) => {
    const ends = [Infinity, -Infinity];
    for (const trace of data.filter((trace) => trace.visible !== false)) {
      for (const value of [...trace.x, ...trace.y]) {
        ends[0] = Math.min(ends[0], value);
        ends[1] = Math.max(ends[1], value);
      }
    }
    if (ends[0] > ends[1]) return;
    const margin = 0.04 * (ends[1] - ends[0]) || 0.5;
    layout.xaxis.range = [ends[0] - margin, ends[1] + margin];
    layout.yaxis.range = [...layout.xaxis.range];
    const [low, high] = layout.xaxis.range;
    Object.assign(layout.shapes[0], { x0: low, y0: low, x1: high, y1: high });
  };

  const draw = (div, width) => {
    const { data, layout } = resolved(figures[div.dataset.plot], getComputedStyle(root));
    const states = pressedKeys(div.closest("figure"));
    for (const trace of data) {
      trace.visible = states[trace.meta?.key] !== false; // no key: always
    }
    if (layout.meta && layout.meta.square) {
      fitSquare(data, layout);
      layout.uirevision = JSON.stringify(states);
    }
    layout.dragmode = isTouch.matches ? false : "zoom";
    if (width) Object.assign(layout, { width, autosize: false });
    if (width && !layout.height) layout.height = width;
    return Plotly.react(div, data, layout, config);
  };

  const plots = [...document.querySelectorAll(".plot")];
  const drawAll = () => Promise.all(plots.map((div) => draw(div)));

  // Rows without a value come last in both directions; equal rows keep their order.
  const sort = (head) => {
    const table = head.closest("table");
    const body = table.querySelector("tbody");
    const place = [...head.parentNode.children].indexOf(head);
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const value = (row) => row.children[place].dataset.value;
    const isNumber = head.classList.contains("number");
    const compared = (one, other) =>
      isNumber ? Number(one) - Number(other) : one.localeCompare(other);
    const rows = [...body.children].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === undefined || b === undefined) {
        return (a === undefined) - (b === undefined);
      }
      return sign * compared(a, b);
    });
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    body.append(...rows);
  };

  document.addEventListener("click", (event) => {
    const head = event.target.closest(".sortable thead th");
    if (head) sort(head);
    const toggle = event.target.closest(".legend button[data-key]");
    if (toggle) {
      const isShown = toggle.getAttribute("aria-pressed") === "true";
      toggle.setAttribute("aria-pressed", String(!isShown));
      toggle.closest("figure").querySelectorAll(".plot").forEach((div) => draw(div));
    }
    const choice = event.target.closest(".choice button[data-map]");
    if (choice) {
      const figure = choice.closest("figure");
      for (const button of figure.querySelectorAll("button[data-map]")) {
        button.setAttribute("aria-pressed", String(button === choice));
      }
      for (const map of figure.querySelectorAll(".map")) {
        map.hidden = map.dataset.map !== choice.dataset.map;
      }
      figure.querySelector(".picked").textContent = "";
    }
    const element = event.target.closest(".element");
    if (element) {
      element.closest("figure").querySelector(".picked").textContent = element.title;
    }
  });

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  // Paper is white and narrower than a screen.
  const paperWidth = (div) => (div.closest(".several") ? 300 : 640);
  window.addEventListener("beforeprint", () => {
    root.dataset.scheme = "light";
    plots.forEach((div) => draw(div, paperWidth(div)));
  });
  window.addEventListener("afterprint", () => {
    delete root.dataset.scheme;
    drawAll();
  });

  const links = new Map(
    [...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link])
  );
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((entry) => entry.isIntersecting)) {
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id).setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -80% 0px" }
  );
  document.querySelectorAll("main > section").forEach((part) => watcher.observe(part));

  drawAll().then(() => {
    root.dataset.drawn = "true";
  });
})();
