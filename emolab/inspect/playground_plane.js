// The plane of recall against precision: known scores, lines of equal F, and the settings that were tried.

const PLANE = { side: 360, left: 44, top: 10, right: 42, bottom: 40 }; // pixels

function draw(tag, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// A score as it is shown: in percent, but for labels a clip
export const scoreText = (measure, value) => (measure === "labels_per_clip" ? value.toFixed(2) : (100 * value).toFixed(1));

export function planeFigure(parent) {
  const { side, left, top, right, bottom } = PLANE;
  return draw("svg", { viewBox: `0 0 ${left + side + right} ${top + side + bottom}`, role: "img" }, parent);
}

// points: [{name, precision, recall}]; iso: [{level, line}]; trail: [{precision, recall, said}], the setting of now last
export function drawPlane(svg, { points, iso }, trail) {
  const { side, left, top } = PLANE;
  const values = [...points, ...trail].flatMap((each) => [100 * each.precision, 100 * each.recall]);
  const low = Math.max(0, Math.floor(Math.min(...values) / 10 - 0.3) * 10);
  const high = Math.min(100, Math.ceil(Math.max(...values) / 10 + 0.3) * 10);
  const span = high - low;
  const along = (value) => ((value - low) / span) * side;
  const at = (each) => [left + along(100 * each.precision), top + side - along(100 * each.recall)];
  svg.replaceChildren();
  draw("rect", { x: left, y: top, width: side, height: side, class: "ep-frame" }, svg);
  for (let value = low; value <= high; value += 10) {
    draw("text", { x: left + along(value), y: top + side + 15, "text-anchor": "middle" }, svg, value);
    draw("text", { x: left - 6, y: top + side - along(value) + 4, "text-anchor": "end" }, svg, value);
  }
  const middle = top + side / 2;
  draw("text", { x: left + side / 2, y: top + side + 34, "text-anchor": "middle", class: "ep-axis" }, svg, "precision (%)");
  draw("text", { x: 12, y: middle, "text-anchor": "middle", class: "ep-axis", transform: `rotate(-90 12 ${middle})` }, svg, "recall (%)");
  const box = { x: left, y: top, width: side, height: side, viewBox: `${low} ${-high} ${span} ${span}`, preserveAspectRatio: "none" };
  const inside = draw("svg", box, svg);
  for (const { level, line } of iso) {
    if (span > 50 && level % 10) continue;
    const curve = line.map(([p, r]) => `${p},${-r}`).join(" ");
    draw("polyline", { points: curve, class: "ep-iso", "vector-effect": "non-scaling-stroke" }, inside);
    if (level <= low || level >= high) continue;
    const edge = (level * high) / (2 * high - level); // where it leaves at the right, or else its middle
    const [x, y] = edge > low ? [side + 5, along(edge)] : [along(level), along(level)];
    draw("text", { x: left + x, y: top + side - y + 3, class: "ep-faint" }, svg, `F ${level}`);
  }
  points.forEach((point, number) => {
    const [x, y] = at(point);
    const square = draw("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, class: "ep-fixed" }, svg);
    draw("title", {}, square, point.name);
    draw("text", { x: x + 6, y: y - 3, class: "ep-faint" }, svg, number + 1);
  });
  draw("polyline", { points: trail.map((each) => at(each).join(",")).join(" "), class: "ep-trail" }, svg);
  trail.forEach((each, number) => {
    const [x, y] = at(each);
    const last = number === trail.length - 1;
    const mark = last
      ? draw("path", { d: `M${x} ${y - 9}L${x + 9} ${y}L${x} ${y + 9}L${x - 9} ${y}z`, class: "ep-now" }, svg)
      : draw("circle", { cx: x, cy: y, r: 4, class: "ep-past" }, svg);
    draw("title", {}, mark, each.said);
  });
  const now = trail.at(-1);
  svg.setAttribute("aria-label", `Recall-precision plane: precision ${scoreText("precision", now.precision)} %, recall ${scoreText("recall", now.recall)} %`);
}
