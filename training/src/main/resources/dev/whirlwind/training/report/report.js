// Values under the pointer.
for (const plot of document.querySelectorAll('.plot')) {
  const scale = 'logarithmic' in plot.dataset ? Math.log : x => x;
  const [low, high] = plot.dataset.x.split(',').map(x => scale(Number(x)));
  const lines = [...plot.querySelectorAll('path[data-x]')];
  const cross = document.createElement('div');
  const tip = document.createElement('div');
  cross.className = 'cross';
  tip.className = 'tip';
  const nearest = (places, place) => {
    let best = 0;
    for (let i = 1; i < places.length; i++) if (Math.abs(places[i] - place) < Math.abs(places[best] - place)) best = i;
    return best;
  };
  const row = (line, label, value) => {
    const div = tip.appendChild(document.createElement('div'));
    const span = div.appendChild(document.createElement('span'));
    span.className = line ? line.classList[0] : '';
    span.textContent = label;
    div.appendChild(document.createElement('b')).textContent = value;
  };
  const number = v => Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString('en') : v && Math.abs(v) < 1e-3 ? v.toExponential(2) : String(v);
  const show = event => {
    const box = plot.getBoundingClientRect();
    const x = low + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (high - low);
    tip.replaceChildren();
    let at = null, value;
    for (const line of lines) {
      line.xs ??= line.dataset.x.split(',').map(Number);
      line.places ??= line.xs.map(scale);
      line.ys ??= line.dataset.y.split(',').map(Number);
      const i = nearest(line.places, x);
      if (at === null || Math.abs(line.places[i] - x) < Math.abs(at - x)) [at, value] = [line.places[i], line.xs[i]];
    }
    if (at === null) return;
    row(null, plot.dataset.unit, number(value));
    for (const line of lines) {
      const i = nearest(line.places, at);
      row(line, line.dataset.label + (Math.abs(line.places[i] - at) > (high - low) / 200 ? ' (' + number(line.xs[i]) + ')' : ''), number(line.ys[i]));
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
