import { mesh } from './store.js';

const SVG = 'http://www.w3.org/2000/svg';
const kept = new WeakMap();

/** A line from each door to each group that it sends sessions to, as thick as there are many. */
export function drawFlows(svg, map, doors, groups) {
  const lines = kept.get(svg) ?? new Map();
  kept.set(svg, lines);
  // On a narrow screen doors and groups are below one another: what flows is in words there.
  const apart = groups.offsetLeft > doors.offsetLeft;
  const wanted = apart ? mesh.flows.filter(({ group }) => group) : [];
  const origin = map.getBoundingClientRect();
  const drawn = new Set();
  for (const { from, group, perSecond } of wanted) {
    const door = doors.querySelector(`[data-id="${CSS.escape(from)}"]`);
    const target = groups.querySelector(`[data-id="${CSS.escape(group)}"]`);
    if (!door || !target) continue;
    const key = `${from}\n${group}`;
    drawn.add(key);
    if (!lines.has(key)) lines.set(key, svg.appendChild(document.createElementNS(SVG, 'path')));
    const line = lines.get(key);
    line.setAttribute('d', curve(door.getBoundingClientRect(), target.getBoundingClientRect(), origin));
    line.style.strokeWidth = `${Math.min(8, 1.5 + Math.log2(1 + perSecond))}px`;
  }
  for (const [key, line] of lines) {
    if (drawn.has(key)) continue;
    line.remove();
    lines.delete(key);
  }
}

function curve(door, group, origin) {
  const [x1, y1] = [door.right - origin.left, door.top + door.height / 2 - origin.top];
  const [x2, y2] = [group.left - origin.left, group.top + 24 - origin.top];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
