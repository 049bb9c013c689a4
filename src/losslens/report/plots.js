// What pages with plots share: unpack the library and the figures, draw, and draw again when light turns to dark.
const by = (id) => document.getElementById(id);
const inflate = async (id) => {
  const bytes = Uint8Array.from(atob(by(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const draw = (id, { data, layout }) => {
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const axis = (own) => ({ gridcolor: colour("--line"), zerolinecolor: colour("--soft"), ...own });
  return Plotly.react(by(id), data, { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: colour("--ink") }, margin: { t: 10, r: 10 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--soft") }, legend: { orientation: "h", y: 1.12 }, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis) }, { responsive: true, displaylogo: false, displayModeBar: "hover" });
};
const drawn = (show) => {
  const start = async () => {
    const script = document.createElement("script");
    script.textContent = await inflate("plotly");
    document.head.append(script);
    const figures = JSON.parse(await inflate("figures"));
    await show(figures);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(figures));
    document.documentElement.dataset.drawn = "yes";
  };
  start().catch((error) => { by("undrawn").hidden = false; by("undrawn").textContent = `The pictures could not be drawn in this browser: ${error.message}.`; });
};
