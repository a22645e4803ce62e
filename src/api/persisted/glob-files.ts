import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';

/**
 * The files that `pattern` names: a path, or a path with `*`, `?` (within a name) and `**` (any folders).
 * Node 20 has no `fs.glob`. Sorted; a path without wildcards is given back as it is, whether it exists or not.
 */
export async function globFiles(pattern: string): Promise<string[]> {
  const full = resolve(pattern);
  if (!/[*?]/.test(full)) return [full];
  const expression = toExpression(full);
  const names = await readdir(globRoot(full), { recursive: full.includes('**'), withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of full.includes('**') || !/[*?]/.test(dirname(full)) ? names : await nested(full)) {
    const path = join(entry.parentPath, entry.name);
    if (!expression.test(path)) continue;
    // A Kubernetes ConfigMap shows its files as links.
    const isFile =
      entry.isFile() || (entry.isSymbolicLink() && (await stat(path).catch(() => null))?.isFile() === true);
    if (isFile) found.push(path);
  }
  return found.sort();
}

/** The deepest folder that stands before the first wildcard. */
export function globRoot(pattern: string): string {
  let root = resolve(pattern);
  while (/[*?]/.test(root) || root === resolve(pattern)) {
    const parent = dirname(root);
    if (parent === root) break;
    root = parent;
  }
  return root;
}

/** A wildcard in a folder's name without `**`: look everywhere below, the expression decides. */
function nested(full: string) {
  return readdir(globRoot(full), { recursive: true, withFileTypes: true }).catch(() => []);
}

function toExpression(full: string): RegExp {
  const parts = (full.endsWith('**') ? join(full, '*') : full).split(sep).map((part) =>
    part === '**'
      ? '**'
      : part
          .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
          .replaceAll('*', '[^/\\\\]*')
          .replaceAll('?', '[^/\\\\]'),
  );
  const source = parts.join('/').replaceAll('**/', '(?:[^/\\\\]+[/\\\\])*');
  return new RegExp(`^${source}$`);
}
