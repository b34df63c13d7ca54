"use strict";
// Works without this: it only offers to copy what is to be pasted, and opens what is folded before printing.
for (const paste of document.querySelectorAll(".paste")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy for ${paste.dataset.place}`);
  button.addEventListener("click", async () => {
    const pre = paste.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  paste.append(button);
}
const block = document.getElementById("grid");
if (block) {
  const grid = JSON.parse(block.textContent);
  const part = (id) => document.getElementById(id);
  const [loss, latency] = [part("slide-loss"), part("slide-latency")];
  const say = (id, text) => { const found = part(id); if (found) found.textContent = text; };
  const draw = (id, cells, at) => {
    const chart = part(id);
    if (!chart) return;
    const floor = Number(chart.querySelector("line.axis").getAttribute("y1"));
    for (const column of chart.querySelectorAll("[data-at]")) {
      const plan = grid.plans[cells[column.dataset.at]];
      if (column.tagName === "text") { column.textContent = plan ? "" : "\u00d7"; continue; }
      column.setAttribute("y", floor - (plan ? plan.height : 0));
      column.setAttribute("height", plan ? plan.height : 0);
      column.classList.toggle("pick", Number(column.dataset.at) === at);
    }
    chart.querySelectorAll(".tick").forEach((tick, number) => tick.classList.toggle("now", number === at));
    const [plan, label] = [grid.plans[cells[at]], chart.querySelector(".over")];
    const place = 100 * (at + 0.5) / cells.length;
    label.textContent = plan ? plan.short : "nothing fits";
    label.setAttribute("x", `${place}%`);
    label.setAttribute("y", floor - (plan ? plan.height + 8 : 22));
    label.setAttribute("text-anchor", place < 14 ? "start" : place > 86 ? "end" : "middle");
  };
  const move = () => {
    const [row, column] = [Number(loss.value), latency ? Number(latency.value) : grid.at[1]];
    const plan = grid.plans[grid.cells[row][column]];
    loss.setAttribute("aria-valuetext", grid.losses[row]);
    if (latency) latency.setAttribute("aria-valuetext", `${grid.factors[column]}: ${grid.limits[column]}`);
    say("loss-now", grid.losses[row]);
    say("latency-now", grid.factors[column]);
    say("latency-limits", grid.limits[column]);
    say("found-cost", plan ? plan.cost : "Nothing fits within these limits.");
    say("found-saving", plan ? `${plan.saving}; ${plan.against}` : "");
    say("found-plan", plan ? plan.plan : "");
    say("found-loss", plan ? `Expected accuracy loss ${plan.loss}` : "");
    draw("chart-by-loss", grid.cells.map((cells) => cells[column]), row);
    draw("chart-by-latency", grid.cells[row], column);
  };
  const back = () => { loss.value = grid.at[0]; if (latency) latency.value = grid.at[1]; move(); };
  loss.addEventListener("input", move);
  if (latency) latency.addEventListener("input", move);
  part("yours").addEventListener("click", back);
  let shown = [];
  addEventListener("beforeprint", () => { shown = [loss.value, latency && latency.value]; back(); });
  addEventListener("afterprint", () => { loss.value = shown[0]; if (latency) latency.value = shown[1]; move(); });
  for (const [slide, count] of [[loss, grid.losses.length], [latency, grid.factors.length]]) {
    if (!slide) continue;
    slide.style.marginLeft = `calc(${50 / count}% - 8px)`;
    slide.style.width = `calc(${100 * (count - 1) / count}% + 16px)`;
  }
  for (const live of document.querySelectorAll(".live")) live.hidden = false;
  back();
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
