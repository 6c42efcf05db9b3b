"use strict";
// The map of clips: clipMap(place, data) draws the values of payload.py into an element.
// Texts reach the page as text nodes only.
const clipMap = (() => {
  const MOST_LISTED = 200; // clips in the list of a selection
  const MOST_TIPS = 6; // columns in the tooltip
  // Okabe and Ito's colours, told apart in every kind of colour blindness; yellow and black suit the ground.
  const HUES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
  const THEMES = {
    light: { ground: "#ffffff", ink: "#1b1f24", other: "#a3a9b0", hues: [...HUES, "#a89a00", "#3b3f45"], ramp: [0, 0.9] },
    dark: { ground: "#14181d", ink: "#e6e9ed", other: "#626b75", hues: ["#2b8fd0", ...HUES.slice(1), "#f0e442", "#e6e9ed"], ramp: [0.2, 1] },
  };
  // Anchors of viridis (matplotlib).
  const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
  const SHADES = 64;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  // While a map moves and a frame takes longer than SLOW ms, a random part of the points is drawn, FEWEST or more; SETTLED ms
  // after the last move all are. With a graphics card that never happens.
  const SLOW = 40, SETTLED = 300, FEWEST = 5000;
  let movement = -SETTLED; // time of the last move
  let renderer = null; // one for all maps of a page: browsers hold few WebGL contexts
  // The library's renderer as it is draws into floats of the window's size, applies a gamma of 1 and smooths every pixel
  // once more. Without a GPU that takes most of a frame, and points look the same without it.
  const shared = (width, height) => {
    if (!renderer) {
      const canvas = document.createElement("canvas");
      const gl = canvas.getContext("webgl", { antialias: false });
      if (!gl) throw new Error("it is off or not supported");
      renderer = reglScatterplot.createRenderer({ canvas });
      let rendered = 0, drawn = 0, most = Infinity, limit = Infinity;
      const drawArrays = gl.drawArrays.bind(gl);
      gl.drawArrays = (kind, first, number) => {
        const size = kind === gl.POINTS ? Math.min(number, limit) : number;
        drawn = Math.max(drawn, size);
        drawArrays(kind, first, size);
      };
      renderer.render = (draw, target) => {
        const now = performance.now(), elapsed = now - rendered, moving = now - movement < SETTLED;
        if (moving && elapsed < SETTLED) most = elapsed > SLOW ? Math.max(FEWEST, Math.min(most, drawn) / 2) : elapsed < SLOW / 2 ? most * 1.1 : most;
        limit = moving ? Math.round(most) : Infinity;
        rendered = now;
        drawn = 0;
        renderer.regl.clear({ color: [0, 0, 0, 0], depth: 1 });
        draw();
        const context = target.getContext("2d"), { width, height } = target;
        context.clearRect(0, 0, width, height);
        context.drawImage(canvas, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height, 0, 0, width, height);
      };
    }
    const [widest, highest] = [renderer.canvas.width, renderer.canvas.height].map((size) => size / devicePixelRatio);
    if (width > widest || height > highest) renderer.resize(Math.max(width, widest), Math.max(height, highest));
    return renderer;
  };

  const element = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };
  const button = (text, title, action, className = "") => element("button", { type: "button", textContent: text, title, onclick: action, className });
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
  const count = (number) => number.toLocaleString("en");
  const clips = (number) => `${count(number)} ${number === 1 ? "clip" : "clips"}`;
  const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  const mixed = (a, b, share) => "#" + channels(a).map((value, n) => Math.round(value + (channels(b)[n] - value) * share).toString(16).padStart(2, "0")).join("");
  const theme = () => (dark.matches ? THEMES.dark : THEMES.light);

  const shade = (position) => {
    const place = Math.min(Math.max(position, 0), 1) * (VIRIDIS.length - 1);
    const first = Math.min(Math.floor(place), VIRIDIS.length - 2);
    return mixed(VIRIDIS[first], VIRIDIS[first + 1], place - first);
  };
  // Each hue three times: as it is, nearer to the ground, nearer to the ink; the last colour is that of all other classes.
  const categories = () => {
    const { hues, ground, ink, other } = theme();
    return [...hues, ...hues.map((hue) => mixed(hue, ground, 0.5)), ...hues.map((hue) => mixed(hue, ink, 0.5)), other];
  };
  const ramp = () => {
    const [low, high] = theme().ramp;
    const shades = Array.from({ length: SHADES }, (_, n) => shade(low + (high - low) * n / (SHADES - 1)));
    return [...shades, theme().other];
  };

  const decodedColumn = ({ name, classes, codes, numbers }) => {
    if (numbers !== undefined) {
      const values = new Float32Array(bytes(numbers));
      let low = Infinity, high = -Infinity, unknown = 0;
      for (const value of values) {
        if (Number.isNaN(value)) unknown += 1;
        else { low = Math.min(low, value); high = Math.max(high, value); }
      }
      return { name, values, low, high, unknown };
    }
    const Type = classes.length <= 2 ** 8 ? Uint8Array : classes.length <= 2 ** 16 ? Uint16Array : Uint32Array;
    const values = new Type(bytes(codes));
    const counts = new Array(classes.length).fill(0);
    for (const code of values) counts[code] += 1;
    return { name, classes, values, counts };
  };
  const number = (value) => (Number.isNaN(value) ? "unknown" : String(Number(value.toPrecision(4))));
  const valueOf = (column, clip) => (column.classes ? column.classes[column.values[clip]] || "unknown" : number(column.values[clip]));
  const colourCodes = (column, n) => {
    if (!column) return new Uint8Array(n);
    if (column.classes) {
      const last = categories().length - 1;
      return Uint8Array.from(column.values, (code) => (column.classes[code] === "" ? last : Math.min(code, last)));
    }
    const span = column.high - column.low || 1;
    return Uint8Array.from(column.values, (value) => (Number.isNaN(value) ? SHADES : Math.round((value - column.low) / span * (SHADES - 1))));
  };
  const decodedView = (view, common) => {
    const integers = new Int16Array(bytes(view.points));
    const x = new Float32Array(integers.length / 2), y = new Float32Array(integers.length / 2);
    for (let n = 0; n < x.length; n += 1) { x[n] = integers[2 * n] / 32767; y[n] = integers[2 * n + 1] / 32767; }
    return { ...view, x, y, columns: [...common, ...view.columns.map(decodedColumn)] };
  };
  // The same random order at every opening (Fisher and Yates; constants of Numerical Recipes), so that no class lies on top.
  const shuffled = (n) => {
    const order = Array.from({ length: n }, (_, index) => index);
    let seed = 0;
    for (let last = n - 1; last > 0; last -= 1) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const other = Math.floor(seed / 2 ** 32 * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  };
  const csvCell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  return (place, data) => {
    const n = data.clips.length;
    const lower = data.clips.map((clip) => clip.toLowerCase());
    const common = data.columns.map(decodedColumn);
    const views = new Map(); // decoded when they are first shown
    const view = () => {
      if (!views.has(state.view)) views.set(state.view, decodedView(data.views[state.view], common));
      return views.get(state.view);
    };
    const extractors = [...new Set(data.views.map((item) => item.extractor))];
    const layers = (extractor) => data.views.flatMap((item, index) => (item.extractor === extractor ? [index] : []));
    const state = { view: 0, column: null, hidden: new Set(), selection: [], clip: null };
    let plot = null, isLassoing = false;

    // The parts of the page.
    const extractor = element("select", {}, ...extractors.map((name) => element("option", { value: name, textContent: name })));
    const slider = element("input", { type: "range", min: 0, step: 1 });
    const layerName = element("output");
    const colour = element("select");
    const search = element("input", { type: "search", placeholder: "part of an id", spellcheck: false, autocomplete: "off" });
    const labelled = (text, className, ...inputs) => element("label", { className }, element("span", { textContent: text }), ...inputs);
    const layer = labelled("Layer", "layer", slider, layerName);
    const bar = element("div", { className: "bar" }, labelled("Extractor", "", extractor), layer, labelled("Colour", "", colour), labelled("Search", "", search));
    const canvas = element("canvas", { tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `Map of ${clips(n)}. Arrow keys move it, plus and minus zoom, 0 shows all. Search and legend select clips without a pointer.`);
    const tip = element("div", { className: "tip", hidden: true });
    const pan = button("Move", "Drag moves the map, the wheel zooms", () => mode("panZoom"), "mode");
    const lasso = button("Lasso", "Drag around clips to select them (or hold Shift)", () => mode("lasso"), "mode");
    const tools = element("div", { className: "tools" }, pan, lasso, button("+", "Zoom in", () => zoom(1 / 1.5)), button("−", "Zoom out", () => zoom(1.5)), button("All", "Show the whole map", () => fit()));
    const plotBox = element("div", { className: "plot" }, canvas, tools, tip);
    const legend = element("section", { className: "legend" });
    const detail = element("section", { className: "clip", hidden: true });
    detail.setAttribute("aria-live", "polite");
    const selected = element("section", { className: "selection" });
    const trust = element("p", { className: "trust" });
    place.append(element("div", { className: "clip-map" }, bar, plotBox, element("aside", {}, legend, detail, selected), trust));
    extractor.disabled = extractors.length < 2;

    // What is drawn.
    const visible = () => {
      const { column, hidden } = state;
      if (!hidden.size) return null;
      const shown = [];
      for (let clip = 0; clip < n; clip += 1) if (!hidden.has(column.values[clip])) shown.push(clip);
      return shown;
    };
    let pending = null, drawing = false; // a slider is faster than transitions: only the last request counts
    let gliding = Promise.resolve(); // the camera's transition: the library runs one transition at a time
    const draw = async (options = {}) => {
      if (!plot) return;
      pending = { transition: false, ...pending, ...options };
      if (drawing) return;
      drawing = true;
      while (pending) {
        await gliding;
        const { transition } = pending;
        pending = null;
        const { x, y } = view(), filter = visible() ?? undefined;
        plot.set({ pointColor: state.column && !state.column.classes ? ramp() : categories(), pointColorActive: theme().ink, pointColorHover: theme().ink });
        await plot.draw({ x, y, valueA: colourCodes(state.column, n) }, {
          zDataType: "categorical", transition, transitionDuration: still.matches ? 1 : 600, filter, select: [...state.selection],
        });
        highlight();
      }
      drawing = false;
    };
    const highlight = () => {
      if (!plot) return;
      if (state.selection.length) plot.select([...state.selection], { preventEvent: true });
      else plot.deselect({ preventEvent: true });
    };
    const hover = (clip) => plot?.hover(clip ?? undefined, { preventEvent: true });

    // Pan and zoom.
    const distance = (spans) => {
      const aspect = canvas.clientWidth / canvas.clientHeight;
      return Math.max(spans[1], spans[0] / aspect) * 1.2;
    };
    const glide = (target, reach, transition = true) => {
      if (plot) gliding = Promise.all([gliding, plot.zoomToLocation(target, reach, { transition: transition && !drawing && !still.matches, transitionDuration: 300 })]);
      return gliding;
    };
    const fit = (transition = true) => glide([0, 0], distance(data.views[state.view].spans), transition);
    const move = (dx, dy, factor = 1) => {
      if (!plot) return;
      const [x, y] = plot.get("cameraTarget"), reach = plot.get("cameraDistance");
      glide([x + dx * reach, y + dy * reach], reach * factor, false);
    };
    const zoom = (factor) => move(0, 0, factor);
    const zoomTo = (indices) => {
      const [[left, right], [bottom, top]] = [view().x, view().y].map((places) => [
        indices.reduce((low, clip) => Math.min(low, places[clip]), Infinity), indices.reduce((high, clip) => Math.max(high, places[clip]), -Infinity)]);
      glide([(left + right) / 2, (bottom + top) / 2], distance([(right - left) / 2, (top - bottom) / 2].map((half) => Math.max(1.2 * half, 0.05))));
    };
    const mode = (name) => {
      plot?.set({ mouseMode: name });
      pan.setAttribute("aria-pressed", name === "panZoom");
      lasso.setAttribute("aria-pressed", name === "lasso");
    };
    canvas.addEventListener("pointerdown", () => canvas.focus({ preventScroll: true }));
    plotBox.addEventListener("wheel", (event) => { // on a page that scrolls, the wheel zooms a map after a click into it
      const { scrollHeight, clientHeight } = document.documentElement;
      if (scrollHeight > clientHeight && document.activeElement !== canvas) event.stopPropagation();
    }, { capture: true, passive: true });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, 0.2], ArrowDown: [0, -0.2] };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (steps[event.key]) move(...steps[event.key]);
      else if (event.key === "+" || event.key === "=") zoom(1 / 1.5);
      else if (event.key === "-") zoom(1.5);
      else if (event.key === "0") fit();
      else if (event.key === "Escape") select([]);
      else return;
      event.preventDefault();
    });

    // A clip: its values, its path, its sound.
    const source = (clip) => {
      const { data: encoded, files } = data.sound ?? {};
      if (encoded?.[clip]) return `data:audio/mpeg;base64,${encoded[clip]}`;
      return files?.[clip] ? encodeURI(files[clip]).replaceAll("#", "%23").replaceAll("?", "%3F") : "";
    };
    const show = (clip, play = true) => {
      state.clip = clip;
      detail.hidden = false;
      const values = [...view().columns.map((column) => [column.name, valueOf(column, clip)]), ...(data.paths.length ? [["path", data.paths[clip]]] : [])];
      const rows = values.flatMap(([name, value]) => [element("dt", { textContent: name, dir: "auto" }), element("dd", { textContent: value, dir: "auto" })]);
      detail.replaceChildren(element("h2", { textContent: data.clips[clip], dir: "auto" }), element("dl", {}, ...rows));
      const sound = source(clip);
      if (!sound) return;
      const player = element("audio", { controls: true, src: sound, preload: "auto" });
      detail.append(player);
      if (play) player.play().catch(() => { if (player.error) player.replaceWith(element("p", { className: "soft", textContent: `no sound: ${data.sound.files?.[clip] ?? "the preview"} cannot be played` })); });
    };
    const showTip = (clip) => {
      const [x, y] = plot.getScreenPosition(clip) ?? [0, 0];
      const first = state.column ? [state.column] : [];
      const lines = [...first, ...view().columns.filter((column) => column !== state.column)].slice(0, MOST_TIPS);
      tip.replaceChildren(element("strong", { textContent: data.clips[clip], dir: "auto" }), ...lines.map((column) => element("div", { textContent: `${column.name}: ${valueOf(column, clip)}`, dir: "auto" })));
      tip.hidden = false;
      const left = x + 14 + tip.offsetWidth > plotBox.clientWidth ? Math.max(0, x - 14 - tip.offsetWidth) : x + 14;
      tip.style.left = `${left}px`;
      tip.style.top = `${Math.max(0, Math.min(y + 12, plotBox.clientHeight - tip.offsetHeight))}px`;
    };

    // The selection.
    const select = (indices, { play = false, fromPlot = false } = {}) => {
      state.selection = indices;
      if (!fromPlot) highlight();
      if (indices.length === 1) show(indices[0], play);
      const size = indices.length;
      const title = element("h2", { textContent: size ? `${clips(size)} selected` : "No clip selected" });
      if (!size) {
        selected.replaceChildren(title, element("p", { className: "soft", textContent: `Draw a lasso, search, or use “select” in the legend; click a point for the clip${data.sound ? " and its sound" : ""}.` }));
        return;
      }
      const copy = button("Copy ids", "Copy the ids, one a line", async () => {
        try { await navigator.clipboard.writeText(indices.map((clip) => data.clips[clip]).join("\n")); copy.textContent = "Copied"; }
        catch { copy.textContent = "Not allowed: use CSV"; }
      });
      const actions = element("div", { className: "actions" }, copy, button("Save CSV", "Ids, paths and columns of the selection", () => download(indices)), button("Zoom", "Show the selection", () => zoomTo(indices)), button("Clear", "Select nothing", () => select([])));
      const rows = indices.slice(0, MOST_LISTED).map((clip) => {
        const row = button(data.clips[clip], data.clips[clip], () => show(clip));
        row.dir = "auto";
        row.onfocus = row.onpointerenter = () => hover(clip);
        row.onblur = row.onpointerleave = () => hover(null);
        return element("li", {}, row);
      });
      const rest = size > MOST_LISTED ? [element("p", { className: "soft", textContent: `and ${count(size - MOST_LISTED)} more, which the CSV file has too` })] : [];
      selected.replaceChildren(title, actions, element("ul", { className: "list" }, ...rows), ...rest);
    };
    const download = (indices) => {
      const { columns } = view();
      const header = ["clip", "path", ...columns.map((column) => column.name)];
      const lines = indices.map((clip) => [data.clips[clip], data.paths[clip] ?? data.clips[clip], ...columns.map((column) => (column.classes ? column.classes[column.values[clip]] : Number.isNaN(column.values[clip]) ? "" : String(column.values[clip])))]);
      const text = [header, ...lines].map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
      const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "selection.csv" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
    search.oninput = () => {
      const words = search.value.trim().toLowerCase();
      select(words ? lower.flatMap((clip, index) => (clip.includes(words) ? [index] : [])) : []);
    };
    search.onkeydown = (event) => { if (event.key === "Enter" && state.selection.length) zoomTo(state.selection); };

    // The legend.
    const redraw = () => { drawLegend(); draw(); };
    const classRow = (column, code, colours) => {
      const { hidden } = state;
      const label = column.classes[code];
      const swatch = element("span", { className: "swatch" });
      swatch.style.background = label === "" ? colours.at(-1) : colours[Math.min(code, colours.length - 1)];
      const row = button("", "Show or hide", () => {
        if (!hidden.delete(code)) hidden.add(code);
        row.setAttribute("aria-pressed", !hidden.has(code));
        reset.disabled = !hidden.size;
        draw();
      }, "class");
      row.setAttribute("aria-pressed", !hidden.has(code));
      row.append(swatch, element("bdi", { textContent: label || "unknown" }), element("span", { className: "count soft", textContent: count(column.counts[code]) }));
      const only = button("only", "Hide all other classes", () => {
        column.classes.forEach((_, other) => (other === code ? hidden.delete(other) : hidden.add(other)));
        redraw();
      }, "more");
      const all = button("select", "Select the clips of this class", () => {
        const indices = [];
        column.values.forEach((value, clip) => { if (value === code) indices.push(clip); });
        select(indices);
      }, "more");
      for (const [part, verb] of [[only, "only"], [all, "select"]]) part.setAttribute("aria-label", `${verb} ${label || "unknown"}`);
      return element("li", {}, row, only, all);
    };
    const reset = button("Show all", "Show all classes", () => { state.hidden.clear(); redraw(); });
    const drawLegend = () => {
      const { column, hidden } = state;
      if (!column) { legend.hidden = true; return; }
      const title = element("h2", { textContent: column.name, dir: "auto" });
      if (column.classes) {
        const colours = categories();
        const shared = column.classes.length > colours.length - 1;
        reset.disabled = !hidden.size;
        legend.replaceChildren(title, element("ul", {}, ...column.classes.map((_, code) => classRow(column, code, colours))), reset,
          ...(shared ? [element("p", { className: "soft", textContent: `The ${colours.length - 1} largest classes have colours; all others are grey.` })] : []));
        return;
      }
      const bar = element("div", { className: "ramp" });
      bar.style.background = `linear-gradient(to right, ${ramp().slice(0, SHADES).join(",")})`;
      const ends = element("div", { className: "ends" }, element("span", { textContent: number(column.low) }), element("span", { textContent: number(column.high) }));
      const unknown = column.unknown ? [element("p", { className: "soft", textContent: `grey: unknown, ${clips(column.unknown)}` })] : [];
      legend.replaceChildren(title, bar, ends, ...unknown);
    };

    // Choices.
    // A view may have columns of its own, such as its clusters: the colours stay those of the column of the same name.
    const showColumns = () => {
      const { columns } = view(), { column } = state;
      state.column = columns.find((item) => item.name === column?.name) ?? columns[0] ?? null;
      colour.replaceChildren(...columns.map((item, index) => element("option", { value: index, textContent: item.name })));
      colour.value = columns.indexOf(state.column);
      colour.parentNode.hidden = columns.length < 2;
      if (state.column === column) return false;
      state.hidden.clear();
      drawLegend();
      return true;
    };
    const showView = () => {
      const { extractor: name, name: title, sentences } = data.views[state.view];
      const positions = layers(name);
      extractor.value = name;
      slider.max = positions.length - 1;
      slider.value = positions.indexOf(state.view);
      slider.setAttribute("aria-valuetext", title);
      slider.hidden = positions.length < 2;
      layer.firstChild.textContent = positions.length < 2 ? "Map" : "Layer";
      layerName.textContent = title;
      trust.textContent = sentences.join(" ");
      trust.hidden = !sentences.length;
    };
    const choose = (index) => {
      if (index === state.view) return;
      state.view = index;
      showView();
      fit(false);
      draw({ transition: !showColumns() });
      if (state.clip !== null && view().columns.length > common.length) show(state.clip, false);
    };
    extractor.onchange = () => choose(layers(extractor.value)[0]);
    slider.oninput = () => choose(layers(extractor.value)[slider.value]);
    colour.onchange = () => { state.column = view().columns[colour.value]; state.hidden.clear(); redraw(); };

    const start = async () => {
      try {
        const { clientWidth: width, clientHeight: height } = plotBox;
        const size = n < 300 ? 10 : n < 3000 ? 8 : n < 20000 ? 5 : 3;
        plot = reglScatterplot.createScatterplot({
          renderer: shared(width, height), canvas, width, height, colorBy: "valueA", pointSize: size, pointSizeSelected: 2, pointOutlineWidth: 1,
          opacity: n < 3000 ? 0.9 : n < 20000 ? 0.75 : 0.6, lassoColor: theme().ink, backgroundColor: theme().ground, showReticle: false, deselectOnDblClick: true, deselectOnEscape: false,
          actionKeyMap: { lasso: "shift", merge: "ctrl" },
        });
      } catch (error) {
        plotBox.replaceChildren(element("p", { className: "failure", textContent: `This browser draws no map (it needs WebGL): ${error.message}. Search, legend and lists work.` }));
        return;
      }
      let settling = 0;
      plot.subscribe("view", () => {
        movement = performance.now();
        clearTimeout(settling);
        settling = setTimeout(() => plot.redraw(), SETTLED);
      });
      plot.subscribe("pointOver", (clip) => { if (!isLassoing) showTip(clip); });
      plot.subscribe("lassoStart", () => { isLassoing = true; });
      plot.subscribe("lassoEnd", () => { isLassoing = false; });
      for (const event of ["pointOut", "view", "lassoStart"]) plot.subscribe(event, () => { tip.hidden = true; });
      plot.subscribe("select", ({ points }) => select([...points].sort((a, b) => a - b), { play: true, fromPlot: true }));
      plot.subscribe("deselect", () => select([], { fromPlot: true }));
      new ResizeObserver(() => {
        const { clientWidth: width, clientHeight: height } = plotBox;
        if (!width || !height) return;
        shared(width, height);
        plot.set({ width, height });
      }).observe(plotBox);
      dark.addEventListener("change", () => { plot.set({ backgroundColor: theme().ground, lassoColor: theme().ink }); redraw(); });
      mode("panZoom");
      await draw();
      plot.set({ pointOrder: shuffled(n) });
      await fit(false);
      place.dataset.ready = "true";
    };
    showView();
    if (!showColumns()) drawLegend();
    select([]);
    return start();
  };
})();
