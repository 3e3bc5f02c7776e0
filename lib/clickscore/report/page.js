// Draws every chart in the colours of the page, and draws them anew when the system changes between light and dark.
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 34rem)");

function config() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const text = { labelColor: colour("--soft"), titleColor: colour("--soft"), labelFontSize: 12, titleFontSize: 12 };
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: {
      ...text, titleFontWeight: "normal", gridColor: colour("--line"), domainColor: colour("--line"),
      tickColor: colour("--line"), labelLimit: narrow.matches ? 110 : 200,
    },
    legend: { ...text, titleFontWeight: "normal", orient: "top", columns: narrow.matches ? 2 : 4, symbolLimit: 0 },
  };
}

async function draw() {
  document.documentElement.removeAttribute("data-drawn");
  for (const place of document.querySelectorAll("[data-spec]")) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    await window.vegaEmbed(place, spec, {
      actions: false, renderer: "svg", config: config(), tooltip: { theme: dark.matches ? "dark" : "light" },
    });
  }
  document.documentElement.setAttribute("data-drawn", ""); // for those who wait for the page
}

dark.addEventListener("change", draw);
narrow.addEventListener("change", draw);
await draw();
