// ---- code sizes: the chosen candidate and PCA, the others faint behind them
const sizes = ({ curves, layouts, sizes }) => {
  const line = (curve, name, own) => ({ type: "scatter", mode: "lines+markers", name: curve.title, x: curve.x, y: curve.means[name] ?? curve.judged,
    customdata: curve.x.map((place) => sizes[place]), hovertemplate: "code %{customdata}: %{y:.4g}<extra>" + curve.title + "</extra>", ...own });
  const faint = () => ({ opacity: 0.35, line: { color: colour("--soft"), width: 1 }, marker: { color: colour("--soft"), size: 4 } });
  const pca = () => ({ line: { color: colour("--soft"), width: 2, dash: "dash" }, marker: { color: colour("--soft"), size: 7, symbol: "diamond" } });
  const chosen = (curve, name) => ({ line: { color: colour("--accent"), width: 2.5 }, marker: { color: colour("--accent"), size: 9 },
    ...(name === "judged" && { error_y: { type: "data", symmetric: false, array: curve.above, arrayminus: curve.below, color: colour("--accent"), thickness: 1.8, width: 4 } }) });
  const order = (curve, key) => (curve.key === key ? 2 : curve.candidate ? 0 : 1);
  const every = () => ({ type: "scatter", mode: "lines", name: "every unit", x: sizes.map((_, place) => place), y: sizes, hoverinfo: "skip", line: { color: colour("--soft"), width: 1, dash: "dot" } });
  const range = ([knee, low, high]) => (knee === null ? [] : [
    { type: "rect", yref: "paper", y0: 0, y1: 1, x0: low - 0.22, x1: high + 0.22, fillcolor: "rgba(230,159,0,0.16)", line: { width: 0 }, layer: "below" },
    { type: "line", yref: "paper", y0: 0, y1: 1, x0: knee, x1: knee, line: { color: "#E69F00", width: 2 }, layer: "below" },
  ]);
  const show = () => {
    const key = by("choose-size").value;
    const sorted = [...curves].sort((a, b) => order(a, key) - order(b, key));
    const knee = curves.find((curve) => curve.key === key).knee;
    const other = by("choose-yardstick");
    layouts.other.yaxis.title.text = other.selectedOptions[0].text;
    const yardstick = { judged: "", other: other.value, active: "active_units" };
    return Promise.all([...document.querySelectorAll("#sizes .plot")].map((element) => {
      const name = element.dataset.panel;
      const traces = sorted.map((curve) => line(curve, yardstick[name], [faint, pca, () => chosen(curve, name)][order(curve, key)]()));
      const layout = { ...layouts[name], shapes: name === "judged" ? range(knee) : range(knee).slice(1) };
      return draw(element, name === "active" ? [every(), ...traces] : traces, layout, false);
    }));
  };
  for (const id of ["choose-size", "choose-yardstick"]) by(id).onchange = show;
  return show();
};

// ---- what models of counts expect, beside what was seen
const checks = ({ rows, layouts }) => {
  const dots = (x, y, name, own) => ({ type: "scatter", mode: "markers", name, x, y, cliponaxis: false, marker: { size: 5.5, opacity: 0.65, ...own } });
  const guide = (x, y, name) => ({ type: "scatter", mode: "lines", name, x, y, hoverinfo: "skip", showlegend: Boolean(name), line: { color: colour("--soft"), width: 1, dash: "dot" } });
  const most = (...values) => Math.max(0.05, ...values.flat());
  const share = (seen, expected, what) => [guide([0, most(seen, expected)], [0, most(seen, expected)], ""),
    { ...dots(seen, expected, "", { color: colour("--accent") }), hovertemplate: what + ": %{x:.1%} zeros seen, %{y:.1%} expected<extra></extra>" }];
  const ends = (values) => { const known = values.filter((value) => value > 0); return [Math.min(...known), Math.max(...known)]; };
  const panels = {
    zeros: (row) => share(row.zeros_seen, row.zeros_expected, "a feature"),
    profiles: (row) => share(row.row_zeros_seen, row.row_zeros_expected, "a profile"),
    variances: (row) => [guide(ends(row.mean_seen), ends(row.mean_seen), "Poisson"),
      { ...dots(row.mean_seen, row.variance_seen, "seen", { color: "#8A8F98", symbol: "circle-open", opacity: 1 }), hovertemplate: "mean %{x:.3g}: variance %{y:.3g} seen<extra></extra>" },
      { ...dots(row.mean_seen, row.variance_expected, "expected", { color: colour("--accent") }), hovertemplate: "mean %{x:.3g}: variance %{y:.3g} expected<extra></extra>" }],
  };
  const show = () => {
    const row = rows[by("choose-check").value];
    by("check-verdict").textContent = row.verdict + " Drawn are " + row.note + ".";
    return Promise.all([...document.querySelectorAll("#expect .plot")].map((element) =>
      draw(element, panels[element.dataset.panel](row), layouts[element.dataset.panel], false)));
  };
  by("choose-check").onchange = show;
  return show();
};

// ---- what was read of self-supervised methods while they trained
const courses = ({ readings }) => {
  const show = () => { const { data, layout } = readings[by("choose-reading").value]; return draw(by("plot-course"), data, layout); };
  by("choose-reading").onchange = show;
  return show();
};
