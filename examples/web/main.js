import { graphqlClient, uuidv7 } from './graphql-client.js';
import { showItems, showReactions } from './item-list.js';

// The list is everybody's and may be cached by anybody; what the viewer did is asked for apart, and is theirs alone.
const POPULAR = `query PopularItems($window: PopularityWindow, $category: String) {
  popularItems(first: 20, window: $window, category: $category) {
    nodes { rank people counts { type count } item { id title category imageUrl } }
  }
}`;
const REACTIONS = `query ViewerReactions($ids: [ID!]!) { items(ids: $ids) { id viewerReactions } }`;
const LIKE = `mutation Like($input: RecordInteractionInput!) {
  answer: recordInteraction(input: $input) { interaction { item { id viewerReactions } } userErrors { message } }
}`;
const UNLIKE = `mutation Unlike($input: RetractInteractionInput!) {
  answer: retractInteraction(input: $input) { interaction { item { id viewerReactions } } userErrors { message } }
}`;

const REFRESH_MS = 5_000;
/** After a write of one's own: accepted to visible takes some of these. */
const AFTER_WRITE_MS = [300, 600, 1_000, 1_500, 2_200];

const client = graphqlClient({ url: '/graphql', deviceId: deviceId() });
const filters = document.querySelector('#filters');
const status = document.querySelector('#status');
/** Items whose like is on its way. */
const writing = new Set();
/** Counts refreshes and writes: an answer asked for before a write must not undo what is shown. */
let latest = 0;

restoreFilters();
filters.addEventListener('change', () => {
  history.replaceState(null, '', `?${new URLSearchParams(chosen())}`);
  void refresh();
});
setInterval(refreshIfSeen, REFRESH_MS);
document.addEventListener('visibilitychange', refreshIfSeen);
void refresh();

function refreshIfSeen() {
  if (!document.hidden) void refresh();
}

async function refresh(how) {
  const turn = ++latest;
  const { window, category } = chosen();
  try {
    const { popularItems } = await client.read(POPULAR, { window, category: category || null }, how);
    if (turn !== latest) return;
    const items = popularItems.nodes.map(({ item }) => item);
    offerCategories(items);
    showItems(popularItems.nodes, toggleLike);
    const found = items.length === 0 ? [] : (await client.readOwn(REACTIONS, { ids: items.map(({ id }) => id) })).items;
    if (turn !== latest) return;
    for (const item of found) if (item && !writing.has(item.id)) showReactions(item);
    status.textContent = '';
  } catch (error) {
    if (turn === latest) say('The list could not be loaded. Trying again.', error);
  }
}

async function toggleLike(id, likes) {
  if (writing.has(id)) return;
  writing.add(id);
  latest += 1;
  showReactions({ id, viewerReactions: likes ? ['LIKE'] : [] });
  try {
    const { answer } = await client.write(likes ? LIKE : UNLIKE, { itemId: id, type: 'LIKE', id: uuidv7() });
    if (answer.userErrors.length > 0) throw new Error(answer.userErrors[0].message);
    showReactions(answer.interaction.item);
    status.textContent = '';
    for (const delayMs of AFTER_WRITE_MS) setTimeout(() => refresh({ fresh: true }), delayMs);
  } catch (error) {
    showReactions({ id, viewerReactions: likes ? [] : ['LIKE'] });
    say('That could not be saved. Please try again.', error);
  } finally {
    writing.delete(id);
    latest += 1;
  }
}

function chosen() {
  return Object.fromEntries(new FormData(filters));
}

function restoreFilters() {
  const wanted = new URLSearchParams(location.search);
  offerCategories([{ category: wanted.get('category') }]);
  for (const [name, value] of wanted) if (filters.elements[name]) filters.elements[name].value = value;
  if (!filters.elements.window.value) filters.elements.window.value = 'WEEK';
}

/** Every category seen so far. */
function offerCategories(items) {
  const select = filters.elements.category;
  const known = new Set([...select.options].map(({ value }) => value));
  for (const category of new Set(items.map((item) => item.category))) {
    if (category && !known.has(category)) select.add(new Option(category, category));
  }
}

function say(message, error) {
  status.textContent = message;
  console.warn(message, error);
}

/** Who this is while nobody signs in; kept, so that likes are still there after a reload. */
function deviceId() {
  const kept = localStorage.getItem('device-id') ?? uuidv7();
  localStorage.setItem('device-id', kept);
  return kept;
}
