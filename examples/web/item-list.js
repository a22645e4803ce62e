const list = document.querySelector('#items');
const empty = document.querySelector('#empty');
const template = document.querySelector('#item');
const rows = new Map();
const number = new Intl.NumberFormat();

/** Rows are kept and moved, so that a refresh takes neither the focus nor a press away. */
export function showItems(nodes, onLike) {
  const focused = document.activeElement;
  const shown = nodes.map((node) => {
    const row = rows.get(node.item.id) ?? createRow(node.item.id, onLike);
    fillRow(row, node);
    return row;
  });
  for (const [index, row] of shown.entries())
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  for (const [id, row] of rows) {
    if (shown.includes(row)) continue;
    row.remove();
    rows.delete(id);
  }
  if (focused !== document.activeElement && list.contains(focused)) focused.focus();
  empty.hidden = shown.length > 0;
}

/** Whether the viewer likes an item, if it is shown. */
export function showReactions({ id, viewerReactions }) {
  const button = rows.get(id)?.querySelector('.like');
  button?.setAttribute('aria-pressed', String(viewerReactions.includes('LIKE')));
}

function createRow(id, onLike) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.id = id;
  const button = row.querySelector('.like');
  button.addEventListener('click', () => onLike(id, button.getAttribute('aria-pressed') !== 'true'));
  const image = row.querySelector('img');
  image.addEventListener('load', () => image.classList.add('loaded'));
  image.addEventListener('error', () => image.classList.remove('loaded'));
  rows.set(id, row);
  return row;
}

function fillRow(row, { rank, people, counts, item }) {
  const likes = counts.find(({ type }) => type === 'LIKE')?.count ?? 0;
  row.querySelector('.rank').textContent = rank;
  row.querySelector('h2').textContent = item.title;
  row.querySelector('.category').textContent = item.category ?? '';
  row.querySelector('.people').textContent = people === 1 ? '1 person' : `${number.format(people)} people`;
  row.querySelector('.likes').textContent = number.format(likes);
  const label = `Like ${item.title}: ${number.format(likes)} ${likes === 1 ? 'like' : 'likes'}`;
  row.querySelector('.like').setAttribute('aria-label', label);
  const image = row.querySelector('img');
  if (item.imageUrl && image.src !== item.imageUrl) image.src = item.imageUrl;
}
