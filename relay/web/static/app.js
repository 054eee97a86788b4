// What the pages do by themselves: theme switch, copy buttons, charts, a word when nobody answers. All else is htmx.
(() => {
  "use strict";
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;

  const nameSwitch = () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-pressed", String(isDark()));
    }
  };

  const copy = async (button) => {
    const from = document.getElementById(button.dataset.copy);
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(from.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(from);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = was; }, 2000);
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-theme-switch], [data-copy]");
    if (!target) return;
    if (target.dataset.copy) return void copy(target);
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    nameSwitch();
    drawAll();
  });

  // A button that cannot be undone wakes up when the name has been typed.
  document.addEventListener("input", (event) => {
    const wanted = event.target.dataset.typed;
    if (wanted === undefined) return;
    const button = event.target.form.querySelector("button");
    button.disabled = event.target.value.trim().toLowerCase() !== wanted;
  });

  // Every request of htmx carries the token; a page that nobody sees asks for nothing.
  document.body.addEventListener("htmx:configRequest", (event) => {
    const trigger = event.detail.triggeringEvent;
    if (document.hidden && !trigger) event.preventDefault();
    const token = document.querySelector("meta[name=csrf]");
    if (token) event.detail.headers["X-CSRF-Token"] = token.content;
  });

  // A page that changes by itself says when it no longer can. htmx gives up after 15 s.
  const away = document.getElementById("away");
  let heard = new Date();
  const watch = (event) => {
    const { status } = event.detail.xhr;
    if (status > 0 && status < 500) {
      heard = new Date();
      away.textContent = "";
    } else if (event.type !== "htmx:afterRequest" && !away.textContent) {
      const zone = away.dataset.zone;
      const time = heard.toLocaleTimeString("en-GB", { timeZone: zone });
      away.textContent = `No answer since ${time} (${zone}): what stands here may be old.`;
    }
  };
  if (away) {
    for (const name of ["afterRequest", "responseError", "sendError", "timeout"]) {
      document.body.addEventListener(`htmx:${name}`, watch);
    }
  }

  /* Charts. */
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const whole = (count) => count.toLocaleString("en-US", { maximumFractionDigits: 0 });
  const short = (count) =>
    count == null ? "" : count >= 1e6 ? `${+(count / 1e6).toFixed(1)}M` : count >= 1e4 ? `${+(count / 1e3).toFixed(1)}k` : whole(count);
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const dated = (seconds) => day.format(new Date(seconds * 1000));
  const drawn = [];
  // Nobody sends half a message, nor on half a day: 1, 2, 5, 10, 20, …
  const wholes = Array.from({ length: 36 }, (_, place) => [1, 2, 5][place % 3] * 10 ** Math.floor(place / 3));

  const axes = (isTime, name) => [
    {
      stroke: colour("--muted"), grid: { show: false }, ticks: { stroke: colour("--line") },
      font: "12px system-ui", space: 60,
      incrs: isTime ? [86400, 172800, 604800, 1209600, 2592000] : wholes,
      values: (_, at) => at.map((each) => (each != null && isTime ? dated(each) : short(each))),
      label: name, labelFont: "12px system-ui", labelSize: name ? 20 : 0,
    },
    {
      stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false }, font: "12px system-ui", size: 56, incrs: wholes,
      values: (_, counts) => counts.map(short),
    },
  ];
  const steps = () => uPlot.paths.stepped({ align: 1 });
  const bars = () => uPlot.paths.bars({ size: [0.6, 28], align: 1, radius: 0.15 });
  const value = (_, count) => (count == null ? "–" : whole(count));
  const line = (label, stroke, more) =>
    ({ label, stroke: colour(stroke), width: 2, points: { show: false }, value, ...more });

  const kinds = {
    route: (told) => ({
      data: [told.x, told.sent, told.cap, told.forecast],
      series: [
        { value: (_, at) => (at == null ? "–" : dated(at)), label: "Day" },
        { label: "Sent", fill: colour("--bar"), stroke: colour("--bar"), width: 0, paths: bars(), points: { show: false }, value },
        line("Cap", "--cap", { paths: steps() }),
        line("Cap to come", "--cap", { paths: steps(), dash: [6, 5] }),
      ],
      isTime: true, rest: told.today,
    }),
    plan: (told) => ({
      data: [told.x, told.sent, told.cap, told.backlog],
      series: [
        { value: (_, at) => (at == null ? "–" : dated(at)), label: "Day" },
        { label: "Sent", fill: colour("--bar"), stroke: colour("--bar"), width: 0, paths: bars(), points: { show: false }, value },
        line("Cap", "--cap", { paths: steps() }),
        line("Waiting", "--warn", { paths: steps(), dash: [3, 3] }),
      ],
      isTime: true, rest: 0,
    }),
    policies: (told) => ({
      data: [told.x, ...told.caps],
      series: [
        { label: told.axis, value },
        ...told.names.map((name, place) =>
          line(name, place ? "--warn" : "--accent", { paths: steps(), dash: place ? [6, 5] : [] })),
      ],
      isTime: false, name: told.axis, log: true, rest: 0,
    }),
  };

  const fit = (box, chart) => {
    const legend = chart.root.querySelector(".u-legend").offsetHeight;
    chart.setSize({ width: box.clientWidth, height: box.clientHeight - legend });
  };

  const draw = (box) => {
    const told = JSON.parse(box.dataset.chart);
    const kind = kinds[told.kind](told);
    const span = kind.isTime ? 86400 : 0;
    const chart = new uPlot({
      width: box.clientWidth, height: box.clientHeight - 40,
      scales: {
        x: { time: false, range: (_, from, to) => [from, to + span] },
        y: kind.log
          ? { distr: 3, range: (_, from, to) => [Math.max(1, from), Math.max(10, to)] }
          : { range: (_, __, to) => [0, Math.max(1, to * 1.08)] },
      },
      axes: axes(kind.isTime, kind.name),
      series: kind.series,
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      legend: { live: true },
      hooks: {
        setCursor: [(it) => { if (it.cursor.idx == null) it.setLegend({ idx: kind.rest }, false); }],
      },
    }, kind.data, box);
    chart.setLegend({ idx: kind.rest }, false);
    queueMicrotask(() => fit(box, chart)); // once it is drawn the legend has its lines, two on a phone
    drawn.push({ box, chart });
  };

  const drawAll = () => {
    for (const { chart } of drawn.splice(0)) chart.destroy();
    for (const box of document.querySelectorAll("[data-chart]")) {
      if (window.uPlot) draw(box);
    }
  };

  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { nameSwitch(); drawAll(); });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.querySelector("[data-chart]") || event.target.matches("[data-chart]")) drawAll();
  });
  nameSwitch();
  drawAll();
})();
