// Values under the pointer.
for (const plot of document.querySelectorAll('.plot')) {
  const [low, high] = plot.dataset.x.split(',').map(Number);
  const lines = [...plot.querySelectorAll('path[data-x]')];
  const cross = document.createElement('div');
  const tip = document.createElement('div');
  cross.className = 'cross';
  tip.className = 'tip';
  const nearest = (xs, x) => {
    let a = 0, b = xs.length - 1;
    while (b - a > 1) {
      const middle = (a + b) >> 1;
      if (xs[middle] < x) a = middle; else b = middle;
    }
    return x - xs[a] <= xs[b] - x ? a : b;
  };
  const row = (line, label, value) => {
    const div = tip.appendChild(document.createElement('div'));
    const span = div.appendChild(document.createElement('span'));
    span.className = line ? line.classList[0] : '';
    span.textContent = label;
    div.appendChild(document.createElement('b')).textContent = value;
  };
  const number = v => Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString('en') : String(v);
  const show = event => {
    const box = plot.getBoundingClientRect();
    const x = low + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (high - low);
    tip.replaceChildren();
    let at = null;
    for (const line of lines) {
      line.xs ??= line.dataset.x.split(',').map(Number);
      line.ys ??= line.dataset.y.split(',').map(Number);
      const i = nearest(line.xs, x);
      if (at === null || Math.abs(line.xs[i] - x) < Math.abs(at - x)) at = line.xs[i];
    }
    if (at === null) return;
    row(null, plot.dataset.unit, number(at));
    for (const line of lines) {
      const i = nearest(line.xs, at);
      row(line, line.dataset.label + (Math.abs(line.xs[i] - at) > (high - low) / 200 ? ' (' + number(line.xs[i]) + ')' : ''), number(line.ys[i]));
    }
    plot.append(cross, tip);
    const place = (at - low) / (high - low);
    cross.style.left = 100 * place + '%';
    tip.style.left = place < .5 ? 'calc(' + 100 * place + '% + .6rem)' : '';
    tip.style.right = place < .5 ? '' : 'calc(' + 100 * (1 - place) + '% + .6rem)';
  };
  const hide = () => { cross.remove(); tip.remove(); };
  plot.addEventListener('pointermove', show);
  plot.addEventListener('pointerdown', show);
  plot.addEventListener('pointerleave', hide);
}
