"""The pad on which a visitor draws a digit: a canvas, examples to start from, an upload. No gradio.

Its value is the drawing as a PNG data URI, "" while nothing is on it; a stroke that ends, an example and a cleared pad
each tell the page at once. Pictures are drawn onto the canvas by the browser, so that one path reaches the server.
"""

from app import sprites
from diffusion_core import data

# Real test digits of very different hands: bold, thin, upright, leaning left and right.
EXAMPLES = (7, 18, 61, 92, 184, 340)

SCRIPT = """
const canvas = element.querySelector('canvas');
const pen = canvas.getContext('2d', {willReadFrequently: true});
const said = element.querySelector('.pad-said');
let last = null;
const clear = () => { pen.fillStyle = '#fff'; pen.fillRect(0, 0, canvas.width, canvas.height); };
const tell = (value) => { said.textContent = ''; props.value = value; trigger('input'); };
const at = (event) => {
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
};
const line = (to) => {
  Object.assign(pen, {lineWidth: 24, lineCap: 'round', lineJoin: 'round', strokeStyle: '#000'});
  pen.beginPath(); pen.moveTo(...last); pen.lineTo(...to); pen.stroke();
  last = to;
};
const show = (picture) => {
  clear();
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  pen.drawImage(picture, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  tell(canvas.toDataURL('image/png'));
};
clear();
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = at(event);
  line(last);
});
canvas.addEventListener('pointermove', (event) => { if (last) line(at(event)); });
['pointerup', 'pointercancel'].forEach((kind) => canvas.addEventListener(kind, () => {
  if (last) tell(canvas.toDataURL('image/png'));
  last = null;
}));
element.addEventListener('click', (event) => {
  const example = event.target.closest('[data-example]');
  if (example) show(example.querySelector('img'));
  if (event.target.closest('[data-clear]')) { clear(); tell(''); }
});
element.addEventListener('change', async (event) => {
  const file = event.target.files[0];
  event.target.value = '';
  if (!file) return;
  try { show(await createImageBitmap(file)); }
  catch { said.textContent = 'This is not a picture that the browser can read.'; }
});
"""


def pad() -> str:
    """The canvas, its buttons and its examples."""
    test = data.load("mnist", "test")
    examples = "".join(
        f'<button type="button" class="example" data-example><img class="pixels" width="28" height="28" '
        f'src="{uri}" alt="Example: a real {int(test.labels[i])}, test digit {i}"></button>'
        for i, uri in zip(EXAMPLES, sprites.thumbnails(255 - test.images[list(EXAMPLES)]), strict=True)
    )
    return (
        '<div class="pad"><canvas width="280" height="280" role="img" aria-label="Drawing pad for one digit: '
        'draw with a mouse, a finger or a pen, or choose an example below"></canvas>'
        f'<div class="examples">{examples}</div>'
        '<div class="take"><button type="button" class="quiet" data-clear>Clear</button>'
        '<label class="quiet">Upload a picture'
        '<input type="file" accept="image/*" class="visually-hidden"></label></div>'
        '<p class="problem pad-said" role="status"></p></div>'
    )
