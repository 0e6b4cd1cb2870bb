// What is asked of a report. It runs in a page whose frames hold the reports, and leaves its findings in the page.
function luminance([r, g, b]) {
  const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
}
function contrast(a, b) {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}
function rgba(text) {
  const n = (text.match(/[\d.]+/g) || []).map(Number);
  return text === 'none' || text === 'transparent' || n.length < 3 ? [0, 0, 0, 0] : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
}
function over(top, below) { return [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])); }
function behind(element, view) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(rgba(view.getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
}
function shapes(svg, view) {
  return [...svg.querySelectorAll('path, use, rect, polygon, circle, ellipse, text')].map(e => {
    if (e.closest('defs, clipPath')) return null;
    const style = view.getComputedStyle(e), fill = rgba(style.fill);
    return {e, fill: [...fill.slice(0, 3), fill[3] * style.fillOpacity * style.opacity], box: e.getBoundingClientRect()};
  }).filter(Boolean);
}
function audit(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, found = [];
  page.querySelectorAll('details').forEach(d => { d.open = true; });
  const all = query => [...page.querySelectorAll(query)];
  const levels = all('h1, h2, h3, h4, h5, h6').map(h => Number(h.tagName[1]));
  if (levels.filter(l => l === 1).length !== 1) found.push('h1: ' + levels.filter(l => l === 1).length);
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) found.push(`heading level ${l} after ${levels[i - 1]}`); });
  if (!page.documentElement.lang) found.push('no lang');
  if (!page.title.trim()) found.push('no title');
  const ids = all('[id]').map(e => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => found.push('id twice: ' + id));
  all('a[href]').forEach(a => {
    const to = a.getAttribute('href');
    if (to.startsWith('#') ? !page.getElementById(to.slice(1)) : !/^https:\/\/doi\.org\/10\./.test(to)) found.push('link: ' + to);
    if (!a.textContent.trim()) found.push('link without text: ' + to);
  });
  const named = e => (e.getAttribute('aria-labelledby') || '').split(' ').map(id => page.getElementById(id)?.textContent || '')
    .join('').trim() || (e.getAttribute('aria-label') || e.getAttribute('alt') || '').trim();
  all('img, svg, section, [role=region], nav').forEach(e => { if (!named(e)) found.push('no name: ' + e.outerHTML.slice(0, 90)); });
  all('[src], [srcset], object, link, script, iframe').forEach(e => found.push('loads: ' + e.outerHTML.slice(0, 90)));
  all('table').forEach(t => {
    if (!t.caption?.textContent.trim() && !named(t) && !named(t.closest('[role=region]') || t)) found.push('table without name');
    if (!t.querySelector('th')) found.push('table without headings');
  });
  all('th').forEach(th => { if (!th.scope) found.push('th without scope: ' + th.textContent); });
  const resources = view.performance.getEntriesByType('resource').map(r => r.name);
  resources.forEach(name => found.push('loaded ' + name.slice(0, 90)));
  const wide = page.documentElement.scrollWidth;
  if (wide > frame.clientWidth) found.push(`page is ${wide} wide, window ${frame.clientWidth}`);
  let texts = 0;
  const low = new Set(), pictures = new Map(all('svg').map(s => [s, shapes(s, view)]));
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('title, desc, style, script')) continue;
    const style = view.getComputedStyle(e), svg = e.closest('svg'), box = e.getBoundingClientRect();
    if (!box.width || style.visibility === 'hidden') continue;
    let ink, ground = behind(svg || e, view);
    if (svg) {
      ink = rgba(style.fill);
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      for (const s of pictures.get(svg)) {
        if (s.e === e || s.e.contains(e)) break;
        if (s.e.tagName !== 'text' && s.box.left <= x && x <= s.box.right && s.box.top <= y && y <= s.box.bottom
            && s.box.width * s.box.height > 1.2 * box.width * box.height) ground = over(s.fill, ground);
      }
    } else ink = rgba(style.color);
    texts += 1;
    const c = contrast(over(ink, ground), ground);
    if (c < LEAST_CONTRAST) low.add(`contrast ${c.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return {found: [...found, ...low], texts, svgs: pictures.size, tables: all('table').length, headings: levels.length};
}
window.addEventListener('load', () => {
  const findings = {};
  document.querySelectorAll('iframe').forEach(f => { findings[f.id] = audit(f); });
  document.body.innerHTML = '<pre id="findings"></pre>';
  document.getElementById('findings').textContent = JSON.stringify(findings);
});
