"""The few lines of JavaScript the page needs. They delegate events: gradio runs them once a component.

In scope: `element` (the component's root), `trigger(event, data)`, `watch(property, callback)`.
"""

# Buttons with data-copy copy that text; buttons with data-link copy the address of the view they name.
COPY = """
element.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy], [data-link]');
  if (!button) return;
  const text = button.dataset.copy ?? new URL(button.dataset.link, location.href).href;
  const before = button.textContent;
  try { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; }
  catch { window.prompt('Copy this:', text); }
  setTimeout(() => { button.textContent = before; }, 1500);
});
"""

# One cell is in the tab order; arrow keys, Home and End move within the table.
MATRIX = """
const choose = (cell) => {
  element.querySelectorAll('.cell').forEach((other) => {
    const chosen = other.dataset.r === cell.dataset.r && other.dataset.c === cell.dataset.c;
    other.setAttribute('aria-pressed', chosen);
    other.tabIndex = chosen ? 0 : -1;
  });
  trigger('select', {index: [Number(cell.dataset.r), Number(cell.dataset.c)], value: Number(cell.dataset.n)});
};
element.addEventListener('click', (event) => {
  const cell = event.target.closest('[data-r]');
  if (cell) choose(cell);
});
element.addEventListener('keydown', (event) => {
  const cell = event.target.closest('.cell');
  const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
  if (!cell || !(step || event.key === 'Home' || event.key === 'End')) return;
  event.preventDefault();
  const last = Math.max(...[...element.querySelectorAll('.cell')].map((c) => Number(c.dataset.c)));
  const r = Number(cell.dataset.r) + (step ? step[0] : 0);
  const c = step ? Number(cell.dataset.c) + step[1] : event.key === 'Home' ? 0 : last;
  const next = element.querySelector(`.cell[data-r="${r}"][data-c="${c}"]`);
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
"""

PAGER = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-page]');
  if (button) trigger('select', {index: Number(button.dataset.page), value: 'page'});
});
"""

STUDY = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-study]');
  if (button) trigger('select', {index: button.dataset.study, value: 'study'});
});
"""

# A pair that is opened is laid into the dialog: A's image over B's, and what the judges say of either.
WIPE = (
    """
const wipe = (range) => {
  range.closest('.wipe').style.setProperty('--wipe', range.value);
  range.setAttribute('aria-valuetext', `${range.value} % A`);
};
element.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-wipe]');
  if (!opener) return;
  const dialog = element.querySelector('.wipe');
  dialog.querySelector('h3').textContent = opener.dataset.wipe;
  const images = dialog.querySelectorAll('.wipe-view img');
  const said = dialog.querySelector('.wipe-said');
  said.replaceChildren();
  opener.closest('.pair').querySelectorAll('.half').forEach((half, i) => {
    const {src, alt} = half.querySelector('img');
    Object.assign(images[i], {src, alt});
    said.append(half.querySelector('.caption').cloneNode(true));
  });
  const range = dialog.querySelector('input');
  range.value = 50;
  wipe(range);
  dialog.showModal();
});
element.addEventListener('input', (event) => { if (event.target.matches('.wipe input')) wipe(event.target); });
"""
    + PAGER
)

# Frames of a stopped run may still be on their way, behind the answer to Stop itself: the outer element remembers
# which run it was.
HALT = """
const halt = () => {
  const section = element.querySelector('[data-run]:has(progress)');
  if (!section || section.dataset.run !== element.dataset.halted) return;
  section.querySelector('.level').textContent = 'stopped';
  section.querySelector('progress').remove();
};
element.addEventListener('halt', (event) => { element.dataset.halted = event.target.dataset.run; halt(); });
watch('value', halt);
"""

# The view (estimate or noisy) and the frame live on the outer element, which a new value leaves alone.
STAGE = (
    """
const apply = () => {
  const view = element.dataset.view || 'estimate';
  element.querySelectorAll('[data-view-choice]').forEach((button) => {
    button.setAttribute('aria-pressed', button.dataset.viewChoice === view);
  });
};
const wind = (range) => {
  const levels = range.dataset.levels.split(',');
  const last = Number(range.value) === levels.length - 1;
  element.style.setProperty('--frame', range.value);
  range.nextElementSibling.textContent = last ? 'finished' : `noise level ${levels[Number(range.value)]}`;
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-view-choice]');
  if (!button) return;
  element.dataset.view = button.dataset.viewChoice;
  apply();
});
element.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-card]');
  if (!opener) return;
  const [label, seed] = opener.dataset.card.split(',').map(Number);
  const made = JSON.parse(opener.closest('.stage').dataset.made);
  trigger('select', {index: {label, seed, made}, value: 'card'});
});
element.addEventListener('input', (event) => { if (event.target.matches('.scrub')) wind(event.target); });
watch('value', () => { element.style.removeProperty('--frame'); apply(); });
"""
    + HALT
    + COPY
)

# A slider over a film, and a button that plays it. The frame lives on the outer element.
FILM = """
let timer = null;
const stop = () => { clearInterval(timer); timer = null; };
const wind = (range) => {
  const frame = Number(range.value);
  element.style.setProperty('--frame', frame);
  range.nextElementSibling.textContent = range.dataset.texts.split('|')[frame];
  element.querySelectorAll('[data-frames]').forEach((said) => {
    said.textContent = said.dataset.frames.split('|')[frame];
  });
  element.querySelectorAll('.track').forEach((track) => {
    [...track.children].forEach((mark, i) => mark.classList.toggle('now', i === frame));
  });
};
element.addEventListener('input', (event) => {
  if (event.target.matches('.scrub')) { stop(); wind(event.target); }
});
element.addEventListener('click', (event) => {
  if (!event.target.closest('[data-play]')) return;
  const range = element.querySelector('.scrub');
  if (timer) { stop(); return; }
  if (range.value === range.max) range.value = 0;
  wind(range);
  timer = setInterval(() => {
    range.value = Number(range.value) + 1;
    wind(range);
    if (range.value === range.max) stop();
  }, Number(range.dataset.pause));
});
const begin = () => {
  stop();
  const range = element.querySelector('.scrub');
  if (range) wind(range);
};
watch('value', begin);
begin();
"""

# A card that was just opened is brought into view; its button asks for more like it.
CARD = (
    """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-more]');
  if (button) trigger('select', {index: JSON.parse(button.dataset.more), value: 'more'});
});
watch('value', () => {
  if (element.querySelector('.digit-card, .alike')) element.scrollIntoView({behavior: 'smooth', block: 'nearest'});
});
"""
    + COPY
)

DICE = "() => Math.floor(Math.random() * 1e6)"  # a new seed


def stop(name: str) -> str:
    """What a Stop button tells the element called `name`, which has `HALT`."""
    running = f"document.querySelector('#{name} [data-run]')"
    return f"() => {{ {running}?.dispatchEvent(new Event('halt', {{bubbles: true}})); return []; }}"


# What is typed or clicked before a link's settings are in would be overwritten: until then nothing answers.
# An address that names no view sets nothing, so there is nothing to wait for.
ARRIVE = "() => { document.querySelector('#tabs').inert = location.search !== ''; }"
ARRIVED = "() => { document.querySelector('#tabs').inert = false; document.documentElement.dataset.arrived = ''; }"
